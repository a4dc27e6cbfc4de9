"""What does not change under GC: sums of weights, and steps when only a gradient's mean changes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from gc_ref._conformance.cases.draws import slices, unslice
from gc_ref._conformance.findings.outcome import Comparison
from gc_ref._conformance.judging.base_law import compare_arrays
from gc_ref._conformance.judging.known import kept
from gc_ref._conformance.judging.specification import Specification
from gc_ref._conformance.judging.trial import Trial
from gc_ref._conformance.ports.case import Array, Case, Parameter

__all__ = ["NO_STEPS", "ShiftResponse", "response_to_shift", "same_trajectory", "shifted"]
__all__ += ["unconstrained"]

#: Shifts of the mean, small enough to keep integer sums exact.
SHIFT = 5.0
NO_STEPS = "an operator takes no steps"


def unconstrained(trial: Trial, held_to: Specification) -> str:
    """Reason why the weight constraint does not bind a port; empty where it does."""
    if trial.operator:
        return NO_STEPS
    if held_to.mode == "unknown":
        return "without --algorithm nothing says whether the constraint holds (not for Adam)"
    if held_to.placement == "update":
        return ""
    if held_to.mode == "base":
        return "the constraint need not hold for other optimizers than SGD and SGDM"
    if held_to.mode == "adam":
        return "Adam's element-wise scaling leaves the hyperplane: the constraint does not hold"
    if trial.port.fixed.get("weight_decay"):
        return "the settings fix a weight decay that moves the weight sums"
    return ""


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
                matrix = slices(step[p.name], axes).copy()
                signs = np.where(np.arange(len(matrix)) % 2 == 0, SHIFT, -2 * SHIFT)
                matrix += signs[:, None].astype(matrix.dtype)
                moved[p.name] = unslice(matrix, p.shape, axes)
        gradients.append(moved)
    return replace(case, id=f"{case.id}-shifted-{rule}", gradients=tuple(gradients))


@dataclass(frozen=True)
class ShiftResponse:
    """How the weights of a case respond to a shift of their gradient's mean.

    Attributes
    ----------
    blind : tuple of Parameter
        Weights that move as before, as GC makes them, the smallest first.
    seeing : tuple of (Parameter, Comparison)
        Weights that do not, and how far off they are.
    """

    blind: tuple[Parameter, ...]
    seeing: tuple[tuple[Parameter, Comparison], ...]


def response_to_shift(trial: Trial, case: Case, parameters: Iterable[Parameter]) -> ShiftResponse:
    """Find out which weights notice a shift of their gradient's mean.

    Parameters
    ----------
    trial : Trial
        The port on trial.
    case : Case
        The case to be run, as it is and shifted.
    parameters : iterable of Parameter
        The weights of it that are looked at; not those of a fan-in of 1.

    Returns
    -------
    ShiftResponse
    """
    blind: list[Parameter] = []
    seeing: list[tuple[Parameter, Comparison]] = []
    for p in sorted(parameters, key=lambda p: p.value.size):
        if trial.fan_in(p) == 1:
            continue
        rules = ("by-rank", "by-kind") if trial.leaves_choice(p) else ("by-rank",)
        plain = trial.steps(case, p)
        found = [
            same_trajectory(trial, trial.steps(shifted(trial, case, rule), p), plain, p.value)
            for rule in rules
        ]
        if any(f.within for f in found) or any(_keeps_sums(trial, case, p, r) for r in rules):
            blind.append(p)
        else:
            seeing.append((p, found[0]))
    return ShiftResponse(tuple(blind), tuple(seeing))


def _keeps_sums(trial: Trial, case: Case, p: Parameter, rule: str) -> bool:
    """Whether the steps of a weight sum to zero over its inputs: then Φ acts on the update."""
    axes = trial.axes(p, rule)
    assert axes is not None
    unit = trial.profile("float32").unit_roundoff
    start = slices(p.value.astype(np.float64), axes)
    for value in trial.steps(case, p):
        moved = slices(np.asarray(value, dtype=np.float64), axes)
        drift = np.abs((moved - start).sum(axis=1))
        allowed = 64 * unit * (np.abs(moved) + np.abs(start)).sum(axis=1)
        if not np.all(drift <= allowed) or np.array_equal(moved, start):
            return False
    return True
