"""Infer which algorithm and which conventions a port follows.

A convention is inferred only where it is a choice that correct ports make; the
layout and the requirements never are. Every reading is held against the exact
witness on the integer case, and the one that explains most parameters wins; a
port that none explains is held to the nearest.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from gc_ref._conformance.judging.invariance import response_to_shift
from gc_ref._conformance.judging.matching import match
from gc_ref._conformance.judging.own_centering import base_centralizes
from gc_ref._conformance.judging.specification import Specification
from gc_ref._conformance.judging.trial import Trial
from gc_ref._conformance.ports.case import Parameter
from gc_ref._conformance.ports.conventions import Conventions
from gc_ref._layouts import is_convolution

#: Share of the parameters that an algorithm must explain to be assumed.
ENOUGH = 0.25
#: Readings are compared on weights of at most so many elements: enough to tell them apart.
SMALL = 16
TITLES = {"sgdm": "Algorithm 1 (SGDM)", "adam": "Algorithm 2 (Adam)"}
BETAS_TAKEN = "assumed Algorithm 2 (Adam), as the port takes betas; its steps are those of SGDM"
UNCORRECTED = (
    "assumed Algorithm 2 (Adam): the first step is Adam's without its bias correction; "
    "name another optimizer with --base if that is meant"
)
NO_ALGORITHM = "neither Algorithm 1 nor Algorithm 2 explains the steps: see step/base-law"


def infer(trial: Trial) -> Specification:
    """Return what a port is held to: declared, or inferred from what it does."""
    port = trial.port
    declared = {**port.conventions, "layout": trial.layout}
    conventions = Conventions(declared, dict.fromkeys(declared, "declared"))
    if trial.operator:
        return _with_scope(trial, Specification("operator", conventions))
    if port.algorithm:
        best, _ = _best_reading(trial, conventions, port.algorithm)
        return _with_decay(trial, _with_scope(trial, _remark(best, *_assumed(trial, best))))
    if port.base and not base_centralizes(trial):
        return _with_base_decay(trial, _with_scope(trial, _base_reading(trial, conventions)))
    readings = [_best_reading(trial, conventions, algorithm) for algorithm in ("sgdm", "adam")]
    best, explained = max(readings, key=lambda reading: reading[1])
    adam, _ = readings[1]
    if explained < ENOUGH:
        if _lacks_first_correction(trial):
            return _with_scope(trial, _remark(adam, UNCORRECTED))
        return _unknown(trial, conventions)
    if best.mode == "sgdm" and not port.takes_unused and {"beta1", "beta2"} <= port.takes:
        best, remark = adam, BETAS_TAKEN  # it takes what only Adam has a use for
    else:
        remark = (
            f"assumed {TITLES[best.mode]}: it explains {explained:.0%} of the parameters exactly"
        )
    return _with_decay(trial, _with_scope(trial, _remark(best, remark)))


def _remark(reading: Specification, *remarks: str) -> Specification:
    return replace(reading, remarks=(*reading.remarks, *remarks))


def _assumed(trial: Trial, reading: Specification) -> tuple[str, ...]:
    """Name the hyperparameters of Algorithm 2 that the port does not let a user choose."""
    needed = {"beta1", "beta2", "eps"} if reading.mode == "adam" else set()
    lacking = sorted(needed - trial.port.takes - set(trial.port.fixed))
    if not lacking:
        return ()
    values = trial.hyperparameters(trial.integers, reading.assumed)
    assumed = ", ".join(f"{name} = {values[name]:g}" for name in lacking)
    return (f"the port does not let a user choose what Algorithm 2 needs; assumed {assumed}",)


# ---- algorithm


def _unknown(trial: Trial, conventions: Conventions) -> Specification:
    """Return what can be said where no formula fits: whether GC acts on convolutions only."""
    held_to = Specification("unknown", conventions, remarks=(NO_ALGORITHM,))
    found = response_to_shift(trial, trial.integers, trial.integers.parameters)
    alike = {p.kind for p in found.blind if _looks_convolved(p)}
    convolved = [p for p in found.blind if p.kind not in alike]
    others_see = not any(is_convolution(p.kind) for p, _ in found.seeing)
    if not convolved or not others_see or not all(is_convolution(p.kind) for p in convolved):
        return held_to
    scope = conventions.with_inferred({"scope": "conv-only"})
    return replace(held_to, conventions=scope, free_kinds=dict.fromkeys(alike, "by-rank"))


def _looks_convolved(p: Parameter) -> bool:
    """Whether it is an attention weight that has the dimensions of a Conv1D kernel."""
    return p.kind.startswith("attention") and len(p.shape) > 2


def _lacks_first_correction(trial: Trial) -> bool:
    """Whether vectors move first by lr (1-β1) g / (√(1-β2) |g| + ε): Adam uncorrected."""
    if not {"beta1", "beta2", "eps"} <= trial.port.takes | set(trial.port.fixed):
        return False
    case = trial.integers
    hyper = trial.hyperparameters(case, {})
    lr, scale = hyper["lr"], math.sqrt(1 - hyper["beta2"])
    for p in case.parameters:
        if len(p.shape) < 2:
            g = case.gradients[0][p.name].astype(np.float64)
            want = p.value - lr * (1 - hyper["beta1"]) * g / (scale * np.abs(g) + hyper["eps"])
            if not np.allclose(trial.steps(case, p)[0], want, rtol=0, atol=1e-5 * lr):
                return False
    return True


def _readings(
    trial: Trial, declared: Mapping[str, str], algorithm: str
) -> Iterator[tuple[dict[str, str], dict[str, float]]]:
    """Yield the undeclared conventions that an algorithm leaves open, and what is assumed."""
    assumed: list[dict[str, float]] = [{}]
    if algorithm == "sgdm":
        forms = [
            {"momentum": "heavy-ball", "first_momentum": "zero"},
            {"momentum": "ema", "first_momentum": "zero"},
            {"momentum": "ema", "first_momentum": "gradient"},
        ]
        if "momentum" not in trial.port.takes | set(trial.port.fixed):
            assumed = [{"momentum": 0.0}, {"momentum": 0.9}]  # none, or one that is built in
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
    if trial.port.fixed.get("weight_decay"):  # then no case is without decay
        decays = (("l2", "gradient"), ("l2", "decayed-gradient"), ("decoupled", "gradient"))
        forms = [f | {"decay": d, "placement": p} for f in forms for d, p in decays]
    for form, values in itertools.product(forms, assumed):
        if all(declared.get(k, v) == v for k, v in form.items()):
            yield form, values


def _best_reading(
    trial: Trial, conventions: Conventions, algorithm: str
) -> tuple[Specification, float]:
    """Return the reading that explains most parameters, and the share that it explains."""
    small = [p for p in trial.integers.parameters if p.value.size <= SMALL]
    best, best_score, explained = Specification(algorithm, conventions), None, 0.0
    for form, assumed in _readings(trial, conventions.values, algorithm):
        reading = Specification(algorithm, conventions.with_inferred(form), assumed)
        score = _score([_nearest(trial, p, reading)[1] for p in small])
        if best_score is None or score > best_score:
            best, best_score, explained = reading, score, score[0] / len(small)
        if score[0] == len(small):  # no other reading can explain more
            break
    return (best if best_score is None else _visible(trial, best, conventions)), explained


def _score(ratios: Sequence[float]) -> tuple[int, float]:
    """Number of parameters that a reading explains, and how far it is from the others."""
    distance = -sum(math.log2(max(1.0, min(r, 1e30))) for r in ratios)
    return sum(r <= 1 for r in ratios), distance


def _visible(trial: Trial, best: Specification, declared: Conventions) -> Specification:
    """Drop the conventions that this port's behavior cannot show."""
    if best.mode != "sgdm":
        return best
    hide: set[str] = set()
    remarks = []
    if trial.hyperparameters(trial.integers, best.assumed)["momentum"] == 0:
        hide = {"momentum", "first_momentum"}
    elif best.conventions.get("momentum") != "ema":
        hide = {"first_momentum"}  # m = g on the first step either way
        remarks.append("heavy-ball and velocity are the same at a constant learning rate")
    if best.assumed.get("momentum"):
        remarks.append(f"assumed a built-in momentum of {best.assumed['momentum']}")
    kept = best.conventions.without(hide - set(declared.values))
    return _remark(replace(best, conventions=kept), *remarks)


def _base_reading(trial: Trial, conventions: Conventions) -> Specification:
    """Return whether Φ acts on the gradient or on the update of the base optimizer."""
    if "placement" in conventions.values:
        return Specification("base", conventions)
    case = trial.integers
    weights = [p for p in case.parameters if len(p.shape) >= 2]

    def explained(reading: Specification) -> int:
        return sum(
            any(match(trial, case, p, rule, reading).within for rule in _rules(trial, p))
            for p in weights
        )

    on_gradient, on_update = (
        Specification("base", conventions.with_inferred({"placement": placement}))
        for placement in ("gradient", "update")
    )
    count = explained(on_gradient)
    return on_gradient if count == len(weights) or count >= explained(on_update) else on_update


# ---- scope


def _rules(trial: Trial, parameter: Parameter) -> tuple[str, ...]:
    """Readings of one parameter's output axes that differ from each other."""
    if len(parameter.shape) < 2:
        return ("none",)
    if trial.leaves_choice(parameter):
        return ("by-rank", "by-kind", "none")
    return ("by-rank", "none")


def _nearest(trial: Trial, p: Parameter, held_to: Specification) -> tuple[str, float]:
    """Rule that explains a parameter, with its ratio; the nearest one where none does.

    Gradients have distinct means over every set of axes: one rule explains at most.
    """
    found = []
    for rule in _rules(trial, p):
        ratio = match(trial, trial.integers, p, rule, held_to).comparison.ratio
        found.append((rule, ratio))
        if ratio <= 1:
            break
    return min(found, key=lambda f: f[1])


def rules_followed(trial: Trial, held_to: Specification) -> dict[str, str | None]:
    """Name of each weight, and the rule under which the port's answer is right.

    The rule is ``by-rank``, ``by-kind``, ``none`` (left alone), or None where none explains it.
    """
    nearest = {
        p.name: _nearest(trial, p, held_to) for p in trial.integers.parameters if len(p.shape) >= 2
    }
    return {name: rule if ratio <= 1 else None for name, (rule, ratio) in nearest.items()}


def _with_scope(trial: Trial, held_to: Specification) -> Specification:
    """Infer scope, fan_in_one and axes_rule from what was done to each weight."""
    followed = rules_followed(trial, held_to)
    weights = [p for p in trial.integers.parameters if p.name in followed]

    def count(rule: str, parameters: Iterable[Parameter]) -> int:
        return sum(followed[p.name] == rule for p in parameters)

    found: dict[str, str] = {}
    ambiguous = [p for p in weights if trial.leaves_choice(p)]
    if ambiguous and not trial.operator:
        more = count("by-kind", ambiguous) > count("by-rank", ambiguous)
        found["axes_rule"] = "by-kind" if more else "by-rank"
    several = [p for p in weights if trial.fan_in(p) > 1]
    alike = [p for p in several if _looks_convolved(p)]
    others = [p for p in several if not is_convolution(p.kind) and p not in alike]
    convolved = count("by-rank", (p for p in several if p.kind == "conv2d"))
    conv_only = convolved > 0 and count("none", others) == len(others)
    found["scope"] = "conv-only" if conv_only else "all"
    single = [p for p in weights if trial.fan_in(p) == 1]
    if single and not conv_only:
        found["fan_in_one"] = "keep" if count("none", single) == len(single) else "erase"
    conventions = held_to.conventions.with_inferred(found)
    free = {}
    if conventions.get("scope") == "conv-only":
        free = {p.kind: followed[p.name] or "none" for p in alike}
    return replace(held_to, conventions=conventions, free_kinds=free)


# ---- weight decay


def _with_decay(trial: Trial, held_to: Specification) -> Specification:
    """Infer where the weight decay enters, from the case that has one."""
    if trial.port.fixed.get("weight_decay"):
        return held_to  # seen already: every case has it
    conventions = held_to.conventions
    if "weight_decay" not in trial.port.takes:
        return replace(held_to, conventions=conventions.with_inferred({"decay": "none"}))
    fixed = {k: v for k, v in conventions.values.items() if conventions.sources[k] == "declared"}
    options = _decays(trial, held_to, fixed)
    best = max(options, key=lambda option: _explained_decay(trial, held_to.but(**option)))
    if held_to.mode == "sgdm" and best["decay"] != "l2":
        del best["placement"]
        held_to = _remark(held_to, "without L2 decay every placement of Φ gives the same SGDM")
    elif held_to.mode == "sgdm" and best["placement"] == "decayed-gradient":
        held_to = _remark(held_to, "placements decayed-gradient and update are the same under SGDM")
    kept = conventions.without(set(best) - set(fixed))
    return replace(held_to, conventions=kept.with_inferred(best))


def _decays(trial: Trial, held_to: Specification, fixed: Mapping[str, str]) -> list[dict[str, str]]:
    """List the combinations of decay and placement that what was declared leaves open."""
    if held_to.mode == "sgdm" and fixed.get("placement") == "update":
        # SGDM is linear: Φ of the decayed gradient and Φ of the update are the same thing.
        return [{"decay": d, "placement": "update"} for d in ("l2", "decoupled", "none")]
    usual = "update" if held_to.conventions.values.get("placement") == "update" else "gradient"
    decays = (("l2", usual), ("l2", "decayed-gradient"), ("decoupled", usual), ("none", usual))
    # A port that takes a weight decay must use it, unless it is given every hyperparameter.
    none_too = trial.port.takes_unused or fixed.get("decay") == "none"
    return [
        {"decay": decay, "placement": placement}
        for decay, placement in decays
        if fixed.get("decay", decay) == decay
        and fixed.get("placement", placement) == placement
        and (decay != "none" or none_too)
    ]


def _explained_decay(trial: Trial, reading: Specification) -> tuple[int, float]:
    return _score(
        [
            match(trial, trial.decayed, p, reading.rule(p), reading).comparison.ratio
            for p in trial.decayed.parameters
            if len(p.shape) >= 2  # vectors are often left without decay
        ]
    )


def _with_base_decay(trial: Trial, held_to: Specification) -> Specification:
    """Infer whether a port with a base decays inside Φ, from the case with weight decay."""
    base, conventions = trial.port.base, held_to.conventions
    assert base is not None
    if "weight_decay" not in trial.port.takes & base.takes:
        return held_to
    if conventions.sources["placement"] == "declared" or held_to.placement == "update":
        return held_to
    for placement in ("gradient", "decayed-gradient"):
        reading = held_to.but(placement=placement)
        if all(
            match(trial, trial.decayed, p, reading.rule(p), reading).within
            for p in trial.decayed.parameters
            if len(p.shape) >= 2
        ):
            return reading
    return held_to
