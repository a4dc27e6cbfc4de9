"""Hold a port against vectors: the frozen ones of the suite, and those of the user.

A vector gives the inputs. What is right is computed again, by the second witness under the
port's own conventions, so that a vector never accuses a port of a choice that it may make.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any, Literal

from gc_ref._conformance.cases.layers import UNAMBIGUOUS
from gc_ref._conformance.cases.vectors import Vector, frozen
from gc_ref._conformance.checks.make_counterexample import counterexample
from gc_ref._conformance.findings.outcome import Outcome, failed
from gc_ref._conformance.judging.dtypes import driven, sums_in_half
from gc_ref._conformance.judging.judge import Judge
from gc_ref._conformance.judging.shared_results import Known, kept
from gc_ref._conformance.ports.case import Case, describe
from gc_ref._conformance.ports.port import SkippedError

#: Vectors of Eq. 1 that are exact in any arithmetic, its others, or trajectories.
Which = Literal["exact", "bounded", "steps"]


@dataclass(frozen=True)
class _Packed:
    """Vectors that run together, as the parameters of one model."""

    case: Case
    vectors: tuple[Vector, ...]
    users: bool = False  # given by the user, not frozen in the suite


def hold_vectors(judge: Judge, which: Which, outcome: Outcome) -> Outcome:
    """Return the first failure among some vectors, or what the check has found without them."""
    if outcome.status != "passed":
        return outcome
    for packed in (*_frozen(judge, which), *_of_user(judge, which)):
        found = _hold(judge, packed, which)
        if found.status != "passed":
            return found
        if (found.ratio or 0.0) > (outcome.ratio or 0.0):
            outcome = replace(outcome, ratio=found.ratio, ulps=found.ulps)
    return outcome


def _frozen(judge: Judge, which: Which) -> Iterable[_Packed]:
    """Frozen vectors of the suite, packed: one run where every run costs a model."""
    dear = judge.port.per_run_cost != "cheap"
    if dear and judge.suite != "full" and judge.suite_version is None:
        return
    if which == "steps" and dear:
        return
    if which == "steps":
        found = frozen(judge.specification.mode, judge.suite_version)
        suitable = sorted((v for v in found if _suits(judge, v)), key=_together)
        for _, group in groupby(suitable, key=_together):
            vectors = tuple(group)
            yield _pack(vectors, vectors[0].hyperparameters)
        return
    for dtype in ("float32",) if dear else judge.port.dtypes:
        if dtype not in judge.refused:
            packed = _of_eq_1(
                judge.known,
                judge.layout,
                dtype,
                judge.suite_version,
                judge.operator,
                tuple(_dyadic(judge).items()),
            )
            yield _for_port(judge, packed)


def _of_user(judge: Judge, which: Which) -> Iterable[_Packed]:
    """Vectors that the user gave, each a case of its own."""
    for vector in judge.vectors:
        if reason := _not_for(judge, vector):
            judge.note(f"vector:{vector.id} was not judged: {reason}")
        elif vector.algorithm == "operator" and which != "steps":
            if _belongs(vector, which):
                yield _pack((vector,), _dyadic(judge), users=True)
        elif vector.algorithm != "operator" and which == "steps":
            yield _pack((vector,), vector.hyperparameters, users=True)


@kept
def _of_eq_1(
    known: Known,
    layout: str,
    dtype: str,
    version: str | None,
    operator: bool,
    hyper: tuple[tuple[str, float], ...],
) -> _Packed:
    """All vectors of Eq. 1 of a layout and a dtype: the first step of a model from weight 0."""
    found = tuple(
        v
        for v in frozen("operator", version)
        if v.layout == layout
        and v.dtype == dtype
        and "nan" not in v.flags  # scope/slices-isolated has these
        and (not operator or v.kind in UNAMBIGUOUS)
    )
    return _pack(found, dict(hyper))


def _for_port(judge: Judge, packed: _Packed) -> _Packed:
    """Leave out the vectors that the port's framework stores otherwise, or that it refuses."""
    case = packed.case
    kept = tuple(v for v in packed.vectors if not _unfit(judge, v))
    if len(kept) == len(packed.vectors):
        return packed
    return _pack(kept, case.hyperparameters)


def _unfit(judge: Judge, vector: Vector) -> str:
    """Reason why the port cannot be given a vector's weight, or nothing."""
    if vector.kind in judge.port.own_kinds:
        return f"the port's framework stores {vector.kind} weights otherwise"
    if len(vector.gradients[0].shape) in judge.refused_ranks:
        return "the port refuses parameters of so many dimensions"
    return ""


def _pack(
    vectors: tuple[Vector, ...], hyper: Mapping[str, float], *, users: bool = False
) -> _Packed:
    parameters = tuple(v.parameter() for v in vectors)
    count = len(vectors[0].gradients) if vectors else 0
    gradients = tuple(
        {p.name: v.gradients[t] for p, v in zip(parameters, vectors, strict=True)}
        for t in range(count)
    )
    label = f"vector:{vectors[0].id}" if len(vectors) == 1 else "vectors"
    dtype = vectors[0].dtype if vectors else "float32"
    return _Packed(Case(label, parameters, gradients, hyper, dtype), vectors, users)


def _dyadic(judge: Judge) -> dict[str, float]:
    """Hyperparameters whose first step shows Φ(g) best; none for a bare function."""
    return {} if judge.operator else dict(judge.integers.hyperparameters)


def _together(vector: Vector) -> tuple[Any, ...]:
    """Key of the trajectories that one run can hold."""
    return (len(vector.gradients), vector.dtype, sorted(vector.hyperparameters.items()))


def _suits(judge: Judge, vector: Vector) -> bool:
    """Whether a frozen trajectory is about the port's own conventions."""
    chosen, asked = judge.specification.conventions, vector.conventions
    for field in ("momentum", "epsilon"):
        if field in asked and _form(chosen.get(field)) != _form(asked[field]):
            return False
    starts = asked.get("first_momentum")
    if asked.get("momentum") == "ema" and starts != chosen.get("first_momentum"):
        return False
    if asked["decay"] != "none":
        return "weight_decay" in judge.port.takes and all(
            chosen.get(field) == asked[field] for field in ("decay", "placement")
        )
    update = judge.specification.on_update or asked["placement"] == "update"
    return not update and not _not_for(judge, vector)


def _form(value: str) -> str:
    """Return the one of equal forms: a constant learning rate makes no difference of two."""
    return "velocity" if value == "heavy-ball" else value


def _not_for(judge: Judge, vector: Vector) -> str:
    """Reason why a vector says nothing about the port, or nothing."""
    if vector.layout != judge.layout:
        return f"it is {vector.layout}, the port {judge.layout}"
    if vector.dtype not in judge.port.dtypes or vector.dtype in judge.refused:
        return f"the port is not driven in {vector.dtype}"
    if unfit := _unfit(judge, vector):
        return unfit
    if judge.operator and vector.kind not in UNAMBIGUOUS:
        return f"an array does not tell an operator that it is {vector.kind}"
    if vector.algorithm not in ("operator", judge.specification.mode):
        return f"the port is not held to {vector.clause}"
    return ""


def _belongs(vector: Vector, which: Which) -> bool:
    return which == "steps" or ("exact" in vector.flags) == (which == "exact")


def _hold(judge: Judge, packed: _Packed, which: Which) -> Outcome:
    """Hold the vectors of one run that belong to the check."""
    case = packed.case
    pairs = zip(packed.vectors, case.parameters, strict=True)
    chosen = [(v, p) for v, p in pairs if _belongs(v, which)]
    if not chosen or not _driven(judge, case):
        return Outcome("passed")
    found = [(vector, judge.match(case, p)) for vector, p in chosen]
    wrong = [(vector, match) for vector, match in found if not match.within]
    if not wrong:
        judge.vectors_held |= {vector.id for vector, _ in found}
        worst = max((match.comparison for _, match in found), key=lambda c: c.ratio)
        return Outcome("passed", ratio=worst.ratio, ulps=worst.ulps)
    if sums_in_half(judge, case, [match.parameter for _, match in wrong]):
        return Outcome("passed")
    vector, match = min(wrong, key=lambda pair: pair[1].parameter.value.size)
    whose, step = "given" if packed.users else "frozen", match.first_wrong + 1
    message = (
        f"{whose} vectors: {len(wrong)} of {len(chosen)} are off, "
        f"the smallest {vector.id}: {describe(match.parameter)} from step {step} on"
    )
    shown = replace(counterexample(judge, match), case=f"vector:{vector.id}")
    return failed(message, comparison=match.comparison, counterexample=shown)


def _driven(judge: Judge, case: Case) -> bool:
    """Whether the port runs the vectors; one that skips them says so."""
    try:
        return driven(judge, case)
    except SkippedError as error:
        judge.note(str(error))
        return False
