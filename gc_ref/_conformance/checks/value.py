"""value/* and step/sgdm, step/adam: the numbers themselves."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial

from gc_ref._conformance.cases import standard as cases
from gc_ref._conformance.cases.comparison import compare
from gc_ref._conformance.checks.make_counterexample import convincing, failure
from gc_ref._conformance.checks.vectors import hold_vectors
from gc_ref._conformance.findings.outcome import Outcome, not_applicable, passed
from gc_ref._conformance.judging.dtypes import driven, sums_in_half
from gc_ref._conformance.judging.judge import Judge
from gc_ref._conformance.judging.matching import Match
from gc_ref._conformance.judging.specification import Specification
from gc_ref._conformance.ports.case import Case, describe
from gc_ref._conformance.ports.port import PortError, SkippedError

#: Largest fraction of elements that a bound may leave undecided.
BUDGET = 0.05
#: What a message adds where the example beside it is not the one that it names.
SHRUNK = "; its example is a smaller one, found and shrunk by fuzzing"
NO_FORMULA = "no formula for this optimizer: step/base-law holds it to its base"


def matches(judge: Judge, case: Case, held_to: Specification | None = None) -> list[Match]:
    """Hold every parameter of a case against a reading of the port, smallest weights first.

    Whether biases and norm scales decay too is the user's choice, often a mask or a group.
    """
    held_to = held_to or judge.specification
    found = []
    for p in sorted(case.parameters, key=lambda p: p.value.size):
        match = judge.match(case, p, held_to=held_to)
        held_to_formula = held_to.mode != "base"
        if case == judge.decayed and len(p.shape) < 2 and held_to_formula and not match.within:
            undecayed = judge.match(case, p, held_to=held_to.but(decay="none"))
            match = undecayed if undecayed.within else match
        if case.rates and not match.within and _open(held_to):
            velocity = judge.match(case, p, held_to=held_to.but(momentum="velocity"))
            match = velocity if velocity.within else match
        found.append(match)
    judge.measured[case.id, case.dtype] = found
    return found


def _open(held_to: Specification) -> bool:
    """Whether nothing has told yet if the momentum is heavy-ball or a velocity."""
    conventions = held_to.conventions
    inferred = conventions.sources.get("momentum") == "inferred"
    return inferred and conventions.get("momentum") == "heavy-ball"


def _hold(judge: Judge, case: Case, what: str) -> Outcome:
    """Pass if every parameter of the case follows the port's formula within its bounds."""
    found = matches(judge, case)
    wrong = [m for m in found if not m.within]
    if wrong:
        shown = convincing(wrong)
        return failure(
            judge,
            shown,
            f"{what}: {len(wrong)} of {len(found)} parameters are off, for instance "
            f"{describe(shown.parameter)} from step {shown.first_wrong + 1} on",
        )
    undecided = sum(m.undecided for m in found)
    total = sum(m.elements for m in found)
    if undecided > BUDGET * total:
        return Outcome(
            "indeterminate",
            f"{undecided} of {total} elements have a bound too wide to decide "
            f"(budget {BUDGET:.0%}): Adam amplifies rounding where ĝ is nearly 0",
        )
    note = f"{undecided} of {total} elements undecided (within the budget)" if undecided else ""
    worst = max((m.comparison for m in found), key=lambda c: c.ratio)
    return passed(note, ratio=worst.ratio, ulps=worst.ulps)


def _hold_all(judge: Judge, tried: Mapping[str, str]) -> Outcome:
    """Hold cases of the judge, by their name there; stop at the first that is not passed.

    Of those that pass, the one with the largest ratio of error to bound is returned.
    """
    worst: Outcome | None = None
    for name, what in tried.items():
        found = _hold(judge, getattr(judge, name), what)
        if found.status != "passed":
            return found
        worst = found if worst is None else max(worst, found, key=lambda o: o.ratio or 0.0)
    assert worst is not None
    return worst


def value_exact(judge: Judge) -> Outcome:
    """value/exact: integer gradients whose sums are exact in every order."""
    if judge.specification.mode in ("base", "unknown"):
        return not_applicable(NO_FORMULA)
    outcome = _hold_all(
        judge, {"integers": "integer gradients", "sized": "weights as large as real ones"}
    )
    if outcome.status != "passed":
        return outcome
    count, total = _inexact(judge, judge.integers)
    for dtype in _other_dtypes(judge):
        case = judge.case(cases.integer_case, dtype=dtype, steps=1, operator=judge.operator)
        other = _tolerating_refusal(judge, case, f"integer gradients in {dtype}")
        if other.status != "passed":
            return other
        n, t = _inexact(judge, case)
        count, total = count + n, total + t
    note = f"{count} of {total} elements are within the bound but not bit-exact" if count else ""
    return hold_vectors(judge, "exact", replace(outcome, message=note))


def _inexact(judge: Judge, case: Case) -> tuple[int, int]:
    """Count elements that differ from the exact value where none needs to (t = 1)."""
    count = total = 0
    try:
        for p in case.parameters:
            if judge.specification.axes(p) in (None, judge.axes(p, "by-rank")):
                want = judge.exact_steps(case, p)[0]
                count += compare(judge.steps(case, p)[0], want, case.dtype).inexact
                total += p.value.size
    except PortError:  # a dtype that the port refuses
        return 0, 0
    return count, total


def _other_dtypes(judge: Judge) -> Iterable[str]:
    return (d for d in judge.port.dtypes if d != judge.integers.dtype)


def _tolerating_refusal(judge: Judge, case: Case, what: str) -> Outcome:
    """Hold a case of another dtype; a port that cannot be driven in it is noted, not judged."""
    if not driven(judge, case):
        return passed()
    outcome = _hold(judge, case, what)
    if outcome.status == "failed" and sums_in_half(judge, case, case.parameters):
        return passed()
    return outcome


def value_bounded(judge: Judge) -> Outcome:
    """value/bounded: hard regimes, within the rounding-error bound."""
    if judge.specification.mode in ("base", "unknown"):
        return not_applicable(NO_FORMULA)
    outcome = _hold_all(judge, {"bounded": "hard regimes", "scales": "means on every scale"})
    if outcome.status != "passed":
        if "value/bounded" in judge.unshrunk:
            return outcome
        found = None
        with contextlib.suppress(PortError, SkippedError):  # what was found already stays
            found = _fuzzed(judge)  # a smaller example of it, maybe
        if found is None or found.counterexample is None:
            return outcome
        return replace(found, message=outcome.message + SHRUNK, fuzzed=False)
    steps = 1 if judge.operator else 4
    for dtype in _other_dtypes(judge):
        case = judge.case(cases.bounded_case, dtype=dtype, steps=steps, operator=judge.operator)
        other = _tolerating_refusal(judge, case, f"hard regimes in {dtype}")
        if other.status != "passed":
            return other
        outcome = max(outcome, other, key=lambda o: o.ratio or 0.0)
    outcome = hold_vectors(judge, "bounded", outcome)
    return outcome if outcome.status != "passed" else _fuzzed(judge) or outcome


def _fuzzed(judge: Judge) -> Outcome | None:
    """Fuzz a port whose runs are cheap; only then is Hypothesis needed."""
    if not judge.max_examples or judge.port.per_run_cost != "cheap":
        return None
    from gc_ref._conformance.checks.fuzz import fuzz

    return fuzz(judge)


def step_algorithm(judge: Judge, algorithm: str) -> Outcome:
    """step/sgdm, step/adam: Algorithm 1 or 2 over several steps, with and without decay."""
    if judge.specification.mode != algorithm:
        held = {"sgdm": "Algorithm 1", "adam": "Algorithm 2"}[algorithm]
        return not_applicable(f"the port is not held to {held}")
    tried = {"integers": "integer gradients", "bounded": "hard regimes"}
    if "weight_decay" in judge.port.takes:
        tried["decayed"] = "weight decay of 1/4"
    tried["long"] = f"{len(judge.long.gradients)} steps"
    if "rates" in judge.port.drives and "lr" in judge.port.takes:
        tried["rates"] = "a learning rate that changes"
    found = _hold_all(judge, tried)
    if found.status == "passed" and "rates" not in tried:
        said = (found.message, "at a constant learning rate: none that changes can be given to it")
        found = replace(found, message="; ".join(filter(None, said)))
    return hold_vectors(judge, "steps", found)


#: Id of each check of this module to its function.
RUNS: Mapping[str, Callable[[Judge], Outcome]] = {
    "value/exact": value_exact,
    "value/bounded": value_bounded,
    "step/sgdm": partial(step_algorithm, algorithm="sgdm"),
    "step/adam": partial(step_algorithm, algorithm="adam"),
}
