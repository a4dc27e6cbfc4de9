"""hygiene/*: dtypes, shapes, gradients, state, repeatability, checkpoints."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from gc_ref._conformance.cases import standard as cases
from gc_ref._conformance.findings.outcome import Outcome, failed, not_applicable, passed
from gc_ref._conformance.judging.dtypes import driven
from gc_ref._conformance.judging.judge import Judge
from gc_ref._conformance.judging.trial import WRITES_GRADIENT, changed_dtype
from gc_ref._conformance.ports.case import Case, Trajectory, describe
from gc_ref._conformance.ports.port import Port, PortError, SkippedError


def dtype_kept(judge: Judge) -> Outcome:
    """hygiene/dtype: the dtype that goes in comes out, in every case that the port is given."""
    tried = [dtype for dtype in judge.port.dtypes if driven(judge, _integers(judge, dtype))]
    for case in _others(judge):
        with contextlib.suppress(PortError, SkippedError):  # the check that needs it says so
            judge.run(case)
    if not judge.dtype_changes:
        return passed(", ".join(tried))
    case = min(judge.dtype_changes, key=lambda case: judge.port.dtypes.index(case.dtype))
    return _held(judge, lambda port: changed_dtype(case, judge.run(case, port=port)))


def _others(judge: Judge) -> list[Case]:
    """Return the cases that later checks run too, unless a failure there would be the last run."""
    if judge.port.breaks_for_good:
        return []
    found = [judge.bounded] if judge.operator else [judge.bounded, judge.long]
    return [*found, judge.decayed] if "weight_decay" in judge.port.takes else found


def _integers(judge: Judge, dtype: str) -> Case:
    """Return the zero-tolerance case in a dtype."""
    if dtype == judge.integers.dtype:
        return judge.integers
    return judge.case(
        cases.integer_case, dtype=dtype, steps=1, operator=judge.operator, label="dtype"
    )


def shape_kept(judge: Judge) -> Outcome:
    """hygiene/shape: the shape that goes in comes out (the judge refuses any other)."""
    count = len(judge.run(judge.integers).steps[0])
    return passed(f"{count} shapes")


def gradient_unmutated(judge: Judge) -> Outcome:
    """hygiene/gradient-unmutated: noted, not failed; many published ports do it."""
    if not judge.port.shows_gradient:
        return not_applicable("a program is given a copy: what it does to it cannot be seen")
    judge.run(judge.integers)
    return passed(f"note: the port {WRITES_GRADIENT}" if judge.writes_gradient else "")


def _difference(case: Case, left: Trajectory, right: Trajectory) -> str:
    """Name the first parameter in which two trajectories differ; empty where none does."""
    for step, (a, b) in enumerate(zip(left.steps, right.steps, strict=True), 1):
        for p in case.parameters:
            if not np.array_equal(a[p.name], b[p.name], equal_nan=True):
                return f"{describe(p)} differs from step {step} on"
    return ""


def _difference_from_plain(judge: Judge, case: Case, way: str, port: Port) -> str:
    """Name the first parameter that differs from both plain ways of training; empty for none.

    The end of Keras' ``fit`` may change the weights (``use_ema``): a loop that calls it for
    each step is held against one that does so too.
    """
    other = judge.run(case.with_drive(way), port=port)
    different = _difference(case, judge.run(case, port=port), other)
    if different and "fit-per-step" in port.drives:
        plain = judge.run(case.with_drive("fit-per-step"), port=port)
        different = _difference(case, plain, other)
    return different


def _held(judge: Judge, find: Callable[[Port], str]) -> Outcome:
    """Fail a port of which ``find`` says what is wrong, unless that is its base's doing."""
    wrong, base = find(judge.port), judge.port.base
    if not wrong:
        return passed()
    if base is not None and find(base):
        return not_applicable(f"not GC's doing, as the base optimizer does so too: {wrong}")
    return failed(wrong)


def deterministic(judge: Judge) -> Outcome:
    """hygiene/deterministic: the same case twice gives the same bits."""

    def find(port: Port) -> str:
        different = _difference_again(judge, port)
        return different and f"two runs of one case differ: {different}"

    return _held(judge, find)


def _unless_restless(judge: Judge, outcome: Outcome) -> Outcome:
    """Return an outcome, unless the port differs from itself without any of that."""
    if _difference_again(judge, judge.port):
        return not_applicable("two runs of one case differ: see hygiene/deterministic")
    return outcome


def _difference_again(judge: Judge, port: Port) -> str:
    """Name the first parameter in which two runs of one case differ; empty where none does."""
    again = judge.run_again(judge.small, port=port)
    return _difference(judge.small, judge.run(judge.small, port=port), again)


#: Ways of driving a port that show shared state, and when it shows.
SHARED = {
    "reuse-gradients": "when the gradient's buffer is used again at the next step "
    "(zero_grad(set_to_none=False)): the state is an alias of the gradient",
    "twin": "when a second instance of the optimizer trains beside it: they share state",
}


def state_isolated(judge: Judge) -> Outcome:
    """hygiene/state: state belongs to one optimizer and one parameter, and is no alias."""
    if judge.operator:
        return _calls_independent(judge)
    tried = []
    for way, when in SHARED.items():
        if way not in judge.port.drives:
            continue

        def find(port: Port, way: str = way, when: str = when) -> str:
            different = way in port.drives and _difference_from_plain(judge, judge.small, way, port)
            return f"{different} {when}" if different else ""

        try:
            outcome = _held(judge, find)
        except PortError as error:
            judge.note(f"cannot be driven with {way}: {error}")
            continue
        if outcome.status != "passed":
            return _unless_restless(judge, outcome)
        tried.append(way)
    if not tried:
        return not_applicable("the driver of this kind of port cannot show it")
    return passed(", ".join(tried))


def _calls_independent(judge: Judge) -> Outcome:
    """An operator's answer must not depend on what it was called with before."""
    case = judge.small
    plain = judge.run(case)
    turned = replace(case, id="turned", parameters=case.parameters[::-1])
    different = _difference(case, plain, judge.run(turned))
    if different:
        return failed(f"{different} when the weights come in another order: calls share state")
    different = _difference(case, plain, judge.run(_twins(case)))
    if different:
        return failed(
            f"{different} once a second weight of that shape was given: results share memory"
        )
    return passed()


def _twins(case: Case) -> Case:
    """Return the case with a second weight of each shape, and other gradients, behind it."""
    second = tuple(replace(p, layer=f"{p.layer}_twin") for p in case.parameters)
    gradients = tuple(
        {**g, **{q.name: -2 * g[p.name] for p, q in zip(case.parameters, second, strict=True)}}
        for g in case.gradients
    )
    return replace(case, id="twins", parameters=case.parameters + second, gradients=gradients)


def checkpoint(judge: Judge) -> Outcome:
    """hygiene/checkpoint: saved after a step and restored, training goes on as it would have."""
    if "checkpoint" not in judge.port.drives:
        return not_applicable("this kind of port has no state to save")

    def find(port: Port) -> str:
        if "checkpoint" not in port.drives:
            return ""
        try:
            different = _difference_from_plain(judge, judge.small, "checkpoint", port)
        except PortError as error:
            return f"cannot go on from a checkpoint: {error}"
        return different and f"{different} after saving and restoring the optimizer"

    outcome = _held(judge, find)
    return outcome if outcome.status == "passed" else _unless_restless(judge, outcome)


#: Id of each check of this module to its function.
RUNS: Mapping[str, Callable[[Judge], Outcome]] = {
    "hygiene/shape": shape_kept,
    "hygiene/dtype": dtype_kept,
    "hygiene/gradient-unmutated": gradient_unmutated,
    "hygiene/state": state_isolated,
    "hygiene/deterministic": deterministic,
    "hygiene/checkpoint": checkpoint,
}
