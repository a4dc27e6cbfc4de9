"""law/*: the clauses of Eq. 2 and Theorem 4.2, on Φ as the port shows it (see `observed_phi`).

An optimizer without a known formula is held to the laws that need none: it must not
tell g from Φ(g), nor from g plus a constant.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np

from gc_ref import bounds, exact, laws
from gc_ref._conformance.cases import standard as cases
from gc_ref._conformance.checks.without_formula import shift_ignored
from gc_ref._conformance.findings.outcome import Outcome, failed, not_applicable, passed
from gc_ref._conformance.judging import observed_phi
from gc_ref._conformance.judging.base_law import fed, phi
from gc_ref._conformance.judging.invariance import moves_alike
from gc_ref._conformance.judging.judge import Judge
from gc_ref._conformance.judging.shared_results import Known, kept
from gc_ref._conformance.judging.specification import Axes
from gc_ref._conformance.ports.case import Array, Case, Parameter, describe
from gc_ref._slices import to_rows

Phi = Callable[[Any], Any]
#: A gradient that a law asked for, and what the port made of it.
_Answered = tuple[Array, Any]
#: A law: called with Φ, a gradient, a second one, output axes and a profile; gives the ratio.
Law = Callable[[Phi, Array, Array, Axes, bounds.Profile], float]

#: Weights that the laws are held to: kinds for which the axes leave no choice.
LAYERS = ("dense_1", "dense_2", "conv1d_0", "conv2d_0", "conv3d_0")
FEW_LAYERS = ("dense_1", "conv2d_0")  # where each weight more is more to compile
HARD_LAYERS = ("dense_0", "dense_1", "dense_5", "conv1d_0")


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


LAWS: Mapping[str, Law] = {
    "zero-mean": lambda f, g, h, a, u: laws.zero_mean(f, g, output_axis=a, profile=u),
    "idempotent": lambda f, g, h, a, u: laws.idempotent(f, g, output_axis=a, profile=u),
    "orthogonal": lambda f, g, h, a, u: laws.orthogonal(f, g, h, output_axis=a, profile=u),
    "linear": lambda f, g, h, a, u: laws.linear(f, g, h, output_axis=a, profile=u),
    "shift-invariant": _shift,
    "permutation-equivariant": _permutation,
    "contraction": lambda f, g, h, a, u: laws.contraction(f, g, output_axis=a, profile=u),
}


@dataclass(frozen=True)
class _Weight:
    """A weight that laws are held to, with its gradients in the first step of two cases."""

    parameter: Parameter
    axes: Axes
    first: Case
    second: Case

    @property
    def gradients(self) -> tuple[Array, Array]:
        name = self.parameter.name
        return self.first.gradients[0][name], self.second.gradients[0][name]


def law(judge: Judge, name: str) -> Outcome:
    """Hold Φ, as the port shows it, to one law on weights of several kinds."""
    reason = observed_phi.hidden(judge)
    if reason:
        return not_applicable(reason)
    weights = _weights(judge)
    if not weights:
        return not_applicable("no weight of the kinds that show it is in the port's scope")
    inflation = observed_phi.ROUNDINGS[judge.specification.mode]
    profile = judge.profile(judge.integers.dtype)
    profile = replace(
        profile,
        unit_roundoff=profile.unit_roundoff * inflation,
        accumulator=profile.accumulator * inflation,
    )
    worst = 0.0
    for weight in weights:
        answered: list[_Answered] = []
        observed = _observed(judge, name, weight, answered)
        try:
            ratio = LAWS[name](observed, *weight.gradients, weight.axes, profile)
        except laws.LawError as error:
            return _failed(judge, weight, error, answered)
        # A law holds sums, in which one element may be far off: each is held as well. Where a port
        # has the first gradient wrong, value/* says so, and a law says what it is about alone.
        right = judge.match(weight.first, weight.parameter).within
        for array, answer in answered if right else ():
            off, found = _farthest(weight, array, answer, profile)
            if off > 1:
                message = f"{describe(weight.parameter)}: the law holds in sum, but {found}"
                return Outcome("failed", message, off)
        worst = max(worst, ratio)
    return passed(ratio=worst)


def _failed(
    judge: Judge, weight: _Weight, error: laws.LawError, answered: Sequence[_Answered]
) -> Outcome:
    """Say which law fails, and of what: only an operator shows Φ itself."""
    where = describe(weight.parameter)
    if judge.operator:
        return Outcome("failed", f"{where}: {error.message}", error.ratio)
    clause = {"sgdm": "Algorithm 1", "adam": "Algorithm 2"}[judge.specification.mode]
    read = f"{where}, with Φ read off its first step as {clause} has it"
    if any(observed_phi.beyond(answer) for _, answer in answered):
        how = "an element moves by lr or more then, and by less under Algorithm 2 for any Φ(g)"
        return Outcome("failed", f"{read}: {how}", math.inf)
    return Outcome("failed", f"{read}: {error.message}", error.ratio)


def shift_invariant(judge: Judge) -> Outcome:
    """law/shift-invariant."""
    if judge.specification.mode in observed_phi.ROUNDINGS:
        return law(judge, "shift-invariant")
    if judge.specification.on_update:
        return not_applicable("Φ acts on the update: a shift may change the step")
    return shift_ignored(judge)


def idempotent(judge: Judge) -> Outcome:
    """law/idempotent."""
    if judge.specification.mode in observed_phi.ROUNDINGS:
        return law(judge, "idempotent")
    if judge.specification.on_update:
        return not_applicable("Φ acts on the update: g and Φ(g) may move a weight differently")
    case = judge.small if judge.specification.mode == "base" else judge.integers
    centralized = fed(judge, case, "by-rank")
    for p in sorted(case.parameters, key=lambda p: p.value.size):
        left_alone = judge.specification.rule(p) == "none"
        if judge.fan_in(p) == 1 or left_alone or judge.leaves_choice(p):
            continue  # what these become is the port's choice
        worst = moves_alike(judge, centralized, case, p, "by-rank")
        if not worst.within:
            return failed(f"{describe(p)} moves otherwise for g than for Φ(g)", comparison=worst)
    return passed("the port does not tell g from Φ(g)")


def _weights(judge: Judge) -> list[_Weight]:
    """Weights with pairs of integer gradients; for an operator, of hard regimes as well."""
    few = judge.port.per_run_cost != "cheap"
    options = {"steps": 1, "operator": judge.operator, "label": "laws"}
    second = judge.case(cases.integer_case, **options)
    found = [*_pairs(judge, judge.integers, second, FEW_LAYERS if few else LAYERS)]
    if judge.operator:
        second = judge.case(cases.bounded_case, **options)
        found += _pairs(judge, judge.bounded, second, HARD_LAYERS)
    return found


def _pairs(judge: Judge, first: Case, second: Case, layers: Sequence[str]) -> Iterator[_Weight]:
    for p in first.parameters:
        axes = judge.specification.axes(p)
        if p.layer in layers and axes is not None:
            yield _Weight(p, axes, first, second)


def _observed(judge: Judge, name: str, weight: _Weight, answered: list[_Answered]) -> Phi:
    """Φ of one weight as the port shows it; an optimizer has answered all laws in one run.

    What was asked for is added to ``answered``, with the answer.
    """
    if judge.operator:

        def call(grad: Any) -> Any:
            array = np.array(grad, dtype=weight.parameter.value.dtype)
            answered.append((array, observed_phi.call(judge, weight.parameter, array)))
            return answered[-1][1]

        return call
    answers, profile = _answers(judge), judge.profile(judge.integers.dtype)
    asked = _asked(judge.known, name, weight, profile)
    replies = iter([(array, answers[_key(weight.parameter, array)]) for array in asked])

    def reply(_: Any) -> Any:
        answered.append(next(replies))
        return answered[-1][1]

    return reply


def _farthest(
    weight: _Weight, array: Array, answer: Any, profile: bounds.Profile
) -> tuple[float, str]:
    """Hold Φ of a gradient element by element: the largest error over its bound, and where."""
    want = exact.centralize(array, output_axis=weight.axes).fractions()
    got = exact.exactly(answer).fractions()  # exact also where it was read off a step
    taus = np.ravel(bounds.centralize(array, output_axis=weight.axes, profile=profile)).tolist()
    errors = [abs(g - w) for g, w in zip(got, want, strict=True)]
    ratios = [_ratio(e, tau) for e, tau in zip(errors, taus, strict=True)]
    at = max(range(len(ratios)), key=ratios.__getitem__)
    index = tuple(int(i) for i in np.unravel_index(at, array.shape))
    found = f"{float(got[at]):.9g} at index {index}, expected {float(want[at]):.9g}"
    return ratios[at], f"Φ of a gradient that it asks for is {found}"


def _ratio(error: Fraction, tau: float) -> float:
    if not tau:
        return math.inf if error else 0.0
    return float(error) / tau


@kept
def _asked(known: Known, name: str, weight: _Weight, profile: bounds.Profile) -> list[Array]:
    """Gradients whose Φ a law asks for: recorded while the law is held to the exact Φ."""
    asked: list[Array] = []

    def recorded(grad: Any) -> Array:
        array = np.array(grad, dtype=weight.parameter.value.dtype)
        asked.append(array)
        return phi(array, weight.axes, weight.first.dtype)

    LAWS[name](recorded, *weight.gradients, weight.axes, profile)
    return asked


@kept
def _answers(judge: Judge) -> dict[tuple[str, bytes], Any]:
    """Φ of everything that any law asks: all of it are gradients of one model, run once."""
    profile = judge.profile(judge.integers.dtype)
    questions = {
        _key(weight.parameter, array): (weight.parameter, array)
        for name in LAWS
        for weight in _weights(judge)
        for array in _asked(judge.known, name, weight, profile)
    }
    answers = observed_phi.answers(judge, list(questions.values()))
    return dict(zip(questions, answers, strict=True))


def _key(p: Parameter, array: Array) -> tuple[str, bytes]:
    return p.name, array.tobytes()


#: Id of each check of this module to its function.
RUNS: Mapping[str, Callable[[Judge], Outcome]] = {
    "law/zero-mean": partial(law, name="zero-mean"),
    "law/idempotent": idempotent,
    "law/orthogonal": partial(law, name="orthogonal"),
    "law/linear": partial(law, name="linear"),
    "law/shift-invariant": shift_invariant,
    "law/permutation-equivariant": partial(law, name="permutation-equivariant"),
    "law/contraction": partial(law, name="contraction"),
}
