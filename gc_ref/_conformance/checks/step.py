"""step/*: the base law, and what GC does to the weights (Constraint, Theorem 4.1)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

import numpy as np

from gc_ref import laws
from gc_ref._conformance.checks.make_counterexample import convincing, failure
from gc_ref._conformance.checks.value import matches
from gc_ref._conformance.checks.without_formula import own_base_law
from gc_ref._conformance.findings.outcome import Outcome, not_applicable, passed
from gc_ref._conformance.judging.base_law import base_couples
from gc_ref._conformance.judging.judge import NO_STEPS, Judge
from gc_ref._conformance.judging.own_centering import base_centralizes
from gc_ref._conformance.ports.case import Array, Case, Parameter, describe
from gc_ref._slices import to_rows

#: The laws are evaluated in rational numbers: on weights of at most so many elements.
LARGEST = 128


def base_law(judge: Judge) -> Outcome:
    """step/base-law: the port is its base optimizer, fed with Φ(g)."""
    if judge.operator:
        return not_applicable(NO_STEPS)
    if judge.specification.mode == "unknown":
        return own_base_law(judge)
    base = judge.port.base
    if base is None:
        return not_applicable("no --base given: the port is held to its algorithm")
    if base_centralizes(judge):
        return not_applicable("the base centralizes by itself, which says nothing: see effect/off")
    reading = replace(judge.specification, mode="base")
    coupled = base_couples(judge)
    tried = [judge.integers, judge.long]
    if not coupled:  # else the rounding of one parameter's Φ reaches all others
        tried.insert(1, judge.bounded)
    if "weight_decay" in judge.port.takes & base.takes and reading.placement != "update":
        tried.append(judge.decayed)
    ratio = 0.0
    for case in tried:
        found = matches(judge, case, reading)
        wrong = [m for m in found if not m.within]
        if wrong:
            shown = convincing(wrong)
            return failure(
                judge,
                shown,
                f"{len(wrong)} of {len(found)} parameters do not move as under the base optimizer "
                f"fed with Φ(g), for instance {describe(shown.parameter)} from step "
                f"{shown.first_wrong + 1} on",
            )
        ratio = max(ratio, *(m.comparison.ratio for m in found))
    message = "the base optimizer fed with Φ(g)" + (": bit for bit" if ratio == 0 else "")
    if coupled:
        message += "; not on hard regimes, as the base couples its parameters"
    return passed(message, ratio=ratio)


def on_weights(judge: Judge, *, theorem: bool) -> Outcome:
    """step/constraint, step/theorem-4.1: a law about every weight in scope, after every step.

    The sum of each neuron's weights stays where it began; and so does (Theorem 4.1) its
    response to a constant added to the input.
    """
    if judge.unconstrained:
        return not_applicable(judge.unconstrained)
    worst, count = 0.0, 0
    for case in _cases(judge):
        for p in sorted(case.parameters, key=lambda p: p.value.size):
            axes = judge.specification.axes(p)
            if axes is None or p.value.size > LARGEST:
                continue
            weights, allowances = judge.steps(case, p), _allowances(judge, case, p)
            try:
                if theorem:
                    fan_in = to_rows(p.value, axes).shape[1]
                    x = (np.arange(fan_in) % 7 - 3) / 4.0
                    ratio = laws.theorem_4_1(
                        p.value, weights, x, 2.0, output_axis=axes, allowances=allowances
                    )
                else:
                    ratio = laws.weight_constraint(
                        p.value, weights, output_axis=axes, allowances=allowances
                    )
            except laws.LawError as error:
                message = f"{describe(p)}, case {case.id}: {error.message}"
                return Outcome("failed", message, error.ratio)
            worst, count = max(worst, ratio), count + 1
    return passed(f"{count} weights", ratio=worst)


def _cases(judge: Judge) -> list[Case]:
    """Cases under which the constraint binds: without decay, or with the decay inside Φ."""
    found = [judge.integers, judge.bounded]
    inside = judge.specification.placement in ("decayed-gradient", "update")
    l2 = judge.specification.conventions.get("decay") == "l2"
    if inside and l2 and "weight_decay" in judge.port.takes:
        found.append(judge.decayed)
    return found


def _allowances(judge: Judge, case: Case, p: Parameter) -> list[Array]:
    """How far each element of a correct port's weight may be from the exact one."""
    if judge.specification.mode != "base":
        return [expected.tau for expected in judge.exact_steps(case, p)]
    unit = judge.profile(case.dtype).unit_roundoff
    raw = judge.steps(case, p, port=judge.port.base)  # Φ's rounding grows with the raw update
    values = [p.value, *judge.steps(case, p), *raw]
    reach = max(float(np.abs(v).max(initial=0.0)) for v in values)
    return [np.full(p.shape, 32 * step * unit * reach) for step in range(1, len(raw) + 1)]


#: Id of each check of this module to its function.
RUNS: Mapping[str, Callable[[Judge], Outcome]] = {
    "step/base-law": base_law,
    "step/constraint": partial(on_weights, theorem=False),
    "step/theorem-4.1": partial(on_weights, theorem=True),
}
