"""Fit the amount of a deviation that has degrees to a port's first step."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from gc_ref._conformance.diagnosis.decode import Reading, Track
from gc_ref._conformance.ports.case import Array

__all__ = ["first_gradient", "fitted_amount"]

#: Sums over more inputs have rounding errors of their own.
LARGEST = 64
#: How far estimates of one amount may lie apart.
AGREE = 2e-4


def first_gradient(track: Track, reading: Reading, hyper: Mapping[str, float]) -> Array:
    """Return what the optimizer was given at the first step, by inverting that step.

    SGDM moves by -lr c x with a constant c; Adam by -lr a x / (b |x| + ε). Elements that
    cannot be inverted are NaN.
    """
    if reading.algorithm == "operator":
        return np.asarray(track.values[0], dtype=np.float64)
    lr = hyper["lr"] ** 2 if reading.mistake == "lr-twice" else hyper["lr"]
    start, seen = track.start.astype(np.float64), np.asarray(track.values[0], dtype=np.float64)
    moved: Array = (start - seen) / lr
    choice = reading.conventions
    if reading.mistake == "base-dropped":
        return moved
    if reading.algorithm == "sgdm":
        ema = choice.get("momentum") == "ema" and choice.get("first_momentum") != "gradient"
        return moved / (1 - hyper["momentum"]) if ema else moved
    a = b = 1.0
    if reading.mistake == "bias-correction-missing":
        a, b = 1 - hyper["beta1"], (1 - hyper["beta2"]) ** 0.5
    elif choice.get("epsilon") == "hat":
        a = b = (1 - hyper["beta2"]) ** 0.5
    if reading.mistake == "second-moment-raw":
        raw = np.abs(track.gradients[0].astype(np.float64))
        return moved * (b * raw + hyper["eps"]) / a
    room = a - b * np.abs(moved)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(room > 1e-3, moved * hyper["eps"] / room, np.nan)


def fitted_amount(
    kind: str, tracks: Mapping[str, Track], reading: Reading, hyper: Mapping[str, float]
) -> float | None:
    """Fit the amount of a center to the first step.

    Parameters
    ----------
    kind : {"partial", "offset", "scaled"}
        What the amount is of.
    tracks : mapping
        Parameter name to what was observed of it.
    reading, hyper
        The optimizer and its hyperparameters.

    Returns
    -------
    float or None
        The amount that most weights agree on; nothing where no two of them do.
    """
    amounts = []
    for track in tracks.values():
        slot = track.slot
        if slot.rank < 2 or not 1 < slot.fan_in <= LARGEST:
            continue
        g = track.gradients[0].astype(np.float64)
        used = first_gradient(track, reading, hyper)
        mean = g.mean(axis=slot.axes("inputs"), keepdims=True)
        with np.errstate(invalid="ignore", divide="ignore"):
            estimate = {
                "partial": (g - used) / mean,
                "offset": used - (g - mean),
                "scaled": np.where(np.abs(g - mean) > 0.5, used / (g - mean), np.nan),
            }[kind]
        found = estimate[np.isfinite(estimate)]
        if found.size and np.ptp(found) <= AGREE * max(1.0, np.abs(found).max()):
            amounts.append(float(np.median(found)))
    idle = {"partial": (0.0, 1.0), "offset": (0.0,), "scaled": (1.0,)}[kind]  # nothing is wrong
    amounts = [a for a in amounts if all(abs(a - b) > AGREE for b in idle)]
    if not amounts:
        return None
    groups = [[b for b in amounts if abs(a - b) <= AGREE * max(1.0, abs(a))] for a in amounts]
    most = max(groups, key=len)
    if len(most) < 2:
        return None
    amount = float(np.median(most))
    near = float(f"{amount:.4g}")
    return near if abs(near - amount) <= AGREE * max(1.0, abs(amount)) / 8 else amount
