"""Find the conditions that tell what a port centralizes from what it leaves alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from gc_ref._conformance.catalogue.conditions import GATES, SCHEDULES, Condition
from gc_ref._conformance.catalogue.parameters import ParameterInfo
from gc_ref._conformance.diagnosis.step_patterns import Pattern

__all__ = ["gates_for", "schedules_for"]


def gates_for(
    acting: Sequence[ParameterInfo], idle: Sequence[ParameterInfo]
) -> list[tuple[str, int]]:
    """Find the gates, with their numbers, that are open for all acting weights and no idle one.

    Examples
    --------
    >>> matrix, kernel = ParameterInfo((4, 4), -1), ParameterInfo((3, 3, 4, 4), -1)
    >>> gates_for([matrix], [kernel])[0]
    ('rank-at-most', 2)
    """
    return _separating(GATES.values(), acting, idle)


def schedules_for(patterns: Iterable[Pattern]) -> list[tuple[str, int]]:
    """Find the schedules, with their numbers, that all patterns follow.

    Examples
    --------
    >>> schedules_for([(True, False, True, False), (None, False, None, None)])
    [('skips-every', 2)]
    """
    decided = {(t, seen) for pattern in patterns for t, seen in enumerate(pattern, 1)}
    acting = [t for t, seen in decided if seen]
    idle = [t for t, seen in decided if seen is False]
    return _separating(SCHEDULES.values(), acting, idle)


def _separating(
    conditions: Iterable[Condition], acting: Sequence[Any], idle: Sequence[Any]
) -> list[tuple[str, int]]:
    found = []
    for condition in conditions:
        numbers = condition.numbers
        if condition.threshold is not None:  # the largest measure on the lower side
            below = idle if condition.threshold.side == "above" else acting
            numbers = (max(map(condition.threshold.measure, below)),)
        for k in numbers:
            if all(condition.test(x, k) for x in acting) and not any(
                condition.test(x, k) for x in idle
            ):
                found.append((condition.name, k))
    return found
