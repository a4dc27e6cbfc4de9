"""hygiene/*: dtypes, shapes, gradients, state, repeatability, checkpoints."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from gc_ref._conformance.cases import standard as cases
from gc_ref._conformance.findings.outcome import Outcome, failed, not_applicable, passed
from gc_ref._conformance.judging.dtypes import driven
from gc_ref._conformance.judging.judge import Judge
from gc_ref._conformance.judging.trial import WRITES_GRADIENT
from gc_ref._conformance.ports.case import Case, Trajectory, describe
from gc_ref._conformance.ports.port import PortError


def dtype_kept(judge: Judge) -> Outcome:
    """hygiene/dtype: the dtype that goes in comes out."""
    tried = []
    for dtype in judge.port.dtypes:
        case = judge.integers
        if dtype != case.dtype:
            case = judge.case(
                cases.integer_case, dtype=dtype, steps=1, operator=judge.operator, label="dtype"
            )
        if not driven(judge, case):
            continue
        tried.append(dtype)
        for p in case.parameters:
            got = judge.run(case).dtypes.get(p.name, dtype)
            if got != dtype:
                return failed(f"{describe(p)} of dtype {dtype} comes back as {got}")
    return passed(", ".join(tried))


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


def _difference_from_plain(judge: Judge, case: Case, other: Trajectory) -> str:
    """Name the first parameter that differs from both plain ways of training; empty for none.

    The end of Keras' ``fit`` may change the weights (``use_ema``): a loop that calls it for
    each step is held against one that does so too.
    """
    different = _difference(case, judge.run(case), other)
    if different and "fit-per-step" in judge.port.drives:
        different = _difference(case, judge.run(case.with_drive("fit-per-step")), other)
    return different


def deterministic(judge: Judge) -> Outcome:
    """hygiene/deterministic: the same case twice gives the same bits."""
    different = _difference_again(judge)
    if different:
        return failed(f"two runs of one case differ: {different}")
    return passed()


def _difference_again(judge: Judge) -> str:
    """Name the first parameter in which two runs of one case differ; empty where none does."""
    return _difference(judge.small, judge.run(judge.small), judge.run_again(judge.small))


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
    case = judge.small
    tried = []
    for way, when in SHARED.items():
        if way not in judge.port.drives:
            continue
        try:
            driven_so = judge.run(case.with_drive(way))
        except PortError as error:
            judge.note(f"cannot be driven with {way}: {error}")
            continue
        different = _difference_from_plain(judge, case, driven_so)
        if different and _difference_again(judge):
            return not_applicable("two runs of one case differ: see hygiene/deterministic")
        if different:
            return failed(f"{different} {when}")
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
    case = judge.small
    try:
        restored = judge.run(case.with_drive("checkpoint"))
    except PortError as error:
        return failed(f"cannot go on from a checkpoint: {error}")
    different = _difference_from_plain(judge, case, restored)
    if different:
        return failed(f"{different} after saving and restoring the optimizer")
    return passed()


#: Id of each check of this module to its function.
RUNS: Mapping[str, Callable[[Judge], Outcome]] = {
    "hygiene/shape": shape_kept,
    "hygiene/dtype": dtype_kept,
    "hygiene/gradient-unmutated": gradient_unmutated,
    "hygiene/state": state_isolated,
    "hygiene/deterministic": deterministic,
    "hygiene/checkpoint": checkpoint,
}
