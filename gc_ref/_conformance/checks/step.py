"""step/*: the base law, and what GC does to the weights (Constraint, Theorem 4.1)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

import numpy as np

from gc_ref import laws
from gc_ref._conformance.cases import standard as cases
from gc_ref._conformance.checks.make_counterexample import convincing, failure
from gc_ref._conformance.checks.value import matches
from gc_ref._conformance.checks.without_formula import own_base_law
from gc_ref._conformance.findings.outcome import Outcome, not_applicable, passed
from gc_ref._conformance.judging.base_law import centralized_updates, compare_to_base, compared
from gc_ref._conformance.judging.dtypes import driven
from gc_ref._conformance.judging.judge import NO_STEPS, Judge
from gc_ref._conformance.judging.matching import Match
from gc_ref._conformance.judging.own_centering import base_centralizes
from gc_ref._conformance.judging.response import coupling
from gc_ref._conformance.judging.specification import Specification
from gc_ref._conformance.judging.telling import telling
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
    tried = [judge.integers, judge.bounded, judge.long, judge.wide]
    if "weight_decay" in judge.port.takes & base.takes:
        tried.append(judge.decayed)
    if "rates" in judge.port.drives & base.drives and "lr" in judge.port.takes & base.takes:
        tried.append(judge.rates)
    tried += _in_other_dtypes(judge)
    found = [matches(judge, case, reading) for case in tried]
    coupled = coupling(judge, by_base=True) == "tree"
    if coupled:
        found.append(_together(judge, reading))
    for together in found:
        wrong = [m for m in together if not m.within]
        if wrong:
            shown = convincing(wrong)
            return failure(
                judge,
                shown,
                f"{len(wrong)} of {len(together)} parameters do not move as under the base "
                f"optimizer fed with Φ(g), for instance {describe(shown.parameter)} from step "
                f"{shown.first_wrong + 1} on",
            )
    return _evidence(judge, [m for together in found for m in together], coupled)


def _evidence(judge: Judge, held: list[Match], coupled: bool) -> Outcome:
    """Say on how many parameters a base law that holds was seen to hold."""
    inexact = {m.case.dtype for m in held if m.comparison.inexact}
    exact = sorted({m.case.dtype for m in held} - inexact)
    message = "the base optimizer fed with Φ(g)"
    if exact:
        message += ": bit for bit" + (f" in {', '.join(exact)}" if inexact else "")
    if coupled:
        message += "; it couples its parameters: driven together, and each by itself"
    parameters = judge.integers.parameters
    silent = [p for p in parameters if not telling(judge, p)]
    if len(silent) == len(parameters):
        return Outcome(
            "indeterminate", "no parameter moves otherwise under the base for g than for Φ(g)"
        )
    if silent:
        message += (
            f"; {len(silent)} of {len(parameters)} parameters show nothing: under the base they "
            "do not move, are not finite, or move for g as for Φ(g)"
        )
    return passed(message, ratio=max(m.comparison.ratio for m in held))


def _in_other_dtypes(judge: Judge) -> list[Case]:
    """Cases in the other dtypes that port and base both run."""
    base, found = judge.port.base, []
    assert base is not None
    for dtype in judge.port.dtypes:
        if dtype == judge.integers.dtype or dtype not in base.dtypes:
            continue
        for make in (cases.integer_case, cases.bounded_case):
            case = judge.case(make, dtype=dtype, steps=3)
            if driven(judge, case) and driven(judge, case, base):
                found.append(case)
    return found


def _together(judge: Judge, reading: Specification) -> list[Match]:
    """Compare all parameters in one run, each by its own rule, though they act on each other."""
    case = judge.integers
    rules = tuple((p.name, reading.rule(p)) for p in case.parameters)
    return [
        Match(
            case,
            p,
            reading.axes(p),
            tuple(compare_to_base(judge, case, p, rules, reading.placement)),
        )
        for p in sorted(case.parameters, key=lambda p: p.value.size)
    ]


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
            weights, allowances = _weights(judge, case, p)
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
    placement = judge.specification.placement
    l2 = judge.specification.conventions.get("decay") == "l2"
    inside = (l2 and placement != "gradient") or placement == "decayed-update"
    if inside and "weight_decay" in judge.port.takes:
        found.append(judge.decayed)
    return found


def _weights(judge: Judge, case: Case, p: Parameter) -> tuple[list[Array], list[Array]]:
    """Weights after each step, and how far each element of a correct port's may be off."""
    held_to = judge.specification
    if held_to.mode != "base":
        allowances = [expected.tau for expected in judge.exact_steps(case, p)]
        return judge.steps(case, p), allowances
    case = compared(judge, case, p)
    _, allowances = centralized_updates(judge, case, p, held_to.rule(p))
    return judge.steps(case, p), allowances


#: Id of each check of this module to its function.
RUNS: Mapping[str, Callable[[Judge], Outcome]] = {
    "step/base-law": base_law,
    "step/constraint": partial(on_weights, theorem=False),
    "step/theorem-4.1": partial(on_weights, theorem=True),
}
