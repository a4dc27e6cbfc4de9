"""What can be said of a port whose algorithm nobody knows: invariances, and itself as base.

GC makes any optimizer blind to the mean of a weight's gradient, and to nothing else. And a
port that leaves vectors alone shows its own base optimizer there: a vector that is
given the entries of Φ(g) must move as the weight that is given g.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np

from gc_ref._conformance.cases.comparison import Comparison
from gc_ref._conformance.findings.outcome import Outcome, failed, not_applicable, passed
from gc_ref._conformance.judging.base_law import compare_arrays, phi
from gc_ref._conformance.judging.judge import Judge
from gc_ref._conformance.ports.case import Array, Case, Parameter, describe
from gc_ref._slices import from_rows, to_rows

__all__ = [
    "blind_weights",
    "gated_by_rank",
    "own_base_law",
    "responds_to_shift",
    "same_trajectory",
    "vectors_respond",
]

#: Dimensions up to which the authors' own code for convolutions leaves a weight alone.
GATE = 3
RANK_GATED = (
    f". The port gates by rank: only weights of more than {GATE} dimensions are centralized, which "
    "leaves Conv1D alone. GCC here means every convolution, Conv1D included (rank-gated)"
)
#: Shifts of the mean, small enough to keep integer sums exact.
SHIFT = 5.0


def same_trajectory(
    judge: Judge, left: list[Array], right: list[Array], start: Array
) -> Comparison:
    """Hold two trajectories against each other: equal up to roundings of the same steps."""
    unit = judge.profile("float32").unit_roundoff
    worst: Comparison | None = None
    path = np.zeros(start.shape)
    before = start.astype(np.float64)
    for a, b in zip(left, right, strict=True):
        want = np.asarray(b, dtype=np.float64)
        path = path + np.abs(want - before)
        before = want
        # Φ may differ by a rounding of |g| <= 64, which a step of slope lr/|ĝ| scales down.
        tau = 512 * unit * (np.abs(want) + path)
        found = compare_arrays(a, want, tau, "float32")
        if not np.all(np.isfinite(want)):  # then agreeing says nothing
            found = replace(found, ratio=math.inf)
        if worst is None or found.ratio > worst.ratio:
            worst = found
    assert worst is not None
    return worst


def _shifted(judge: Judge, case: Case, rule: str) -> Case:
    """Return a case with another mean in every output neuron of every weight."""
    key = (id(case.gradients), f"shifted-{rule}")
    if key not in judge.cases_made:
        gradients = []
        for step in case.gradients:
            moved = {}
            for p in case.parameters:
                axes = judge.axes(p, rule)
                g = step[p.name]
                if axes is not None:
                    matrix = to_rows(g, axes).copy()
                    signs = np.where(np.arange(len(matrix)) % 2 == 0, SHIFT, -2 * SHIFT)
                    matrix += signs[:, None].astype(matrix.dtype)
                    g = from_rows(matrix, p.shape, axes)
                moved[p.name] = g
            gradients.append(moved)
        judge.cases_made[key] = replace(
            case, id=f"{case.id}-shifted-{rule}", gradients=tuple(gradients)
        )
    return judge.cases_made[key]


def _steps(judge: Judge, case: Case, p: Parameter) -> list[Array]:
    return [s[p.name] for s in judge.run(case).steps]


def responds_to_shift(judge: Judge) -> Outcome:
    """Whether a weight notices that the mean of its gradient was moved: it must not."""
    # A port with a base is held to Φ on every weight by that: here a few will do.
    if judge.settled.mode == "base":
        return _responds(judge, judge.small)
    outcome = _responds(judge, judge.integers)
    if outcome.status != "passed":
        return outcome
    later = _responds(judge, judge.long)
    return outcome if later.status == "passed" else later


def _responds(judge: Judge, case: Case) -> Outcome:
    in_scope = [p for p in case.parameters if judge.rule_for(p, judge.settled) != "none"]
    blind, seeing = blind_weights(judge, case, in_scope)
    if not seeing:
        only = judge.settled.conventions.get("scope") == "conv-only"
        which = "weights of convolutions (GCC)" if only else "weights"
        return passed(f"{len(blind)} {which} do not notice a shift of their gradient's mean")
    p, worst = seeing[0]
    share = "none of" if not blind else f"only {len(blind)} of"
    return failed(
        f"{share} the {len(blind) + len(seeing)} weights are free of their gradient's mean; "
        f"smallest that is not: {describe(p)}{gated_by_rank(blind, [p for p, _ in seeing])}",
        comparison=worst,
    )


def gated_by_rank(centralized: Iterable[Parameter], left_alone: Iterable[Parameter]) -> str:
    """Say so where the weights of more than three dimensions, and no others, are centralized."""
    ranks = [{len(p.shape) > GATE for p in group} for group in (centralized, left_alone)]
    return RANK_GATED if ranks == [{True}, {False}] else ""


def blind_weights(
    judge: Judge, case: Case, parameters: Iterable[Parameter]
) -> tuple[list[Parameter], list[tuple[Parameter, Comparison]]]:
    """Weights that do not notice a shift of their gradient's mean, and those that do."""
    blind: list[Parameter] = []
    seeing: list[tuple[Parameter, Comparison]] = []
    for p in sorted(parameters, key=lambda p: p.value.size):
        if judge.fan_in(p) == 1:
            continue
        same = judge.axes(p, "by-rank") == judge.axes(p, "by-kind")
        rules = ("by-rank",) if same else ("by-rank", "by-kind")
        plain = _steps(judge, case, p)
        shifted = [_steps(judge, _shifted(judge, case, r), p) for r in rules]
        found = [same_trajectory(judge, s, plain, p.value) for s in shifted]
        if any(f.within for f in found) or any(_moves_on_plane(judge, case, p, r) for r in rules):
            blind.append(p)
        else:
            seeing.append((p, found[0]))
    return blind, seeing


def _moves_on_plane(judge: Judge, case: Case, p: Parameter, rule: str) -> bool:
    """Whether the steps themselves sum to zero over the inputs: Φ acts on the update."""
    axes = judge.axes(p, rule)
    assert axes is not None
    unit = judge.profile("float32").unit_roundoff
    start = to_rows(p.value.astype(np.float64), axes)
    for value in _steps(judge, case, p):
        moved = to_rows(np.asarray(value, dtype=np.float64), axes)
        drift = np.abs((moved - start).sum(axis=1))
        allowed = 64 * unit * (np.abs(moved) + np.abs(start)).sum(axis=1)
        if not np.all(drift <= allowed) or np.array_equal(moved, start):
            return False
    return True


def vectors_respond(judge: Judge) -> Outcome:
    """Whether vectors notice a shift of their gradient: they must."""
    case = judge.integers
    key = (id(case), "vectors-flipped")
    if key not in judge.cases_made:
        gradients = tuple(
            {p.name: s[p.name] - 10 if len(p.shape) < 2 else s[p.name] for p in case.parameters}
            for s in case.gradients
        )
        judge.cases_made[key] = replace(case, id="vectors-flipped", gradients=gradients)
    flipped = judge.cases_made[key]
    for p in case.parameters:
        if len(p.shape) >= 2:
            continue
        plain = _steps(judge, case, p)
        if not all(np.all(np.isfinite(s)) for s in plain):
            return failed(f"{describe(p)} is not finite though its gradient is")
        if same_trajectory(judge, _steps(judge, flipped, p), plain, p.value).within:
            return failed(
                f"{describe(p)} moves alike for g and g - 10: its gradient is centralized or erased"
            )
    return passed()


def own_base_law(judge: Judge) -> Outcome:
    """step/base-law of a port without a base: its vectors show what its base does."""
    case, mirror = _mirrors(judge)
    uphill = _no_descent(judge, case)
    if uphill:
        return failed(uphill)
    trajectory, mirrored = judge.run(case).steps, judge.run(mirror).steps
    centralized = list(_mirror_fed(judge))
    for p in sorted(case.parameters, key=lambda p: p.value.size):
        if len(p.shape) < 2:
            continue
        vector = [np.asarray(s[f"{p.layer}.bias"]).reshape(p.shape) for s in mirrored]
        fed = [s[p.name] for s in centralized]
        if not same_trajectory(judge, fed, vector, p.value).within:
            return not_applicable(
                "the port moves a matrix otherwise than a vector even for a gradient without mean: "
                "its update cannot be checked without --base or --algorithm"
            )
        worst = same_trajectory(judge, [s[p.name] for s in trajectory], vector, p.value)
        if not worst.within:
            return failed(
                f"{describe(p)} does not move as the port's own vectors do when they are "
                "given Φ(g)",
                comparison=worst,
            )
    return _scales_with_lr(judge)


def _no_descent(judge: Judge, case: Case) -> str:
    """Say which weight does not move, or moves against -Φ(g) at its first move, if any does."""
    steps = judge.run(case).steps
    for p in case.parameters:
        axes = judge.axes(p, "by-rank")
        before = p.value.astype(np.float64)
        for step, gradients in zip(steps, case.gradients, strict=True):
            moved = np.asarray(step[p.name], dtype=np.float64) - before
            before = before + moved
            if np.any(moved):
                downhill = -np.sum(moved * phi(gradients[p.name], axes, case.dtype))
                if not downhill > 0:
                    return f"{describe(p)} moves uphill at its first move: against -Φ(g)"
                break
        else:
            return f"{describe(p)} never moves"
    return ""


def _mirrors(judge: Judge) -> tuple[Case, Case]:
    """Two cases: some weights, and vectors of the same entries that are given Φ(g)."""
    layers = ("dense_1", "dense_2", "conv2d_0")
    full, settled = judge.integers, judge.settled
    weights = tuple(
        p for p in full.parameters if p.layer in layers and judge.rule_for(p, settled) != "none"
    )
    key = (id(full), "mirror")
    if key not in judge.cases_made:
        judge.cases_made[(id(full), "weights")] = replace(
            full, id="mirrored-weights", parameters=weights,
            gradients=tuple({p.name: g[p.name] for p in weights} for g in full.gradients),
        )  # fmt: skip
        judge.cases_made[key] = replace(
            full,
            id="mirror-vectors",
            parameters=tuple(
                Parameter(p.layer, "bias", p.value.ravel().copy(), "dense") for p in weights
            ),
            gradients=tuple(
                {
                    f"{p.layer}.bias": phi(g[p.name], judge.axes(p, "by-rank"), full.dtype).ravel()
                    for p in weights
                }
                for g in full.gradients
            ),
        )
    return judge.cases_made[(id(full), "weights")], judge.cases_made[key]


def _mirror_fed(judge: Judge) -> tuple[Any, ...]:
    case, _ = _mirrors(judge)
    return tuple(judge.run(judge.fed(case, "by-rank")).steps)


def _scales_with_lr(judge: Judge) -> Outcome:
    """The learning rate enters every published optimizer once."""
    if "lr" not in judge.port.takes:
        return passed("moves a weight as its own vectors, given Φ(g)")
    case, _ = _mirrors(judge)
    first = replace(case, gradients=case.gradients[:1])
    lr = case.hyperparameters["lr"]
    steps = []
    for factor in (1.0, 0.25):
        hyper = {**case.hyperparameters, "lr": lr * factor}
        scaled = replace(first, id=f"lr-{factor}", hyperparameters=hyper)
        steps.append(_kept(judge, scaled))
    for p in case.parameters:
        one, quarter = (np.asarray(s[p.name], np.float64) - p.value for s in steps)
        unit = judge.profile("float32").unit_roundoff
        tau = 512 * unit * (np.abs(p.value) + np.abs(one))
        if not compare_arrays(4 * quarter, one, 4 * tau, "float32").within:
            return failed(
                "a quarter of the learning rate does not give a quarter of the first step: "
                "the learning rate does not enter once"
            )
    return passed("moves a weight as its own vectors, given Φ(g); the learning rate enters once")


def _kept(judge: Judge, case: Case) -> Any:
    key = (id(judge.integers), case.id)
    judge.cases_made.setdefault(key, case)
    return judge.run(judge.cases_made[key]).steps[0]
