"""What one check found, and the verdict that all of them make."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

from gc_ref import exact
from gc_ref._conformance.findings.counterexample import Counterexample

STATUSES = (
    "passed",
    "failed",
    "expected-failure",
    "unexpected-pass",
    "not-applicable",
    "indeterminate",
    "error",
)


@dataclass(frozen=True)
class Comparison:
    """How far an array is from the expected one, at its worst element."""

    ratio: float  # its error in units of its allowance
    error: float  # distance of what was got from the exact value, or from its enclosure
    position: int  # its place in the flat array
    got: float
    #: Numerator and denominator of the exact value, or of both ends of its enclosure: not reduced,
    #: since common factors of such long integers cost more than all the rest of a comparison.
    ends: tuple[tuple[int, int], tuple[int, int]]
    tau: float
    dtype: str
    inexact: int  # number of elements that are not exact
    undecided: int = 0  # number of elements that were not judged

    @classmethod
    def of_nothing(cls, dtype: str, *, undecided: int = 0) -> Comparison:
        """Make the comparison of an array in which there is nothing to judge."""
        return cls(0.0, 0.0, 0, math.nan, ((0, 1), (0, 1)), 0.0, dtype, 0, undecided)

    @cached_property
    def expected(self) -> Fraction:
        """The exact value, or the middle of its enclosure."""
        low, high = self.ends
        return Fraction(*low) if low == high else (Fraction(*low) + Fraction(*high)) / 2

    @property
    def ulps(self) -> float:
        """The error in units in the last place of the exact value."""
        return self.error / float_ulp(self.expected, self.dtype) if self.error else 0.0

    @property
    def within(self) -> bool:
        """Whether every element is within its bound."""
        return self.ratio <= 1.0


def float_ulp(x: Fraction, dtype: str) -> float:
    """Return the distance between the numbers of ``dtype`` around ``x``."""
    return float(exact.ulp(x, dtype))


@dataclass(frozen=True)
class Outcome:
    """What one check found.

    Attributes
    ----------
    status : str
        One of `STATUSES`.
    message : str
        What was found, or why the check says nothing.
    ratio, ulps : float or None
        Largest error, in units of its bound and in units in the last place.
    counterexample : Counterexample or None
        What shows the failure.
    fuzzed : bool
        Whether only fuzzing saw the failure, so that another run may see none. (A fixed case
        that fails is often shown by a smaller example of fuzzing: that is not meant.)
    """

    status: str
    message: str = ""
    ratio: float | None = None
    ulps: float | None = None
    counterexample: Counterexample | None = None
    fuzzed: bool = False


def passed(message: str = "", *, ratio: float | None = None, ulps: float | None = None) -> Outcome:
    """Return the outcome of a check that holds."""
    return Outcome("passed", message, ratio, ulps)


def not_applicable(reason: str) -> Outcome:
    """Return the outcome of a check that says nothing about this port, and why."""
    return Outcome("not-applicable", reason)


def failed(
    message: str,
    *,
    comparison: Comparison | None = None,
    counterexample: Counterexample | None = None,
    fuzzed: bool = False,
) -> Outcome:
    """Return the outcome of a check that does not hold."""
    ratio = ulps = None
    if comparison is not None:
        ratio, ulps = comparison.ratio, comparison.ulps
    return Outcome("failed", message, ratio, ulps, counterexample, fuzzed)


def verdict_of(statuses: Iterable[str]) -> str:
    """Return the verdict on a port whose checks have these statuses."""
    found = set(statuses)
    if "error" in found:
        return "error"
    if found & {"failed", "unexpected-pass", "indeterminate"}:
        return "deviates"
    return "conforms"
