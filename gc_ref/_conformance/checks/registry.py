"""The registered checks: id, clause, what each one holds a port to.

Ids never change once released, and never depend on the order here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gc_ref._conformance.checks import hygiene, law, scope, step, value
from gc_ref._conformance.findings.outcome import Outcome
from gc_ref._conformance.judging.judge import Judge

__all__ = ["CHECKS", "Check"]


@dataclass(frozen=True)
class Check:
    """One check: its immutable id, its clause, one sentence, and what runs it."""

    id: str
    clause: str
    sentence: str
    run: Callable[[Judge], Outcome]


EQ1, EQ2 = "Eq. 1", "Eq. 2"
SCOPE, BASE, CONTRACT = "Scope", "Base law", "Contract"

_ALL = (
    Check("hygiene/shape", CONTRACT, "the shape that goes in comes out", hygiene.shape_kept),
    Check("hygiene/dtype", CONTRACT, "the dtype that goes in comes out", hygiene.dtype_kept),
    Check("effect/on", EQ1, "GC changes the step at all", scope.effect_on),
    Check("effect/off", EQ1, "with GC off the port is the plain optimizer", scope.effect_off),
    Check(
        "scope/every-weight",
        f"{EQ1}; {SCOPE}",
        "every weight in scope loses the mean over all inputs of each output neuron",
        scope.every_weight,
    ),
    Check(
        "scope/vectors-untouched",
        SCOPE,
        "parameters of no or one dimension keep their gradient",
        scope.vectors_untouched,
    ),
    Check(
        "scope/slices-isolated",
        EQ1,
        "an output neuron's gradient, a NaN in it too, acts on that neuron alone",
        scope.slices_isolated,
    ),
    Check(
        "scope/parameters-isolated",
        EQ1,
        "a parameter's gradient acts on that parameter alone",
        scope.parameters_isolated,
    ),
    Check(
        "value/exact",
        EQ1,
        "integer gradients, whose sums are exact in every order, give the exact result",
        value.value_exact,
    ),
    Check(
        "value/bounded",
        EQ1,
        "gradients in hard regimes give the exact result within the rounding-error bound",
        value.value_bounded,
    ),
    Check("law/zero-mean", EQ2, "eᵀP = 0: no output neuron keeps a mean", law.zero_mean),
    Check("law/idempotent", EQ2, "P² = P: centralizing twice changes nothing more", law.idempotent),
    Check("law/orthogonal", EQ2, "P = Pᵀ: the projection is orthogonal", law.orthogonal),
    Check("law/linear", EQ2, "Φ is linear", law.linear),
    Check(
        "law/shift-invariant", EQ2, "a constant added to a neuron's gradient is removed", law.shift
    ),
    Check(
        "law/permutation-equivariant",
        EQ1,
        "the order of inputs and of outputs does not matter",
        law.permutation,
    ),
    Check("law/contraction", "Theorem 4.2", "‖Φ(g)‖ ≤ ‖g‖", law.contraction),
    Check(
        "step/sgdm", "Algorithm 1", "the steps are those of SGDM with GC",
        lambda judge: value.step_algorithm(judge, "sgdm"),
    ),
    Check(
        "step/adam", "Algorithm 2", "the steps are those of Adam with GC",
        lambda judge: value.step_algorithm(judge, "adam"),
    ),
    Check(
        "step/base-law", BASE, "the port is its base optimizer fed with Φ(g)", step.base_law
    ),
    Check(
        "step/constraint",
        "Constraint",
        "eᵀ(wᵗ − w⁰) = 0: the weight sums stay where they began",
        step.constraint,
    ),
    Check(
        "step/theorem-4.1",
        "Theorem 4.1",
        "a constant added to the input moves the output by γ 1ᵀw⁰ at every step",
        step.theorem_4_1,
    ),
    Check(
        "hygiene/gradient-unmutated",
        CONTRACT,
        "the gradient given is not written to (noted, not failed)",
        hygiene.gradient_unmutated,
    ),
    Check(
        "hygiene/state",
        CONTRACT,
        "state is no alias of a gradient and is shared with nobody",
        hygiene.state_isolated,
    ),
    Check(
        "hygiene/deterministic", CONTRACT, "the same case twice gives the same bits",
        hygiene.deterministic,
    ),
    Check(
        "hygiene/checkpoint",
        CONTRACT,
        "saved and restored after a step, training goes on as it would have",
        hygiene.checkpoint,
    ),
)  # fmt: skip

CHECKS: dict[str, Check] = {check.id: check for check in _ALL}
