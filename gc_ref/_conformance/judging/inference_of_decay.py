"""Infer where a port's weight decay enters, from the case that has one."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from gc_ref._conformance.judging.settled import Settled
from gc_ref._conformance.ports.conventions import Conventions

if TYPE_CHECKING:
    from gc_ref._conformance.judging.judge import Judge

__all__ = ["with_base_decay", "with_decay"]


def with_decay(judge: Judge, settled: Settled) -> Settled:
    """Infer where the weight decay enters, from the case that has one."""
    if judge.port.fixed.get("weight_decay"):
        return settled  # seen already: every case has it
    if "weight_decay" not in judge.port.takes:
        without = settled.conventions.with_inferred({"decay": "none"})
        return replace(settled, conventions=without)
    declared = settled.conventions.values
    sources = settled.conventions.sources
    fixed = {k: v for k, v in declared.items() if sources[k] == "declared"}
    update = declared.get("placement") == "update"
    options = [
        {"decay": d, "placement": p}
        for d, p in (
            ("l2", "update" if update else "gradient"),
            ("l2", "decayed-gradient"),
            ("decoupled", "update" if update else "gradient"),
            ("none", "update" if update else "gradient"),
        )
        if fixed.get("decay", d) == d
        and fixed.get("placement", p) == p
        # A NumPy function is given every hyperparameter; who takes one must use it.
        and (d != "none" or judge.port.takes_unused or fixed.get("decay") == "none")
    ]
    # SGDM is linear: Φ of the decayed gradient and Φ of the update are the same thing.
    if settled.mode == "sgdm" and fixed.get("placement") == "update":
        options = [{"decay": d, "placement": "update"} for d in ("l2", "decoupled", "none")]
    best = max(options, key=lambda o: _explained(judge, settled, o))
    remarks = settled.remarks
    if settled.mode == "sgdm" and best["decay"] != "l2":
        best = {"decay": best["decay"]}  # then every placement is the same
        remarks = (*remarks, "without L2 decay every placement of Φ gives the same SGDM")
    elif settled.mode == "sgdm" and best["placement"] == "decayed-gradient":
        remarks = (*remarks, "placements decayed-gradient and update are the same under SGDM")
    values = {k: v for k, v in declared.items() if k not in best or k in fixed}
    kept = Conventions(values, {k: sources[k] for k in values})
    return replace(settled, conventions=kept.with_inferred(best), remarks=remarks)


def with_base_decay(judge: Judge, settled: Settled) -> Settled:
    """Infer whether a port with a base decays inside Φ, from the case with weight decay."""
    base, conventions = judge.port.base, settled.conventions
    assert base is not None
    if "weight_decay" not in judge.port.takes & base.takes:
        return settled
    if conventions.sources["placement"] == "declared" or conventions.get("placement") == "update":
        return settled
    for placement in ("gradient", "decayed-gradient"):
        values = {**conventions.values, "placement": placement}
        reading = replace(settled, conventions=replace(conventions, values=values))
        if all(
            judge.match(judge.decayed, p, judge.rule_for(p, reading), reading).within
            for p in judge.decayed.parameters
            if len(p.shape) >= 2
        ):
            return reading
    return settled


def _explained(judge: Judge, settled: Settled, option: Mapping[str, str]) -> tuple[int, float]:
    case = judge.decayed
    ratios = [
        judge.match(case, p, judge.rule_for(p, settled), settled, option).comparison.ratio
        for p in case.parameters
        if len(p.shape) >= 2  # vectors are often left without decay
    ]
    return (
        sum(r <= 1 for r in ratios),
        -sum(math.log2(max(1.0, min(r, 1e30))) for r in ratios),
    )
