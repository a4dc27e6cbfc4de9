"""What the pictures of a report show: read off the runs that the checks made anyway.

Each part is either its data or ``{"omitted": reason}``. Numbers are as in the rest of the
report: those that JSON lacks are ``"nan"``, ``"inf"`` and ``"-inf"``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gc_ref._conformance.evidence.means import means
from gc_ref._conformance.findings.check_report import CheckReport
from gc_ref._conformance.findings.counterexample import named
from gc_ref._conformance.judging.base_law import fed
from gc_ref._conformance.judging.dtypes import half_sums_note
from gc_ref._conformance.judging.judge import NO_STEPS, Judge
from gc_ref._conformance.ports.case import Array, Case, Parameter
from gc_ref._conformance.ports.port import PortError, SkippedError
from gc_ref._slices import to_rows

#: Steps of the long case that are shown, evenly spread, the last always.
POINTS = 50
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
        ``means``, ``ratios`` and ``drift``, as JSON has them.
    """
    parts = {"means": means, "ratios": _ratios, "drift": _drift}
    found: dict[str, Any] = {}
    ended = any(c.status == "error" for c in checks)
    for name, part in parts.items():
        try:
            found[name] = {"omitted": ENDED} if ended else part(judge)
        except (PortError, SkippedError) as error:  # a shape changed, say
            found[name] = {"omitted": str(error)}
    return found


def _ratios(judge: Judge) -> dict[str, Any]:
    """Worst error of each case and dtype that was held to a formula or a base."""
    rows = []
    for (case, dtype), found in judge.measured.items():
        worst = max(found, key=lambda m: m.comparison.ratio)
        rows.append({
            "case": case, "dtype": dtype, "ratio": named(worst.comparison.ratio),
            "parameter": worst.parameter.name, "step": worst.step + 1,
            "elements": sum(m.elements for m in found),
            "undecided": sum(m.undecided for m in found),
            "note": half_sums_note(dtype) if dtype in judge.half_sums else "",
        })  # fmt: skip
    if not rows:
        return {"omitted": "no case was held to a formula or to a base optimizer"}
    return {"cases": rows}


def _drift(judge: Judge) -> dict[str, Any]:
    """How far the sums of the weights of each output neuron go from where they began."""
    if judge.operator:
        return {"omitted": NO_STEPS}
    case, specification = judge.long, judge.specification
    if not judge.has_run(case) and judge.port.per_run_cost != "cheap":
        case = judge.integers  # it failed before the long case, and a run of that is dear
    steps = judge.run(case).steps
    weights = [(p, axes) for p in case.parameters
               if (axes := specification.axes(p)) is not None]  # fmt: skip
    if not weights:
        return {"omitted": "no weight is in scope"}
    why = judge.unconstrained
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
    return named(float(np.max(np.concatenate(sums))))


def _reference(judge: Judge, case: Case) -> Sequence[Mapping[str, Array]] | None:
    """Weights that the port was held to in a case, if it was held to any."""
    specification = judge.specification
    if (case.id, case.dtype) not in judge.measured:
        return None
    if specification.mode == "base":
        if specification.on_update:
            return None
        rule = specification.conventions.get("axes_rule")
        centralized = fed(judge, case, rule, specification.placement)
        return list(judge.run(centralized, port=judge.port.base).steps)
    found: list[dict[str, Array]] = [{} for _ in case.gradients]
    for p in case.parameters:
        for step, want in zip(found, judge.exact_steps(case, p), strict=True):
            step[p.name] = want.floats[0].reshape(p.shape)
    return found
