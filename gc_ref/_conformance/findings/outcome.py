"""Outcomes of checks, and the counterexamples that they show."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from gc_ref._conformance.ports.port import Array, Case, Parameter
from gc_ref._slices import to_rows

if TYPE_CHECKING:
    from gc_ref._conformance.cases.comparison import Comparison
    from gc_ref._conformance.findings.check_report import CheckReport
    from gc_ref._conformance.judging.judge import Judge
    from gc_ref._conformance.judging.settled import Match

__all__ = [
    "STATUSES",
    "Outcome",
    "counterexample",
    "describe",
    "failed",
    "found_by_fuzzing",
    "not_applicable",
    "number",
    "passed",
    "slice_at",
    "worst_element",
]

STATUSES = (
    "passed",
    "failed",
    "expected-failure",
    "unexpected-pass",
    "not-applicable",
    "indeterminate",
    "error",
)
#: How the message begins of what only fuzzing found.
FUZZED = "fuzzing found"
#: Names that a reader knows the kinds by.
KIND_NAMES = {
    "dense": "Dense",
    "conv1d": "Conv1D",
    "conv2d": "Conv2D",
    "conv3d": "Conv3D",
    "depthwise": "depthwise",
    "transposed": "transposed convolution",
    "embedding": "embedding",
    "attention-in": "attention input projection",
    "attention-out": "attention output projection",
    "bias": "bias",
    "scale": "norm scale",
    "scalar": "scalar",
}


@dataclass(frozen=True)
class Outcome:
    """What one check found."""

    status: str
    message: str = ""
    ratio: float | None = None
    ulps: float | None = None
    counterexample: Mapping[str, Any] | None = None


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
    counterexample: Mapping[str, Any] | None = None,
) -> Outcome:
    """Return the outcome of a check that does not hold."""
    ratio = ulps = None
    if comparison is not None:
        ratio, ulps = comparison.ratio, comparison.ulps
    return Outcome("failed", message, ratio, ulps, counterexample)


def found_by_fuzzing(check: Outcome | CheckReport) -> bool:
    """Whether only fuzzing saw the failure, so that another run may see none.

    A frozen case that fails is often shown by a smaller example of fuzzing; its message stays.
    """
    return check.message.startswith(FUZZED)


def describe(parameter: Parameter) -> str:
    """Name a parameter as a reader knows it: ``conv1d_0.kernel (Conv1D, shape (2, 4, 3))``."""
    name = KIND_NAMES[parameter.kind]
    return f"{parameter.name} ({name}, shape {parameter.shape})"


def counterexample(
    judge: Judge, case: Case, match: Match, axes: tuple[int, ...] | None
) -> dict[str, Any]:
    """Show the worst element of a mismatch, and a program of the framework that shows it again."""
    shown = worst_element(judge, case, match, axes)
    if judge.replays:
        from gc_ref._conformance.replays.replay import replay

        shown["replay"] = replay(judge, case, match)
    return shown


def worst_element(
    judge: Judge, case: Case, match: Match, axes: tuple[int, ...] | None
) -> dict[str, Any]:
    """Show the worst element of a mismatch: its slice of the gradient, expected, got, bound."""
    p, worst = match.parameter, match.comparison
    index = tuple(int(i) for i in np.unravel_index(worst.position, p.shape or (1,)))
    grads = [np.asarray(g[p.name]) for g in case.gradients[: match.step + 1]]
    return {
        "case": case.id,
        "dtype": case.dtype,
        "parameter": p.name,
        "kind": p.kind,
        "shape": list(p.shape),
        "output_axis": None if axes is None else list(axes),
        "step": match.step + 1,
        "index": list(index) if p.shape else [],
        "gradient": [slice_at(g, index, axes) for g in grads],
        "weight": None if judge.operator else number(p.value.ravel()[worst.position]),
        "expected": number(float(worst.expected)),
        "got": number(worst.got),
        "bound": number(worst.tau),
    }


def slice_at(grad: Array, index: tuple[int, ...], axes: tuple[int, ...] | None) -> list[Any]:
    """Return the inputs of the output neuron at ``index``, as a short list."""
    if axes is None or grad.ndim < 2:
        values = grad.ravel()
    else:
        outputs = tuple(grad.shape[i] for i in axes)
        row = int(np.ravel_multi_index(tuple(index[i] for i in axes), outputs))
        values = to_rows(grad, axes)[row]
    return [number(v) for v in values[:64].tolist()]


def number(value: float) -> float | str:
    """Return a number that JSON can hold: non-finite ones by name."""
    value = float(value)
    if math.isnan(value):
        return "nan"
    if math.isinf(value):
        return "inf" if value > 0 else "-inf"
    return value
