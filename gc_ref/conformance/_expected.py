"""What a correct port does, from the second witness, and how far off one may be."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from gc_ref import bounds, exact
from gc_ref._layouts import is_convolution, output_axes
from gc_ref.conformance._conventions import Conventions
from gc_ref.conformance._port import Array, Case, Parameter

__all__ = ["Comparison", "Expected", "axes_in_scope", "compare", "expected_steps"]

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
    """
    flat = np.asarray(got, dtype=np.float64).ravel().tolist()
    taus = want.tau.ravel().tolist()
    skip = None if useless is None else useless.ravel().tolist()
    low, high = want.lower, want.upper
    worst, worst_error, at, inexact, undecided = -1.0, 0.0, 0, 0, 0
    for i, (value, tau) in enumerate(zip(flat, taus, strict=True)):
        if skip is not None and skip[i]:
            undecided += 1
            continue
        error = _distance(
            value, low.numerators[i], low.denominator, high.numerators[i], high.denominator
        )
        inexact += error != 0
        hopeless = error == math.inf or (error > 0 and tau == 0)
        ratio = math.inf if hopeless else error / tau if error else 0.0
        if ratio > worst:
            worst, worst_error, at = ratio, error, i
    if not flat or worst < 0:
        return Comparison(0.0, 0.0, 0, math.nan, Fraction(0), 0.0, 0, undecided)
    expected = want.middle(at)
    ulps = worst_error / float_ulp(expected, dtype)
    return Comparison(worst, ulps, at, flat[at], expected, taus[at], inexact, undecided)


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


def axes_in_scope(
    parameter: Parameter, conventions: Conventions, *, rule: str | None = None
) -> tuple[int, ...] | None:
    """Output axes of a parameter under the port's conventions; None: GC leaves it alone."""
    axes = output_axes(
        parameter.kind,
        len(parameter.shape),
        layout=conventions.get("layout"),
        axes_rule=rule or conventions.get("axes_rule"),
    )
    if axes is None:
        return None
    if conventions.get("scope") == "conv-only" and not is_convolution(parameter.kind):
        return None
    fan_in = math.prod(n for i, n in enumerate(parameter.shape) if i not in axes)
    if fan_in == 1 and conventions.get("fan_in_one") == "keep":
        return None
    return axes


def expected_steps(
    case: Case,
    parameter: Parameter,
    axes: tuple[int, ...] | None,
    *,
    algorithm: str,
    conventions: Mapping[str, str],
    hyperparameters: Mapping[str, float],
    profile: bounds.Profile,
    steps: int | None = None,
) -> list[Expected]:
    """Exact values and allowances of one parameter, after each step of a case.

    Parameters
    ----------
    case, parameter
        The case and one of its parameters.
    axes : tuple of int or None
        Output axes (Eq. 1); None where GC leaves the parameter alone.
    algorithm : {"operator", "sgdm", "adam"}
        What is done with the centralized gradient.
    conventions : mapping
        Placement, momentum, first momentum, epsilon and decay of the port.
    hyperparameters : mapping
        Canonical names; all that the algorithm needs.
    profile : gc_ref.bounds.Profile
        The port's arithmetic.
    steps : int, optional
        Only the first so many steps.

    Returns
    -------
    list of Expected
    """
    gradients = [g[parameter.name] for g in case.gradients[:steps]]
    if algorithm == "operator":
        return [_operator(g, axes, profile) for g in gradients]
    if algorithm == "sgdm":
        return _sgdm(parameter.value, gradients, axes, conventions, hyperparameters, profile)
    return _adam(parameter.value, gradients, axes, conventions, hyperparameters, profile)


def _operator(grad: Array, axes: tuple[int, ...] | None, profile: bounds.Profile) -> Expected:
    value = exact.centralize(grad, output_axis=axes)
    return Expected(value, value, bounds.centralize(grad, output_axis=axes, profile=profile))


def _decay(conventions: Mapping[str, str], hyper: Mapping[str, float]) -> dict[str, object]:
    decay = conventions.get("decay", "none")
    return {
        "placement": conventions.get("placement", "gradient"),
        "weight_decay": 0.0 if decay == "none" else hyper.get("weight_decay", 0.0),
        "decay": "l2" if decay == "none" else decay,
    }


def _sgdm(
    weight: Array,
    gradients: Sequence[Array],
    axes: tuple[int, ...] | None,
    conventions: Mapping[str, str],
    hyper: Mapping[str, float],
    profile: bounds.Profile,
) -> list[Expected]:
    options: dict[str, object] = {
        "lr": hyper["lr"],
        "momentum": hyper.get("momentum", 0.0),
        "dampening": None if conventions.get("momentum", "ema") == "ema" else 0.0,
        "first_momentum": conventions.get("first_momentum", "zero"),
        "output_axis": axes,
        **_decay(conventions, hyper),
    }
    values = exact.sgdm(weight, gradients, **options)  # type: ignore[arg-type]
    taus = bounds.sgdm(weight, gradients, **options, profile=profile)  # type: ignore[arg-type]
    return [Expected(v, v, t) for v, t in zip(values, taus, strict=True)]


def _adam(
    weight: Array,
    gradients: Sequence[Array],
    axes: tuple[int, ...] | None,
    conventions: Mapping[str, str],
    hyper: Mapping[str, float],
    profile: bounds.Profile,
) -> list[Expected]:
    options: dict[str, object] = {
        "lr": hyper["lr"],
        "beta1": hyper["beta1"],
        "beta2": hyper["beta2"],
        "eps": hyper["eps"],
        "epsilon": conventions.get("epsilon", "outside"),
        "output_axis": axes,
        **_decay(conventions, hyper),
    }
    values = exact.adam(weight, gradients, **options)  # type: ignore[arg-type]
    taus = bounds.adam(weight, gradients, **options, profile=profile)  # type: ignore[arg-type]
    return [Expected(v.lower, v.upper, t) for v, t in zip(values, taus, strict=True)]
