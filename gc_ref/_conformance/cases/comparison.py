"""Compare what a port answered with the exact values, element by element."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import numpy as np

from gc_ref import exact
from gc_ref._conformance.findings.outcome import Comparison
from gc_ref._conformance.ports.case import Array


@dataclass(frozen=True)
class Expected:
    """An array as the second witness has it, and how far off a correct port may be."""

    lower: exact.ExactArray  # ends of an enclosure of each element; one and the same array where
    upper: exact.ExactArray  # the values are known exactly
    tau: Array  # largest error of a correct port, element by element
    #: Place of each element's value in both ends, where elements share one; None: its own place.
    places: Array | None = None

    @cached_property
    def floats(self) -> tuple[Array, Array, Array]:
        """Ends of the enclosures, correctly rounded, and where a float is the exact value."""
        low = [_float(n, self.lower.denominator) for n in self.lower.numerators]
        high = low
        if self.upper is not self.lower:
            high = [_float(n, self.upper.denominator) for n in self.upper.numerators]
        pairs = enumerate(zip(low, high, strict=True))
        sharp = [a == b and self._distance(a, i) == 0 for i, (a, b) in pairs]
        found = np.asarray(low), np.asarray(high), np.asarray(sharp, dtype=bool)
        if self.places is None:
            return found
        return found[0][self.places], found[1][self.places], found[2][self.places]

    def distance(self, value: float, position: int) -> float:
        """Return the distance from a value to the enclosure of one element.

        It is never rounded down to 0.
        """
        return self._distance(value, self._place(position))

    def _place(self, position: int) -> int:
        return position if self.places is None else int(self.places[position])

    def _distance(self, value: float, position: int) -> float:
        if not math.isfinite(value):
            return math.inf
        p, q = value.as_integer_ratio()
        below = self.lower.numerators[position] * q - p * self.lower.denominator
        if below > 0:
            return _quotient(below, q * self.lower.denominator)
        above = p * self.upper.denominator - self.upper.numerators[position] * q
        return _quotient(above, q * self.upper.denominator) if above > 0 else 0.0

    def unreduced(self, position: int) -> tuple[tuple[int, int], tuple[int, int]]:
        """Return numerator and denominator of both ends of the enclosure of one element."""
        at = self._place(position)
        low = self.lower.numerators[at], self.lower.denominator
        return low, (self.upper.numerators[at], self.upper.denominator)

    def ends(self, position: int) -> tuple[Fraction, Fraction]:
        """Return the ends of the enclosure of one element."""
        low, high = self.unreduced(position)
        return Fraction(*low), Fraction(*high)


def compare(got: Array, want: Expected, dtype: str, *, useless: Array | None = None) -> Comparison:
    """Compare an array with its expected values, element by element.

    Parameters
    ----------
    got : numpy.ndarray
        What the port answered.
    want : Expected
        Exact values and allowances; another number of them raises ValueError.
    dtype : str
        Dtype of the answer, for the ulps.
    useless : numpy.ndarray of bool, optional
        Elements whose allowance is too wide to decide anything; they are only counted.

    Returns
    -------
    Comparison
        Of the element with the largest ratio of error to allowance.
    """
    values = np.asarray(got, dtype=np.float64).ravel()
    taus = np.asarray(want.tau, dtype=np.float64).ravel()
    count = len(want.lower.numerators) if want.places is None else want.places.size
    if values.size != count or values.size != taus.size:
        raise ValueError(f"{values.size} values for {count} expected ones")
    used = np.ones(values.shape, bool) if useless is None else ~np.ravel(useless)
    undecided = int(values.size - used.sum())
    if not used.any():
        return Comparison.of_nothing(dtype, undecided=undecided)
    low, high, sharp = want.floats
    away, near = (values < low) | (values > high) | ~np.isfinite(values), used.copy()
    near &= ~away & ~(sharp & (values == low))  # only exact arithmetic tells these from 0
    errors = {int(i): want.distance(float(values[i]), int(i)) for i in np.flatnonzero(near)}
    inexact = int((away & used).sum()) + sum(e != 0 for e in errors.values())
    at = int(np.argmax(used))
    worst, worst_error = 0.0, want.distance(float(values[at]), at)
    off = away | near
    for i in _candidates(values, low, high, taus, off, used) if off.any() else ():
        error = errors[i] if i in errors else want.distance(float(values[i]), i)
        hopeless = error == math.inf or (error > 0 and taus[i] == 0)
        ratio = math.inf if hopeless else error / float(taus[i]) if error else 0.0
        if ratio > worst:
            worst, worst_error, at = ratio, error, i
    return Comparison(
        ratio=worst,
        error=worst_error,
        position=at,
        got=float(values[at]),
        ends=want.unreduced(at),
        tau=float(taus[at]),
        dtype=dtype,
        inexact=inexact,
        undecided=undecided,
    )


def _candidates(
    values: Array, low: Array, high: Array, taus: Array, off: Array, used: Array
) -> list[int]:
    """Return the elements that may have the largest ratio of all, by bounds in floats.

    ``low`` and ``high`` are within half an ulp of the exact ends, so that an error computed
    from them is off by no more than an ulp of what is subtracted.
    """
    with np.errstate(all="ignore"):
        error = np.where(off, np.maximum(np.maximum(low - values, values - high), 0.0), 0.0)
        slack = np.where(off, 2.0**-51 * (np.abs(values) + np.abs(low) + np.abs(high)), 0.0)
        slack = slack + np.where(off, 5e-324, 0.0)
        most, least = (error + slack) / taus, np.maximum(error - slack, 0.0) / taus
    # NaN is either 0/0, no error where none is allowed, or may be any number.
    most = np.where(off, np.where(np.isnan(most), math.inf, most), 0.0)
    least = np.where(off & ~np.isnan(least), least, 0.0)
    chosen = used & off & (most >= least[used].max())
    return [int(i) for i in np.flatnonzero(chosen)]


def _float(p: int, q: int) -> float:
    """Return p / q, correctly rounded; infinite where it is too large."""
    try:
        return p / q
    except OverflowError:
        return math.inf if p > 0 else -math.inf


def _quotient(p: int, q: int) -> float:
    """Return p / q for positive integers, never rounded down to 0 nor raised to an error."""
    try:
        return p / q or math.ulp(0.0)
    except OverflowError:
        return math.inf
