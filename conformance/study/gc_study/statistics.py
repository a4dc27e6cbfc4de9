"""Paired differences, their confidence intervals, and the noise of single runs."""

from dataclasses import dataclass

import numpy as np
from scipy.stats import bootstrap

RESAMPLES = 9999


@dataclass(frozen=True)
class Interval:
    """The mean of paired differences and its 95 % confidence interval."""

    mean: float
    low: float
    high: float
    negative: int
    positive: int
    pairs: int

    @property
    def sign(self):
        """-1 or 1 if the interval lies on one side of zero, else 0."""
        return int(self.low > 0) - int(self.high < 0)


def paired(differences):
    """Bootstrap (BCa) the mean of the differences; where all are equal it is that, exactly."""
    values = np.asarray(differences, dtype="float64")
    mean = float(values.mean())
    low, high = mean, mean
    if len(set(values)) > 1:
        found = bootstrap(
            (values,),
            np.mean,
            n_resamples=RESAMPLES,
            method="BCa",
            rng=np.random.default_rng(0),
        ).confidence_interval
        low, high = float(found.low), float(found.high)
    return Interval(mean, low, high, int((values < 0).sum()), int((values > 0).sum()), len(values))


def seed_noise(values):
    """How far runs that differ in the seed alone are apart: the median, the 95th percentile."""
    values = np.asarray(values, dtype="float64")
    first, second = np.triu_indices(len(values), k=1)
    return tuple(np.quantile(np.abs(values[first] - values[second]), [0.5, 0.95]).tolist())
