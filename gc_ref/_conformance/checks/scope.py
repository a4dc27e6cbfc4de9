"""scope/* and effect/*: which parameters GC acts on, and that it acts at all."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from gc_ref._conformance.checks.counterexamples import counterexample
from gc_ref._conformance.checks.ripple import nothing_else_erased
from gc_ref._conformance.checks.unknown import (
    gated_by_rank,
    own_base_law,
    responds_to_shift,
    vectors_respond,
)
from gc_ref._conformance.findings.outcome import Outcome, failed, not_applicable, passed
from gc_ref._conformance.judging.base_law import base_couples, compare_arrays
from gc_ref._conformance.judging.inference import rules_followed
from gc_ref._conformance.judging.judge import Judge
from gc_ref._conformance.judging.settled import Match, Settled
from gc_ref._conformance.ports.case import KIND_NAMES, Array, Parameter, describe
from gc_ref._conformance.ports.port import PortError, ShapeChangedError

__all__ = ["RUNS"]

#: Parameters, how they compare, and the rule that they are held to.
Group = list[tuple[Parameter, Match, str]]
NOTHING_FITS = "no parameter follows the algorithm that the port is held to: see step/* and value/*"


def _weights(judge: Judge) -> list[Parameter]:
    return [p for p in judge.integers.parameters if len(p.shape) >= 2]


def every_weight(judge: Judge) -> Outcome:
    """scope/every-weight: every weight in scope loses its mean, over all of its inputs."""
    settled = judge.settled
    if settled.mode == "unknown":
        outcome = responds_to_shift(judge)
        return nothing_else_erased(judge, outcome) if outcome.status == "passed" else outcome
    case = judge.integers
    wrong: Group = []
    left_alone: Group = []
    right = 0
    for p in sorted(_weights(judge), key=lambda p: p.value.size):
        rule = judge.rule_for(p, settled)
        match = judge.match(case, p, rule, settled)
        right += match.within and judge.fan_in(p) > 1  # a fan-in of 1 gives 0 anyhow
        if not match.within:
            untouched = judge.match(case, p, "none", settled).within
            (left_alone if untouched else wrong).append((p, match, rule))
    if not right and not left_alone:
        vectors = [p for p in case.parameters if len(p.shape) < 2]
        if not judge.operator and not any(_untouched(judge, p) for p in vectors):
            return not_applicable(NOTHING_FITS)
    if not wrong and not left_alone:
        held = [p for p in _weights(judge) if judge.rule_for(p, settled) != "none"]
        beside = len(_weights(judge)) - len(held)
        return passed(
            f"{len(held)} weights of {len({p.kind for p in held})} kinds"
            + (f"; {beside} out of scope are left alone" if beside else "")
        )
    parts = [f"{_kinds(g)} {verb}" for g, verb in (
        (left_alone, "keep their mean (left alone)"),
        (wrong, "are changed, but not to the gradient less its mean over all inputs"),
    ) if g]  # fmt: skip
    p, match, rule = (left_alone + wrong)[0]
    axes = judge.axes(p, rule)
    shown = counterexample(judge, case, match, axes)
    message = f"{'; '.join(parts)}; smallest: {describe(p)}{_gate(judge)}"
    return failed(message, comparison=match.comparison, counterexample=shown)


def _gate(judge: Judge) -> str:
    """Explain a port that decides by a weight's number of dimensions; nothing for others."""
    followed = rules_followed(judge, judge.settled)
    telling = [p for p in _weights(judge) if judge.fan_in(p) > 1]  # a fan-in of 1 gives 0 anyhow
    left_alone = [p for p in telling if followed[p.name] == "none"]
    return gated_by_rank([p for p in telling if followed[p.name] != "none"], left_alone)


def _kinds(group: Group) -> str:
    names: dict[str, list[str]] = {}
    for p, _, _ in group:
        names.setdefault(KIND_NAMES[p.kind], []).append(str(p.shape))
    return ", ".join(f"{kind} {' '.join(shapes)}" for kind, shapes in names.items())


def _untouched(judge: Judge, p: Parameter) -> bool:
    return judge.match(judge.integers, p, "none", judge.settled).within


def vectors_untouched(judge: Judge) -> Outcome:
    """scope/vectors-untouched: biases, norm scales and scalars get their gradient as it is."""
    if judge.settled.mode == "unknown":
        return vectors_respond(judge)
    case, settled = judge.integers, judge.settled
    vectors = sorted(
        (p for p in case.parameters if len(p.shape) < 2), key=lambda p: (p.value.size, p.name)
    )
    matches = [judge.match(case, p, "none", settled) for p in vectors]
    wrong = [m for m in matches if not m.within]
    if not wrong:
        return passed(f"{len(vectors)} biases, norm scales and scalars")
    followed = rules_followed(judge, settled)
    explained = any(followed[p.name] for p in _weights(judge) if judge.fan_in(p) > 1)
    if len(wrong) == len(vectors) and not judge.operator and not explained:
        return not_applicable(NOTHING_FITS)
    first = wrong[0]
    shown = counterexample(judge, case, first, None)
    return failed(
        f"{len(wrong)} of {len(vectors)} parameters of fewer than two dimensions do not get "
        f"their own gradient, first {describe(first.parameter)}",
        comparison=first.comparison,
        counterexample=shown,
    )


def effect_on(judge: Judge) -> Outcome:
    """effect/on: GC changes something."""
    settled = judge.settled
    if settled.mode == "unknown":
        outcome = responds_to_shift(judge)
        if outcome.status != "failed" or "none of" not in outcome.message:
            return passed()
        return failed(
            "the step depends on the mean of every weight's gradient: GC is never applied"
        )
    weights = [p for p in _weights(judge) if judge.rule_for(p, settled) != "none"]
    idle = [p for p in weights if not _centralized(judge, p, settled) and _untouched(judge, p)]
    if not weights or len(idle) < len(weights):
        return passed(f"GC acts on {len(weights) - len(idle)} of {len(weights)} weights")
    p = min((p for p in weights if judge.fan_in(p) > 1), key=lambda p: p.value.size)
    match = judge.match(judge.integers, p, judge.rule_for(p, settled), settled)
    shown = counterexample(judge, judge.integers, match, judge.axes(p, "by-rank"))
    return failed(
        "GC has no effect: "
        + (
            "every gradient comes back as it was"
            if judge.operator
            else "every weight moves as under the plain optimizer; the code that centralizes is "
            "never called, or its flag is ignored"
        ),
        comparison=match.comparison,
        counterexample=shown,
    )


def _centralized(judge: Judge, p: Parameter, settled: Settled) -> bool:
    return judge.match(judge.integers, p, judge.rule_for(p, settled), settled).within


def effect_off(judge: Judge) -> Outcome:
    """effect/off: with its switch off the port is the plain optimizer."""
    settled, case = judge.settled, judge.integers
    if settled.mode == "base":
        outcome = _base_is_plain(judge)
        if outcome is not None:
            return outcome
    if judge.port.off is None:
        if settled.mode == "base":
            return passed("the base optimizer does not centralize")
        return not_applicable("the port has no switch that turns GC off")
    if settled.mode == "unknown":
        return not_applicable("without --algorithm or --base nothing says what 'off' should be")
    off = Judge(replace(judge.port, run=judge.port.off.run, off=None), seed=judge.seed,
                suite=judge.suite, max_examples=0)  # fmt: skip
    for p in sorted(case.parameters, key=lambda p: p.value.size):
        match = off.match(case, p, "none", settled)
        if not match.within:
            shown = counterexample(judge, case, match, None)
            return failed(
                f"with GC switched off {describe(p)} is not moved as by the plain optimizer",
                comparison=match.comparison,
                counterexample=shown,
            )
    return passed("with GC switched off the port is the plain optimizer")


def _base_is_plain(judge: Judge) -> Outcome | None:
    """A base that centralizes by itself would make the base law hold of anything."""
    base, case = judge.port.base, judge.small
    plain = judge.run(case, port=base).steps[-1]
    fed = judge.run(judge.fed(case, "by-rank"), port=base).steps[-1]
    weights = [p for p in case.parameters if judge.fan_in(p) > 1]
    if all(np.array_equal(plain[p.name], fed[p.name]) for p in weights):
        return failed(
            "the base optimizer centralizes by itself: it treats g and Φ(g) alike, "
            "so its switch does not turn GC off (or it is not a base to compare with)"
        )
    return None


def _isolation(judge: Judge, *, own: bool) -> Outcome:
    """Compare the isolation case with the small case where the change must not show."""
    case, masks, poisoned = judge.poisoned
    try:
        changed = judge.run(case).steps
    except ShapeChangedError:
        raise
    except PortError as error:
        return not_applicable(f"could not be driven with a gradient that holds a NaN: {error}")
    plain = judge.run(judge.small).steps[: len(changed)]
    if judge.settled.mode == "base" and base_couples(judge):
        return not_applicable("the base optimizer itself couples its parameters")
    if all(np.array_equal(changed[0][p.name], p.value) for p in case.parameters):
        return not_applicable("the port skips a step whose gradients are not all finite")
    for p in sorted(case.parameters, key=lambda p: p.value.size):
        mask = masks.get(p.name)
        if (mask is not None) is not own or (mask is not None and mask.all()):
            continue
        free = np.ones(p.shape, dtype=bool) if mask is None else ~mask
        for step, (a, b) in enumerate(zip(changed, plain, strict=False)):
            want = np.asarray(b[p.name], np.float64)[free]
            tau = _slack(judge, p, step, want)
            worst = compare_arrays(np.asarray(a[p.name])[free], want, tau, case.dtype)
            if not worst.within:
                what = "a NaN" if p.name in poisoned else "a change"
                where = (
                    f"{what} in the first output neuron of {describe(p)} reaches its others"
                    if own
                    else f"a change in other parameters reaches {describe(p)}"
                )
                if judge.settled.mode == "unknown" and not (own and _element_wise(judge)):
                    return not_applicable(f"{where}, by GC or by its optimizer: name its --base")
                return failed(f"{where} at step {step + 1}", comparison=worst)
    return passed()


def _element_wise(judge: Judge) -> bool:
    """Whether an unknown optimizer couples nothing by itself (Adafactor does, clipping does)."""
    alone = _isolation(judge, own=False).status == "passed"
    if not alone or own_base_law(judge).status != "passed":
        return False
    case = judge.small  # a NaN in a vector, which GC leaves alone: does it stay where it is?
    [vector] = (p for p in case.parameters if p.name == "dense_1.bias")
    poisoned = np.array(case.gradients[0][vector.name])
    poisoned[0] = np.nan
    first = {**case.gradients[0], vector.name: poisoned}
    step = judge.run(replace(case, id="vector-nan", gradients=(first,))).steps[0]
    return bool(np.all(np.isfinite(step[vector.name][1:])))


def _slack(judge: Judge, p: Parameter, step: int, want: Array) -> Array:
    """Roundings of one and the same computation over other neighbors: a few ulps."""
    unit = judge.profile(judge.integers.dtype).unit_roundoff
    scale = float(np.abs(want[np.isfinite(want)]).max(initial=1.0))
    return np.full(want.shape, 64 * unit * (step + 1) * scale)


def slices_isolated(judge: Judge) -> Outcome:
    """scope/slices-isolated: an output neuron's gradient acts on that neuron alone."""
    return _isolation(judge, own=True)


def parameters_isolated(judge: Judge) -> Outcome:
    """scope/parameters-isolated: a parameter's gradient acts on that parameter alone."""
    return _isolation(judge, own=False)


#: Id of each check of this module to its function.
RUNS: Mapping[str, Callable[[Judge], Outcome]] = {
    "effect/on": effect_on,
    "effect/off": effect_off,
    "scope/every-weight": every_weight,
    "scope/vectors-untouched": vectors_untouched,
    "scope/slices-isolated": slices_isolated,
    "scope/parameters-isolated": parameters_isolated,
}
