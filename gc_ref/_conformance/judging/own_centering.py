"""Whether an optimizer removes a mean from the gradients of its weights, whatever the axes.

A constant that is added to the whole gradient of a weight goes with the mean over any axes. An
optimizer that moves the weight as before removes one; a plain optimizer does not. Where something
else comes first, such as a clipping, that constant may act through it; but a gradient that is a
constant leaves nothing.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from gc_ref._conformance.judging.shared_results import kept
from gc_ref._conformance.judging.trial import Trial
from gc_ref._conformance.ports.case import Array, Case, Parameter
from gc_ref._conformance.ports.port import Port, PortError


@kept
def mirrored(trial: Trial, case: Case) -> Case:
    """Return a case whose gradients have minus the mean that they had, all else unchanged.

    So most entries change their sign, which a step that keeps nothing but signs shows too.
    """
    gradients = tuple(
        {p.name: _mirrored(g[p.name]) for p in case.parameters} for g in case.gradients
    )
    return replace(case, id=f"{case.id}-mirrored", gradients=gradients)


def _mirrored(grad: Array) -> Array:
    if grad.ndim < 2 or not grad.size:
        return grad
    return np.asarray(grad - grad.dtype.type(2 * round(float(grad.mean(dtype=np.float64)))))


def ignores_mean(trial: Trial, case: Case, p: Parameter, *, port: Port | None = None) -> bool:
    """Whether a port, its base, or it with GC off moves a weight as before in the mirrored case.

    What a mean that is not removed does there is as large as the step itself. What rounding does
    may be so too, but in few elements: that most of those that move move alike decides, where most
    move.
    """
    plain = trial.steps(case, p, port=port)[-1].astype(np.float64)
    other = trial.steps(mirrored(trial, case), p, port=port)[-1].astype(np.float64)
    path = np.abs(plain - p.value) + np.abs(other - p.value)
    unit = trial.profile(case.dtype).unit_roundoff
    with np.errstate(invalid="ignore"):
        # Steps of about the spacing of the weights are no answer, as rounding makes them alike: by
        # unit·|w| at each of a few steps of both runs.
        moved = path > 16 * unit * np.abs(p.value)
        alike = np.isfinite(path) & (np.abs(plain - other) <= path / 64)
    return bool(np.mean(moved) > 0.5 and np.mean(alike[moved]) > 0.5)


@kept
def steady(trial: Trial, case: Case, value: float, waves: bool) -> Case:
    """Return a case whose weights have one gradient at all steps: a constant, or waves."""
    gradients = tuple(
        {
            p.name: g[p.name] if len(p.shape) < 2
            else _waves(p, value) if waves
            else np.full_like(g[p.name], value)
            for p in case.parameters
        }
        for g in case.gradients
    )  # fmt: skip
    return replace(
        case, id=f"{case.id}-{'waves' if waves else 'constant'}-{value:g}", gradients=gradients
    )


def erases_constants(trial: Trial, case: Case, p: Parameter, *, port: Port | None = None) -> bool:
    """Whether a port, its base, or it with GC off moves a weight alike for any constant gradient.

    Nothing but a mean that is removed does that, whatever is done to the gradient before. Waves of
    that size, which have no mean, must move it otherwise; decay may move it too. Alike is what
    differs by the last bits of the weight, and little beside the way it went.
    """
    most = max(float(np.abs(g[p.name]).max(initial=1.0)) for g in case.gradients)
    size = 2.0 ** math.ceil(math.log2(most))
    one, other, waves = (
        trial.steps(steady(trial, case, *gradient), p, port=port)[-1].astype(np.float64)
        for gradient in ((size, False), (-2 * size, False), (size, True))
    )
    unit = trial.profile(case.dtype).unit_roundoff
    with np.errstate(invalid="ignore"):
        path = np.abs(waves - one)
        moved = path > 0
        room = np.minimum(path * 2.0**-12, 8 * unit * np.abs(one))
        alike = np.isfinite(path) & (np.abs(one - other) <= room)
    return bool(np.mean(moved) > 0.5 and np.mean(alike[moved]) > 0.5)


def weights_without_mean(trial: Trial, case: Case, *, port: Port | None = None) -> list[Parameter]:
    """Return the weights of an integer case from which a port removes a mean, over any axes.

    A weight with one input, or one that never moves, tells nothing.
    """
    return [
        p
        for p in case.parameters
        if trial.fan_in(p) > 1
        and (ignores_mean(trial, case, p, port=port) or erases_constants(trial, case, p, port=port))
    ]


@kept
def base_centralizes(trial: Trial) -> bool:
    """Whether the port's base centralizes some weight by itself: then the base law says nothing."""
    base, case = trial.port.base, trial.small
    if base is None:
        return False
    weights = [p for p in case.parameters if trial.fan_in(p) > 1]
    if any(ignores_mean(trial, case, p, port=base) for p in weights):
        return True
    # Where the port moves as its base does, either neither centralizes or both do.
    runs = zip(trial.run(case).steps, trial.run(case, port=base).steps, strict=True)
    return all(np.array_equal(a[k], b[k], equal_nan=True) for a, b in runs for k in a) and any(
        erases_constants(trial, case, p, port=base) for p in weights
    )


@kept
def mean_free(trial: Trial, case: Case) -> Case:
    """Return a case in which no weight's gradient has a mean over any of its axes.

    There Φ over any axes changes nothing, so that a port with GC is its base optimizer.
    """
    factors = (3, -5, 7)
    gradients = tuple(
        {p.name: _waves(p, factor) if len(p.shape) > 1 else g[p.name] for p in case.parameters}
        for g, factor in zip(case.gradients, factors, strict=False)
    )
    return replace(case, id=f"{case.id}-mean-free", gradients=gradients)


def _waves(p: Parameter, factor: float) -> Array:
    """A product of waves along each axis, each of which sums to zero, one of length 1 excepted."""
    found = np.asarray(float(factor))
    for n in p.shape:
        wave = np.where(np.arange(n) % 2 == 0, 1.0, -1.0)
        if n % 2 and n > 1:
            wave[-1] = -2.0
            wave[-2] = 1.0
        found = np.multiply.outer(found, wave)
    return np.asarray(found, dtype=p.value.dtype)


def acts_by_neuron(trial: Trial) -> bool:
    """Whether the gradient of one output neuron acts on that neuron alone, in every weight."""
    case, masks, _ = trial.poisoned
    try:
        changed = trial.run(case).steps
    except PortError:
        return False
    plain = trial.run(trial.small).steps
    return all(
        np.array_equal(a[p.name][~masks[p.name]], b[p.name][~masks[p.name]])
        for a, b in zip(changed, plain, strict=False)
        for p in case.parameters
        if p.name in masks
    )
