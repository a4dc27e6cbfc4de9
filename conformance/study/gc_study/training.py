"""One fit: Keras's ``fit`` on a network that is compiled once and set back before each fit."""

import time
from dataclasses import dataclass

import keras
import numpy as np

from gc_study.batches import Batches


@dataclass(frozen=True)
class Outcome:
    """What a fit left: figures of each epoch, seconds of each epoch, and the weights."""

    history: dict[str, list[float]]
    seconds: list[float]
    weights: list[np.ndarray]


class Stopwatch(keras.callbacks.Callback):
    """Seconds of each epoch, its validation included."""

    def on_train_begin(self, logs=None):
        self.seconds = []

    def on_epoch_begin(self, epoch, logs=None):
        self.began = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        self.seconds.append(time.perf_counter() - self.began)


class Trainer:
    """A network and its optimizer."""

    def __init__(self, model, optimizer):
        self.model = model
        model.compile(optimizer, loss="binary_crossentropy", metrics=["accuracy"])
        optimizer.build(model.trainable_variables)
        self.beginning = [variable.numpy() for variable in optimizer.variables]

    def set_back(self, weights, seed):
        """Give the network these weights, the optimizer its first state, dropout its seeds."""
        self.model.set_weights(weights)
        for variable, value in zip(self.model.optimizer.variables, self.beginning, strict=True):
            variable.assign(value)
        dropouts = [x for x in self.model.layers if isinstance(x, keras.layers.Dropout)]
        rng = np.random.default_rng(seed)
        for layer, number in zip(dropouts, rng.integers(2**31, size=len(dropouts)), strict=True):
            layer.seed_generator.state.assign([number, 0])
        # On PyTorch, dropout draws from the global generator instead.
        keras.utils.set_random_seed(int(rng.integers(2**31)))

    def fit(self, images, labelled, weights, *, epochs, batch, seed):
        """Fit from these weights; with the same seed, on the same batches with the same dropout."""
        self.set_back(weights, seed)
        stopwatch = Stopwatch()
        history = self.model.fit(
            Batches(labelled, images.augment, batch, seed),
            validation_data=images.validation,
            validation_batch_size=min(256, len(images.validation[0])),
            epochs=epochs,
            callbacks=[stopwatch],
            shuffle=False,  # of whole batches, by a generator that no seed of ours reaches
            verbose=0,
        ).history
        return Outcome(history, stopwatch.seconds, self.model.get_weights())
