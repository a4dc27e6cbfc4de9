"""scope/* and effect/*: which parameters GC acts on, and that it acts at all."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from gc_ref._conformance.checks.make_counterexample import convincing, failure
from gc_ref._conformance.checks.without_formula import (
    gated_by_rank,
    more_erased,
    own_base_law,
    shift_ignored,
    shift_response,
    vectors_respond,
)
from gc_ref._conformance.findings.outcome import Outcome, failed, not_applicable, passed
from gc_ref._conformance.judging.base_law import base_couples, compare_arrays
from gc_ref._conformance.judging.judge import Judge
from gc_ref._conformance.judging.matching import Match, match
from gc_ref._conformance.judging.own_centering import (
    base_centralizes,
    ignores_mean,
    weights_without_mean,
)
from gc_ref._conformance.judging.scope_inference import rules_followed
from gc_ref._conformance.judging.telling import telling
from gc_ref._conformance.judging.trial import Trial
from gc_ref._conformance.ports.case import KIND_NAMES, Array, Parameter, Trajectory, describe
from gc_ref._conformance.ports.port import PortError, ShapeChangedError

ANOTHER_BASE = "; name with --base an optimizer that does not centralize"
NOTHING_SHOWN = (
    "under the base optimizer no such parameter moves otherwise for g than for Φ(g), and stays "
    "finite: choose settings with which it does"
)
NOTHING_FITS = "no parameter follows the algorithm that the port is held to: see step/* and value/*"


def _weights(judge: Judge) -> list[Parameter]:
    """Weights of the integer case, the smallest first."""
    weights = [p for p in judge.integers.parameters if len(p.shape) >= 2]
    return sorted(weights, key=lambda p: p.value.size)


def _vectors(judge: Judge) -> list[Parameter]:
    """Parameters of fewer than two dimensions, the smallest first."""
    vectors = [p for p in judge.integers.parameters if len(p.shape) < 2]
    return sorted(vectors, key=lambda p: (p.value.size, p.name))


def _in_scope(judge: Judge) -> list[Parameter]:
    return [p for p in _weights(judge) if judge.specification.rule(p) != "none"]


def _untouched(judge: Judge, p: Parameter) -> bool:
    return _match(judge, p, rule="none").within


def _match(judge: Judge, p: Parameter, *, rule: str | None = None) -> Match:
    """Hold a parameter to what the port is held to, in a case that can tell if any can."""
    case, same = telling(judge, p) or (judge.integers, p)
    return judge.match(case, same, rule=rule)


def _of_those_that_tell(judge: Judge, parameters: Sequence[Parameter]) -> list[Parameter]:
    return [p for p in parameters if telling(judge, p)]


def _silent(count: int) -> str:
    """Say how many parameters were passed over; nothing if none was."""
    if not count:
        return ""
    return (
        f"; {count} more say nothing: under the base optimizer they do not move, are not finite, "
        "or move for g as for Φ(g)"
    )


def every_weight(judge: Judge) -> Outcome:
    """scope/every-weight: every weight in scope loses its mean, over all of its inputs."""
    if judge.specification.mode == "unknown":
        found = shift_ignored(judge)
        return found if found.status != "passed" else (more_erased(judge) or found)
    weights = _of_those_that_tell(judge, _weights(judge))
    if not weights:
        return Outcome("indeterminate", NOTHING_SHOWN)
    matches = [_match(judge, p) for p in weights]
    off = [m for m in matches if not m.within]
    left_alone = [m for m in off if _untouched(judge, m.parameter)]
    wrong = [m for m in off if not _untouched(judge, m.parameter)]
    # A weight with a fan-in of 1 gets a gradient of 0 under any rule.
    right = [m for m in matches if m.within and judge.fan_in(m.parameter) > 1]
    nothing_fits = not right and not left_alone and not judge.operator
    if nothing_fits and not any(_untouched(judge, p) for p in _vectors(judge)):
        return not_applicable(NOTHING_FITS)
    if not off:
        held = [p for p in weights if judge.specification.rule(p) != "none"]
        beside = len(weights) - len(held)
        return passed(
            f"{len(held)} weights of {len({p.kind for p in held})} kinds"
            + (f"; {beside} out of scope are left alone" if beside else "")
            + _silent(len(_weights(judge)) - len(weights))
        )
    parts = []
    if left_alone:
        parts.append(f"{_kinds(left_alone)} keep their mean (left alone)")
    if wrong:
        seen = (
            "are changed, but not to the gradient less its mean over all inputs"
            if judge.operator
            else "move neither as for the gradient less its mean over all inputs nor as for the "
            "gradient as it is"
        )
        parts.append(f"{_kinds(wrong)} {seen}")
    shown = convincing(left_alone or wrong)
    message = f"{'; '.join(parts)}; for instance {describe(shown.parameter)}{_gate(judge)}"
    return failure(judge, shown, message)


def _gate(judge: Judge) -> str:
    """Explain a port that decides by a weight's number of dimensions; nothing for others."""
    followed = rules_followed(judge, judge.specification)
    telling = [p for p in _weights(judge) if judge.fan_in(p) > 1]
    left_alone = [p for p in telling if followed[p.name] == "none"]
    return gated_by_rank([p for p in telling if followed[p.name] != "none"], left_alone)


def _kinds(matches: Sequence[Match]) -> str:
    names: dict[str, list[str]] = {}
    for m in matches:
        names.setdefault(KIND_NAMES[m.parameter.kind], []).append(str(m.parameter.shape))
    return ", ".join(f"{kind} {' '.join(shapes)}" for kind, shapes in names.items())


def vectors_untouched(judge: Judge) -> Outcome:
    """scope/vectors-untouched: biases, norm scales and scalars get their gradient as it is."""
    if not _vectors(judge):
        return not_applicable("the port is given none: see what was left out")
    if judge.specification.mode == "unknown":
        return vectors_respond(judge)
    vectors = _of_those_that_tell(judge, _vectors(judge))
    if not vectors:
        return Outcome("indeterminate", NOTHING_SHOWN)
    matches = [_match(judge, p, rule="none") for p in vectors]
    wrong = [m for m in matches if not m.within]
    if not wrong:
        silent = _silent(len(_vectors(judge)) - len(vectors))
        return passed(f"{len(vectors)} biases, norm scales and scalars{silent}")
    followed = rules_followed(judge, judge.specification)
    explained = any(followed[p.name] for p in _weights(judge) if judge.fan_in(p) > 1)
    if len(wrong) == len(vectors) and not judge.operator and not explained:
        return not_applicable(NOTHING_FITS)
    shown = convincing(wrong)
    seen = "get back their own gradient" if judge.operator else "move as for their own gradient"
    return failure(
        judge,
        shown,
        f"{len(wrong)} of {len(vectors)} parameters of fewer than two dimensions do not {seen}, "
        f"for instance {describe(shown.parameter)}",
    )


def effect_on(judge: Judge) -> Outcome:
    """effect/on: GC changes something."""
    if judge.specification.mode == "unknown":
        response = shift_response(judge)
        if response.blind or not response.seeing:
            return passed()
        if weights_without_mean(judge, judge.integers):
            return passed(
                "a mean is removed, but not that of the given gradient over all inputs of each "
                "output neuron"
            )
        return failed("the step depends on the mean of every weight's gradient: GC has no effect")
    weights = _of_those_that_tell(judge, _in_scope(judge))
    if _in_scope(judge) and not weights:
        return Outcome("indeterminate", NOTHING_SHOWN)
    idle = [p for p in weights if not _match(judge, p).within and _untouched(judge, p)]
    if not weights or len(idle) < len(weights):
        acts = f"GC acts on {len(weights) - len(idle)} of {len(weights)} weights"
        return passed(acts + _silent(len(_in_scope(judge)) - len(weights)))
    first = next((p for p in weights if judge.fan_in(p) > 1), weights[0])
    what = (
        "every gradient comes back as it was"
        if judge.operator
        else "every weight moves as under the plain optimizer; the code that centralizes is never "
        "called, its result is not used, it comes too late, or its flag is ignored"
    )
    return failure(judge, _match(judge, first), f"GC has no effect: {what}")


def effect_off(judge: Judge) -> Outcome:
    """effect/off: with its switch off the port is the plain optimizer."""
    port, mode = judge.port, judge.specification.mode
    off = _switched_off(judge)
    dead = off is not None and _bitwise_equal(off.run(judge.integers), judge.run(judge.integers))
    words = f"with {port.switch or 'GC switched off'}"
    if dead and (centralized := weights_without_mean(judge, judge.integers)):
        return failed(
            f"the switch makes no difference: {words} every parameter moves as with GC on, bit for "
            f"bit. {_either_way(judge, centralized)}{ANOTHER_BASE if port.base else ''}"
        )
    if base_centralizes(judge):
        return failed(f"the base optimizer centralizes by itself{ANOTHER_BASE}")
    if off is None:
        return not_applicable("the port has no switch that turns GC off")
    if mode == "unknown":
        return not_applicable("without --algorithm or --base nothing says what 'off' should be")
    for p in sorted(judge.integers.parameters, key=lambda p: p.value.size):
        found = match(off, judge.integers, p, "none", judge.specification)
        if not found.within:
            what = f"{words} {describe(p)} is not moved as by the plain optimizer"
            return failure(judge, found, what)
    too = "; so it is with GC on: the switch makes no difference" if dead else ""
    return passed(f"{words} the port is the plain optimizer{too}")


def _switched_off(judge: Judge) -> Trial | None:
    """Return a trial of the port with its switch off, if it has one."""
    port = judge.port
    if port.off is None:
        return None
    switched_off = replace(port, run=port.off.run, off=None)
    return Trial(switched_off, seed=judge.seed, suite=judge.suite, known=judge.known)


def _bitwise_equal(one: Trajectory, other: Trajectory) -> bool:
    return all(
        np.array_equal(a[name], b[name], equal_nan=True)
        for a, b in zip(one.steps, other.steps, strict=True)
        for name in a
    )


def _either_way(judge: Judge, centralized: Sequence[Parameter]) -> str:
    """Say which weights lose a mean with the switch on and off."""
    case = judge.integers
    weights = [p for p in case.parameters if judge.fan_in(p) > 1]
    many = f"{len(centralized)} of {len(weights)} weights"
    if all(ignores_mean(judge, case, p) for p in centralized):
        how = f"a constant that is added to the whole gradient of {many} changes nothing"
    else:
        how = f"{many} move alike for any gradient that is one constant, whatever comes before"
    return f"Either way {how}: they lose a mean, on or off"


def slices_isolated(judge: Judge) -> Outcome:
    """scope/slices-isolated: an output neuron's gradient acts on that neuron alone."""
    return _isolation(judge, own=True)


def parameters_isolated(judge: Judge) -> Outcome:
    """scope/parameters-isolated: a parameter's gradient acts on that parameter alone."""
    return _isolation(judge, own=False)


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
    if judge.specification.mode == "base" and base_couples(judge):
        return not_applicable("the base optimizer itself couples its parameters")
    if all(np.array_equal(changed[0][p.name], p.value) for p in case.parameters):
        return not_applicable("the port skips a step whose gradients are not all finite")
    for p in sorted(case.parameters, key=lambda p: p.value.size):
        mask = masks.get(p.name)
        if (mask is not None) is not own or (mask is not None and mask.all()):
            continue
        free = np.ones(p.shape, dtype=bool) if mask is None else ~mask
        for number, (a, b) in enumerate(zip(changed, plain, strict=False), 1):
            want = np.asarray(b[p.name], np.float64)[free]
            tau = _slack(judge, number, want)
            worst = compare_arrays(np.asarray(a[p.name])[free], want, tau, case.dtype)
            if not worst.within:
                what = "a NaN" if p.name in poisoned else "a change"
                where = (
                    f"{what} in the first output neuron of {describe(p)} reaches its others"
                    if own
                    else f"a change in other parameters reaches {describe(p)}"
                )
                if judge.specification.mode == "unknown" and not (own and _element_wise(judge)):
                    return not_applicable(f"{where}, by GC or by its optimizer: name its --base")
                return failed(f"{where} at step {number}", comparison=worst)
    return passed()


def _slack(judge: Judge, number: int, want: Array) -> Array:
    """Roundings of one and the same computation over other neighbors: a few ulps."""
    unit = judge.profile(judge.integers.dtype).unit_roundoff
    scale = float(np.abs(want[np.isfinite(want)]).max(initial=1.0))
    return np.full(want.shape, 64 * unit * number * scale)


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
    [after] = judge.steps(replace(case, id="vector-nan", gradients=(first,)), vector)
    return bool(np.all(np.isfinite(after[1:])))


#: Id of each check of this module to its function.
RUNS: Mapping[str, Callable[[Judge], Outcome]] = {
    "effect/on": effect_on,
    "effect/off": effect_off,
    "scope/every-weight": every_weight,
    "scope/vectors-untouched": vectors_untouched,
    "scope/slices-isolated": slices_isolated,
    "scope/parameters-isolated": parameters_isolated,
}
