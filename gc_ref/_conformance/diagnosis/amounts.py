"""Fit the amount of a centering rule that has one to a port's first step."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from gc_ref._conformance.catalogue.centering import Fit
from gc_ref._conformance.catalogue.semantics import Semantics
from gc_ref._conformance.diagnosis.observed import ObservedParameter
from gc_ref._conformance.ports.case import Array

__all__ = ["fitted_amount", "given_at_first"]

#: Sums over more inputs have rounding errors of their own.
LARGEST = 64
#: How far estimates of one amount may lie apart.
AGREE = 2e-4


def given_at_first(observed: ObservedParameter, optimizer: Semantics) -> Array:
    """Return what the optimizer was given at the first step, by inverting that step.

    SGDM moves by -lr c x with a constant c, Adam by -lr a x / (b |x| + ε). An element that
    cannot be inverted is NaN.
    """
    first, hyper, mistake = observed.steps[0], observed.settings(optimizer), optimizer.mistake
    if optimizer.algorithm == "operator":
        return first.after
    lr = hyper["lr"] ** 2 if mistake == "lr-twice" else hyper["lr"]
    moved: Array = (first.before - first.after) / lr
    choice = optimizer.conventions
    if mistake == "base-dropped":
        return moved
    if optimizer.algorithm == "sgdm":
        ema = choice.get("momentum") == "ema" and choice.get("first_momentum") != "gradient"
        return moved / (1 - hyper["momentum"]) if ema else moved
    a = b = 1.0
    if mistake == "bias-correction-missing":
        a, b = 1 - hyper["beta1"], (1 - hyper["beta2"]) ** 0.5
    elif choice.get("epsilon") == "hat":
        a = b = (1 - hyper["beta2"]) ** 0.5
    if mistake == "second-moment-raw":
        return moved * (b * np.abs(first.gradient) + hyper["eps"]) / a
    room = a - b * np.abs(moved)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(room > 1e-3, moved * hyper["eps"] / room, np.nan)


def fitted_amount(
    fit: Fit, listed: Iterable[ObservedParameter], optimizer: Semantics
) -> float | None:
    """Fit the amount of a centering rule to the first step, for an optimizer.

    Returns the amount that most weights agree on; None where no two of them do.
    """
    amounts = []
    for observed in listed:
        info = observed.info
        if fit.on_vectors:
            if info.rank != 1:
                continue
        elif info.rank < 2 or not 1 < info.fan_in <= LARGEST:
            continue
        first = observed.steps[0]
        gradient = first.gradient
        mean = gradient.mean(axis=info.axes("inputs") if info.rank > 1 else 0, keepdims=True)
        with np.errstate(invalid="ignore", divide="ignore"):
            estimate = fit.estimate(
                gradient, mean, given_at_first(observed, optimizer), first.model_norm
            )
        found = estimate[np.isfinite(estimate)]
        if found.size and np.ptp(found) <= AGREE * max(1.0, np.abs(found).max()):
            amount = float(np.median(found))
            if all(abs(amount - right) > AGREE for right in fit.right):
                amounts.append(amount)
    groups = [[b for b in amounts if abs(a - b) <= AGREE * max(1.0, abs(a))] for a in amounts]
    most = max(groups, key=len, default=[])
    if len(most) < 2:
        return None
    amount = float(np.median(most))
    near = float(f"{amount:.4g}")
    return near if abs(near - amount) <= AGREE * max(1.0, abs(amount)) / 8 else amount
