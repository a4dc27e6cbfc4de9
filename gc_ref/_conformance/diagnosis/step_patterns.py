"""At which steps a parameter was treated as a semantics says.

The optimizer's state is carried along in float64 beside what was observed. At each step the port
may have used Φ(g) or the raw gradient: both are tried, since some ports centralize now and then.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gc_ref._conformance.catalogue.centering import Memory
from gc_ref._conformance.catalogue.parameters import ParameterInfo
from gc_ref._conformance.catalogue.semantics import Semantics, State, step
from gc_ref._conformance.diagnosis.observed import ObservedParameter, ObservedStep
from gc_ref._conformance.ports.case import Array

__all__ = ["ROUNDINGS", "Pattern", "decay_factors", "left_as_it_was", "step_pattern"]

#: Roundings of one step that a port may be off, in units of u times what is summed.
ROUNDINGS = 32.0
UNIT = 2.0**-24
#: Largest rounding that is granted to a step: 2^-10 of the learning rate.
WIDEST = 2.0**-10 / (ROUNDINGS * UNIT)
#: Roundings of a mean, in units of u times the largest gradient, that a vanishing Φ(g) consists of.
OF_A_MEAN = 4.0
#: Elements whose Φ(g) is all rounding need not agree, if they are less than this share.
FEW = 0.5

#: For each step True (as the semantics says), False (with the raw gradient), or None where
#: both look the same.
Pattern = tuple[bool | None, ...]


@dataclass(frozen=True)
class _Predicted:
    """A parameter after a step, as a semantics says, with its optimizer's state."""

    info: ParameterInfo
    value: Array
    state: State
    summed: Any  # magnitude of what is summed on the way, whose rounding shows in the value
    lost: Any = False  # elements whose step is made of rounding alone

    def allowance(self, value: Array) -> Array:
        """How far rounding may take a value off."""
        allowed: Array = (ROUNDINGS + self.info.fan_in) * UNIT * (self.summed + np.abs(value))
        return np.where(self.lost, np.inf, allowed)

    def agrees(self, seen: Array) -> bool:
        """Whether what was seen is the predicted value, but for rounding."""
        with np.errstate(invalid="ignore"):
            return bool(np.all(np.abs(seen - self.value) <= self.allowance(self.value)))


def step_pattern(observed: ObservedParameter, semantics: Semantics) -> Pattern | None:
    """Read off at which steps a parameter was treated as a semantics says; its schedule is open.

    Returns None where at some step neither Φ nor the raw gradient explains what the port did.
    """
    acting, raw = semantics.at_every_step, semantics.with_raw_gradients
    state = State.of(observed.steps[0].before)
    found: list[bool | None] = []
    for one in observed.steps:
        predicted = [_predict(observed, one, state, s) for s in (acting, raw)]
        as_said, as_raw = (p.agrees(one.after) for p in predicted)
        if not (as_said or as_raw):
            return None
        found.append(None if as_said and as_raw else as_said)
        state = predicted[0 if as_said else 1].state
    return tuple(found)


def _predict(
    observed: ObservedParameter, one: ObservedStep, state: State, semantics: Semantics
) -> _Predicted:
    w, g, t, info = one.before, one.gradient, one.number, observed.info
    hyper = observed.settings(semantics)
    lost: Any = False
    corrections = 0.0
    with np.errstate(all="ignore"):
        if semantics.algorithm == "operator":
            memory = Memory(state.before, one.model_mean, one.model_norm)
            value = semantics.phi(np, g, info, t, memory)
            kept = semantics.remembered(np, g, info, t, memory)
            return _Predicted(info, value, State(w, w, kept), np.abs(value) + one.largest)
        whole = one.model_mean, one.model_norm
        value, now = step(np, semantics, w, g, state, t, hyper, info, *whole)
        history: Any = one.largest + float(np.abs(now.first).max(initial=0.0))
        if semantics.algorithm == "adam" and semantics.mistake != "base-dropped":
            c2 = 1.0 if semantics.mistake == "bias-correction-missing" else 1 - hyper["beta2"] ** t
            # Where Adam magnifies rounding without end, no agreement says anything.
            slope = 1 / (np.sqrt(now.second / c2) + hyper["eps"])
            history = np.minimum(slope * history, WIDEST)
            lost = slope * one.largest * OF_A_MEAN * UNIT > 2.0**-10
            lost &= np.mean(lost) < FEW
            corrections = _of_corrections(hyper, t)
        summed = np.abs(w) + hyper["lr"] * history + corrections * np.abs(value - w)
        if semantics.mistake == "weights-centralized":
            summed = np.full_like(w, np.max(summed, initial=0.0))
    return _Predicted(info, value, now, summed, lost)


def _of_corrections(hyper: Mapping[str, float], t: int) -> float:
    """Rounding of Adam's bias corrections, as a share of the step, in units of ROUNDINGS u.

    A beta, its power and the difference from 1 are rounded. With beta2 = 0.999 they make the first
    1 - beta2^t in float32 wrong by thousands of roundings, of which the root halves the share.
    """
    powers = np.array([hyper["beta1"], hyper["beta2"]]) ** t
    first, second = (t * powers + 2) / (1 - powers)
    return float(first + second / 2) / ROUNDINGS


def left_as_it_was(observed: ObservedParameter, semantics: Semantics, where: Array) -> bool:
    """Whether some elements moved at the first step as with the raw gradient."""
    one = observed.steps[0]
    predicted = _predict(observed, one, State.of(one.before), semantics.with_raw_gradients)
    seen, value = one.after[where], predicted.value[where]
    allowed = np.broadcast_to(predicted.allowance(predicted.value), where.shape)[where]
    finite = np.isfinite(allowed)
    allowed = np.where(finite, allowed, ROUNDINGS * UNIT * 128)  # a NaN elsewhere in it
    return bool(where.any() and np.all(np.abs(seen - value) <= allowed))


def decay_factors(
    listed: Iterable[ObservedParameter], semantics: Semantics, *, inside: bool = False
) -> list[float] | None:
    """Fit, step by step, how many times lr λ w a decoupled decay takes off the weight.

    The semantics is what the port does without weight decay. With ``inside`` it is Φ(w) that is
    taken off: the decay is in the update that Φ acts on. Returns None where at some step no factor
    fits all elements.
    """
    factors: dict[int, list[Array]] = {}
    slack: dict[int, list[Array]] = {}
    for observed in listed:
        hyper = observed.settings(semantics)
        bare = replace(observed, hyperparameters={**hyper, "weight_decay": 0.0})
        state = State.of(observed.steps[0].before)
        for one in observed.steps:
            predicted = _predict(bare, one, state, semantics)
            state, w = predicted.state, one.before
            decayed = semantics.phi(np, w, observed.info, one.number) if inside else w
            unit = -hyper["lr"] * hyper["weight_decay"] * decayed
            large = np.abs(unit) > 1e-3
            removed = (one.after - predicted.value)[large] / unit[large]
            allowed = np.broadcast_to(predicted.allowance(w), w.shape)[large]
            factors.setdefault(one.number, []).append(removed)
            slack.setdefault(one.number, []).append(allowed / np.abs(unit[large]))
    found = []
    for number, values in factors.items():
        pooled, allowed = np.concatenate(values), np.concatenate(slack[number])
        if not pooled.size:
            return None
        best = float(pooled[np.argmin(allowed)])
        if not np.all(np.abs(pooled - best) <= allowed + allowed.min()):
            return None
        found.append(best)
    return found
