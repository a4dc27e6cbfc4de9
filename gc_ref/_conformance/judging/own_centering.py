"""Whether an optimizer removes a mean from the gradients of its weights, whatever the axes.

A constant that is added to the whole gradient of a weight goes with the mean over any axes. An
optimizer that moves the weight as before removes one; a plain optimizer does not.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from gc_ref._conformance.judging.invariance import same_trajectory
from gc_ref._conformance.judging.shared_results import kept
from gc_ref._conformance.judging.trial import Trial
from gc_ref._conformance.ports.case import Array, Case, Parameter
from gc_ref._conformance.ports.port import Port


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


def weights_without_mean(trial: Trial, case: Case, *, port: Port | None = None) -> list[Parameter]:
    """Return the weights of an integer case that a port, its base, or it with GC off centralizes.

    Over which axes is left open. A weight with one input, or one that never moves, tells nothing.
    """
    found = []
    for p in case.parameters:
        if trial.fan_in(p) == 1:
            continue
        plain = trial.steps(case, p, port=port)
        other = trial.steps(mirrored(trial, case), p, port=port)
        if np.any(plain[-1] != p.value) and same_trajectory(trial, other, plain, p.value).within:
            found.append(p)
    return found


@kept
def base_centralizes(trial: Trial) -> bool:
    """Whether the port's base centralizes some weight by itself: then the base law says nothing."""
    base = trial.port.base
    return base is not None and bool(weights_without_mean(trial, trial.small, port=base))
