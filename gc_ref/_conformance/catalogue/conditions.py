"""Conditions under which a port centralizes a weight at all: gates on it, schedules of steps."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from gc_ref._conformance.catalogue.parameters import ParameterInfo

__all__ = ["GATES", "SCHEDULES", "Gate", "Schedule", "Threshold"]


@dataclass(frozen=True)
class Threshold:
    """A limit on a measure of a weight: which measure, and which side of the limit is open."""

    measure: Callable[[ParameterInfo], int]
    side: Literal["above", "at-most"]

    def test(self, parameter: ParameterInfo, limit: int) -> bool:
        """Whether a weight is on the open side."""
        return (self.measure(parameter) > limit) == (self.side == "above")


@dataclass(frozen=True)
class Gate:
    """A condition on a weight's shape or place.

    Attributes
    ----------
    name : str
        Its name in `GATES`.
    deviation : str
        Id of the deviation that it is; empty for a convention.
    words : str
        What a port with it does; may hold ``{k}``, the number.
    test : callable
        ``test(parameter, k)``: whether the weight is centralized.
    numbers : tuple of int
        Values of ``k`` that the search tries.
    threshold : Threshold or None
        Where ``k`` is a limit: the search reads it off the weights.
    """

    name: str
    deviation: str
    words: str
    test: Callable[[ParameterInfo, int], bool]
    numbers: tuple[int, ...] = (0,)
    threshold: Threshold | None = None


@dataclass(frozen=True)
class Schedule:
    """A condition on the number of the step.

    Attributes
    ----------
    name : str
        Its name in `SCHEDULES`.
    words : str
        What a port with it does; holds ``{k}``, the number.
    test : callable
        ``test(step, k)``: whether the step is centralized. A traced step gives a traced answer.
    numbers : tuple of int
        Values of ``k`` that the search tries.
    """

    name: str
    words: str
    test: Callable[[Any, int], Any]
    numbers: tuple[int, ...]


def _limit(name: str, side: Literal["above", "at-most"], which: str,
           measure: Callable[[ParameterInfo], int]) -> Gate:  # fmt: skip
    """Make a gate of a threshold, which is known for the weights tried only."""
    threshold = Threshold(measure, side)
    words = f"of the weights tried, only those {which} are centralized"
    return Gate(f"{name}-{side}", "shape-gated", words, threshold.test, (), threshold)


_MULTIPLES = (2, 3, 4, 5, 6, 7, 8, 16, 32, 64)
_GATES = (
    Gate("convolutions", "", "only weights of convolutions are centralized (GCC)",
         lambda p, k: p.rank > 2),
    Gate("rank-above", "rank-gated", "only weights of more than {k} dimensions are centralized",
         lambda p, k: p.rank > k, (3, 4)),
    Gate("rank-at-most", "rank-gated", "only weights of at most {k} dimensions are centralized",
         lambda p, k: p.rank <= k, (2, 3, 4)),
    Gate("rank-is", "rank-gated", "only weights of {k} dimensions are centralized",
         lambda p, k: p.rank == k, (3, 4)),
    Gate("rank-is-not", "rank-gated", "weights of {k} dimensions are left alone",
         lambda p, k: p.rank != k, (3, 4)),
    Gate("rank-even", "rank-gated", "only weights of 2 or 4 dimensions are centralized",
         lambda p, k: p.rank in (2, 4)),
    Gate("fan-in-multiple", "shape-gated", "only weights whose fan-in is a multiple of {k} are "
         "centralized", lambda p, k: p.fan_in % k == 0, _MULTIPLES),
    Gate("second-dimension-multiple", "shape-gated", "only weights whose second dimension is a "
         "multiple of {k} are centralized", lambda p, k: p.shape[1] % k == 0, _MULTIPLES),
    Gate("first-dimension-multiple", "shape-gated", "only weights whose first dimension is a "
         "multiple of {k} are centralized", lambda p, k: p.shape[0] % k == 0, _MULTIPLES),
    _limit("fan-in", "above", "with a fan-in above {k}", lambda p: p.fan_in),
    _limit("fan-in", "at-most", "with a fan-in of at most {k}", lambda p: p.fan_in),
    _limit("size", "above", "of more than {k} elements", lambda p: p.size),
    _limit("size", "at-most", "of at most {k} elements", lambda p: p.size),
    _limit("outputs", "above", "of more than {k} outputs", lambda p: p.outputs),
    _limit("outputs", "at-most", "of at most {k} outputs", lambda p: p.outputs),
    Gate("not-square", "shape-gated", "weights whose axes are all equal are left alone",
         lambda p, k: len(set(p.shape)) > 1),
    Gate("first-part", "partial", "only the first half of the parameters (the first parameter "
         "group) is centralized", lambda p, k: p.group == 0),
    Gate("not-the-last", "partial", "the last weight is left alone",
         lambda p, k: p.index < p.count - 1),
    Gate("only-the-first", "partial", "only the first weight is centralized",
         lambda p, k: p.index == 0),
    Gate("not-the-first", "partial", "the first weight is left alone",
         lambda p, k: p.index > 0),
)  # fmt: skip
_SCHEDULES = (
    Schedule("skips-every", "step {k} and its multiples are not centralized",
             lambda t, k: t % k != 0, (2, 3, 4, 5, 10)),
    Schedule("only-every", "only step {k} and its multiples are centralized",
             lambda t, k: t % k == 0, (2, 3, 4, 5, 10)),
    Schedule("first-of-every", "only step 1 of every {k} is centralized",
             lambda t, k: t % k == 1, (3, 4, 5, 10)),
    Schedule("from", "centralizes from step {k} on only",
             lambda t, k: t >= k, (2, 3, 4, 5, 6, 10, 11, 21, 51)),
    Schedule("until", "centralizes up to step {k} only",
             lambda t, k: t <= k, (1, 2, 3, 4, 5, 10, 20, 50)),
)  # fmt: skip

GATES: Mapping[str, Gate] = {g.name: g for g in _GATES}
SCHEDULES: Mapping[str, Schedule] = {s.name: s for s in _SCHEDULES}
