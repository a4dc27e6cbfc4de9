"""Laws that say what Φ commutes with: sums and multiples, shifts, renumbering.

See `gc_ref.laws` for the notation and for what an operator is.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from gc_ref._laws.judge import Judge, Rows, mean, rationals
from gc_ref._slices import Axis, to_rows
from gc_ref.bounds import Profile

__all__ = ["linear", "permutation_equivariant", "shift_invariant"]

Operator = Callable[[Any], Any]


def linear(
    phi: Operator,
    grad: Any,
    other: Any,
    /,
    *,
    a: float = -2.0,
    b: float = 1.0,
    output_axis: Axis,
    profile: Profile | None = None,
) -> float:
    """Φ(a·g + b·h) = a·Φ(g) + b·Φ(h) (Eq. 2).

    The combination is formed exactly and rounded once to the dtype, which moves it by a
    δ that is known; what Eq. 1 makes of it, δ − μ(δ), is taken off the residual exactly.
    Allowance: τ(ag+bh+δ) + |a|τ(g) + |b|τ(h).

    Parameters
    ----------
    phi, grad, output_axis, profile
        As for `zero_mean`.
    other : array
        A second gradient of the same shape.
    a, b : float
        Coefficients. With a + b = 1 a constant offset would pass; the default has a + b = −1.

    Returns
    -------
    float
        Worst ratio of residual to allowance.

    Raises
    ------
    LawError, ValueError
        As `zero_mean`.

    Examples
    --------
    >>> import numpy as np
    >>> g, h = np.array([[1.0, 2.0, 6.0]]), np.array([[5.0, 0.0, 1.0]])
    >>> linear(lambda g: g - g.mean(axis=1, keepdims=True), g, h, output_axis=0)
    0.0
    """
    judge = Judge.of("law/linear", "Eq. 2", grad, output_axis, profile)
    p, q = Fraction(a), Fraction(b)
    combined, slip = judge.form(p * judge.rows(grad) + q * judge.rows(other))
    tau = judge.tau(combined) + abs(p) * judge.tau(grad) + abs(q) * judge.tau(other)
    _, left = judge.apply(phi, grad)
    _, left_h = judge.apply(phi, other)
    _, both = judge.apply(phi, combined)
    residual = abs(both - p * left - q * left_h - (slip - mean(slip)))
    return judge.decide(residual, tau, "Φ(ag + bh) = aΦ(g) + bΦ(h)")


def shift_invariant(
    phi: Operator,
    grad: Any,
    /,
    *,
    shift: Any = None,
    output_axis: Axis,
    profile: Profile | None = None,
) -> float:
    """A constant added to all inputs of an output changes nothing: Pe = 0 (Eq. 2).

    The shifted gradient is rounded once, which moves it by a known δ; what Eq. 1 makes of
    it, δ − μ(δ), is taken off the residual exactly. Allowance: τ(g+c+δ) + τ(g).

    Parameters
    ----------
    phi, grad, output_axis, profile
        As for `zero_mean`.
    shift : float or array, optional
        What to add, broadcast against ``grad``; the same for all inputs of an output.
        Default: for each output, the power of two just below its largest magnitude.

    Returns
    -------
    float
        Worst ratio of residual to allowance.

    Raises
    ------
    LawError
        As `zero_mean`.
    ValueError
        As `zero_mean`; also if ``shift`` differs within an output.

    Examples
    --------
    >>> import numpy as np
    >>> g = np.array([[1.0, 2.0, 6.0]])
    >>> shift_invariant(lambda g: g - g.mean(axis=1, keepdims=True), g, output_axis=0)
    0.0
    """
    judge = Judge.of("law/shift-invariant", "Eq. 2", grad, output_axis, profile)
    g = judge.rows(grad)
    if shift is None:
        offsets = _power_of_two_below(g)
    else:
        offsets = to_rows(np.broadcast_to(rationals(shift), judge.shape), output_axis)
        if any(len(set(row)) > 1 for row in offsets):
            raise ValueError("shift must be the same for all inputs of an output")
    shifted, slip = judge.form(g + offsets)
    tau = judge.tau(shifted) + judge.tau(grad)
    _, left = judge.apply(phi, grad)
    _, moved = judge.apply(phi, shifted)
    residual = abs(moved - left - (slip - mean(slip)))
    return judge.decide(residual, tau, "Φ(g + c) = Φ(g)")


def _power_of_two_below(rows: Rows) -> Rows:
    """One column: the power of two at or just below the largest magnitude of each row."""
    column = np.zeros((len(rows), 1), dtype=object)
    for i, row in enumerate(rows):
        largest = max((abs(x) for x in row), default=0)
        if largest:
            column[i, 0] = Fraction(2) ** (math.frexp(largest)[1] - 1)
    return column


def permutation_equivariant(
    phi: Operator,
    grad: Any,
    /,
    *,
    inputs: Sequence[int] | None = None,
    outputs: Sequence[int] | None = None,
    output_axis: Axis,
    profile: Profile | None = None,
) -> float:
    """Renumbering inputs or outputs before Φ or after it is the same (Eq. 1).

    Allowance: the two sides are two computations of the same numbers; so τ of the
    renumbered gradient plus the renumbered τ(g).

    Parameters
    ----------
    phi, grad, output_axis, profile
        As for `zero_mean`.
    inputs, outputs : sequence of int, optional
        Permutations of the inputs of every output, and of the outputs, each counted
        in C order. Default: both reversed.

    Returns
    -------
    float
        Worst ratio of residual to allowance.

    Raises
    ------
    LawError
        As `zero_mean`; its index points into the renumbered gradient.
    ValueError
        As `zero_mean`; also if ``inputs`` or ``outputs`` is no permutation.

    Examples
    --------
    >>> import numpy as np
    >>> g = np.array([[1.0, 2.0, 6.0], [0.0, 3.0, 3.0]])
    >>> permutation_equivariant(lambda g: g - g.mean(axis=1, keepdims=True), g, output_axis=0)
    0.0
    """
    judge = Judge.of("law/permutation-equivariant", "Eq. 1", grad, output_axis, profile)
    tau = judge.tau(grad)
    n, m = tau.shape
    order = np.ix_(_permutation(outputs, n, "outputs"), _permutation(inputs, m, "inputs"))
    renumbered, _ = judge.form(judge.rows(grad)[order])
    _, left = judge.apply(phi, grad)
    _, again = judge.apply(phi, renumbered)
    allowance = tau[order] + judge.tau(renumbered)
    return judge.decide(abs(again - left[order]), allowance, "Φ(renumbered g) = renumbered Φ(g)")


def _permutation(order: Sequence[int] | None, length: int, name: str) -> list[int]:
    chosen = list(range(length))[::-1] if order is None else [int(i) for i in order]
    if sorted(chosen) != list(range(length)):
        raise ValueError(f"{name} must be a permutation of range({length})")
    return chosen
