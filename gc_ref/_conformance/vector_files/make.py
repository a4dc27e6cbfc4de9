"""Make a vector of its inputs: expected values from the second witness, and bounds."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np

from gc_ref import bounds
from gc_ref._conformance.cases.comparison import Expected
from gc_ref._conformance.cases.exact_steps import expected_steps
from gc_ref._conformance.ports.case import Array, Case, Parameter
from gc_ref._conformance.ports.serialization import write_number, write_numbers
from gc_ref._conformance.ports.storage import STORAGE
from gc_ref._slices import from_rows, to_rows

CLAUSES = {"operator": "Eq. 1", "sgdm": "Algorithm 1", "adam": "Algorithm 2"}


@dataclass(frozen=True)
class Inputs:
    """What a vector is made from; the members are explained in conformance/vectors/README.md.

    Flags that follow from the numbers (``subnormal``, ``nan``) are added. An operator has no
    weight and one gradient.
    """

    id: str
    since: str
    says: str
    flags: tuple[str, ...]
    algorithm: str
    kind: str
    layout: str
    output_axes: tuple[int, ...] | None
    dtype: str
    gradients: Sequence[Array]
    weight: Array | None
    conventions: Mapping[str, str]
    hyperparameters: Mapping[str, float]


def freeze(inputs: Inputs, clause: str | None = None) -> dict[str, Any]:
    """Return the vector as files have it; its ``kills`` are empty."""
    subnormal = _holds_subnormals([*inputs.gradients, inputs.weight], inputs.dtype)
    nan = any(bool(np.isnan(g).any()) for g in inputs.gradients)
    expected, bound = _values(inputs, _granted(inputs.dtype, flush=not subnormal))
    extra = [name for name, there in (("subnormal", subnormal), ("nan", nan)) if there]
    raw: dict[str, Any] = {
        "id": inputs.id,
        "since": inputs.since,
        "clause": clause or CLAUSES[inputs.algorithm],
        "says": inputs.says,
        "flags": sorted({*inputs.flags, *extra}),
        "kills": [],
        "algorithm": inputs.algorithm,
        "kind": inputs.kind,
        "layout": inputs.layout,
        "shape": list(np.shape(inputs.gradients[0])),
        "output_axes": None if inputs.output_axes is None else list(inputs.output_axes),
        "dtype": inputs.dtype,
        "conventions": dict(inputs.conventions),
        "hyperparameters": {k: write_number(v) for k, v in inputs.hyperparameters.items()},
    }
    if inputs.weight is not None:
        raw["weight"] = write_numbers(inputs.weight)
    raw["gradients"] = [write_numbers(g) for g in inputs.gradients]
    return raw | {"expected": expected, "bound": bound}


def _granted(dtype: str, *, flush: bool) -> bounds.Profile:
    """Return the arithmetic that the bounds of a vector allow.

    Hyperparameters are in float32 or wider; for the half types sums and optimizer state are in
    float32. With ``flush``, float32 and wider may flush to zero.
    """
    profile = bounds.profile(dtype, hyperparameters="float32", flush_to_zero=flush)
    if dtype == "float16" and flush:  # float16 itself is never flushed
        profile = replace(profile, underflow=bounds.profile("float16").underflow)
    return profile


def _holds_subnormals(arrays: Sequence[Array | None], dtype: str) -> bool:
    """Whether any number is smaller than the smallest normal one of its dtype."""
    smallest = float(np.finfo(STORAGE[dtype]).smallest_normal)  # of bfloat16 it is float32's
    given = (np.abs(np.asarray(a, np.float64)) for a in arrays if a is not None)
    return any(bool(((a > 0) & (a < smallest)).any()) for a in given)


def _values(inputs: Inputs, profile: bounds.Profile) -> tuple[list[list[str]], list[list[str]]]:
    """Return the float64 nearest to each exact value, and the bound of each."""
    finite = tuple(np.where(np.isnan(g), np.zeros_like(g), g) for g in inputs.gradients)
    weight = np.zeros_like(finite[0]) if inputs.weight is None else inputs.weight
    p = Parameter("w", inputs.kind, weight)
    case = Case(inputs.id, (p,), tuple({p.name: g} for g in finite), dtype=inputs.dtype)
    steps = expected_steps(
        case,
        p,
        inputs.output_axes,
        algorithm=inputs.algorithm,
        conventions=inputs.conventions,
        hyperparameters=inputs.hyperparameters,
        profile=profile,
    )
    expected, bound = [], []
    for gradient, step in zip(inputs.gradients, steps, strict=True):
        free = _poisoned(gradient, inputs.output_axes).ravel()
        pairs = [("nan", "inf") if free[i] else _element(step, i) for i in range(free.size)]
        expected.append([e for e, _ in pairs])
        bound.append([b for _, b in pairs])
    return expected, bound


def _poisoned(gradient: Array, axes: tuple[int, ...] | None) -> Array:
    """Return where a NaN leaves no right answer: in all inputs of its output neuron."""
    bad = np.isnan(gradient)
    if axes is None or not bad.any():
        return bad
    matrix = to_rows(bad, axes)
    spread = np.broadcast_to(matrix.any(axis=1, keepdims=True), matrix.shape)
    return from_rows(spread, gradient.shape, axes)


def _element(want: Expected, i: int) -> tuple[str, str]:
    """Return expected value and bound of one element, such that float64 is enough to compare.

    With e the float64 nearest to the exact E: |got − E| ≤ τ implies |got − e| ≤ τ + |E − e|,
    and computing got − e in float64 adds one rounding, a relative 2⁻⁵³.
    """
    low, high = want.ends(i)
    nearest = float((low + high) / 2)
    tau = float(want.tau.ravel()[i])
    if not math.isfinite(tau):  # the bound decides nothing
        return write_number(nearest), "inf"
    away = max(abs(low - Fraction(nearest)), abs(high - Fraction(nearest)))
    most = (Fraction(tau) + away) * (1 + Fraction(1, 2**52))
    return write_number(nearest), write_number(_above(most))


def _above(x: Fraction) -> float:
    """Return a float64 of nine bits that is not below ``x``, for short and repeatable files."""
    if not x:
        return 0.0
    exponent = x.numerator.bit_length() - x.denominator.bit_length() - 8
    exponent = max(exponent, -1074)
    return math.ldexp(math.ceil(x / Fraction(2) ** exponent), exponent)
