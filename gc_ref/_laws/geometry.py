"""Laws of Φ as a projection: eᵀP = 0, P² = P = Pᵀ (Eq. 2), and Theorem 4.2.

See `gc_ref.laws` for the notation and for what an operator is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from gc_ref._laws.judge import Judge, mean
from gc_ref._slices import Axis
from gc_ref.bounds import Profile

__all__ = ["contraction", "idempotent", "orthogonal", "zero_mean"]

Operator = Callable[[Any], Any]


def zero_mean(
    phi: Operator, grad: Any, /, *, output_axis: Axis, profile: Profile | None = None
) -> float:
    """What is left sums to zero over the inputs of every output: eᵀP = 0 (Eq. 2).

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
    judge = Judge.of("law/zero-mean", "Eq. 2", grad, output_axis, profile)
    tau = judge.tau(grad)
    _, left = judge.apply(phi, grad)
    return judge.decide(abs(left.sum(axis=1)), tau.sum(axis=1), "a sum of 0 over the inputs")


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
    judge = Judge.of("law/idempotent", "Eq. 2", grad, output_axis, profile)
    tau = judge.tau(grad)
    once, left = judge.apply(phi, grad)
    allowance = mean(tau) + judge.tau(once, returned=True)
    _, again = judge.apply(phi, once)
    return judge.decide(abs(again - left), allowance, "Φ(Φ(g)) = Φ(g)")


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
    judge = Judge.of("law/orthogonal", "Eq. 2", grad, output_axis, profile)
    g, h = judge.rows(grad), judge.rows(other)
    tau, tau_h = judge.tau(grad), judge.tau(other)
    _, left = judge.apply(phi, grad)
    _, left_h = judge.apply(phi, other)
    removed = g - left
    total = tau.sum(axis=1)
    return max(
        judge.decide(
            abs((left * h - g * left_h).sum(axis=1)),
            (tau * abs(h) + abs(g) * tau_h).sum(axis=1),
            "⟨Φg, h⟩ = ⟨g, Φh⟩",
        ),
        judge.decide(
            abs((removed * left).sum(axis=1)),
            abs(mean(g))[:, 0] * total + (tau * abs(left)).sum(axis=1),
            "⟨g − Φg, Φg⟩ = 0",
        ),
        judge.decide(abs(removed - mean(removed)), tau + mean(tau), "a constant removed part"),
    )


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
    judge = Judge.of("law/contraction", "Theorem 4.2", grad, output_axis, profile)
    g, tau = judge.rows(grad), judge.tau(grad)
    _, left = judge.apply(phi, grad)
    growth = (left * left).sum(axis=1) - (g * g).sum(axis=1)
    return judge.decide(np.maximum(growth, 0), 2 * (tau * abs(left)).sum(axis=1), "‖Φ(g)‖ ≤ ‖g‖")
