"""What can be checked of a port whose algorithm is unknown: invariances, and itself as base.

GC makes any optimizer blind to the mean of a weight's gradient, and to nothing else. And a
port that leaves vectors alone shows its own base optimizer there: a vector that is
given the entries of Φ(g) must move as the weight that is given g.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from gc_ref._conformance.findings.outcome import Outcome, failed, not_applicable, passed
from gc_ref._conformance.judging.base_law import allowance, compare_arrays, fed, phi
from gc_ref._conformance.judging.invariance import (
    ShiftResponse,
    moves_alike,
    response_to_shift,
    same_trajectory,
    shifted,
)
from gc_ref._conformance.judging.judge import Judge
from gc_ref._conformance.judging.response import roundings
from gc_ref._conformance.judging.shared_results import kept
from gc_ref._conformance.ports.case import Array, Case, Parameter, describe

#: Dimensions up to which the authors' own code for convolutions leaves a weight alone.
GATE = 3
RANK_GATED = (
    f". The port gates by rank: only weights of more than {GATE} dimensions are centralized, which "
    "leaves Conv1D alone. GCC here means every convolution, Conv1D included (rank-gated)"
)
#: Layers whose weights are compared with vectors of the same entries.
MIRRORED = ("dense_1", "dense_2", "conv2d_0")
#: Height of a ripple, far above the residuals: it changes the sign of each element.
HEIGHT = 64.0


# ---- the mean


def shift_response(judge: Judge) -> ShiftResponse:
    """How the weights in scope respond to another mean."""
    # A port with a base is held to Φ on every weight by that: here a few will do.
    if judge.specification.mode == "base":
        few = _response(judge, judge.small)
        return few if few.blind or few.seeing else _response(judge, judge.long)
    found = _response(judge, judge.integers)
    for case in (judge.long, judge.wide):  # in the long run, and where weights are large
        if not found.seeing:
            later = _response(judge, case)
            found = later if later.seeing else found
    return found


def _response(judge: Judge, case: Case) -> ShiftResponse:
    in_scope = [p for p in case.parameters if judge.specification.rule(p) != "none"]
    if judge.specification.mode == "base":  # a weight that the base moves alike tells nothing
        moved, base = shifted(judge, case, "by-rank"), judge.port.base
        in_scope = [
            p
            for p in in_scope
            if judge.fan_in(p) > 1
            and not moves_alike(judge, moved, case, p, "by-rank", port=base).within
        ]
    return response_to_shift(judge, case, in_scope)


def shift_ignored(judge: Judge) -> Outcome:
    """Whether all weights ignore a shift of their gradient's mean, as they must."""
    found = shift_response(judge)
    blind, seeing = len(found.blind), len(found.seeing)
    if not blind and not seeing:
        return not_applicable(
            "no weight tells: the base moves each as before when the mean of its gradient is "
            "shifted; see step/base-law"
        )
    if not seeing:
        only = judge.specification.conventions.get("scope") == "conv-only"
        which = "weights of convolutions (GCC)" if only else "weights"
        return passed(f"{blind} {which} do not notice a shift of their gradient's mean")
    p, comparison = found.seeing[0]
    share = f"only {blind} of" if blind else "none of"
    return failed(
        f"{share} the {blind + seeing} weights are free of their gradient's mean; "
        f"smallest that is not: {describe(p)}"
        f"{gated_by_rank(found.blind, [q for q, _ in found.seeing])}",
        comparison=comparison,
    )


def gated_by_rank(centralized: Iterable[Parameter], left_alone: Iterable[Parameter]) -> str:
    """Say so where the weights of more than three dimensions, and no others, are centralized."""
    ranks = [{len(p.shape) > GATE for p in group} for group in (centralized, left_alone)]
    return RANK_GATED if ranks == [{True}, {False}] else ""


# ---- more than the mean


def more_erased(judge: Judge) -> Outcome | None:
    """Fail a port that does not notice a ripple along one input axis, whose mean is zero.

    A port that averages over some of a convolution's input axes notices the mean over all of
    them as little as a correct port does. But it does not notice either what is constant along
    those axes and sums to zero along the others.
    """
    case = judge.integers
    weights = [p for p in case.parameters if p.kind in ("conv1d", "conv2d", "conv3d")]
    weights = [p for p in weights if judge.specification.rule(p) != "none"]
    for number in range(max((len(_input_axes(judge, p)) for p in weights), default=0)):
        rippled = _rippled(judge, case, weights, number)
        for p in sorted(weights, key=lambda p: p.value.size):
            axes = _input_axes(judge, p)
            if len(axes) < 2 or number >= len(axes):
                continue
            if moves_alike(judge, rippled, case, p, "by-rank").within:
                return failed(
                    f"{describe(p)} does not notice a change along its input axis "
                    f"{axes[number]} that leaves every mean as it was: "
                    "more than the mean over all inputs is removed"
                )
    return None


def _input_axes(judge: Judge, p: Parameter) -> tuple[int, ...]:
    """Input axes of a weight that have more than one element."""
    outputs = judge.axes(p, "by-rank") or ()
    return tuple(i for i, n in enumerate(p.shape) if i not in outputs and n > 1)


def _rippled(judge: Judge, case: Case, weights: Sequence[Parameter], number: int) -> Case:
    """Return the case with a ripple along one input axis of each convolution."""
    gradients = []
    for step in case.gradients:
        changed = dict(step)
        for p in weights:
            axes = _input_axes(judge, p)
            if number < len(axes):
                changed[p.name] = step[p.name] + _ripple(p, axes[number])
        gradients.append(changed)
    return replace(case, id=f"{case.id}-rippled-{number}", gradients=tuple(gradients))


def _ripple(p: Parameter, axis: int) -> Array:
    """A wave of mean 0 along one axis (all lengths here are even), constant along the others."""
    n = p.shape[axis]
    wave = HEIGHT * np.where(np.arange(n) % 2 == 0, 1.0, -1.0)
    shape = [1] * len(p.shape)
    shape[axis] = n
    return np.asarray(np.broadcast_to(wave.reshape(shape), p.shape), dtype=p.value.dtype)


# ---- vectors


def vectors_respond(judge: Judge) -> Outcome:
    """Whether vectors notice a shift of their gradient, as they must."""
    return (
        _vectors_respond(judge, judge.integers) or _vectors_respond(judge, judge.wide) or passed()
    )


def _vectors_respond(judge: Judge, case: Case) -> Outcome | None:
    gradients = tuple(
        {p.name: s[p.name] - 10 if len(p.shape) < 2 else s[p.name] for p in case.parameters}
        for s in case.gradients
    )
    flipped = replace(case, id=f"{case.id}-vectors-flipped", gradients=gradients)
    for p in case.parameters:
        if len(p.shape) >= 2:
            continue
        plain = judge.steps(case, p)
        if not all(np.all(np.isfinite(s)) for s in plain):
            return failed(f"{describe(p)} is not finite though its gradient is")
        if moves_alike(judge, flipped, case, p, "none").within:
            return failed(
                f"{describe(p)} moves alike for g and g - 10: its gradient is centralized or erased"
            )
    return None


# ---- the port as its own base


def own_base_law(judge: Judge) -> Outcome:
    """Whether weights move as the port's own vectors do, when those are given Φ(g)."""
    if 1 in judge.refused_ranks:
        return not_applicable("the port takes no vectors that its weights could be held against")
    case, mirror = _mirrors(judge)
    uphill = _no_descent(judge, case)
    if uphill:
        return failed(uphill)
    centralized = fed(judge, case, "by-rank")
    mirrored = judge.run(mirror).steps
    for p in sorted(case.parameters, key=lambda p: p.value.size):
        vector = [np.asarray(s[f"{p.layer}.bias"]).reshape(p.shape) for s in mirrored]
        own = allowance(judge, case, p, "by-rank", "gradient")
        if not same_trajectory(judge.steps(centralized, p), vector, own, case.dtype).within:
            return not_applicable(
                "the port moves a matrix otherwise than a vector even for a gradient without mean: "
                "its update cannot be checked without --base or --algorithm"
            )
        worst = same_trajectory(judge.steps(case, p), vector, own, case.dtype)
        if not worst.within:
            return failed(
                f"{describe(p)} does not move as the port's own vectors do when they are "
                "given Φ(g)",
                comparison=worst,
            )
    return _scales_with_lr(judge, case)


@kept
def _mirrors(judge: Judge) -> tuple[Case, Case]:
    """Two cases: some weights, and vectors of the same entries that are given Φ(g)."""
    full = judge.integers
    weights = tuple(
        p for p in full.parameters if p.layer in MIRRORED and judge.specification.rule(p) != "none"
    )
    gradients = tuple({p.name: g[p.name] for p in weights} for g in full.gradients)
    plain = replace(full, id="mirrored-weights", parameters=weights, gradients=gradients)
    vectors = tuple(Parameter(p.layer, "bias", p.value.ravel().copy(), "dense") for p in weights)
    centralized = tuple(
        {
            f"{p.layer}.bias": phi(g[p.name], judge.axes(p, "by-rank"), full.dtype).ravel()
            for p in weights
        }
        for g in full.gradients
    )
    mirror = replace(full, id="mirror-vectors", parameters=vectors, gradients=centralized)
    return plain, mirror


def _no_descent(judge: Judge, case: Case) -> str:
    """Say which weight does not move, or moves against -Φ(g) at its first move, if any does."""
    for p in case.parameters:
        axes = judge.axes(p, "by-rank")
        before = p.value.astype(np.float64)
        for step, gradients in zip(judge.steps(case, p), case.gradients, strict=True):
            moved = np.asarray(step, dtype=np.float64) - before
            before = before + moved
            if np.any(moved):
                downhill = -np.sum(moved * phi(gradients[p.name], axes, case.dtype))
                if not downhill > 0:
                    return f"{describe(p)} moves uphill at its first move: against -Φ(g)"
                break
        else:
            return f"{describe(p)} never moves"
    return ""


def _scales_with_lr(judge: Judge, case: Case) -> Outcome:
    """Whether the learning rate enters once, as in every published optimizer."""
    if "lr" not in judge.port.takes:
        return passed("moves a weight as its own vectors, given Φ(g)")
    unit = judge.profile(case.dtype).unit_roundoff
    for p in case.parameters:
        one, quarter = (_first_move(judge, case, p, factor) for factor in (1.0, 0.25))
        tau = sum(
            share * roundings(p.value, [p.value + moved], unit)[0]
            for share, moved in ((1.0, one), (4.0, quarter))
        )
        if not compare_arrays(4 * quarter, one, np.asarray(tau), case.dtype).within:
            return failed(
                "a quarter of the learning rate does not give a quarter of the first step: "
                "the learning rate does not enter once"
            )
    return passed("moves a weight as its own vectors, given Φ(g); the learning rate enters once")


def _first_move(judge: Judge, case: Case, p: Parameter, factor: float) -> Array:
    """How far the first step moves a weight when the learning rate is multiplied."""
    hyper = {**case.hyperparameters, "lr": case.hyperparameters["lr"] * factor}
    scaled = replace(case, id=f"lr-{factor}", gradients=case.gradients[:1], hyperparameters=hyper)
    moved: Array = np.asarray(judge.steps(scaled, p)[0], np.float64) - p.value
    return moved
