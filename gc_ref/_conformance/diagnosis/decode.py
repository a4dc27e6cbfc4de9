"""Hold one parameter's observed steps against a hypothesis, step by step.

The hypothesis is carried along in float64 beside what was observed. At each step the
port may have used the hypothesis's Φ or the raw gradient: both are tried, so that a
port that centralizes now and then is read off as it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gc_ref._conformance.catalogue.centers import Slot
from gc_ref._conformance.catalogue.semantics import Semantics, State, step
from gc_ref._conformance.ports.case import Array

__all__ = ["ROUNDINGS", "Reading", "Track", "decay_factors", "decode"]

#: Roundings of one step that a port may be off, in units of u times what is summed.
ROUNDINGS = 32.0
UNIT = 2.0**-24
#: Largest rounding that is granted to a step: 2^-10 of the learning rate.
WIDEST = 2.0**-10 / (ROUNDINGS * UNIT)


@dataclass(frozen=True)
class Reading:
    """A hypothesis about the optimizer: algorithm, conventions, one mistake, values assumed."""

    algorithm: str  # "operator", "sgdm" or "adam"
    conventions: Mapping[str, str]
    mistake: str = ""
    assumed: Mapping[str, float] | None = None


@dataclass(frozen=True)
class Track:
    """One parameter as it was observed: start, gradients, values after each step."""

    slot: Slot
    start: Array
    gradients: Sequence[Array]
    values: Sequence[Array]
    model_means: Sequence[float]


def decode(
    track: Track, what: Semantics, reading: Reading, hyper: Mapping[str, float]
) -> tuple[bool | None, ...] | None:
    """Read off at which steps a parameter was treated as a hypothesis says.

    Parameters
    ----------
    track : Track
        What was observed.
    what : Semantics
        The hypothesis; its schedule is not looked at.
    reading : Reading
        The optimizer.
    hyper : mapping
        Hyperparameters, under their canonical names.

    Returns
    -------
    tuple or None
        For each step True (as the hypothesis says), False (the raw gradient was used) or
        None (both would look the same); nothing where some step is neither.
    """
    raw = replace(what, center="none", vectors="none", gate="", schedule="")
    acting = replace(what, schedule="")
    w = track.start.astype(np.float64)
    state = State(0 * w, 0 * w, 0 * w)
    found: list[bool | None] = []
    reach = 0.0  # the state still carries the rounding of the largest gradient so far
    for t, (gradient, value) in enumerate(zip(track.gradients, track.values, strict=True), 1):
        g, seen = gradient.astype(np.float64), np.asarray(value, dtype=np.float64)
        reach = max(reach, float(np.abs(g).max(initial=0.0)))
        fits = []
        for one in (acting, raw):
            after, now, scale = _one_step(one, reading, w, g, state, t, hyper, track, reach)
            fits.append((_agrees(seen, after, scale, track.slot), now))
        if not (fits[0][0] or fits[1][0]):
            return None
        found.append(None if fits[0][0] and fits[1][0] else fits[0][0])
        state = fits[0][1] if fits[0][0] else fits[1][1]
        w = seen
    return tuple(found)


def _one_step(
    what: Semantics, reading: Reading, w: Array, g: Array, state: State, t: int,
    hyper: Mapping[str, float], track: Track, reach: float,
) -> tuple[Array, State, Any]:  # fmt: skip
    """Value after the step, the new state, and what is summed on the way (for the rounding)."""
    slot = replace(track.slot, bits=53)
    with np.errstate(all="ignore"):
        if reading.algorithm == "operator":
            from gc_ref._conformance.catalogue.centers import Memory

            out = what.phi(np, g, slot, t, Memory(state.before, track.model_means[t - 1]))
            return out, State(w, w, g), np.abs(out) + reach
        after, now = step(
            np, what, w, g, state, t, hyper, slot, track.model_means[t - 1]
        )  # fmt: skip
        slope: Any = 1.0
        divides = reading.algorithm == "adam" and what.mistake != "base-dropped"
        if divides:
            c2 = 1.0 if what.mistake == "bias-correction-missing" else 1 - hyper["beta2"] ** t
            slope = 1 / (np.sqrt(now.second / c2) + hyper["eps"])
        history: Any = reach + float(np.abs(now.first).max(initial=0.0))
        # Where Adam magnifies rounding without end, no agreement says anything.
        summed = np.minimum(slope * history, WIDEST) if divides else history
        scale = np.abs(w) + hyper["lr"] * summed
        if what.mistake == "weights-centralized":
            scale = np.full_like(w, np.max(scale, initial=0.0))
    return after, now, scale


def _agrees(seen: Array, after: Array, scale: Any, slot: Slot) -> bool:
    allowed = (ROUNDINGS + slot.fan_in) * UNIT * (scale + np.abs(after))
    with np.errstate(invalid="ignore"):
        return bool(np.all(np.abs(seen - after) <= allowed))


def decay_factors(
    tracks: Sequence[Track], what: Semantics, reading: Reading, hyper: Mapping[str, float]
) -> list[float] | None:
    """Fit, step by step, how many times lr λ w a decoupled decay takes off the weight.

    Parameters
    ----------
    tracks : sequence of Track
        What was observed under weight decay.
    what, reading, hyper
        As for `decode`; the decay is left out of the hypothesis.

    Returns
    -------
    list of float or None
        One factor per step; nothing where no factor fits all elements.
    """
    bare = {**hyper, "weight_decay": 0.0}
    factors: list[list[Array]] = [[] for _ in tracks[0].values]
    slack: list[list[Array]] = [[] for _ in tracks[0].values]
    for track in tracks:
        w = track.start.astype(np.float64)
        state, reach = State(0 * w, 0 * w, 0 * w), 0.0
        for t, (gradient, value) in enumerate(zip(track.gradients, track.values, strict=True), 1):
            g, seen = gradient.astype(np.float64), np.asarray(value, dtype=np.float64)
            reach = max(reach, float(np.abs(g).max(initial=0.0)))
            after, state, scale = _one_step(what, reading, w, g, state, t, bare, track, reach)
            unit = -hyper["lr"] * hyper["weight_decay"] * w
            large = np.abs(unit) > 1e-3
            factors[t - 1].append((seen - after)[large] / unit[large])
            allowed = (ROUNDINGS + track.slot.fan_in) * UNIT * (scale + np.abs(w))
            slack[t - 1].append(np.broadcast_to(allowed, w.shape)[large] / np.abs(unit[large]))
            w = seen
    found = []
    for values, allowances in zip(factors, slack, strict=True):
        pooled, allowed = np.concatenate(values), np.concatenate(allowances)
        if not pooled.size:
            return None
        best = float(pooled[np.argmin(allowed)])
        if not np.all(np.abs(pooled - best) <= allowed + allowed.min()):
            return None
        found.append(best)
    return found
