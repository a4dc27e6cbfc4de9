"""Hold a port against vectors: the frozen ones of the suite, and those of the user.

A vector gives the inputs. What is right is computed again, by the second witness under the
port's own conventions, so that a vector never accuses a port of a choice that it may make.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING, Any

from gc_ref._conformance.cases.layers import UNAMBIGUOUS
from gc_ref._conformance.cases.vectors import Vector, frozen
from gc_ref._conformance.checks.counterexamples import counterexample
from gc_ref._conformance.findings.outcome import Outcome, failed
from gc_ref._conformance.judging.dtypes import driven, sums_in_half
from gc_ref._conformance.ports.case import Case, describe
from gc_ref._conformance.ports.port import SkippedError

if TYPE_CHECKING:
    from gc_ref._conformance.judging.judge import Judge
    from gc_ref._conformance.judging.settled import Match

__all__ = ["hold_vectors"]

_NAMES = {"heavy-ball": "velocity"}  # equal at a constant learning rate


@dataclass(frozen=True)
class _Packed:
    """Vectors that run together, as the parameters of one model."""

    case: Case
    vectors: tuple[Vector, ...]
    steps: bool  # whether they are a trajectory of their own
    by: str  # whose they are: "frozen" or "user"


def hold_vectors(judge: Judge, check: str, outcome: Outcome) -> Outcome:
    """Return the first failure among the vectors that belong to a check, or the outcome so far.

    Parameters
    ----------
    judge : Judge
        Of a port with a formula.
    check : {"value/exact", "value/bounded", "step/sgdm", "step/adam"}
    outcome : Outcome
        What the check has found without them.

    Returns
    -------
    Outcome
    """
    if outcome.status != "passed":
        return outcome
    for packed in (*_frozen(judge, check), *_users(judge, check)):
        found = _hold(judge, packed, check)
        if found.status != "passed":
            return found
        if (found.ratio or 0.0) > (outcome.ratio or 0.0):
            outcome = replace(outcome, ratio=found.ratio, ulps=found.ulps)
    return outcome


def _frozen(judge: Judge, check: str) -> Iterable[_Packed]:
    """Frozen vectors of the suite, packed: one run where every run costs a model."""
    dear = judge.port.per_run_cost != "cheap"
    if dear and judge.suite != "full" and judge.suite_version is None:
        return
    if check.startswith("value/"):
        for dtype in ("float32",) if dear else judge.port.dtypes:
            if dtype not in judge.refused:
                yield judge.known.case(
                    _phi_pack, judge.layout, dtype, version=judge.suite_version,
                    operator=judge.operator, hyper=tuple(_dyadic(judge).items()),
                )  # fmt: skip
    elif not dear:
        suited = [v for v in frozen(judge.settled.mode, judge.suite_version) if _suits(judge, v)]
        for _, group in groupby(sorted(suited, key=_together), key=_together):
            yield _pack(list(group), "frozen", {}, steps=True)


def _users(judge: Judge, check: str) -> Iterable[_Packed]:
    """Vectors that the user gave, each a case of its own."""
    for vector in judge.vectors:
        if reason := _not_for(judge, vector):
            judge.note(f"vector:{vector.id} was not judged: {reason}")
        elif vector.algorithm == "operator" and check.startswith("value/"):
            if _belongs(vector, check):
                yield _pack([vector], "user", _dyadic(judge), steps=False)
        elif check == f"step/{vector.algorithm}":
            yield _pack([vector], "user", {}, steps=True)


def _phi_pack(
    layout: str, dtype: str, *, version: str | None, operator: bool,
    hyper: tuple[tuple[str, float], ...],
) -> _Packed:  # fmt: skip
    """All vectors of Eq. 1 of a layout and a dtype: the first step of a model from weight 0."""
    found = [
        v
        for v in frozen("operator", version)
        if v.layout == layout
        and v.dtype == dtype
        and "nan" not in v.flags  # scope/slices-isolated has these
        and (not operator or v.kind in UNAMBIGUOUS)
    ]
    return _pack(found, "frozen", dict(hyper), steps=False)


def _pack(
    vectors: Sequence[Vector], by: str, hyper: Mapping[str, float], *, steps: bool
) -> _Packed:
    parameters = tuple(v.parameter() for v in vectors)
    count = len(vectors[0].gradients) if vectors else 0
    gradients = tuple(
        {p.name: v.gradients[t] for p, v in zip(parameters, vectors, strict=True)}
        for t in range(count)
    )
    label = f"vector:{vectors[0].id}" if len(vectors) == 1 else "vectors"
    used = vectors[0].hyperparameters if steps else hyper
    case = Case(label, parameters, gradients, used, vectors[0].dtype if vectors else "float32")
    return _Packed(case, tuple(vectors), steps, by)


def _dyadic(judge: Judge) -> dict[str, float]:
    """Hyperparameters whose first step shows Φ(g) best; none for a bare function."""
    return {} if judge.operator else dict(judge.integers.hyperparameters)


def _together(vector: Vector) -> tuple[Any, ...]:
    """Key of the trajectories that one run can hold."""
    return (len(vector.gradients), vector.dtype, sorted(vector.hyperparameters.items()))


def _suits(judge: Judge, vector: Vector) -> bool:
    """Whether a frozen trajectory is about the port's own conventions."""
    chosen, asked = judge.settled.conventions, vector.conventions
    for field in ("momentum", "epsilon"):
        if field in asked and _same(chosen.get(field)) != _same(asked[field]):
            return False
    starts = asked.get("first_momentum")
    if asked.get("momentum") == "ema" and starts != chosen.get("first_momentum"):
        return False
    if asked["decay"] != "none":
        return "weight_decay" in judge.port.takes and all(
            chosen.get(field) == asked[field] for field in ("decay", "placement")
        )
    update = "update" in (chosen.get("placement"), asked["placement"])
    return not update and not _not_for(judge, vector)


def _same(value: str) -> str:
    return _NAMES.get(value, value)


def _not_for(judge: Judge, vector: Vector) -> str:
    """Reason why a vector says nothing about the port, or nothing."""
    if vector.layout != judge.layout:
        return f"it is {vector.layout}, the port {judge.layout}"
    if vector.dtype not in judge.port.dtypes or vector.dtype in judge.refused:
        return f"the port is not driven in {vector.dtype}"
    if judge.operator and vector.kind not in UNAMBIGUOUS:
        return f"an array does not tell an operator that it is {vector.kind}"
    if vector.algorithm not in ("operator", judge.settled.mode):
        return f"the port is not held to {vector.clause}"
    return ""


def _belongs(vector: Vector, check: str) -> bool:
    return ("exact" in vector.flags) == (check == "value/exact")


def _hold(judge: Judge, packed: _Packed, check: str) -> Outcome:
    """Hold the vectors of one run that belong to the check."""
    case, settled = packed.case, judge.settled
    chosen = [v for v in packed.vectors if packed.steps or _belongs(v, check)]
    if not chosen or not _asked(judge, case):
        return Outcome("passed")
    wrong: list[tuple[Vector, Match]] = []
    worst: Match | None = None
    for vector, p in zip(packed.vectors, case.parameters, strict=True):
        if vector in chosen:
            match = judge.match(case, p, judge.rule_for(p, settled), settled)
            if worst is None or match.comparison.ratio > worst.comparison.ratio:
                worst = match
            if not match.within:
                wrong.append((vector, match))
    assert worst is not None
    if not wrong:
        judge.vectors_held |= {v.id for v in chosen}
        return Outcome("passed", ratio=worst.comparison.ratio, ulps=worst.comparison.ulps)
    if sums_in_half(judge, case, [match.parameter for _, match in wrong]):
        return Outcome("passed")
    vector, match = min(wrong, key=lambda pair: pair[1].parameter.value.size)
    axes = judge.axes(match.parameter, judge.rule_for(match.parameter, settled))
    shown = replace(counterexample(judge, case, match, axes), case=f"vector:{vector.id}")
    whose = "frozen" if packed.by == "frozen" else "given"
    message = (
        f"{whose} vectors: {len(wrong)} of {len(chosen)} are off, the smallest {vector.id}: "
        f"{describe(match.parameter)} at step {match.step + 1}"
    )
    return failed(message, comparison=match.comparison, counterexample=shown)


def _asked(judge: Judge, case: Case) -> bool:
    """Whether the port runs the vectors; one that skips them says so."""
    try:
        return driven(judge, case)
    except SkippedError as error:
        judge.note(str(error))
        return False
