"""All fits of a study, in pairs."""

import importlib
import importlib.metadata
import platform

import keras
import numpy as np

from gc_study import theory
from gc_study.arms import make_optimizer
from gc_study.network import digest, initial_weights, network, with_new_head
from gc_study.settings import STARTS
from gc_study.training import Trainer

#: Where the images of each data set come from.
SOURCES = {"digits": "scikit-learn", "horses_or_humans": "tensorflow-datasets"}


def environment(data):
    """Name what decides the figures beside the settings."""
    backend = keras.backend.backend()
    versions = {
        name: importlib.metadata.version(name) for name in ("keras", "numpy", SOURCES[data])
    }
    return {
        "python": platform.python_version(),
        "backend": backend,
        backend: importlib.import_module(backend).__version__,
        **versions,
    }


class Experiment:
    """The compiled networks of a study."""

    def __init__(self, images, settings):
        self.images = images
        self.settings = settings
        self.shape = images.train[0].shape[1:]
        self.probe = theory.GradientProbe(self._network(dropout=0.0), images.train)
        self.trainers = {}
        self.pretrained = {}

    def _network(self, **options):
        return network(self.shape, self.settings.filters, **options)

    def trainer(self, optimizer, arm):
        """Return the trainer of an arm; it is compiled by a fit that does not count."""
        if (optimizer, arm) not in self.trainers:
            model = self._network()
            trainer = Trainer(model, make_optimizer(optimizer, arm))
            trainer.fit(
                self.images, self.images.train, initial_weights(model, 0),
                epochs=1, batch=self.settings.batch, seed=(0,),
            )  # fmt: skip
            self.trainers[optimizer, arm] = trainer
        return self.trainers[optimizer, arm]

    def initial(self, seed):
        """Return the random weights that all fresh fits of a seed start from."""
        return initial_weights(self.probe.model, seed)

    def fine_tuning_start(self, seed):
        """Return weights trained on the other classes, with a new last layer."""
        if seed not in self.pretrained:
            fresh = self.initial(seed)
            trained = self.trainer("Adam", "plain").fit(
                self.images, self.images.other, fresh,
                epochs=self.settings.pretraining, batch=self.settings.batch, seed=(seed, 2),
            ).weights  # fmt: skip
            self.pretrained = {seed: with_new_head(trained, fresh)}
        return self.pretrained[seed]

    def run_group(self, group, done):
        """Run the fits of one seed and one optimizer; ``done`` is told each fit and its figures.

        The order of the arms changes from seed to seed, so that none is always timed first.
        """
        seed = group[0].seed
        beginnings = {"fresh": self.initial(seed)}
        for start in dict.fromkeys(fit.start for fit in group):
            if start == "fine-tuned":
                beginnings[start] = self.fine_tuning_start(seed)
            fits = [fit for fit in group if fit.start == start]
            for number in np.random.default_rng([seed, STARTS.index(start)]).permutation(len(fits)):
                fit = fits[number]
                outcome = self.trainer(fit.optimizer, fit.arm).fit(
                    self.images, self.images.train, beginnings[start],
                    epochs=self.settings.epochs, batch=self.settings.batch,
                    seed=(seed, 3 + STARTS.index(start)),
                )  # fmt: skip
                if (fit.start, fit.arm) == ("fresh", "plain"):
                    beginnings["continued"] = outcome.weights
                done(fit, self.figures(beginnings[start], outcome))

    def figures(self, before, outcome):
        """Return what is kept of a fit."""
        model, after = self.probe.model, outcome.weights
        return {
            **outcome.history,
            "seconds": [round(s, 4) for s in outcome.seconds],
            "weights": digest(after),
            "norms": theory.norms(self.probe.gradients(after)),
            "drift": theory.drift(model, before, after),
            "shift": theory.intensity_shift(before, after, self.images.validation[0][:64]),
        }
