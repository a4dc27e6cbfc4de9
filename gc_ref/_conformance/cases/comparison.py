"""Hold what a port answered against its exact values, element by element."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import numpy as np

from gc_ref import exact
from gc_ref._conformance.ports.case import Array

__all__ = ["Comparison", "Expected", "compare", "float_ulp"]

#: Precision in bits, and exponent of the smallest normal number, of each dtype.
FORMATS = {
    "float16": (11, -14),
    "bfloat16": (8, -126),
    "float32": (24, -126),
    "float64": (53, -1022),
}


@dataclass(frozen=True)
class Expected:
    """An array as the second witness has it, with the allowance of a correct port."""

    lower: exact.ExactArray
    upper: exact.ExactArray
    tau: Array

    @cached_property
    def floats(self) -> tuple[Array, Array, Array]:
        """Ends of the enclosures, correctly rounded, and where both are that very float."""
        low = [_float(n, self.lower.denominator) for n in self.lower.numerators]
        high = (
            low
            if self.upper is self.lower
            else [_float(n, self.upper.denominator) for n in self.upper.numerators]
        )
        sharp = [
            a == b and self.distance(a, i) == 0
            for i, (a, b) in enumerate(zip(low, high, strict=True))
        ]
        return np.asarray(low), np.asarray(high), np.asarray(sharp, dtype=bool)

    def distance(self, value: float, position: int) -> float:
        """Distance from a value to the enclosure of one element, never rounded down to 0."""
        return _distance(
            value, self.lower.numerators[position], self.lower.denominator,
            self.upper.numerators[position], self.upper.denominator,
        )  # fmt: skip

    def middle(self, position: int) -> Fraction:
        """Exact value (or the middle of its enclosure) of one element."""
        total = Fraction(self.lower.numerators[position], self.lower.denominator)
        total += Fraction(self.upper.numerators[position], self.upper.denominator)
        return total / 2


@dataclass(frozen=True)
class Comparison:
    """How far an array is from the expected one: its worst element."""

    ratio: float
    ulps: float
    position: int
    got: float
    expected: Fraction
    tau: float
    inexact: int
    undecided: int = 0

    @property
    def within(self) -> bool:
        """Whether every element is within its bound."""
        return self.ratio <= 1.0


def compare(got: Array, want: Expected, dtype: str, *, useless: Array | None = None) -> Comparison:
    """Hold an array against its expected values, element by element.

    Parameters
    ----------
    got : numpy.ndarray
        What the port answered.
    want : Expected
        Exact values and allowances, of the same number of elements.
    dtype : str
        Dtype of the answer, for the ulps.
    useless : numpy.ndarray of bool, optional
        Elements whose allowance is too wide to decide anything; they are only counted.

    Returns
    -------
    Comparison
        Of the element with the largest ratio of error to allowance.

    Raises
    ------
    ValueError
        If the sizes differ.
    """
    values = np.asarray(got, dtype=np.float64).ravel()
    taus = np.asarray(want.tau, dtype=np.float64).ravel()
    if values.size != len(want.lower.numerators) or values.size != taus.size:
        raise ValueError(f"{values.size} values for {len(want.lower.numerators)} expected ones")
    used = np.ones(values.shape, bool) if useless is None else ~np.ravel(useless)
    undecided = int(values.size - used.sum())
    if not used.any():
        return Comparison(0.0, 0.0, 0, math.nan, Fraction(0), 0.0, 0, undecided)
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
    expected = want.middle(at)
    ulps = worst_error / float_ulp(expected, dtype)
    return Comparison(
        worst, ulps, at, float(values[at]), expected, float(taus[at]), inexact, undecided
    )


def _candidates(
    values: Array, low: Array, high: Array, taus: Array, off: Array, used: Array
) -> list[int]:
    """Elements that may have the largest ratio of all: floats bound each from both sides.

    ``low`` and ``high`` are within half an ulp of the exact ends, so that an error computed
    from them is off by no more than an ulp of what is subtracted.
    """
    with np.errstate(all="ignore"):
        error = np.where(off, np.maximum(np.maximum(low - values, values - high), 0.0), 0.0)
        slack = np.where(off, 2.0**-51 * (np.abs(values) + np.abs(low) + np.abs(high)), 0.0)
        slack = slack + np.where(off, 5e-324, 0.0)
        most, least = (error + slack) / taus, np.maximum(error - slack, 0.0) / taus
    # 0/0 is no error where none is allowed; whatever else is no number may be anything.
    most = np.where(off, np.where(np.isnan(most), math.inf, most), 0.0)
    least = np.where(off & ~np.isnan(least), least, 0.0)
    floor = float(least[used].max())
    chosen = used & off & (most >= floor)
    return [int(i) for i in np.flatnonzero(chosen)]


def _distance(value: float, low: int, low_den: int, high: int, high_den: int) -> float:
    """Distance from ``value`` to the enclosure [low/low_den, high/high_den], as a float."""
    if not math.isfinite(value):
        return math.inf
    p, q = value.as_integer_ratio()
    below = low * q - p * low_den
    if below > 0:
        return _quotient(below, q * low_den)
    above = p * high_den - high * q
    return _quotient(above, q * high_den) if above > 0 else 0.0


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


def float_ulp(x: Fraction, dtype: str) -> float:
    """Distance between the numbers of ``dtype`` around ``x``."""
    precision, smallest = FORMATS[dtype]
    exponent = smallest
    if x:
        n, d = abs(x.numerator), x.denominator
        exponent = n.bit_length() - d.bit_length()
        exponent -= (n << max(0, -exponent)) < (d << max(0, exponent))
    spacing = max(exponent, smallest) - precision + 1
    return math.ldexp(1.0, spacing) if spacing < 1024 else math.inf
