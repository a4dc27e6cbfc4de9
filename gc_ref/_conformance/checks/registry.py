"""What runs each check of the catalogue."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from gc_ref._conformance.checks import hygiene, law, scope, step, value
from gc_ref._conformance.findings.outcome import Outcome
from gc_ref._conformance.judging.judge import Judge

__all__ = ["RUNS"]

#: Check id to the function that runs the check on a judged port.
RUNS: Mapping[str, Callable[[Judge], Outcome]] = {
    "hygiene/shape": hygiene.shape_kept,
    "hygiene/dtype": hygiene.dtype_kept,
    "effect/on": scope.effect_on,
    "effect/off": scope.effect_off,
    "scope/every-weight": scope.every_weight,
    "scope/vectors-untouched": scope.vectors_untouched,
    "scope/slices-isolated": scope.slices_isolated,
    "scope/parameters-isolated": scope.parameters_isolated,
    "value/exact": value.value_exact,
    "value/bounded": value.value_bounded,
    "law/zero-mean": law.zero_mean,
    "law/idempotent": law.idempotent,
    "law/orthogonal": law.orthogonal,
    "law/linear": law.linear,
    "law/shift-invariant": law.shift,
    "law/permutation-equivariant": law.permutation,
    "law/contraction": law.contraction,
    "step/sgdm": partial(value.step_algorithm, algorithm="sgdm"),
    "step/adam": partial(value.step_algorithm, algorithm="adam"),
    "step/base-law": step.base_law,
    "step/constraint": step.constraint,
    "step/theorem-4.1": step.theorem_4_1,
    "hygiene/gradient-unmutated": hygiene.gradient_unmutated,
    "hygiene/state": hygiene.state_isolated,
    "hygiene/deterministic": hygiene.deterministic,
    "hygiene/checkpoint": hygiene.checkpoint,
}
