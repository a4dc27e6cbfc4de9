"""Which rule tells the weights that a port centralizes from those that it leaves alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from gc_ref._conformance.catalogue.centers import Slot
from gc_ref._conformance.catalogue.semantics import GATES, SCHEDULES

__all__ = ["Pattern", "gates_for", "schedules_for"]

#: For each step: as the hypothesis says, raw, or undecided.
Pattern = tuple[bool | None, ...]
#: What a threshold may be on.
MEASURES: Mapping[str, Callable[[Slot], int]] = {
    "fan-in": lambda s: s.fan_in,
    "size": lambda s: s.size,
    "outputs": lambda s: s.outputs,
}


def gates_for(acting: Sequence[Slot], idle: Sequence[Slot]) -> list[tuple[str, int]]:
    """Find the gates that open for all acting weights and for no idle one.

    Parameters
    ----------
    acting, idle : sequence of Slot
        Weights that are centralized, and weights that are left alone; neither empty.

    Returns
    -------
    list of (str, int)
        Name in `GATES`, and its number.
    """
    found = []
    for name, k in _candidates(acting, idle):
        test = GATES[name].test
        if all(test(s, k) for s in acting) and not any(test(s, k) for s in idle):
            found.append((name, k))
    return found


def _candidates(acting: Sequence[Slot], idle: Sequence[Slot]) -> Iterable[tuple[str, int]]:
    for name, gate in GATES.items():
        measure = MEASURES.get(name.removesuffix("-above").removesuffix("-at-most"))
        if measure is None:
            yield from ((name, k) for k in gate.numbers)
        elif name.endswith("-above"):
            yield name, max(measure(s) for s in idle)
        else:
            yield name, max(measure(s) for s in acting)


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
    """
    listed = list(patterns)
    return [
        (name, k)
        for name, schedule in SCHEDULES.items()
        for k in schedule.numbers
        if all(
            seen is None or seen == schedule.test(t, k)
            for pattern in listed
            for t, seen in enumerate(pattern, 1)
        )
    ]
