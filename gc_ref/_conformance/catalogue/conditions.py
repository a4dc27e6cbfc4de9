"""Conditions under which a port centralizes a weight at all: gates on it, schedules of steps."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from gc_ref._conformance.catalogue.centering import Gradient
from gc_ref._conformance.ports.case import KIND_NAMES

__all__ = [
    "BY_KIND",
    "BY_SHAPE",
    "GATES",
    "SCHEDULES",
    "VALUE_GATES",
    "Condition",
    "Threshold",
    "separating",
]


@dataclass(frozen=True)
class Threshold:
    """A limit on a measure of a weight, and the side of it on which weights are centralized."""

    measure: Callable[[Any], float]  # of a weight, or of its gradient
    side: Literal["above", "at-most"]


@dataclass(frozen=True)
class Condition:
    """A condition on a weight, its gradient, or the number of a step; it may depend on a ``k``."""

    name: str
    deviation: str  # its id; empty for a convention
    words: str  # what such a port does; may hold ``{k}``
    #: (weight, gradient or step, k) -> whether it is centralized; traced for what is traced.
    test: Callable[[Any, float], Any]
    numbers: tuple[int, ...] = (0,)  # values of k that the search tries
    threshold: Threshold | None = None  # where k is a limit: the search reads it off the weights


def _limit(
    measure: Callable[[Any], Any],
    side: Literal["above", "at-most"],
    name: str,
    who: str,
    deviation: str = "shape-gated",
) -> Condition:
    """Make the gate of a threshold, which is known for what was tried only."""
    what = "weights" if deviation == "shape-gated" else "gradients"
    words = f"of the {what} tried, only those {who} are centralized"
    test = {"above": lambda p, k: measure(p) > k, "at-most": lambda p, k: measure(p) <= k}[side]
    return Condition(name, deviation, words, test, (), Threshold(measure, side))


def _of_kind(kind: str, name: str) -> tuple[Condition, Condition]:
    """Make the gates on one kind of layer, which a port may know by the name of the weight."""
    return (
        Condition(f"no-{kind}", "kind-gated", f"weights of the kind {name} are left alone, by kind "
                  "or name", lambda p, k: p.kind != kind),
        Condition(f"only-{kind}", "kind-gated", f"only weights of the kind {name} are centralized, "
                  "by kind or name", lambda p, k: p.kind == kind),
    )  # fmt: skip


_MULTIPLES = (2, 3, 4, 5, 6, 7, 8, 16, 32, 64)
_GATES = (
    Condition("convolutions", "", "only weights of convolutions are centralized (GCC)",
              lambda p, k: p.rank > 2),
    Condition("rank-above", "rank-gated", "only weights of more than {k} dimensions are "
              "centralized", lambda p, k: p.rank > k, (3, 4)),
    Condition("rank-at-most", "rank-gated", "only weights of at most {k} dimensions are "
              "centralized", lambda p, k: p.rank <= k, (2, 3, 4)),
    Condition("rank-is", "rank-gated", "only weights of {k} dimensions are centralized",
              lambda p, k: p.rank == k, (3, 4)),
    Condition("rank-is-not", "rank-gated", "weights of {k} dimensions are left alone",
              lambda p, k: p.rank != k, (3, 4)),
    Condition("rank-even", "rank-gated", "only weights of 2 or 4 dimensions are centralized",
              lambda p, k: p.rank in (2, 4)),
    Condition("fan-in-multiple", "shape-gated", "only weights whose fan-in is a multiple of {k} "
              "are centralized", lambda p, k: p.fan_in % k == 0, _MULTIPLES),
    Condition("second-dimension-multiple", "shape-gated", "only weights whose second dimension is "
              "a multiple of {k} are centralized", lambda p, k: p.shape[1] % k == 0, _MULTIPLES),
    Condition("first-dimension-multiple", "shape-gated", "only weights whose first dimension is "
              "a multiple of {k} are centralized", lambda p, k: p.shape[0] % k == 0, _MULTIPLES),
    _limit(lambda p: p.fan_in, "above", "fan-in-above", "with a fan-in above {k}"),
    _limit(lambda p: p.fan_in, "at-most", "fan-in-at-most", "with a fan-in of at most {k}"),
    _limit(lambda p: p.size, "above", "size-above", "of more than {k} elements"),
    _limit(lambda p: p.size, "at-most", "size-at-most", "of at most {k} elements"),
    _limit(lambda p: p.outputs, "above", "outputs-above", "of more than {k} outputs"),
    _limit(lambda p: p.outputs, "at-most", "outputs-at-most", "of at most {k} outputs"),
    Condition("not-square", "shape-gated", "weights whose axes are all equal are left alone",
              lambda p, k: len(set(p.shape)) > 1),
    Condition("first-part", "partial", "only the first half of the parameters (the first parameter "
              "group) is centralized", lambda p, k: p.group == 0),
    Condition("not-the-last", "partial", "the last weight is left alone",
              lambda p, k: p.index < p.count - 1),
    Condition("only-the-first", "partial", "only the first weight is centralized",
              lambda p, k: p.index == 0),
    Condition("not-the-first", "partial", "the first weight is left alone",
              lambda p, k: p.index > 0),
)  # fmt: skip
_KINDS = tuple(
    gate
    for kind, name in KIND_NAMES.items()
    if kind not in ("bias", "scale", "scalar")
    for gate in _of_kind(kind, name)
)


def _is_finite(g: Gradient) -> Any:
    return g.xp.all(g.xp.isfinite(g.values))


_VALUES = (
    _limit(lambda g: g.norm, "above", "norm-above", "with a norm above {k:.4g}", "value-gated"),
    _limit(lambda g: g.norm, "at-most", "norm-at-most", "with a norm of at most {k:.4g}",
           "value-gated"),
    Condition("finite", "value-gated", "a weight whose gradient is not finite throughout is left "
              "alone", lambda g, k: _is_finite(g)),
)  # fmt: skip
#: Steps of the longest run that a schedule is read off.
LONGEST = 400
_PERIODS = (*range(2, 21), 25, 30, 40, 50, 100, 200)
_SCHEDULES = (
    Condition("skips-every", "intermittent", "step {k} and its multiples are not centralized",
              lambda t, k: t % k != 0, _PERIODS),
    Condition("only-every", "intermittent", "only step {k} and its multiples are centralized",
              lambda t, k: t % k == 0, _PERIODS),
    Condition("first-of-every", "intermittent", "only step 1 of every {k} is centralized",
              lambda t, k: t % k == 1, _PERIODS[1:]),
    Condition("from", "intermittent", "centralizes from step {k} on only",
              lambda t, k: t >= k, tuple(range(2, LONGEST))),
    Condition("until", "intermittent", "centralizes up to step {k} only",
              lambda t, k: t <= k, tuple(range(1, LONGEST))),
)  # fmt: skip

GATES: Mapping[str, Condition] = {g.name: g for g in (*_GATES, *_KINDS)}
BY_SHAPE: Mapping[str, Condition] = {g.name: g for g in _GATES}
BY_KIND: Mapping[str, Condition] = {g.name: g for g in _KINDS}
#: On the gradient of a weight at a step.
VALUE_GATES: Mapping[str, Condition] = {g.name: g for g in _VALUES}
SCHEDULES: Mapping[str, Condition] = {s.name: s for s in _SCHEDULES}


def separating(
    conditions: Mapping[str, Condition], acting: Sequence[Any], idle: Sequence[Any]
) -> list[tuple[str, float]]:
    """Find the conditions, with their numbers, that hold for all that acts and nothing idle.

    Examples
    --------
    >>> from gc_ref._conformance.catalogue.parameters import ParameterInfo
    >>> matrix, kernel = ParameterInfo((4, 4), -1), ParameterInfo((3, 3, 4, 4), -1)
    >>> separating(BY_SHAPE, [matrix], [kernel])[0]
    ('rank-at-most', 2)
    >>> separating(SCHEDULES, [1, 3, 5], [2, 4])
    [('skips-every', 2)]
    """
    found = []
    for condition in conditions.values():
        numbers: tuple[float, ...] = condition.numbers
        if condition.threshold is not None:  # the largest measure on the lower side
            below = idle if condition.threshold.side == "above" else acting
            numbers = (max(map(condition.threshold.measure, below)),)
        for k in numbers:
            held = [condition.test(x, k) for x in acting]
            if all(held) and not any(condition.test(x, k) for x in idle):
                found.append((condition.name, k))
    return found
