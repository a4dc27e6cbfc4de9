"""Find out, without a formula, whether a port centralizes the first moment of its optimizer.

At the first step each neuron is given one constant, or minus that constant. A first moment that is
centralized forgets either. One that is not hands the constant on to later directions, which Φ does
not rid of it: a second moment divides it by another number at each element. But that second moment,
of the raw gradient, remembers that there was a constant at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from gc_ref._conformance.judging.invariance import keeps_sums
from gc_ref._conformance.judging.judge import Judge
from gc_ref._conformance.ports.case import Array, Case, Parameter
from gc_ref._slices import from_rows, to_rows

__all__ = ["centralizes_moment"]

#: Of the gradient, from step to step: RAdam divides by no second moment before the eighth.
FACTORS = (3, 1, -2, 2, 3, 1, -2, 2, 3, 1, -2, 2)
#: Far above all gradients of the case.
CONSTANT = 64.0
#: What the first moment may show, as a share of what the second one does.
SHARE = 2.0**-9


def centralizes_moment(judge: Judge) -> bool:
    """Whether Φ acts on the first moment and on the update, and not on the second moment."""
    case = judge.small
    weights = [p for p in case.parameters if judge.fan_in(p) > 1]
    plain = _repeated(judge, case, None)
    if not weights or not all(keeps_sums(judge, plain, p, "by-rank") for p in weights):
        return False
    plus, minus, none = (_repeated(judge, case, sign) for sign in (1.0, -1.0, 0.0))
    return all(
        _forgets_sign(judge, *(judge.steps(run, p) for run in (plus, minus, none))) for p in weights
    )


def _repeated(judge: Judge, case: Case, sign: float | None) -> Case:
    """Return a case of one gradient, repeated; with a sign, after one constant of each neuron."""
    plain = case.gradients[0]
    gradients = [{k: g * g.dtype.type(factor) for k, g in plain.items()} for factor in FACTORS]
    if sign is not None:
        gradients[0] |= {
            p.name: _constants(judge, p, sign) for p in case.parameters if len(p.shape) > 1
        }
    return replace(case, id=f"{case.id}-repeated-{sign}", gradients=tuple(gradients))


def _constants(judge: Judge, p: Parameter, sign: float) -> Array:
    axes = judge.axes(p, "by-rank")
    assert axes is not None
    rows = np.zeros_like(to_rows(p.value, axes))
    rows += (sign * CONSTANT * (1 + np.arange(len(rows)) % 2))[:, None].astype(rows.dtype)
    return from_rows(rows, p.shape, axes)


def _forgets_sign(
    judge: Judge, plus: Sequence[Array], minus: Sequence[Array], none: Sequence[Array]
) -> bool:
    """Whether a weight shows that there was a constant, and not of which sign."""
    one = np.asarray(plus, dtype=np.float64)
    sign, constant = (
        float(np.abs(one - np.asarray(other, dtype=np.float64)).max()) for other in (minus, none)
    )
    unit = judge.profile("float32").unit_roundoff
    return sign <= SHARE * constant and constant > len(one) * unit * np.abs(one).max() / SHARE
