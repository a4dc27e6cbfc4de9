"""Laws of a given matrix P: Eq. 2 itself, and Theorem 4.2 for the Hessian.

See `gc_ref.laws` for the notation.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

from gc_ref import exact
from gc_ref._laws.residuals import LawTest, Rows, rationals
from gc_ref.bounds import Profile


def projection_matrix(matrix: Any, /, *, profile: Profile | None = None) -> float:
    """P² = P = Pᵀ, eᵀP = 0, and P has rank M − 1 (Eq. 2).

    Without the rank the zero matrix would pass; the rank of a projection is its trace. An
    element of P is 1 − 1/M or −1/M. By way of e = 1/√M, which is rounded twice, 1/M has up
    to five roundings, and the difference one more: with Q = P + E, |E| ≤ D where

        D = 6u/M + 2u|Q| + 2η.

    Allowances: of Q − Qᵀ, D + Dᵀ; of eᵀQ (scaled by √M), ΣD; of the trace, ΣD; of
    Q² − Q = QE + EQ − E² − E, |Q|D + D|Q| + D² + D.

    Parameters
    ----------
    matrix : array
        P, shape (M, M), M ≥ 1.
    profile : Profile, optional
        Arithmetic that the matrix is granted; default: that of its dtype.

    Returns
    -------
    float
        Worst ratio of residual to allowance.

    Raises
    ------
    LawError
        If one of the equations fails.
    ValueError
        If the matrix is not square.

    Examples
    --------
    >>> projection_matrix([[0.5, -0.5], [-0.5, 0.5]])
    0.0
    """
    __tracebackhide__ = True
    law, q = _square("law/orthogonal", "Eq. 2", matrix, profile)
    d = _element_error(q, law.profile)
    size = abs(q)
    excess = np.array([abs(np.trace(q) - (len(q) - 1))])
    return max(
        law.decide(abs(q - q.T), d + d.T, "P = Pᵀ"),
        law.decide(abs(q.sum(axis=0)), d.sum(axis=0), "eᵀP = 0"),
        law.decide(abs(q.dot(q) - q), size.dot(d) + d.dot(size) + d.dot(d) + d, "P² = P"),
        law.decide(excess, np.array([np.trace(d)]), "trace P = M − 1"),
    )


def contraction_hessian(matrix: Any, hessian: Any, /, *, profile: Profile | None = None) -> float:
    """‖PH‖₂ ≤ ‖H‖₂ in the spectral norm (Theorem 4.2 for the Hessian).

    A spectral norm is irrational, so the law is put to exact vectors: for every v,
    ‖PHv‖ ≤ ‖Hv‖, because P lengthens no vector. Conversely, if ‖PH‖ > ‖H‖, the first
    right singular vector v of PH has ‖PHv‖ = ‖PH‖‖v‖ > ‖H‖‖v‖ ≥ ‖Hv‖. So the law is
    checked for the right singular vectors of PH; floats decide which vectors are tried,
    not what is found for them. Allowance: with x = Hv, f = Qx and the element
    error D of `projection_matrix`, ‖f‖² − ‖x‖² ≤ 2⟨|f|, D|x|⟩, as for `contraction`.

    Parameters
    ----------
    matrix : array
        P, shape (M, M).
    hessian : array
        H, shape (M, M).
    profile : Profile, optional
        Arithmetic that ``matrix`` is granted; default: that of its dtype.

    Returns
    -------
    float
        Worst ratio of residual to allowance, of squared norms.

    Raises
    ------
    LawError
        If a vector gets longer; ``index[0]`` counts the singular vectors.
    ValueError
        If the shapes do not fit.

    Examples
    --------
    >>> contraction_hessian([[0.5, -0.5], [-0.5, 0.5]], [[2.0, 1.0], [1.0, 3.0]])
    0.0
    """
    __tracebackhide__ = True
    law, q = _square("law/contraction", "Theorem 4.2", matrix, profile)
    h = rationals(hessian)
    if h.shape != q.shape:
        raise ValueError(f"the Hessian has shape {h.shape}, P has shape {q.shape}")
    *_, right = np.linalg.svd(q.dot(h).astype(np.float64))
    x = h.dot(rationals(right.T))
    f = q.dot(x)
    spread = _element_error(q, law.profile).dot(abs(x))
    growth = (f * f - x * x).sum(axis=0)
    return law.decide(np.maximum(growth, 0), 2 * (abs(f) * spread).sum(axis=0), "‖PHv‖ ≤ ‖Hv‖")


def _square(law: str, clause: str, matrix: Any, profile: Profile | None) -> tuple[LawTest, Rows]:
    """Test of a law on a square matrix, and its exact elements; lists count as float64."""
    __tracebackhide__ = True
    if not isinstance(matrix, exact.ExactArray):
        matrix = np.asarray(matrix)
    shape = tuple(matrix.shape)
    if len(shape) != 2 or shape[0] != shape[1] or not shape[0]:
        raise ValueError(f"P is a square matrix, not of shape {shape}")
    test = LawTest.of(law, clause, matrix, 0, profile)
    return test, test.read(matrix)


def _element_error(q: Rows, profile: Profile) -> Rows:
    """D: how far rounding may move each element of P."""
    unit, eta = Fraction(profile.unit_roundoff), Fraction(profile.underflow)
    error: Rows = unit * (Fraction(6, len(q)) + 2 * abs(q)) + 2 * eta
    return error
