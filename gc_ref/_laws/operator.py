"""Laws of an operator Φ: a projection (Eq. 2) over all inputs alike (Eq. 1) that only shortens.

See `gc_ref.laws` for the notation and for what an operator is.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from gc_ref._laws.residuals import LawTest, Rows, mean, rationals
from gc_ref._slices import Axis, to_rows
from gc_ref.bounds import Profile

Operator = Callable[[Any], Any]


def zero_mean(
    phi: Operator, grad: Any, /, *, output_axis: Axis, profile: Profile | None = None
) -> float:
    """Φ(g) sums to zero over the inputs of every output: eᵀP = 0 (Eq. 2).

    Allowance: Σ(Φ(g) + ε) = Σε, so |Σ| ≤ Στ(g).

    Parameters
    ----------
    phi : callable
        The operator under test, array to array.
    grad : array
        Gradient of a weight, two or more dimensions, finite.
    output_axis : int or tuple of int
        Axes that number the output neurons.
    profile : Profile, optional
        Arithmetic that the operator is granted; default: that of the dtype of ``grad``.

    Returns
    -------
    float
        Worst ratio of residual to allowance, at most 1; 0.0 is exact.

    Raises
    ------
    LawError
        If the law fails, or the operator returns another shape, NaN or inf.
    ValueError
        If ``grad`` is no weight in scope, or so large that its sums may overflow.

    Examples
    --------
    >>> import numpy as np
    >>> g = np.array([[1.0, 2.0, 6.0], [4.0, 4.0, 4.0]])
    >>> zero_mean(lambda g: g - g.mean(axis=1, keepdims=True), g, output_axis=0)
    0.0

    The mean of the whole array leaves something in every slice:

    >>> from gc_ref.laws import LawError
    >>> try:
    ...     zero_mean(lambda g: g - g.mean(), g, output_axis=0)
    ... except LawError as error:
    ...     print(error.law, error.clause, error.ratio > 1e9)
    law/zero-mean Eq. 2 True
    """
    __tracebackhide__ = True
    law = LawTest.of("law/zero-mean", "Eq. 2", grad, output_axis, profile)
    tau = law.tau(grad)
    left = law.read(law.call(phi, g=grad))
    return law.decide(abs(left.sum(axis=1)), tau.sum(axis=1), "a sum of 0 over the inputs")


def idempotent(
    phi: Operator, grad: Any, /, *, output_axis: Axis, profile: Profile | None = None
) -> float:
    """Centralizing twice is centralizing once: P² = P (Eq. 2).

    Allowance: f = Φ(g) + ε is what came out; Φ(f) = f − μ(ε), hence the second result
    is f − μ(ε) + ε', and differs from f by at most μ(τ(g)) + τ(f).

    Parameters
    ----------
    phi, grad, output_axis, profile
        As for `zero_mean`. ``phi`` is also called with what it returned.

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
    >>> g = np.array([[1.0, 2.0, 6.0]])
    >>> idempotent(lambda g: g - g.mean(axis=1, keepdims=True), g, output_axis=0)
    0.0
    """
    __tracebackhide__ = True
    law = LawTest.of("law/idempotent", "Eq. 2", grad, output_axis, profile)
    tau = law.tau(grad)
    result = law.call(phi, g=grad)
    once = law.read(result)
    allowance = mean(tau) + law.tau(result, returned=True)
    twice = law.read(law.call(phi, **{"Φ(g)": result}))
    return law.decide(abs(twice - once), allowance, "Φ(Φ(g)) = Φ(g)")


def orthogonal(
    phi: Operator, grad: Any, other: Any, /, *, output_axis: Axis, profile: Profile | None = None
) -> float:
    """Φ is an orthogonal projection along e: P = Pᵀ = I − eeᵀ (Eq. 2).

    Three residuals, with f = Φ(g) + ε and h = ``other``:

    - ⟨Φg, h⟩ = ⟨g, Φh⟩. Allowance Στ(g)|h| + Σ|g|τ(h).
    - ⟨g − f, f⟩ = 0, what was removed is orthogonal to what is left. It is
      ⟨μ(g) − ε, f⟩ = μ(g)Σε − ⟨ε, f⟩; allowance |μ(g)|Στ(g) + Στ(g)|f|.
    - g − f is parallel to e, that is, constant: it is μ(g) − ε, and differs from its
      own mean by at most τ(g) + μ(τ(g)).

    Parameters
    ----------
    phi, grad, output_axis, profile
        As for `zero_mean`.
    other : array
        A second gradient of the same shape.

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
    >>> orthogonal(lambda g: g - g.mean(axis=1, keepdims=True), g, h, output_axis=0)
    0.0
    """
    __tracebackhide__ = True
    law = LawTest.of("law/orthogonal", "Eq. 2", grad, output_axis, profile)
    g, h = law.rows(grad), law.rows(other)
    tau, tau_h = law.tau(grad), law.tau(other)
    left, left_h = law.read(law.call(phi, g=grad)), law.read(law.call(phi, h=other))
    removed = g - left
    return max(
        law.decide(
            abs((left * h - g * left_h).sum(axis=1)),
            (tau * abs(h) + abs(g) * tau_h).sum(axis=1),
            "⟨Φg, h⟩ = ⟨g, Φh⟩",
        ),
        law.decide(
            abs((removed * left).sum(axis=1)),
            (abs(mean(g)) * tau + tau * abs(left)).sum(axis=1),
            "⟨g − Φg, Φg⟩ = 0",
        ),
        law.decide(abs(removed - mean(removed)), tau + mean(tau), "a constant removed part"),
    )


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
    __tracebackhide__ = True
    law = LawTest.of("law/linear", "Eq. 2", grad, output_axis, profile)
    p, q = Fraction(a), Fraction(b)
    combined, slip = law.as_input(p * law.rows(grad) + q * law.rows(other))
    tau = law.tau(combined) + abs(p) * law.tau(grad) + abs(q) * law.tau(other)
    left, left_h = law.read(law.call(phi, g=grad)), law.read(law.call(phi, h=other))
    both = law.read(law.call(phi, **{f"{float(a):g}·g + {float(b):g}·h": combined}))
    residual = abs(both - p * left - q * left_h - (slip - mean(slip)))
    return law.decide(residual, tau, "Φ(ag + bh) = aΦ(g) + bΦ(h)")


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
    __tracebackhide__ = True
    law = LawTest.of("law/shift-invariant", "Eq. 2", grad, output_axis, profile)
    g = law.rows(grad)
    if shift is None:
        offsets = _power_of_two_below(g)
    else:
        offsets = to_rows(np.broadcast_to(rationals(shift), law.shape), law.output_axis)
        if any(len(set(row)) > 1 for row in offsets):
            raise ValueError("shift must be the same for all inputs of an output")
    shifted, slip = law.as_input(g + offsets)
    tau = law.tau(shifted) + law.tau(grad)
    left = law.read(law.call(phi, g=grad))
    moved = law.read(law.call(phi, **{"g + c": shifted}))
    residual = abs(moved - left - (slip - mean(slip)))
    return law.decide(residual, tau, "Φ(g + c) = Φ(g)")


def _power_of_two_below(rows: Rows) -> Rows:
    """One column: the power of two at or just below the largest magnitude of each row."""
    column = np.zeros((len(rows), 1), dtype=object)
    for i, row in enumerate(rows):
        largest = max(map(abs, row), default=0)
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
    __tracebackhide__ = True
    law = LawTest.of("law/permutation-equivariant", "Eq. 1", grad, output_axis, profile)
    tau = law.tau(grad)
    n, m = tau.shape
    order = np.ix_(_permutation(outputs, n, "outputs"), _permutation(inputs, m, "inputs"))
    renumbered, _ = law.as_input(law.rows(grad)[order])
    left = law.read(law.call(phi, g=grad))
    again = law.read(law.call(phi, **{"renumbered g": renumbered}))
    allowance = tau[order] + law.tau(renumbered)
    return law.decide(abs(again - left[order]), allowance, "Φ(renumbered g) = renumbered Φ(g)")


def _permutation(order: Sequence[int] | None, length: int, name: str) -> list[int]:
    chosen = list(range(length))[::-1] if order is None else [int(i) for i in order]
    if sorted(chosen) != list(range(length)):
        raise ValueError(f"{name} must be a permutation of range({length})")
    return chosen


def contraction(
    phi: Operator, grad: Any, /, *, output_axis: Axis, profile: Profile | None = None
) -> float:
    """The norm does not grow: ‖Φ(g)‖₂ ≤ ‖g‖₂ (Theorem 4.2).

    For every output, hence for the whole gradient. Allowance, for f = Φ(g) + ε:
    ‖f‖² = ‖Φ(g)‖² + 2⟨ε, f⟩ − ‖ε‖², so ‖f‖² − ‖g‖² ≤ 2Στ(g)|f|.

    Parameters
    ----------
    phi, grad, output_axis, profile
        As for `zero_mean`.

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
    >>> g = np.array([[1.0, 2.0, 6.0]])
    >>> contraction(lambda g: g - g.mean(axis=1, keepdims=True), g, output_axis=0)
    0.0
    """
    __tracebackhide__ = True
    law = LawTest.of("law/contraction", "Theorem 4.2", grad, output_axis, profile)
    g, tau = law.rows(grad), law.tau(grad)
    left = law.read(law.call(phi, g=grad))
    growth = (left * left).sum(axis=1) - (g * g).sum(axis=1)
    return law.decide(np.maximum(growth, 0), 2 * (tau * abs(left)).sum(axis=1), "‖Φ(g)‖ ≤ ‖g‖")
