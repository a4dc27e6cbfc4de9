"""step/*: the base law, and what GC does to the weights (Constraint, Theorem 4.1)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from gc_ref import laws
from gc_ref._conformance.checks.counterexamples import counterexample
from gc_ref._conformance.checks.unknown import own_base_law
from gc_ref._conformance.checks.value import matches
from gc_ref._conformance.findings.outcome import Outcome, failed, not_applicable, passed
from gc_ref._conformance.judging.base_law import base_couples
from gc_ref._conformance.judging.judge import Judge
from gc_ref._conformance.ports.case import Array, Case, Parameter, describe
from gc_ref._slices import to_rows

__all__ = ["RUNS", "unconstrained"]

#: The laws are evaluated in rational numbers: on weights of at most so many elements.
LARGEST = 128
NO_STEPS = "an operator takes no steps"


def base_law(judge: Judge) -> Outcome:
    """step/base-law: the port is its base optimizer, fed with Φ(g)."""
    if judge.operator:
        return not_applicable(NO_STEPS)
    if judge.settled.mode == "unknown":
        return own_base_law(judge)
    base = judge.port.base
    if base is None:
        return not_applicable("no --base given: the port is held to its algorithm")
    reading = replace(judge.settled, mode="base")
    ratio, tried = 0.0, [judge.integers]
    coupled = base_couples(judge)
    if not coupled:  # else the rounding of one parameter's Φ reaches all others
        tried.append(judge.bounded)
    tried.append(judge.long)
    update = reading.conventions.get("placement") == "update"
    if "weight_decay" in judge.port.takes & base.takes and not update:
        tried.append(judge.decayed)
    for case in tried:
        found = matches(judge, case, reading)
        wrong = [(m, axes) for m, axes in found if not m.within]
        if wrong:
            first, axes = wrong[0]
            shown = counterexample(judge, case, first, axes)
            return failed(
                f"{len(wrong)} of {len(found)} parameters do not move as under the base optimizer "
                f"fed with Φ(g), first {describe(first.parameter)} at step {first.step + 1}",
                comparison=first.comparison,
                counterexample=shown,
            )
        ratio = max(ratio, *(m.comparison.ratio for m, _ in found))
    message = "the base optimizer fed with Φ(g)" + (": bit for bit" if ratio == 0 else "")
    if coupled:
        message += "; not on hard regimes, as the base couples its parameters"
    return passed(message, ratio=ratio)


def unconstrained(judge: Judge) -> str:
    """Reason why the weight constraint does not bind this port, or nothing."""
    if judge.operator:
        return NO_STEPS
    settled = judge.settled
    if settled.mode == "unknown":
        return "without --algorithm nothing says whether the constraint holds (not for Adam)"
    if settled.conventions.get("placement") == "update":
        return ""
    if settled.mode == "base":
        return "the constraint need not hold for other optimizers than SGD and SGDM"
    if settled.mode == "adam":
        return "Adam's element-wise scaling leaves the hyperplane: the constraint does not hold"
    if judge.port.fixed.get("weight_decay"):
        return "the settings fix a weight decay that moves the weight sums"
    return ""


def _cases(judge: Judge) -> list[Case]:
    """Cases under which the constraint binds: without decay, or with the decay inside Φ."""
    found = [judge.integers, judge.bounded]
    conventions = judge.settled.conventions
    inside = conventions.get("placement") in ("decayed-gradient", "update")
    if inside and conventions.get("decay") == "l2" and "weight_decay" in judge.port.takes:
        found.append(judge.decayed)
    return found


def constraint(judge: Judge) -> Outcome:
    """step/constraint: the sum of each neuron's weights stays where it began."""
    reason = unconstrained(judge)
    if reason:
        return not_applicable(reason)
    return _on_weights(judge, theorem=False)


def theorem_4_1(judge: Judge) -> Outcome:
    """step/theorem-4.1: the response to a constant added to the input never changes."""
    reason = unconstrained(judge)
    if reason:
        return not_applicable(reason)
    return _on_weights(judge, theorem=True)


def _on_weights(judge: Judge, *, theorem: bool) -> Outcome:
    """Hold a law about weights to every weight in scope, after every step."""
    settled, worst, count = judge.settled, 0.0, 0
    for case in _cases(judge):
        steps = judge.run(case).steps
        for p in sorted(case.parameters, key=lambda p: p.value.size):
            axes = judge.axes(p, judge.rule_for(p, settled))
            if axes is None or p.value.size > LARGEST:
                continue
            weights = [s[p.name] for s in steps]
            allowances = [_allowance(judge, case, p, t) for t in range(len(steps))]
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


def _allowance(judge: Judge, case: Case, p: Parameter, step: int) -> Array:
    """How far each element of a correct port's weight may be from the exact one."""
    settled = judge.settled
    if settled.mode == "base":
        unit = judge.profile(case.dtype).unit_roundoff
        raw = judge.run(case, port=judge.port.base).steps  # Φ's rounding grows with the raw update
        values = [p.value, *(s[p.name] for s in (*judge.run(case).steps, *raw))]
        reach = max(float(np.abs(v).max(initial=0.0)) for v in values)
        return np.full(p.shape, 32 * (step + 1) * unit * reach)
    return judge.expected(case, p, judge.rule_for(p, settled), settled)[step].tau


#: Id of each check of this module to its function.
RUNS: Mapping[str, Callable[[Judge], Outcome]] = {
    "step/base-law": base_law,
    "step/constraint": constraint,
    "step/theorem-4.1": theorem_4_1,
}
