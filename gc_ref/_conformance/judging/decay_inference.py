"""Infer where the weight decay enters, from the case that has one."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from gc_ref._conformance.judging.matching import match
from gc_ref._conformance.judging.specification import Specification
from gc_ref._conformance.judging.trial import Trial


def score(ratios: Sequence[float]) -> tuple[int, float]:
    """Number of parameters that a reading explains, and how far it is from the others."""
    distance = -sum(math.log2(max(1.0, min(r, 1e30))) for r in ratios)
    return sum(r <= 1 for r in ratios), distance


def with_decay(trial: Trial, held_to: Specification) -> Specification:
    """Infer where the weight decay enters, and where Φ acts if the decay shows that alone.

    Vectors show how a port decays, whatever it does to the gradients of its weights.
    """
    if trial.port.fixed.get("weight_decay"):
        return held_to  # seen already: every case has it
    conventions = held_to.conventions
    if "weight_decay" not in trial.port.takes:
        return replace(held_to, conventions=conventions.with_inferred({"decay": "none"}))
    fixed = {k: v for k, v in conventions.values.items() if conventions.sources[k] == "declared"}
    options = _options(trial, held_to, fixed)
    if not options:  # what was declared goes together in no form
        return held_to
    scored = [(_explained(trial, held_to.but(**option)), option) for option in options]
    (by_weights, by_vectors, _), best = max(scored, key=lambda found: found[0])
    if not by_weights and trial.port.takes_unused and _never_decays(trial):
        best, by_vectors = {**best, "decay": "none"}, 1
    if held_to.mode == "sgdm" and best["decay"] != "l2" and best["placement"] != "decayed-update":
        best = {"decay": best["decay"]}
        held_to = held_to.remark(
            "without L2 decay placement = gradient, decayed-gradient and update are the same SGDM"
        )
    elif held_to.mode == "sgdm" and best["placement"] == "decayed-gradient":
        held_to = held_to.remark("placements decayed-gradient and update are the same under SGDM")
    told = set(best) if by_weights else {"decay"} if by_vectors else set()
    kept = conventions.without({"decay", "placement"} - set(fixed))
    found = kept.with_inferred({k: v for k, v in best.items() if k in told})
    found = found.with_inferred({k: v for k, v in best.items() if k not in told}, "nearest")
    return replace(held_to, conventions=found)


def _never_decays(trial: Trial) -> bool:
    """Whether a port that is given a weight decay moves as without one."""
    plain = {**trial.decayed.hyperparameters, "weight_decay": 0.0}
    without = replace(trial.decayed, id="decay-of-0", hyperparameters=plain)
    steps = zip(trial.run(trial.decayed).steps, trial.run(without).steps, strict=True)
    return all(np.array_equal(a[name], b[name], equal_nan=True) for a, b in steps for name in a)


def _options(
    trial: Trial, held_to: Specification, fixed: Mapping[str, str]
) -> list[dict[str, str]]:
    """List the combinations of decay and placement that what was declared leaves open."""
    if held_to.mode == "sgdm" and fixed.get("placement") == "update":
        # SGDM is linear: Φ of the decayed gradient and Φ of the update are the same thing.
        return [{"decay": d, "placement": "update"} for d in ("l2", "decoupled", "none")]
    usual = "update" if held_to.on_update else "gradient"
    decays = (
        ("l2", usual),
        ("l2", "decayed-gradient"),
        ("decoupled", usual),
        ("decoupled", "decayed-update"),
        ("none", usual),
    )
    # A port that takes a weight decay must use it, unless it is given every hyperparameter.
    none_too = trial.port.takes_unused or fixed.get("decay") == "none"
    return [
        {"decay": decay, "placement": placement}
        for decay, placement in decays
        if fixed.get("decay", decay) == decay
        and fixed.get("placement", placement) == placement
        and (decay != "none" or none_too)
        and (placement != "decayed-update" or held_to.on_update or held_to.mode == "sgdm")
    ]


def _explained(trial: Trial, reading: Specification) -> tuple[int, int, float]:
    """Weights and decayed vectors that a reading explains; how far it is from other weights."""
    ratios: dict[bool, list[float]] = {True: [], False: []}
    for p in trial.decayed.parameters:
        found = match(trial, trial.decayed, p, reading.rule(p), reading).comparison
        ratios[len(p.shape) >= 2].append(found.ratio)
    by_weights, distance = score(ratios[True])
    by_vectors, _ = score(ratios[False])  # they are often left without decay
    decays = reading.conventions.get("decay") != "none"
    return by_weights, by_vectors if decays else 0, distance


def with_base_decay(trial: Trial, held_to: Specification) -> Specification:
    """Infer whether a port with a base decays inside Φ, from the case with weight decay."""
    base, conventions = trial.port.base, held_to.conventions
    assert base is not None
    if "weight_decay" not in trial.port.takes & base.takes:
        return held_to
    if conventions.sources.get("placement") == "declared" or held_to.on_update:
        return held_to
    open_too = () if "placement" in conventions.values else ("update",)
    weights = [p for p in trial.decayed.parameters if len(p.shape) >= 2]
    right = [
        placement
        for placement in ("gradient", "decayed-gradient", *open_too)
        if all(
            match(trial, trial.decayed, p, held_to.rule(p), held_to.but(placement=placement)).within
            for p in weights
        )
    ]
    if not right or (len(right) > 1 and right[0] == "gradient"):
        return held_to
    # Where Φ(g + λw) and Φ of the update both fit, the optimizer is linear: they are the same.
    kept = conventions.without({"placement"})
    return replace(held_to, conventions=kept.with_inferred({"placement": right[0]}))
