"""The clauses of the paper as checks on plain arrays.

A law takes the operator Φ under test and an input, works out exactly (in rational
numbers) by how much the clause is missed, and compares that residual with what
rounding can explain. A law that holds returns the worst ratio residual/allowance;
one that does not raises `LawError`, which says where.

The operator is any function ``array -> array``. It is called with NumPy arrays and,
by `idempotent`, with its own result; what it returns has to be readable by
`numpy.asarray`. bfloat16 values travel as float32 arrays, with
``profile=bounds.profile("bfloat16")``. With inputs of type `gc_ref.exact.ExactArray`
nothing is rounded, and the second witness itself can be put to the test.

Every allowance follows from one fact: Φ(g) as computed is Φ(g) + ε with |ε| ≤ τ(g),
element by element, where τ is `gc_ref.bounds.centralize`. Notation: μ(x) is the mean
of a slice (the inputs of one output neuron), Σ and ⟨·,·⟩ run over one slice. All laws
are judged slice by slice: P of Eq. 2 acts on every output neuron by itself.

No single law pins Φ down: zero everywhere satisfies most of them. `zero_mean` and
`orthogonal` together do: what is left sums to 0, what was removed is constant.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from gc_ref._laws.matrix import contraction_hessian, projection_matrix
from gc_ref._laws.operator import (
    contraction,
    idempotent,
    linear,
    orthogonal,
    permutation_equivariant,
    shift_invariant,
    zero_mean,
)
from gc_ref._laws.residuals import LawError
from gc_ref._laws.trajectory import theorem_4_1, weight_constraint

__all__ = [
    "LAWS",
    "Law",
    "LawError",
    "contraction",
    "contraction_hessian",
    "idempotent",
    "linear",
    "orthogonal",
    "permutation_equivariant",
    "projection_matrix",
    "shift_invariant",
    "theorem_4_1",
    "weight_constraint",
    "zero_mean",
]


class Law(NamedTuple):
    """A law as the conformance kit lists it.

    Parameters
    ----------
    check : callable
        The function of this module.
    clause : str
        Clause of the paper.
    statement : str
        The law in one line.

    Examples
    --------
    >>> LAWS["law/zero-mean"].statement
    "eᵀP = 0: every output's inputs sum to 0"
    """

    check: Callable[..., float]
    clause: str
    statement: str


#: Every law by its immutable id.
LAWS: Mapping[str, Law] = MappingProxyType(
    {
        "law/zero-mean": Law(zero_mean, "Eq. 2", "eᵀP = 0: every output's inputs sum to 0"),
        "law/idempotent": Law(idempotent, "Eq. 2", "P² = P: twice is once"),
        "law/orthogonal": Law(orthogonal, "Eq. 2", "P = Pᵀ = I − eeᵀ: an orthogonal projection"),
        "law/linear": Law(linear, "Eq. 2", "Φ(ag + bh) = aΦ(g) + bΦ(h)"),
        "law/shift-invariant": Law(shift_invariant, "Eq. 2", "Pe = 0: Φ(g + c) = Φ(g)"),
        "law/permutation-equivariant": Law(
            permutation_equivariant, "Eq. 1", "renumbering inputs or outputs commutes with Φ"
        ),
        "law/contraction": Law(contraction, "Theorem 4.2", "‖Φ(g)‖₂ ≤ ‖g‖₂"),
        "step/constraint": Law(weight_constraint, "Constraint", "eᵀ(wᵗ − w⁰) = 0"),
        "step/theorem-4.1": Law(
            theorem_4_1, "Theorem 4.1, corrected", "wᵗᵀx − wᵗᵀ(x + γ1) = −γ1ᵀw⁰"
        ),
    }
)
