"""GC makes any optimizer blind to the mean of a weight's gradient: find out which weights are."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from gc_ref._conformance.findings.outcome import Comparison
from gc_ref._conformance.judging.base_law import compare_arrays
from gc_ref._conformance.judging.shared_results import kept
from gc_ref._conformance.judging.trial import Trial
from gc_ref._conformance.ports.case import Array, Case, Parameter
from gc_ref._slices import from_rows, to_rows

#: Shifts of the mean, small enough to keep integer sums exact.
SHIFT = 5.0


def same_trajectory(
    trial: Trial, left: Sequence[Array], right: Sequence[Array], start: Array
) -> Comparison:
    """Compare two trajectories of a weight: equal up to roundings of the same steps."""
    unit = trial.profile("float32").unit_roundoff
    path = np.zeros(start.shape)
    before = start.astype(np.float64)
    found = []
    for a, b in zip(left, right, strict=True):
        want = np.asarray(b, dtype=np.float64)
        path = path + np.abs(want - before)
        before = want
        # Φ may differ by a rounding of |g| <= 64, which a step of slope lr/|ĝ| scales down.
        tau = 512 * unit * (np.abs(want) + path)
        comparison = compare_arrays(a, want, tau, "float32")
        if not np.all(np.isfinite(want)):  # then agreeing says nothing
            comparison = replace(comparison, ratio=math.inf)
        found.append(comparison)
    return max(found, key=lambda c: c.ratio)


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
        plain = trial.steps(case, p)
        found = [
            same_trajectory(trial, trial.steps(shifted(trial, case, rule), p), plain, p.value)
            for rule in rules
        ]
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
