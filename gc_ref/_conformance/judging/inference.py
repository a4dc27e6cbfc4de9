"""Infer which algorithm and which conventions a port follows.

A convention is inferred only where it is a choice that correct ports make; the
layout and the requirements never are. Every reading is held against the exact
witness on the integer case, and the one that explains most parameters wins; a
port that none explains is held to the nearest.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from gc_ref._conformance.judging.inference_of_decay import with_base_decay, with_decay
from gc_ref._conformance.judging.settled import Settled
from gc_ref._conformance.ports.case import Parameter
from gc_ref._conformance.ports.conventions import Conventions
from gc_ref._layouts import is_convolution

if TYPE_CHECKING:
    from gc_ref._conformance.judging.judge import Judge

__all__ = ["rules_followed", "settle"]

RULES = ("by-rank", "by-kind", "none")
DECAYS = (
    {"decay": "l2", "placement": "gradient"},
    {"decay": "l2", "placement": "decayed-gradient"},
    {"decay": "decoupled", "placement": "gradient"},
)
#: Readings are compared on weights of at most so many elements: enough to tell them apart.
SMALL = 16


def settle(judge: Judge) -> Settled:
    """Algorithm and conventions of the judge's port, declared or inferred.

    Parameters
    ----------
    judge : Judge

    Returns
    -------
    Settled
    """
    port = judge.port
    declared = {**port.conventions, "layout": judge.layout}
    conventions = Conventions(declared, dict.fromkeys(declared, "declared"))
    if judge.operator:
        return _with_scope(judge, Settled("operator", conventions))
    if port.algorithm:
        best, _ = _best_reading(judge, conventions, port.algorithm)
        best = replace(best, remarks=(*best.remarks, *_not_offered(judge, best)))
        return with_decay(judge, _with_scope(judge, best))
    if port.base:
        return with_base_decay(judge, _with_scope(judge, _base_reading(judge, conventions)))
    readings = [_best_reading(judge, conventions, a) for a in ("sgdm", "adam")]
    best, explained = max(readings, key=lambda r: r[1])
    betas = not port.takes_unused and {"beta1", "beta2"} <= port.takes
    if best.mode == "sgdm" and explained >= 0.25 and betas:
        # Who takes betas promises more than SGDM. (A NumPy function is given everything.)
        remark = "assumed Algorithm 2 (Adam), as the port takes betas; its steps are those of SGDM"
        promised = replace(readings[1][0], remarks=(*readings[1][0].remarks, remark))
        return with_decay(judge, _with_scope(judge, promised))
    if explained < 0.25 and _first_step_lacks_correction(judge):
        best, _ = _best_reading(judge, conventions, "adam")
        remark = (
            "assumed Algorithm 2 (Adam): the first step is Adam's without its bias correction; "
            "name another optimizer with --base if that is meant"
        )
        return _with_scope(judge, replace(best, remarks=(*best.remarks, remark)))
    if explained < 0.25:
        return _unknown(judge, conventions)
    words = {"sgdm": "Algorithm 1 (SGDM)", "adam": "Algorithm 2 (Adam)"}[best.mode]
    remark = f"assumed {words}: it explains {explained:.0%} of the parameters exactly"
    best = replace(best, remarks=(*best.remarks, remark))
    return with_decay(judge, _with_scope(judge, best))


def _not_offered(judge: Judge, reading: Settled) -> tuple[str, ...]:
    """Name the hyperparameters of Algorithm 2 that the port lets nobody choose, as a remark."""
    needed = {"beta1", "beta2", "eps"} if reading.mode == "adam" else set()
    lacking = sorted(needed - judge.port.takes - set(judge.port.fixed))
    if not lacking:
        return ()
    values = judge.hyperparameters(judge.integers, reading.assumed)
    assumed = ", ".join(f"{name} = {values[name]:g}" for name in lacking)
    return (f"the port lets nobody choose what Algorithm 2 needs; assumed {assumed}",)


def _unknown(judge: Judge, conventions: Conventions) -> Settled:
    """Return what can be said where no formula fits: whether GC acts on convolutions only."""
    from gc_ref._conformance.checks.unknown import blind_weights

    remark = "neither Algorithm 1 nor Algorithm 2 explains the steps: see step/base-law"
    settled = Settled("unknown", conventions, remarks=(remark,))
    blind, seeing = blind_weights(judge, judge.integers, judge.integers.parameters)
    # By rank alone an attention weight of three dimensions looks like a Conv1D kernel.
    alike = {p.kind for p in blind if p.kind.startswith("attention") and len(p.shape) > 2}
    convolved = [p for p in blind if p.kind not in alike]
    only = all(is_convolution(p.kind) for p in convolved) and not any(
        is_convolution(p.kind) for p, _ in seeing
    )
    if not convolved or not only:
        return settled
    scope = conventions.with_inferred({"scope": "conv-only"})
    return replace(settled, conventions=scope, free_kinds=dict.fromkeys(alike, "by-rank"))


def _first_step_lacks_correction(judge: Judge) -> bool:
    """Whether vectors move first by lr (1-β1) g / (√(1-β2) |g| + ε): Adam uncorrected."""
    if not {"beta1", "beta2", "eps"} <= judge.port.takes | set(judge.port.fixed):
        return False
    case = judge.integers
    hyper = judge.hyperparameters(case, {})
    step = judge.run(case).steps[0]
    near = []
    for p in case.parameters:
        if len(p.shape) < 2:
            g = case.gradients[0][p.name].astype(np.float64)
            scale = math.sqrt(1 - hyper["beta2"])
            want = p.value - hyper["lr"] * (1 - hyper["beta1"]) * g / (
                scale * np.abs(g) + hyper["eps"]
            )
            near.append(np.allclose(step[p.name], want, rtol=0, atol=1e-5 * hyper["lr"]))
    return all(near)


def _readings(judge: Judge, declared: Mapping[str, str], algorithm: str) -> Iterable[
    tuple[dict[str, str], dict[str, float]]
]:  # fmt: skip
    """All combinations of undeclared conventions that the algorithm leaves open."""
    takes = judge.port.takes | set(judge.port.fixed)
    hidden: list[dict[str, float]] = [{}]
    if algorithm == "sgdm":
        forms = [
            {"momentum": "heavy-ball", "first_momentum": "zero"},
            {"momentum": "ema", "first_momentum": "zero"},
            {"momentum": "ema", "first_momentum": "gradient"},
        ]
        if "momentum" not in takes:  # none, or one that nobody can choose
            hidden = [{"momentum": 0.0}, {"momentum": 0.9}]
        if declared.get("momentum") == "velocity":
            forms[0]["momentum"] = "velocity"
        elif declared.get("first_momentum") == "gradient":
            forms[0]["first_momentum"] = "gradient"
    else:
        forms = [
            {"epsilon": e, "placement": p}
            for e, p in itertools.product(("outside", "hat"), ("gradient", "update"))
        ]
        if declared.get("placement") == "decayed-gradient":  # without decay: the same
            forms = [f | {"placement": "decayed-gradient"} for f in forms[::2]]
    if judge.port.fixed.get("weight_decay"):  # then no case is without decay
        forms = [f | d for f in forms for d in DECAYS]
    for form, values in itertools.product(forms, hidden):
        if all(declared.get(k, v) == v for k, v in form.items()):
            yield form, values


def _best_reading(judge: Judge, conventions: Conventions, algorithm: str) -> tuple[Settled, float]:
    """Return the reading that explains most parameters, and the fraction that it explains."""
    case = judge.integers
    small = [p for p in case.parameters if p.value.size <= SMALL]
    scored = []
    for form, hidden in _readings(judge, conventions.values, algorithm):
        reading = Settled(algorithm, conventions.with_inferred(form), hidden)
        ratios = [_nearest(judge, p, reading)[1] for p in small]
        within = sum(r <= 1 for r in ratios)
        distance = -sum(math.log2(max(1.0, min(r, 1e30))) for r in ratios)
        scored.append(((within, distance), reading, within / len(ratios)))
        if within == len(ratios):  # no other reading can explain more
            break
    if not scored:
        return Settled(algorithm, conventions), 0.0
    _, best, explained = max(scored, key=lambda s: s[0])
    return _visible(judge, best, conventions), explained


def _visible(judge: Judge, best: Settled, declared: Conventions) -> Settled:
    """Drop conventions that this port's behavior cannot show."""
    hyper = judge.hyperparameters(judge.integers, best.assumed)
    remarks = list(best.remarks)
    hide = set()
    if best.mode == "sgdm":
        if hyper["momentum"] == 0:
            hide |= {"momentum", "first_momentum"}
        elif best.conventions.get("momentum") != "ema":
            hide |= {"first_momentum"}  # m = g on the first step either way
            remarks.append("heavy-ball and velocity are the same at a constant learning rate")
        if best.assumed.get("momentum"):
            remarks.append(f"assumed a built-in momentum of {best.assumed['momentum']}")
    hide -= set(declared.values)
    values = {k: v for k, v in best.conventions.values.items() if k not in hide}
    kept = Conventions(values, best.conventions.sources)
    return replace(best, conventions=kept, remarks=tuple(remarks))


def _base_reading(judge: Judge, conventions: Conventions) -> Settled:
    """Whether Φ acts on the gradient or on the update of the base optimizer."""
    if "placement" in conventions.values:
        return Settled("base", conventions)
    case = judge.integers
    best, most = None, -1
    for placement in ("gradient", "update"):
        reading = Settled("base", conventions.with_inferred({"placement": placement}))
        within = sum(
            any(judge.match(case, p, r, reading).within for r in _rules(judge, p))
            for p in case.parameters
            if len(p.shape) >= 2
        )
        if within > most:
            best, most = reading, within
        if within == sum(len(p.shape) >= 2 for p in case.parameters):
            break
    assert best is not None
    return best


def _rules(judge: Judge, parameter: Parameter) -> tuple[str, ...]:
    """Readings of one parameter that differ from each other."""
    if len(parameter.shape) < 2:
        return ("none",)
    same = judge.axes(parameter, "by-rank") == judge.axes(parameter, "by-kind")
    return ("by-rank", "none") if same else RULES


def _nearest(judge: Judge, p: Parameter, settled: Settled) -> tuple[str, float]:
    """Rule that explains a parameter, with its ratio; the nearest one where none does.

    Gradients have distinct means over every set of axes: one rule explains at most.
    """
    found = []
    for rule in _rules(judge, p):
        ratio = judge.match(judge.integers, p, rule, settled).comparison.ratio
        found.append((rule, ratio))
        if ratio <= 1:
            break
    return min(found, key=lambda f: f[1])


def rules_followed(judge: Judge, settled: Settled) -> dict[str, str | None]:
    """For each weight, the rule under which the port's answer is right.

    Parameters
    ----------
    judge : Judge
    settled : Settled

    Returns
    -------
    dict
        Parameter name to ``by-rank``, ``by-kind``, ``none`` (left alone), or None where
        no rule explains the answer.
    """
    found: dict[str, str | None] = {}
    for p in judge.integers.parameters:
        if len(p.shape) >= 2:
            rule, ratio = _nearest(judge, p, settled)
            found[p.name] = rule if ratio <= 1 else None
    return found


def _with_scope(judge: Judge, settled: Settled) -> Settled:
    """Infer scope, fan_in_one and axes_rule from what was done to each weight."""
    followed = rules_followed(judge, settled)
    weights = [p for p in judge.integers.parameters if p.name in followed]
    found: dict[str, str] = {}
    kinds = [p for p in weights if judge.axes(p, "by-rank") != judge.axes(p, "by-kind")]
    if kinds and not judge.operator:
        by_kind = sum(followed[p.name] == "by-kind" for p in kinds)
        by_rank = sum(followed[p.name] == "by-rank" for p in kinds)
        found["axes_rule"] = "by-kind" if by_kind > by_rank else "by-rank"
    plain = [p for p in weights if judge.fan_in(p) > 1]
    # By rank alone an attention weight of three dimensions looks like a Conv1D kernel.
    alike = {p.kind for p in plain if p.kind.startswith("attention") and len(p.shape) > 2}
    others_left_alone = all(
        followed[p.name] == "none"
        for p in plain
        if not is_convolution(p.kind) and p.kind not in alike
    )
    convolved = any(followed[p.name] == "by-rank" for p in plain if p.kind == "conv2d")
    found["scope"] = "conv-only" if others_left_alone and convolved else "all"
    single = [p for p in weights if judge.fan_in(p) == 1]
    if single and found["scope"] == "all":
        kept = all(followed[p.name] == "none" for p in single)
        found["fan_in_one"] = "keep" if kept else "erase"
    conventions = settled.conventions.with_inferred(found)
    free = {}
    if conventions.get("scope") == "conv-only":
        free = {p.kind: followed[p.name] or "none" for p in plain if p.kind in alike}
    return replace(settled, conventions=conventions, free_kinds=free)
