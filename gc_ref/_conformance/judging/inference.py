"""Infer which algorithm and which conventions a port follows.

A convention is inferred only where it is a choice that correct ports make; the
layout and the requirements never are. Every reading is held against the exact
witness on the integer case, and the one that explains most parameters wins.
Where several explain as many, longer cases decide; where none of these does, the
convention is open. Where no reading is within its bound it is not settled, and
the port is held to the nearest.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from gc_ref._conformance.judging.decay_inference import score, with_base_decay, with_decay
from gc_ref._conformance.judging.invariance import keeps_sums, response_to_shift
from gc_ref._conformance.judging.matching import match
from gc_ref._conformance.judging.own_centering import (
    acts_by_neuron,
    base_centralizes,
    ignores_mean,
    mean_free,
)
from gc_ref._conformance.judging.scope_inference import (
    CONV_ONLY,
    looks_convolved,
    nearest_rule,
    with_scope,
)
from gc_ref._conformance.judging.specification import Specification
from gc_ref._conformance.judging.trial import Trial
from gc_ref._conformance.ports.case import Case, Parameter
from gc_ref._conformance.ports.conventions import CONVENTIONS, Conventions
from gc_ref._layouts import is_convolution

#: Share of the weights that an algorithm must explain to be assumed.
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
OPEN_PLACEMENT = "Φ of the gradient and Φ of the update give the same steps of this optimizer"
PAPERS_PLACEMENT = next(iter(CONVENTIONS["placement"].values))
ANOTHER_PLACEMENT = (
    "placement = {0} is what the port does, and nobody declared it: "
    f"--convention placement={PAPERS_PLACEMENT} requires the paper's, "
    "--convention placement={0} settles it"
)
NO_BASE = "the base centralizes by itself, so the port was judged without it: see effect/off"


def infer(trial: Trial) -> Specification:
    """Return what a port is held to: declared, or inferred from what it does."""
    found = _inferred(trial)
    placement = found.conventions.values.get("placement", PAPERS_PLACEMENT)
    if placement != PAPERS_PLACEMENT and found.conventions.sources["placement"] == "inferred":
        found = found.remark(ANOTHER_PLACEMENT.format(placement))
    nearest = found.conventions.nearest
    if not nearest:
        return found
    words = ", ".join(f"{field} (nearest: {value})" for field, value in nearest.items())
    return found.remark(f"not settled, as no reading is within its bound: {words}")


def infer_algorithm(trial: Trial) -> Specification | None:
    """Return the algorithm that explains a port, and its reading; None where neither does."""
    return _by_formula(trial, _declared(trial))


def _declared(trial: Trial) -> Conventions:
    declared = {**trial.port.conventions, "layout": trial.layout}
    return Conventions(declared, dict.fromkeys(declared, "declared"))


def _inferred(trial: Trial) -> Specification:
    port, conventions = trial.port, _declared(trial)
    if trial.operator:
        return with_scope(trial, Specification("operator", conventions))
    if port.algorithm:
        best, _ = _best_reading(trial, conventions, port.algorithm)
        return with_decay(trial, with_scope(trial, best.remark(*_assumed(trial, best))))
    if port.base:
        if not base_centralizes(trial):
            return with_base_decay(trial, with_scope(trial, _base_reading(trial, conventions)))
        return _without_base(trial, conventions).remark(NO_BASE)
    return _without_base(trial, conventions)


def _without_base(trial: Trial, conventions: Conventions) -> Specification:
    return _by_formula(trial, conventions) or _unknown(trial, conventions)


def _by_formula(trial: Trial, conventions: Conventions) -> Specification | None:
    """Return the algorithm that explains enough of the weights, and its reading, if one does."""
    port = trial.port
    readings = [_best_reading(trial, conventions, algorithm) for algorithm in ("sgdm", "adam")]
    best, explained = max(readings, key=lambda reading: reading[1])
    adam, _ = readings[1]
    if explained < ENOUGH:
        for reading, _ in readings:
            if remark := _beside_means(trial, reading):
                return with_decay(trial, with_scope(trial, reading.remark(remark)))
        if _lacks_first_correction(trial):
            return with_scope(trial, adam.remark(UNCORRECTED))
        return None
    if best.mode == "sgdm" and not port.takes_unused and {"beta1", "beta2"} <= port.takes:
        best, remark = adam, BETAS_TAKEN  # it takes what only Adam has a use for
    else:
        tried = f"{explained:.0%} of the small weights, centralized or left alone"
        remark = f"assumed {TITLES[best.mode]}: it explains {tried}"
    return with_decay(trial, with_scope(trial, best.remark(remark)))


def _beside_means(trial: Trial, reading: Specification) -> str:
    """Say how an algorithm shows though it explains too few weights; nothing where it does not.

    A wrong Φ explains that where vectors move as they should, and the weights do for gradients
    without any mean, or at least each neuron by itself. Muon, say, mixes them.
    """
    case = trial.integers
    vectors = [p for p in case.parameters if len(p.shape) < 2]
    if not all(match(trial, case, p, "none", reading).within for p in vectors):
        return ""
    plain = mean_free(trial, trial.small)
    weights = [p for p in plain.parameters if trial.fan_in(p) > 1]
    count = sum(match(trial, plain, p, "none", reading).within for p in weights)
    if count < ENOUGH * len(weights) and not acts_by_neuron(trial):
        return ""
    return f"assumed {TITLES[reading.mode]}: it explains the vectors exactly, and not the weights"


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
    """Return what can be said where no formula fits: whether Φ acts on the update, and on what."""
    case = trial.integers
    found = response_to_shift(trial, case, case.parameters)
    shown = {}
    if found.blind and all(_acts_on_update(trial, case, p) for p in found.blind):
        shown["placement"] = "update"
    alike = {p.kind for p in found.blind if looks_convolved(p)}
    convolved = [p for p in found.blind if p.kind not in alike]
    others_see = not any(is_convolution(p.kind) for p, _ in found.seeing)
    gcc = convolved and others_see and all(is_convolution(p.kind) for p in convolved)
    if gcc:
        shown["scope"] = "conv-only"
    return Specification(
        "unknown",
        conventions.with_inferred(shown),
        remarks=(NO_ALGORITHM, *([CONV_ONLY] if gcc and "scope" not in conventions.values else [])),
        free_kinds=dict.fromkeys(alike, "by-rank") if gcc else {},
    )


def _acts_on_update(trial: Trial, case: Case, p: Parameter) -> bool:
    """Whether the sums of a weight stay though its steps notice the mean of its gradient."""
    rules = ("by-rank", "by-kind") if trial.leaves_choice(p) else ("by-rank",)
    return not ignores_mean(trial, case, p) and any(
        keeps_sums(trial, case, p, rule) for rule in rules
    )


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
    """Return the reading that explains most parameters, and the share of weights it explains."""
    small = [p for p in trial.integers.parameters if p.value.size <= SMALL]
    best = Specification(algorithm, conventions)
    best_score: tuple[int, float] | None = None
    explained: list[Parameter] = []
    rivals: list[Specification] = []
    for form, assumed in _readings(trial, conventions.values, algorithm):
        reading = Specification(algorithm, conventions.with_inferred(form), assumed)
        if best_score is not None and best_score[0] == len(small):
            if all(nearest_rule(trial, p, reading)[1] <= 1 for p in explained):
                rivals.append(reading)
            continue
        ratios = [nearest_rule(trial, p, reading)[1] for p in small]
        found = score(ratios)
        if best_score is None or found > best_score:
            best, best_score = reading, found
            explained = [p for p, ratio in zip(small, ratios, strict=True) if ratio <= 1]
            rivals = []
        elif found == best_score:
            rivals.append(reading)
    telling = [p for p in small if trial.fan_in(p) > 1]
    share = sum(p in explained for p in telling) / len(telling) if telling else 0.0
    # Where no weight is explained, longer runs of the weights tell no more.
    longer = (trial.long, trial.bounded) if share else ()
    best = _visible(trial, _told_apart(trial, [best, *rivals], longer), conventions)
    return replace(best, conventions=_settled(best.conventions, explained, trial)), share


def _settled(conventions: Conventions, explained: Sequence[Parameter], trial: Trial) -> Conventions:
    """Take back what was inferred where it explains no parameter that could tell it."""
    fields = set()
    if not any(len(p.shape) < 2 or trial.fan_in(p) > 1 for p in explained):
        fields |= {"momentum", "first_momentum", "epsilon", "decay"}
    unsure = {f for f in fields if conventions.sources.get(f) == "inferred"}
    nearest = {f: conventions.values[f] for f in unsure}
    kept = conventions.without(unsure).with_inferred(nearest, "nearest")
    told = any(trial.fan_in(p) > 1 for p in explained)  # vectors tell nothing about the placement
    if told or conventions.sources.get("placement") != "inferred":
        return kept
    return kept.without({"placement"})  # the port is held to the paper's own


def _told_apart(
    trial: Trial, readings: Sequence[Specification], longer: Sequence[Case]
) -> Specification:
    """Return the one of several readings that longer cases decide for.

    What none of them tells apart is open: it is left out, and makes no difference to a verdict.
    """
    kept = list(readings)
    for case in longer:  # the port is held to these anyway
        if len(kept) == 1:
            break
        small = [p for p in case.parameters if trial.fan_in(p) > 1 and p.value.size <= 4 * SMALL]
        counts = [
            sum(nearest_rule(trial, p, reading, case)[1] <= 1 for p in small) for reading in kept
        ]
        kept = [r for r, count in zip(kept, counts, strict=True) if count == max(counts)]
    first, *others = kept
    open_fields = {
        field
        for other in others
        for field, value in other.conventions.values.items()
        if first.conventions.values.get(field) != value
    }
    return replace(first, conventions=first.conventions.without(open_fields))


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
    return replace(best, conventions=kept).remark(*remarks)


def _base_reading(trial: Trial, conventions: Conventions) -> Specification:
    """Return whether Φ acts on the gradient or on the update of the base optimizer."""
    if "placement" in conventions.values:
        return Specification("base", conventions)
    weights = [p for p in trial.integers.parameters if trial.fan_in(p) > 1]
    readings = [
        Specification("base", conventions.with_inferred({"placement": placement}))
        for placement in ("gradient", "update")
    ]
    counts = [sum(nearest_rule(trial, p, r)[1] <= 1 for p in weights) for r in readings]
    kept = [r for r, count in zip(readings, counts, strict=True) if count == max(counts)]
    found = _told_apart(trial, kept, (trial.long, trial.bounded))
    if "placement" not in found.conventions.values:
        return found.remark(OPEN_PLACEMENT) if max(counts) else found
    return found
