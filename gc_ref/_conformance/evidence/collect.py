"""What the pictures of a report show: read off the runs that the checks made anyway.

Each part is either its data or ``{"omitted": reason}``. Numbers are as in the rest of the
report: those that JSON lacks are ``"nan"``, ``"inf"`` and ``"-inf"``.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from gc_ref._conformance.cases.comparison import compare
from gc_ref._conformance.checks.step import unconstrained
from gc_ref._conformance.evidence.means import means
from gc_ref._conformance.findings.outcome import number, slice_at, worst_element
from gc_ref._conformance.judging.base_law import compare_to_base, phi
from gc_ref._conformance.judging.settled import Match
from gc_ref._conformance.ports.port import Array, Case, Parameter, PortError, SkippedError
from gc_ref._slices import to_rows

if TYPE_CHECKING:
    from gc_ref._conformance.findings.check_report import CheckReport
    from gc_ref._conformance.judging.judge import Judge

__all__ = ["collect", "smallest"]

#: Steps of the long case that are shown, evenly spread, the last always.
POINTS = 50
USED = {
    "operator": (),
    "sgdm": ("lr", "momentum", "weight_decay"),
    "adam": ("lr", "beta1", "beta2", "eps", "weight_decay"),
    "base": (),  # whatever the base makes of them
}
ENDED = "the port could not be driven to the end"


def collect(judge: Judge, checks: Sequence[CheckReport]) -> dict[str, Any]:
    """Return the evidence of a judged port.

    Parameters
    ----------
    judge : Judge
        The judge of the port, which keeps its runs.
    checks : sequence of CheckReport
        What its checks found.

    Returns
    -------
    dict
        ``means``, ``ratios``, ``drift`` and ``counterexample``, as JSON has them.
    """
    parts = {"means": means, "ratios": _ratios, "drift": _drift}
    found: dict[str, Any] = {}
    ended = any(c.status == "error" for c in checks)
    for name, part in parts.items():
        try:
            found[name] = {"omitted": ENDED} if ended else part(judge)
        except (PortError, SkippedError) as error:  # a shape changed, say
            found[name] = {"omitted": str(error)}
    found["counterexample"] = _counterexample(judge, checks)
    return found


def _ratios(judge: Judge) -> dict[str, Any]:
    """Worst error of each case and dtype that was held to a formula or a base."""
    from gc_ref._conformance.judging.dtypes import ACCUMULATES

    rows = []
    for (case, dtype), found in judge.measured.items():
        worst = max(found, key=lambda m: m.comparison.ratio)
        note = ACCUMULATES.format(dtype)
        rows.append({
            "case": case, "dtype": dtype, "ratio": number(worst.comparison.ratio),
            "parameter": worst.parameter.name, "step": worst.step + 1,
            "elements": sum(m.elements for m in found),
            "undecided": sum(m.undecided for m in found),
            "note": note if note in judge.notes else "",
        })  # fmt: skip
    if not rows:
        return {"omitted": "no case was held to a formula or to a base optimizer"}
    return {"cases": rows}


def _drift(judge: Judge) -> dict[str, Any]:
    """How far the sums of the weights of each output neuron go from where they began."""
    if judge.operator:
        return {"omitted": "an operator takes no steps"}
    case, settled = judge.long, judge.settled
    if not judge.has_run(case) and judge.port.per_run_cost != "cheap":
        case = judge.integers  # it failed before the long case, and a run of that is dear
    steps = judge.run(case).steps
    weights = [(p, axes) for p in case.parameters
               if (axes := judge.axes(p, judge.rule_for(p, settled))) is not None]  # fmt: skip
    if not weights:
        return {"omitted": "no weight is in scope"}
    why = unconstrained(judge)
    shown = sorted({round(t) for t in np.linspace(1, len(steps), min(POINTS, len(steps)))})
    reference: list[Any] | None = [0.0] * len(shown)
    if why:
        wanted = _reference(judge, case)
        reference = None if wanted is None else [_moved(weights, wanted[t - 1]) for t in shown]
    return {
        "case": case.id, "binds": not why, "why": why, "weights": [p.name for p, _ in weights],
        "steps": shown, "port": [_moved(weights, steps[t - 1]) for t in shown],
        "reference": reference,
    }  # fmt: skip


def _moved(
    weights: Sequence[tuple[Parameter, tuple[int, ...]]], now: Mapping[str, Array]
) -> float | str:
    """Largest |eᵀ(wᵗ − w⁰)| √M over all output neurons: of the sum, that is, not of eᵀw."""
    with np.errstate(all="ignore"):
        sums = [
            np.abs(
                to_rows(np.asarray(now[p.name], np.float64) - p.value.astype(np.float64), a).sum(1)
            )
            for p, a in weights
        ]
    return number(float(np.max(np.concatenate(sums))))


def _reference(judge: Judge, case: Case) -> Sequence[Mapping[str, Array]] | None:
    """Weights that the port was held to in a case, if it was held to any."""
    settled = judge.settled
    if (case.id, case.dtype) not in judge.measured:
        return None
    if settled.mode == "base":
        if settled.conventions.get("placement") == "update":
            return None
        rule = settled.conventions.get("axes_rule")
        fed = judge.fed(case, rule, settled.conventions.get("placement"))
        return list(judge.run(fed, port=judge.port.base).steps)
    found: list[dict[str, Array]] = [{} for _ in case.gradients]
    for p in case.parameters:
        for step, want in zip(
            found, judge.expected(case, p, judge.rule_for(p, settled), settled), strict=True
        ):
            step[p.name] = want.floats[0].reshape(p.shape)
    return found


def smallest(checks: Sequence[Mapping[str, Any]]) -> int | None:
    """Position of the check whose counterexample is the easiest to work by hand.

    Parameters
    ----------
    checks : sequence of mapping
        With ``status`` and ``counterexample``, as JSON has them.

    Returns
    -------
    int or None
        Nothing where no check that failed has a counterexample.
    """
    best: tuple[tuple[Any, ...], int] | None = None
    for position, entry in enumerate(checks):
        shown = entry["counterexample"]
        if not shown or entry["status"] not in ("failed", "indeterminate", "unexpected-pass"):
            continue
        first = shown["gradient"][0]
        odd = any(isinstance(shown[k], str) for k in ("expected", "got", "bound"))
        whole = all(isinstance(g, int | float) and g == round(g) for g in first)
        plain = whole and sum(first) != 0
        key = (odd, shown["output_axis"] is None, len(first) < 2, not whole, not plain,
               len(first), shown["step"], position)  # fmt: skip
        if best is None or key < best[0]:
            best = key, position
    return None if best is None else best[1]


def _counterexample(judge: Judge, checks: Sequence[CheckReport]) -> dict[str, Any]:
    """The smallest counterexample, with all inputs of its output neuron: expected and got."""
    at = smallest([{"status": c.status, "counterexample": c.counterexample} for c in checks])
    if at is None:
        return {"omitted": "no check that failed has one"}
    check = checks[at]
    assert check.counterexample is not None
    found: dict[str, Any] = {
        "check": check.id, "shown": dict(check.counterexample), "algorithm": "",
        "hyperparameters": {}, "expected": [], "got": [],
    }  # fmt: skip
    with contextlib.suppress(PortError, SkippedError):
        found |= _neuron(judge, check.counterexample)
    return found


def _neuron(judge: Judge, shown: Mapping[str, Any]) -> dict[str, Any]:
    """All that goes into a counterexample; nothing unless it is the very thing compared."""
    case, settled = _case_of(judge, shown), judge.settled
    if case is None or settled.mode not in USED:
        return {}
    [p] = [q for q in case.parameters if q.name == shown["parameter"]]
    if shown["step"] > 1:
        shown = _earlier(judge, case, p) or shown
    step, index = shown["step"] - 1, tuple(shown["index"])
    got = np.asarray(judge.run(case).steps[step][p.name], np.float64)
    want = _wanted(judge, case, p, step)
    if want is None or number(float(got[index])) != shown["got"]:
        return {}
    if not math.isclose(float(want[index]), float(shown["expected"]), rel_tol=1e-12):
        return {}
    shown = _telling(judge, case, p, shown, want, got)
    index = tuple(shown["index"])
    hyper = judge.hyperparameters(case, settled.assumed)
    axes = None if shown["output_axis"] is None else tuple(shown["output_axis"])
    return {
        "shown": {k: v for k, v in shown.items() if k != "replay"}, "algorithm": settled.mode,
        "hyperparameters": {k: v for k, v in hyper.items() if k in USED[settled.mode]},
        "expected": slice_at(want, index, axes), "got": slice_at(got, index, axes),
    }  # fmt: skip


def _telling(
    judge: Judge, case: Case, p: Parameter, shown: Mapping[str, Any], want: Array, got: Array
) -> Mapping[str, Any]:
    """The same, at another input of its neuron that is wrong if the gradient is 0 at this one.

    Where it is 0, a gradient left as it is and one that was erased look alike.
    """
    settled, axes, step = judge.settled, shown["output_axis"], shown["step"] - 1
    gradient, index = case.gradients[step][p.name], tuple(shown["index"])
    if settled.mode not in ("sgdm", "adam") or axes is None or gradient[index] != 0:
        return shown
    tau = np.reshape(judge.expected(case, p, judge.rule_for(p, settled), settled)[step].tau,
                     p.shape)  # fmt: skip
    with np.errstate(all="ignore"):
        error = np.abs(got - want)
    for other in np.argwhere((error > tau) & (gradient != 0)).tolist():
        if all(other[axis] == index[axis] for axis in axes):
            at = tuple(other)
            return {**shown, "index": other, "weight": number(p.value[at]),
                    "expected": number(want[at]), "got": number(got[at]),
                    "bound": number(tau[at])}  # fmt: skip
    return shown


def _earlier(judge: Judge, case: Case, p: Parameter) -> dict[str, Any] | None:
    """The same parameter after the first step, if it is wrong there already: easier to follow."""
    settled = judge.settled
    rule = judge.rule_for(p, settled)
    if settled.mode == "base":
        placement = settled.conventions.get("placement")
        first = compare_to_base(judge, case, p, rule, placement)[0]
    else:
        wanted = judge.expected(case, p, rule, settled)[0]
        first = compare(judge.run(case).steps[0][p.name], wanted, case.dtype)
    if first.within:
        return None
    match = Match(p, 0, first, first.inexact, 0, p.value.size)
    return worst_element(judge, case, match, judge.axes(p, rule))


def _case_of(judge: Judge, shown: Mapping[str, Any]) -> Case | None:
    """The case that a counterexample is of: the last of its id, where fuzzing ends."""
    for case in reversed(judge.cases_run()):
        names = {p.name for p in case.parameters}
        if (case.id, case.dtype) == (shown["case"], shown["dtype"]) and shown["parameter"] in names:
            return case
    return None


def _wanted(judge: Judge, case: Case, p: Parameter, step: int) -> Array | None:
    settled = judge.settled
    rule = judge.rule_for(p, settled)
    if settled.mode != "base":
        if judge.operator:
            return phi(case.gradients[step][p.name], judge.axes(p, rule), "float64")
        return judge.expected(case, p, rule, settled)[step].floats[0].reshape(p.shape)
    placement = settled.conventions.get("placement")
    if placement == "update":
        return None
    if judge.axes(p, "by-rank") is None:
        rule = "by-rank"
    run = judge.run(judge.fed(case, rule, placement), port=judge.port.base)
    return np.asarray(run.steps[step][p.name], np.float64)
