"""GC makes any optimizer blind to the mean of a weight's gradient: find out which weights are."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from gc_ref._conformance.findings.outcome import Comparison
from gc_ref._conformance.judging.base_law import allowance, compare_arrays, compared
from gc_ref._conformance.judging.shared_results import kept
from gc_ref._conformance.judging.trial import Trial
from gc_ref._conformance.ports.case import Array, Case, Parameter
from gc_ref._conformance.ports.port import Port
from gc_ref._slices import from_rows, to_rows

#: Shifts of the mean, small enough to keep integer sums exact.
SHIFT = 5.0


def same_trajectory(
    left: Sequence[Array], right: Sequence[Array], allowed: Sequence[Array], dtype: str
) -> Comparison:
    """Compare two trajectories of a weight: equal up to what rounding may do to them."""
    found = []
    for a, b, tau in zip(left, right, allowed, strict=True):
        want = np.asarray(b, dtype=np.float64)
        comparison = compare_arrays(a, want, tau, dtype)
        if not np.all(np.isfinite(want)):  # then agreeing says nothing
            comparison = replace(comparison, ratio=math.inf)
        found.append(comparison)
    return max(found, key=lambda c: c.ratio)


def moves_alike(
    trial: Trial, case: Case, other: Case, p: Parameter, rule: str, *, port: Port | None = None
) -> Comparison:
    """Compare how a port moves a parameter in two cases whose Φ(g), by a rule, is the same."""
    case, other = compared(trial, case, p), compared(trial, other, p)
    left, right = trial.steps(case, p, port=port), trial.steps(other, p, port=port)
    if all(np.array_equal(a, b) for a, b in zip(left, right, strict=True)):
        allowed = [np.zeros(p.shape)] * len(left)
    else:
        one = allowance(trial, case, p, rule, "gradient")
        two = allowance(trial, other, p, rule, "gradient")
        allowed = [a + b for a, b in zip(one, two, strict=True)]
    return same_trajectory(left, right, allowed, case.dtype)


@kept
def shifted(trial: Trial, case: Case, rule: str) -> Case:
    """Return a case with another mean in every output neuron of every weight."""
    gradients = []
    for step in case.gradients:
        moved = dict(step)
        for p in case.parameters:
            axes = trial.axes(p, rule)
            if axes is not None:
                matrix = to_rows(step[p.name], axes).copy()
                signs = np.where(np.arange(len(matrix)) % 2 == 0, SHIFT, -2 * SHIFT)
                matrix += signs[:, None].astype(matrix.dtype)
                moved[p.name] = from_rows(matrix, p.shape, axes)
        gradients.append(moved)
    return replace(case, id=f"{case.id}-shifted-{rule}", gradients=tuple(gradients))


@dataclass(frozen=True)
class ShiftResponse:
    """Weights that move as before when their gradient's mean is shifted, and those that do not."""

    blind: list[Parameter]
    seeing: list[tuple[Parameter, Comparison]]


def response_to_shift(trial: Trial, case: Case, parameters: Iterable[Parameter]) -> ShiftResponse:
    """Find out which of some weights notice a shift of their gradient's mean, smallest first."""
    response = ShiftResponse([], [])
    for p in sorted(parameters, key=lambda p: p.value.size):
        if trial.fan_in(p) == 1:
            continue
        rules = ("by-rank", "by-kind") if trial.leaves_choice(p) else ("by-rank",)
        found = [moves_alike(trial, shifted(trial, case, rule), case, p, rule) for rule in rules]
        if any(f.within for f in found) or any(keeps_sums(trial, case, p, r) for r in rules):
            response.blind.append(p)
        else:
            response.seeing.append((p, found[0]))
    return response


def keeps_sums(trial: Trial, case: Case, p: Parameter, rule: str) -> bool:
    """Whether the steps of a weight sum to zero over its inputs: then Φ acts on the update."""
    axes = trial.axes(p, rule)
    assert axes is not None
    unit = trial.profile("float32").unit_roundoff
    start = to_rows(p.value.astype(np.float64), axes)
    for value in trial.steps(case, p):
        moved = to_rows(np.asarray(value, dtype=np.float64), axes)
        drift = np.abs((moved - start).sum(axis=1))
        allowed = 64 * unit * (np.abs(moved) + np.abs(start)).sum(axis=1)
        if not np.all(drift <= allowed) or np.array_equal(moved, start):
            return False
    return True
