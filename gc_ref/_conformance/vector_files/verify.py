"""Verify the results of a port that only reads files: a JSON file with an answer to each vector."""

from __future__ import annotations

import functools
import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from gc_ref._conformance.cases.vectors import (
    LATEST,
    RELEASED,
    Vector,
    VectorError,
    frozen,
    versions_up_to,
)
from gc_ref._conformance.catalogue.deviations import DEVIATIONS, Form
from gc_ref._conformance.findings.counterexample import named
from gc_ref._conformance.ports.serialization import ProtocolError, clean, read_number, short
from gc_ref._conformance.vector_files.kills import answers_of, shown_forms, worst
from gc_ref._conformance.vector_files.read import load_all, parse_object

RESULTS = "gc-ref-results/1"
#: How well the failures of port and deviation must agree (0 to 1) for the deviation to be named
#: as the one, and as the nearest.
NAMED, NEAREST = 0.9, 0.5


@dataclass(frozen=True)
class Miss:
    """A vector that the port failed, and the first value that is off."""

    vector: Vector
    words: str  # how the port failed it
    step: int = 0
    position: int = 0
    got: float | None = None  # None where the number of values is wrong
    values: tuple[tuple[float, ...], ...] = ()  # the whole answer, where that number is right

    def shown(self) -> dict[str, Any] | None:
        """Return the first value that is off as JSON has it."""
        if self.got is None:
            return None
        v = self.vector
        return {
            "step": self.step + 1,
            "index": [int(i) for i in np.unravel_index(self.position, v.shape)],
            "expected": named(v.expected[self.step][self.position]),
            "got": named(self.got),
            "bound": named(v.bound[self.step][self.position]),
        }


@dataclass
class Verified:
    """The verdict on a file of results."""

    port: str
    version: str  # of the suite
    passed: list[Vector] = field(default_factory=list)
    missed: list[Miss] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)  # id of the vector -> reason
    missing: list[Vector] = field(default_factory=list)
    #: Ids of vectors with the flag "exact" that are within their bounds, but not bit for bit.
    inexact: list[str] = field(default_factory=list)

    @property
    def count(self) -> int:
        """Number of vectors that the port has answered."""
        return len(self.passed) + len(self.missed)

    @property
    def verdict(self) -> str:
        """``"conforms"``, or ``"deviates"``: also where an answer is missing."""
        return "deviates" if self.missed or self.missing else "conforms"

    @functools.cached_property
    def explained(self) -> tuple[float, tuple[str, ...]]:
        """Deviations that fail the same vectors, and how well that agrees (0 to 1).

        The agreement is the number of vectors that both fail, over those that either does.
        Of several that agree alike, those remain whose answers are nearest to the port's.
        Where none explains every answer, the forms that no released vector names are run.
        """
        failing = {m.vector.id for m in self.missed}
        kills: dict[str, set[str]] = {}
        for vector in (*self.passed, *(m.vector for m in self.missed)):
            for id in vector.kills:
                kills.setdefault(id, set()).add(vector.id)
        agree = {id: len(ids & failing) / len(ids | failing) for id, ids in kills.items()}
        best = max(agree.values(), default=0.0)
        if not failing:
            return 0.0, ()
        alike = [form for id, form in shown_forms() if best and agree.get(id) == best]
        score = {form.id: sum(_answered_like(m, form) for m in self.missed) for form in alike}
        most = max(score.values(), default=0)
        full = best == 1 and most == len(failing)
        if not full and (younger := self._younger()):
            return 1.0, _deviations(younger)
        if best < NEAREST:
            return 0.0, ()
        return best, _deviations(form for form in alike if score[form.id] == most)

    def _younger(self) -> list[Form]:
        """Return the forms that no suite names yet and that answer as the port does."""
        return [
            form
            for _, form in shown_forms()
            if form.since not in RELEASED
            and all(_answered_like(m, form) for m in self.missed)
            and all(worst(v, form) <= 1 for v in self.passed)
        ]

    @property
    def identified(self) -> tuple[str, ...]:
        """Ids of the deviations that explain the failures, nearly all and nearly nothing else."""
        share, names = self.explained
        return names if share >= NAMED else ()

    def to_json(self) -> str:
        """Return the verdict, schema ``gc-ref-verified/1``."""
        rows: list[dict[str, Any]] = []
        for status, vectors in (("passed", self.passed), ("missing", self.missing)):
            rows += [{"id": v.id, "clause": v.clause, "status": status} for v in vectors]
        for m in self.missed:
            row = {"id": m.vector.id, "clause": m.vector.clause, "status": "failed"}
            rows.append(row | {"message": m.words, "counterexample": m.shown()})
        for key, reason in self.skipped.items():
            rows.append({"id": key, "status": "skipped", "message": reason})
        found = {
            "schema": "gc-ref-verified/1",
            "suite_version": self.version,
            "port": self.port,
            "verdict": self.verdict,
            "verified": self.count,
            "identified": list(self.identified),
            "vectors": sorted(rows, key=lambda row: str(row["id"])),
        }
        return json.dumps(found, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _answered_like(miss: Miss, form: Form) -> bool:
    """Whether a form answers a vector that the port failed as the port does, up to rounding."""
    theirs = answers_of(miss.vector, form)
    if theirs is None or len(miss.values) != len(theirs):
        return False
    rows = zip(miss.values, theirs, miss.vector.bound, strict=True)
    values = (value for row in rows for value in zip(*row, strict=True))
    return all(
        abs(g - a) <= 2 * b or g == a or (math.isnan(g) and math.isnan(a))
        for g, a, b in values
        if b < math.inf
    )


def _deviations(forms: Iterable[Form]) -> tuple[str, ...]:
    """Return the ids of the deviations that forms belong to, in the catalogue's order."""
    names = {form.deviation for form in forms}
    return tuple(d for d in DEVIATIONS if d in names)


def verify(
    path: Path | str, *, suite_version: str | None = None, files: Sequence[str] = ()
) -> Verified:
    """Judge the results of a port, vector by vector.

    Parameters
    ----------
    path : path
        File of results, see conformance/vectors/README.md. One that cannot be used raises
        VectorError.
    suite_version : str, optional
        Suite whose vectors are asked for; what the file says, or the latest, by default.
    files : sequence of path
        Files with further vectors of the user's own.
    """
    found = parse_object(path)
    _require_form(found, path)
    said = found.get("suite_version")
    if said and suite_version and said != suite_version:
        raise VectorError(f"{path} is of suite {said}, --suite-version asks for {suite_version}")
    version = suite_version or said or LATEST
    try:
        versions_up_to(version)
    except ValueError as error:
        raise VectorError(f"{path}: {error}" if said else str(error)) from error
    vectors = [v for a in ("operator", "sgdm", "adam") for v in frozen(a, version)]
    vectors += load_all(files).vectors
    results = found["results"]
    known = {v.id for v in vectors}
    if unknown := [key for key in results if key not in known]:
        raise VectorError(
            f"{path} has results for {short(unknown[0])}, which is no vector of suite {version}"
            + (f" ({len(unknown)} such ids)" if len(unknown) > 1 else "")
        )
    verified = Verified(clean(found["port"], 80), version)
    for vector in vectors:
        where = f"{path}: {vector.id}"
        if vector.id not in results:
            verified.missing.append(vector)
        elif isinstance(results[vector.id], dict):
            verified.skipped[vector.id] = _reason(results[vector.id], where)
        else:
            _judge(verified, vector, _values(results[vector.id], where))
    return verified


def _require_form(found: Mapping[str, Any], path: Path | str) -> None:
    """Refuse a file that is no file of results."""
    if found.get("schema") != RESULTS:
        raise VectorError(f'{path} is no file of results: its "schema" must be "{RESULTS}"')
    extra = sorted(set(found) - {"schema", "suite_version", "port", "results"})
    if extra:
        raise VectorError(
            f"{path} has {short(extra[0])}; known: schema, suite_version, port, results"
        )
    for name in ("port", "suite_version"):
        value = found.get(name, "" if name == "port" else LATEST)
        if not isinstance(value, str) or not value.strip():
            raise VectorError(f'{path}: "{name}" is {short(value)}, expected a text')
    if not isinstance(found.get("results"), dict):
        raise VectorError(f'{path}: "results" must be an object, vector id to values')


def _reason(answer: Mapping[str, Any], where: str) -> str:
    """Read why a vector was skipped."""
    reason = answer.get("skipped")
    if set(answer) != {"skipped"} or not isinstance(reason, str) or not reason.strip():
        raise VectorError(f'{where}: expected values, or {{"skipped": "why"}}')
    return clean(reason)


def _values(answer: Any, where: str) -> list[list[float]]:
    """Read the values of one vector: a list for each step."""
    if not isinstance(answer, list) or not all(isinstance(step, list) for step in answer):
        raise VectorError(f"{where}: expected a list of values for each step, in one list")
    try:
        return [[_value(v) for v in step] for step in answer]
    except (ProtocolError, OverflowError) as error:
        raise VectorError(f"{where}: {error}") from error


def _value(value: Any) -> float:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    return read_number(value)


def _judge(verified: Verified, vector: Vector, values: list[list[float]]) -> None:
    """Record whether the answer to a vector is right."""
    miss = _miss(vector, values)
    if miss:
        verified.missed.append(miss)
        return
    verified.passed.append(vector)
    if "exact" in vector.flags and any(
        got != want and not math.isnan(want)
        for row, expected in zip(values, vector.expected, strict=True)
        for got, want in zip(row, expected, strict=True)
    ):
        verified.inexact.append(vector.id)


def _miss(vector: Vector, values: list[list[float]]) -> Miss | None:
    """Return how an answer fails, or None."""
    if len(values) != len(vector.expected):
        return Miss(vector, f"{len(values)} steps, the vector has {len(vector.expected)}")
    size = len(vector.expected[0])
    for step, row in enumerate(values, 1):
        if len(row) != size:
            return Miss(vector, f"{len(row)} values at step {step}, the vector has {size}")
    misses = vector.misses(values)
    if not misses:
        return None
    step, position = misses[0]  # the first step that is off; later ones carry it on
    count = Counter(s for s, _ in misses)[step]
    words = f"{count} of {size} values are off at step {step + 1}"
    kept = tuple(map(tuple, values))
    return Miss(vector, words, step, position, values[step][position], kept)
