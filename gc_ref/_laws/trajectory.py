"""Laws of a trajectory: the weight-space constraint and Theorem 4.1.

See `gc_ref.laws` for the notation.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from gc_ref._laws.residuals import LawError, LawTest, Rows, rationals
from gc_ref._slices import Axis, to_rows
from gc_ref.bounds import EXACT


def weight_constraint(
    initial: Any,
    weights: Sequence[Any],
    /,
    *,
    output_axis: Axis,
    allowances: Sequence[Any] | None = None,
) -> float:
    """No step moves the sum of an output's weights: eᵀ(wᵗ − w⁰) = 0.

    Holds for SGD and SGDM with GC, without weight decay or with L2 decay inside Φ;
    not for Adam, nor for decay added after Φ. Allowance: the computed weight is off by
    at most the bound B of its step (`gc_ref.bounds.sgdm`), its sum by at most ΣB.

    Parameters
    ----------
    initial : array
        Weight before the first step, two or more dimensions.
    weights : sequence of array
        Weight after each step; arrays or `gc_ref.exact.ExactArray`.
    output_axis : int or tuple of int
        Axes that number the output neurons.
    allowances : sequence of array, optional
        Bound on the error of every weight after each step; default: none, all is exact.
        Where a bound is infinite nothing is decided.

    Returns
    -------
    float
        Worst ratio of residual to allowance.

    Raises
    ------
    LawError
        If a sum moved further; ``weights[index[0]][index[1:]]`` is the slice.
    ValueError
        If the weight is out of scope, or ``allowances`` has another length.

    Examples
    --------
    >>> import numpy as np
    >>> weight_constraint(np.ones((1, 2)), [np.array([[0.5, 1.5]])], output_axis=0)
    0.0
    """
    __tracebackhide__ = True
    law = LawTest.of("step/constraint", "Constraint", initial, output_axis, EXACT)
    start = law.rows(initial).sum(axis=1)
    residuals = [abs(law.read(w).sum(axis=1) - start) for w in weights]
    return _worst_of_steps(law, residuals, allowances, Fraction(1), "eᵀ(wᵗ − w⁰) = 0")


def theorem_4_1(
    initial: Any,
    weights: Sequence[Any],
    x: Any,
    gamma: float,
    /,
    *,
    output_axis: Axis,
    allowances: Sequence[Any] | None = None,
) -> float:
    """A constant added to the input moves the output as at the start (Theorem 4.1).

    wᵗᵀx − wᵗᵀ(x + γ1) = −γ1ᵀw⁰, with 1 the vector of ones. The paper prints +γ1ᵀw⁰, an
    erratum: the left side is −γ1ᵀwᵗ by plain algebra, and 1ᵀwᵗ = 1ᵀw⁰ by the constraint
    (`weight_constraint`), so it is −γ1ᵀw⁰. Allowance: |γ| times that of the constraint.

    Parameters
    ----------
    initial, weights, output_axis, allowances
        As for `weight_constraint`.
    x : array
        One input for every input of an output, counted in C order; shape (fan-in,).
    gamma : float
        γ, what is added to every element of ``x``.

    Returns
    -------
    float
        Worst ratio of residual to allowance.

    Raises
    ------
    LawError, ValueError
        As `weight_constraint`.

    Examples
    --------
    >>> import numpy as np
    >>> w0, w1 = np.array([[1.0, 1.0]]), np.array([[0.5, 1.5]])
    >>> theorem_4_1(w0, [w1], np.array([3.0, 4.0]), 10.0, output_axis=0)
    0.0
    """
    __tracebackhide__ = True
    law = LawTest.of("step/theorem-4.1", "Theorem 4.1, corrected", initial, output_axis, EXACT)
    start, step = law.rows(initial), Fraction(gamma)
    before = rationals(x).ravel()
    if len(before) != start.shape[1]:
        raise ValueError(f"x has {len(before)} elements, the fan-in is {start.shape[1]}")
    after = before + step
    predicted = -step * start.sum(axis=1)
    residuals = [
        abs((w * before).sum(axis=1) - (w * after).sum(axis=1) - predicted)
        for w in map(law.read, weights)
    ]
    return _worst_of_steps(law, residuals, allowances, abs(step), "wᵗᵀx − wᵗᵀ(x + γ1) = −γ1ᵀw⁰")


def _worst_of_steps(
    law: LawTest,
    residuals: list[Rows],
    allowances: Sequence[Any] | None,
    factor: Fraction,
    statement: str,
) -> float:
    """Worst ratio over all steps; one residual and one summed bound per slice and step."""
    __tracebackhide__ = True
    if allowances is not None and len(allowances) != len(residuals):
        raise ValueError(f"{len(allowances)} allowances for {len(residuals)} steps")
    worst = 0.0
    for t, residual in enumerate(residuals):
        allowance = residual - residual
        if allowances is not None:
            bound = to_rows(np.asarray(allowances[t], dtype=np.float64), law.output_axis)
            decided = np.isfinite(bound).all(axis=1)
            allowance = factor * rationals(np.where(decided[:, None], bound, 0)).sum(axis=1)
            residual = np.where(decided, residual, 0)
        try:
            worst = max(worst, law.decide(residual, allowance, statement))
        except LawError as error:
            message, index = f"after step {t + 1}: {error.message}", (t, *error.index)
            raise LawError(
                error.law, error.clause, message, ratio=error.ratio, index=index
            ) from None
    return worst
