"""law/*: the clauses of Eq. 2 and Theorem 4.2, on Φ as the port shows it (see `_phi`).

An optimizer that nobody has a formula for is held to the laws that need none: it must not
tell g from Φ(g), nor from g plus a constant.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from gc_ref import bounds, laws
from gc_ref._conformance.cases import standard as cases
from gc_ref._conformance.checks.unknown import responds_to_shift, same_trajectory
from gc_ref._conformance.findings.outcome import Outcome, failed, not_applicable, passed
from gc_ref._conformance.judging.judge import Judge
from gc_ref._conformance.judging.phi import THROUGH, Phi, ask, call, hidden, recorder, replay
from gc_ref._conformance.ports.case import Array, Case, Parameter, describe
from gc_ref._slices import to_rows

__all__ = ["RUNS"]

Axes = tuple[int, ...]
#: A law with its further inputs bound: called with phi, a gradient, a second one, the axes.
Law = Callable[[Phi, Array, Array, Axes, bounds.Profile], float]

Group = list[tuple[Parameter, Array, Array, Axes]]
#: Weights that the laws are held to: kinds for which the axes leave no choice.
LAYERS = ("dense_1", "dense_2", "conv1d_0", "conv2d_0", "conv3d_0")
FEW_LAYERS = ("dense_1", "conv2d_0")  # where each weight more is more to compile


def _zero_mean(f: Phi, g: Array, h: Array, a: Axes, u: bounds.Profile) -> float:
    return laws.zero_mean(f, g, output_axis=a, profile=u)


def _idempotent(f: Phi, g: Array, h: Array, a: Axes, u: bounds.Profile) -> float:
    return laws.idempotent(f, g, output_axis=a, profile=u)


def _orthogonal(f: Phi, g: Array, h: Array, a: Axes, u: bounds.Profile) -> float:
    return laws.orthogonal(f, g, h, output_axis=a, profile=u)


def _linear(f: Phi, g: Array, h: Array, a: Axes, u: bounds.Profile) -> float:
    return laws.linear(f, g, h, output_axis=a, profile=u)


def _shift(f: Phi, g: Array, h: Array, a: Axes, u: bounds.Profile) -> float:
    outputs = [n if i in a else 1 for i, n in enumerate(g.shape)]
    by = (np.arange(math.prod(outputs)) % 5 + 1.0).reshape(outputs)
    return laws.shift_invariant(f, g, shift=by, output_axis=a, profile=u)


def _permutation(f: Phi, g: Array, h: Array, a: Axes, u: bounds.Profile) -> float:
    outputs, fan_in = to_rows(g, a).shape
    inputs = [(3 * i + 1) % fan_in if fan_in % 3 else fan_in - 1 - i for i in range(fan_in)]
    backward = list(range(outputs))[::-1]
    return laws.permutation_equivariant(
        f, g, inputs=inputs, outputs=backward, output_axis=a, profile=u
    )


def _contraction(f: Phi, g: Array, h: Array, a: Axes, u: bounds.Profile) -> float:
    return laws.contraction(f, g, output_axis=a, profile=u)


LAWS = (_zero_mean, _idempotent, _orthogonal, _linear, _shift, _permutation, _contraction)


def zero_mean(judge: Judge) -> Outcome:
    """law/zero-mean."""
    return _hold(judge, _zero_mean)


def orthogonal(judge: Judge) -> Outcome:
    """law/orthogonal."""
    return _hold(judge, _orthogonal)


def linear(judge: Judge) -> Outcome:
    """law/linear."""
    return _hold(judge, _linear)


def permutation(judge: Judge) -> Outcome:
    """law/permutation-equivariant."""
    return _hold(judge, _permutation)


def contraction(judge: Judge) -> Outcome:
    """law/contraction."""
    return _hold(judge, _contraction)


def shift(judge: Judge) -> Outcome:
    """law/shift-invariant."""
    if _formula(judge):
        return _hold(judge, _shift)
    if _update_placed(judge):
        return not_applicable("Φ acts on the update: a shift may change the step")
    return responds_to_shift(judge)


def idempotent(judge: Judge) -> Outcome:
    """law/idempotent."""
    if _formula(judge):
        return _hold(judge, _idempotent)
    if _update_placed(judge):
        return not_applicable("Φ acts on the update: g and Φ(g) may move a weight differently")
    case = judge.small if judge.settled.mode == "base" else judge.integers
    fed = judge.run(judge.fed(case, "by-rank")).steps
    for p in sorted(case.parameters, key=lambda p: p.value.size):
        same = judge.axes(p, "by-rank") == judge.axes(p, "by-kind")
        left_alone = judge.rule_for(p, judge.settled) == "none"
        if judge.fan_in(p) == 1 or left_alone or not same:  # what these become is its choice
            continue
        plain = [s[p.name] for s in judge.run(case).steps]
        worst = same_trajectory(judge, [s[p.name] for s in fed], plain, p.value)
        if not worst.within:
            return failed(f"{describe(p)} moves otherwise for g than for Φ(g)", comparison=worst)
    return passed("the port does not tell g from Φ(g)")


def _formula(judge: Judge) -> bool:
    return judge.settled.mode in THROUGH


def _update_placed(judge: Judge) -> bool:
    return judge.settled.conventions.get("placement") == "update"


def _hold(judge: Judge, law: Law) -> Outcome:
    """Hold Φ, as the port shows it, to one law on weights of several kinds."""
    reason = hidden(judge)
    if reason:
        return not_applicable(reason)
    groups = [group for group in _gradients(judge) if group]
    if not groups:
        return not_applicable("no weight of the kinds that show it is in the port's scope")
    inflation = THROUGH[judge.settled.mode]
    profile = judge.profile(judge.integers.dtype)
    profile = replace(
        profile,
        unit_roundoff=profile.unit_roundoff * inflation,
        accumulator=profile.accumulator * inflation,
    )
    worst = 0.0
    for group in groups:
        for (p, g, h, axes), phi in zip(group, _operators(judge, law, group, profile), strict=True):
            try:
                ratio = law(phi, g, h, axes, profile)
            except laws.LawError as error:
                return Outcome("failed", f"{describe(p)}: {error.message}", error.ratio)
            worst = max(worst, ratio)
    return passed(ratio=worst)


def _operators(judge: Judge, law: Law, group: Group, profile: bounds.Profile) -> list[Phi]:
    """Φ as the port shows it, one for each weight of the group.

    An optimizer answers from one run: see `_answers`.
    """
    if judge.operator:
        return [partial(call, judge, p) for p, *_ in group]
    answers = _answers(judge)
    asked = _asked(judge, law, group, profile)
    return [replay([answers[_key(p, a)] for p, a in questions]) for questions in asked]


def _asked(
    judge: Judge, law: Law, group: Group, profile: bounds.Profile
) -> list[list[tuple[Parameter, Array]]]:
    """What a law asks about each weight: it is held to the exact Φ, which remembers."""
    found = []
    for p, g, h, axes in group:
        key = (law, profile, p.name, axes, g.tobytes(), h.tobytes())
        if key not in judge.known.asked:
            questions: list[tuple[Parameter, Array]] = []
            law(recorder(questions, p, axes, judge), g, h, axes, profile)
            judge.known.asked[key] = questions
        found.append(judge.known.asked[key])
    return found


def _answers(judge: Judge) -> dict[tuple[str, bytes], Any]:
    """Φ of everything that any law asks: all of it are gradients of one model, run once."""
    if not judge.answers:
        profile = judge.profile(judge.integers.dtype)
        questions: dict[tuple[str, bytes], tuple[Parameter, Array]] = {}
        for law in LAWS:
            for group in _gradients(judge):
                for asked in _asked(judge, law, group, profile):
                    questions |= {_key(p, array): (p, array) for p, array in asked}
        answers = ask(judge, list(questions.values()))
        judge.answers.update(zip(questions, answers, strict=True))
    return judge.answers


def _key(p: Parameter, array: Array) -> tuple[str, bytes]:
    return p.name, array.tobytes()


def _gradients(judge: Judge) -> list[Group]:
    """Pairs of integer gradients; for an operator, hard regimes as well."""
    settled = judge.settled
    first = judge.integers
    second = judge.known.case(
        cases.integer_case, judge.layout, seed=judge.seed, algorithm=judge.algorithm, steps=1,
        operator=judge.operator, label="laws",
    )  # fmt: skip
    layers = LAYERS if judge.port.per_run_cost == "cheap" else FEW_LAYERS
    groups = [_pairs(judge, first, second, layers)]
    if settled.mode == "operator":
        third = judge.known.case(
            cases.bounded_case,
            judge.layout,
            seed=judge.seed,
            algorithm=None,
            steps=1,
            operator=True,
            label="laws",
        )
        groups.append(
            _pairs(judge, judge.bounded, third, ("dense_0", "dense_1", "dense_5", "conv1d_0"))
        )
    return groups


def _pairs(judge: Judge, one: Case, other: Case, layers: Sequence[str]) -> Group:
    found = []
    for p in one.parameters:
        axes = judge.axes(p, judge.rule_for(p, judge.settled))
        if p.layer in layers and axes is not None:
            found.append((p, one.gradients[0][p.name], other.gradients[0][p.name], axes))
    return found


#: Id of each check of this module to its function.
RUNS: Mapping[str, Callable[[Judge], Outcome]] = {
    "law/zero-mean": zero_mean,
    "law/idempotent": idempotent,
    "law/orthogonal": orthogonal,
    "law/linear": linear,
    "law/shift-invariant": shift,
    "law/permutation-equivariant": permutation,
    "law/contraction": contraction,
}
