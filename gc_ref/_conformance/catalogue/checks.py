"""The checks by name: id, clause, and what each one holds a port to.

Ids never change once released, and never depend on the order here, in which the checks run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["CHECKS", "Check"]


@dataclass(frozen=True)
class Check:
    """One check of the kit.

    Attributes
    ----------
    id : str
        Immutable once released.
    clause : str
        The clause that it holds a port to.
    sentence : str
        What that says.
    """

    id: str
    clause: str
    sentence: str


EQ1, EQ2 = "Eq. 1", "Eq. 2"
SCOPE, BASE, CONTRACT = "Scope", "Base law", "Contract"

_ALL = (
    Check("hygiene/shape", CONTRACT, "the shape that goes in comes out"),
    Check("hygiene/dtype", CONTRACT, "the dtype that goes in comes out"),
    Check("effect/on", EQ1, "GC changes the step at all"),
    Check("effect/off", EQ1, "with GC off the port is the plain optimizer"),
    Check(
        "scope/every-weight",
        f"{EQ1}; {SCOPE}",
        "every weight in scope loses the mean over all inputs of each output neuron",
    ),
    Check(
        "scope/vectors-untouched", SCOPE, "parameters of no or one dimension keep their gradient"
    ),
    Check(
        "scope/slices-isolated",
        EQ1,
        "an output neuron's gradient, a NaN in it too, acts on that neuron alone",
    ),
    Check("scope/parameters-isolated", EQ1, "a parameter's gradient acts on that parameter alone"),
    Check(
        "value/exact",
        EQ1,
        "integer gradients, whose sums are exact in every order, give the exact result",
    ),
    Check(
        "value/bounded",
        EQ1,
        "gradients in hard regimes give the exact result within the rounding-error bound",
    ),
    Check("law/zero-mean", EQ2, "eᵀP = 0: no output neuron keeps a mean"),
    Check("law/idempotent", EQ2, "P² = P: centralizing twice changes nothing more"),
    Check("law/orthogonal", EQ2, "P = Pᵀ: the projection is orthogonal"),
    Check("law/linear", EQ2, "Φ is linear"),
    Check("law/shift-invariant", EQ2, "a constant added to a neuron's gradient is removed"),
    Check("law/permutation-equivariant", EQ1, "the order of inputs and of outputs does not matter"),
    Check("law/contraction", "Theorem 4.2", "‖Φ(g)‖ ≤ ‖g‖"),
    Check("step/sgdm", "Algorithm 1", "the steps are those of SGDM with GC"),
    Check("step/adam", "Algorithm 2", "the steps are those of Adam with GC"),
    Check("step/base-law", BASE, "the port is its base optimizer fed with Φ(g)"),
    Check(
        "step/constraint", "Constraint", "eᵀ(wᵗ − w⁰) = 0: the weight sums stay where they began"
    ),
    Check(
        "step/theorem-4.1",
        "Theorem 4.1",
        "a constant added to the input moves the output by γ 1ᵀw⁰ at every step",
    ),
    Check(
        "hygiene/gradient-unmutated",
        CONTRACT,
        "the gradient given is not written to (noted, not failed)",
    ),
    Check("hygiene/state", CONTRACT, "state is no alias of a gradient and is shared with nobody"),
    Check("hygiene/deterministic", CONTRACT, "the same case twice gives the same bits"),
    Check(
        "hygiene/checkpoint",
        CONTRACT,
        "saved and restored after a step, training goes on as it would have",
    ),
)

CHECKS: Mapping[str, Check] = {check.id: check for check in _ALL}
