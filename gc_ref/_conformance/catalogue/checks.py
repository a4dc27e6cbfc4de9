"""The checks by name: id, clause, and what each one holds a port to.

Ids never change once released, and never depend on the order here, in which the checks run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["CHECKS", "Check"]


@dataclass(frozen=True)
class Check:
    """One check: its immutable id, its clause, and one sentence."""

    id: str
    clause: str
    sentence: str


_ALL = (
    Check("hygiene/shape", "Contract", "the shape that goes in comes out"),
    Check("hygiene/dtype", "Contract", "the dtype that goes in comes out"),
    Check("effect/on", "Eq. 1", "GC changes the step at all"),
    Check("effect/off", "Eq. 1", "with GC off the port is the plain optimizer"),
    Check("scope/every-weight", "Eq. 1; Scope",
          "every weight in scope loses the mean over all inputs of each output neuron"),
    Check("scope/vectors-untouched", "Scope",
          "parameters of no or one dimension keep their gradient"),
    Check("scope/slices-isolated", "Eq. 1",
          "an output neuron's gradient, a NaN in it too, acts on that neuron alone"),
    Check("scope/parameters-isolated", "Eq. 1",
          "a parameter's gradient acts on that parameter alone"),
    Check("value/exact", "Eq. 1",
          "integer gradients, whose sums are exact in every order, give the exact result"),
    Check("value/bounded", "Eq. 1",
          "gradients in hard regimes give the exact result within the rounding-error bound"),
    Check("law/zero-mean", "Eq. 2", "eᵀP = 0: no output neuron keeps a mean"),
    Check("law/idempotent", "Eq. 2", "P² = P: centralizing twice changes nothing more"),
    Check("law/orthogonal", "Eq. 2", "P = Pᵀ: the projection is orthogonal"),
    Check("law/linear", "Eq. 2", "Φ is linear"),
    Check("law/shift-invariant", "Eq. 2", "a constant added to a neuron's gradient is removed"),
    Check("law/permutation-equivariant", "Eq. 1",
          "the order of inputs and of outputs does not matter"),
    Check("law/contraction", "Theorem 4.2", "‖Φ(g)‖ ≤ ‖g‖"),
    Check("step/sgdm", "Algorithm 1", "the steps are those of SGDM with GC"),
    Check("step/adam", "Algorithm 2", "the steps are those of Adam with GC"),
    Check("step/base-law", "Base law", "the port is its base optimizer fed with Φ(g)"),
    Check("step/constraint", "Constraint",
          "eᵀ(wᵗ − w⁰) = 0: the weight sums stay where they began"),
    Check("step/theorem-4.1", "Theorem 4.1",
          "a constant added to the input moves the output by γ 1ᵀw⁰ at every step"),
    Check("hygiene/gradient-unmutated", "Contract",
          "the gradient given is not written to (noted, not failed)"),
    Check("hygiene/state", "Contract",
          "state is no alias of a gradient and is shared with nobody"),
    Check("hygiene/deterministic", "Contract", "the same case twice gives the same bits"),
    Check("hygiene/checkpoint", "Contract",
          "saved and restored after a step, training goes on as it would have"),
)  # fmt: skip

CHECKS: Mapping[str, Check] = {check.id: check for check in _ALL}
