"""Whether an optimizer nobody has a formula for erases more of a gradient than its mean.

Who averages some of a convolution's input axes is as blind to the whole mean as a correct
port is. But it is blind to more: to whatever is constant along those axes.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from gc_ref._conformance.checks.unknown import same_trajectory
from gc_ref._conformance.findings.outcome import Outcome, failed
from gc_ref._conformance.judging.judge import Judge
from gc_ref._conformance.ports.case import Array, Case, Parameter, describe

__all__ = ["nothing_else_erased"]

#: Far above the residuals: also the sign of each element changes.
HEIGHT = 64.0


def nothing_else_erased(judge: Judge, otherwise: Outcome) -> Outcome:
    """Fail a port that is blind to a ripple along one input axis, whose mean is zero.

    Parameters
    ----------
    judge : Judge
        Of a port in mode ``"unknown"``.
    otherwise : Outcome
        What to return for a port that sees every ripple.

    Returns
    -------
    Outcome
    """
    case = judge.integers
    weights = [p for p in case.parameters if p.kind in ("conv1d", "conv2d", "conv3d")]
    weights = [p for p in weights if judge.rule_for(p, judge.settled) != "none"]
    for number in range(max((len(_input_axes(judge, p)) for p in weights), default=0)):
        rippled = _rippled(judge, case, weights, number)
        for p in sorted(weights, key=lambda p: p.value.size):
            axes = _input_axes(judge, p)
            if len(axes) < 2 or number >= len(axes):
                continue
            plain = [s[p.name] for s in judge.run(case).steps]
            moved = [s[p.name] for s in judge.run(rippled).steps]
            if same_trajectory(judge, moved, plain, p.value).within:
                return failed(
                    f"{describe(p)} does not notice a change along its input axis "
                    f"{axes[number]} that leaves every mean as it was: "
                    "more than the mean over all inputs is removed"
                )
    return otherwise


def _input_axes(judge: Judge, p: Parameter) -> tuple[int, ...]:
    """Input axes of a weight that have more than one element."""
    outputs = judge.axes(p, "by-rank") or ()
    return tuple(i for i, n in enumerate(p.shape) if i not in outputs and n > 1)


def _rippled(judge: Judge, case: Case, weights: list[Parameter], number: int) -> Case:
    """Return the case with a ripple along one input axis of each convolution."""
    key = (id(case.gradients), f"rippled-{number}")
    if key not in judge.cases_made:
        gradients = []
        for step in case.gradients:
            changed = dict(step)
            for p in weights:
                axes = _input_axes(judge, p)
                if number < len(axes):
                    changed[p.name] = step[p.name] + _ripple(p, axes[number])
            gradients.append(changed)
        judge.cases_made[key] = replace(
            case, id=f"{case.id}-rippled-{number}", gradients=tuple(gradients)
        )
    return judge.cases_made[key]


def _ripple(p: Parameter, axis: int) -> Array:
    """A wave of mean 0 along one axis (all lengths here are even), constant along the others."""
    n = p.shape[axis]
    wave = HEIGHT * np.where(np.arange(n) % 2 == 0, 1.0, -1.0)
    shape = [1] * len(p.shape)
    shape[axis] = n
    return np.asarray(np.broadcast_to(wave.reshape(shape), p.shape), dtype=p.value.dtype)
