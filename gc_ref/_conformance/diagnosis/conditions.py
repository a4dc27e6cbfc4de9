"""Which gate tells the weights apart that a port centralizes, and which schedule the steps."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from gc_ref._conformance.catalogue.conditions import GATES, SCHEDULES, Gate
from gc_ref._conformance.catalogue.parameters import ParameterInfo
from gc_ref._conformance.diagnosis.steps import Pattern

__all__ = ["gates_for", "schedules_for"]


def gates_for(
    acting: Sequence[ParameterInfo], idle: Sequence[ParameterInfo]
) -> list[tuple[str, int]]:
    """Find the gates that open for all acting weights and for no idle one.

    Parameters
    ----------
    acting, idle : sequence of ParameterInfo
        Weights that are centralized, and weights that are left alone; neither empty.

    Returns
    -------
    list of (str, int)
        Name in `GATES`, and its number.

    Examples
    --------
    >>> matrix, kernel = ParameterInfo((4, 4), -1), ParameterInfo((3, 3, 4, 4), -1)
    >>> gates_for([matrix], [kernel])[0]
    ('rank-at-most', 2)
    """
    return [
        (gate.name, k)
        for gate in GATES.values()
        for k in _numbers(gate, acting, idle)
        if all(gate.test(p, k) for p in acting) and not any(gate.test(p, k) for p in idle)
    ]


def _numbers(
    gate: Gate, acting: Sequence[ParameterInfo], idle: Sequence[ParameterInfo]
) -> tuple[int, ...]:
    """Return the numbers with which a gate is tried; a limit is the largest on its lower side."""
    if gate.threshold is None:
        return gate.numbers
    below = idle if gate.threshold.side == "above" else acting
    return (max(map(gate.threshold.measure, below)),)


def schedules_for(patterns: Iterable[Pattern]) -> list[tuple[str, int]]:
    """Find the schedules that all patterns follow; undecided steps follow any.

    Parameters
    ----------
    patterns : iterable of tuple
        One entry per step.

    Returns
    -------
    list of (str, int)
        Name in `SCHEDULES`, and its number.

    Examples
    --------
    >>> schedules_for([(True, False, True, False)])
    [('skips-every', 2)]
    """
    listed = list(patterns)
    return [
        (schedule.name, k)
        for schedule in SCHEDULES.values()
        for k in schedule.numbers
        if all(
            seen is None or seen == schedule.test(t, k)
            for pattern in listed
            for t, seen in enumerate(pattern, 1)
        )
    ]
