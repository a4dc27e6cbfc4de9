"""Which parameters show what a port does to them: agreement on the others is no evidence."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from gc_ref._conformance.cases import standard as cases
from gc_ref._conformance.judging.base_law import can_tell
from gc_ref._conformance.judging.judge import Judge
from gc_ref._conformance.judging.shared_results import kept
from gc_ref._conformance.ports.case import Case, Parameter

#: Steps of the case that starts at weights of zero: some optimizers rest for ten.
STEPS = 16


def telling(judge: Judge, p: Parameter) -> tuple[Case, Parameter] | None:
    """Return a case that shows what the port does to a parameter, and its place there.

    Without a base a port is held to exact values, on which Φ makes a difference. A base may move
    its parameters so little that it is lost beside weights of order 1, or only after many
    steps: then the case that starts at zero shows it. None where that does not either.
    """
    if judge.specification.mode != "base":
        return judge.integers, p
    held_to = judge.specification
    rule = held_to.rule(p)
    if rule == "none" and len(p.shape) >= 2:
        rule = "by-rank"  # left alone: what would it be, if it were not?
    if can_tell(judge, judge.integers, p, rule, held_to.placement):
        return judge.integers, p
    later = _from_zero(judge)
    [same] = (q for q in later.parameters if q.name == p.name)
    found = can_tell(judge, later, same, rule, held_to.placement)
    return (later, same) if found else None


@kept
def _from_zero(judge: Judge) -> Case:
    label = "integers-from-zero"
    case = judge.case(cases.integer_case, steps=STEPS, label=label)
    parameters = tuple(replace(p, value=np.zeros_like(p.value)) for p in case.parameters)
    return replace(case, parameters=parameters)
