"""Verify the results of a port that only reads files: one answer to each vector, in a JSON file."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from gc_ref._conformance.cases.vectors import (
    LATEST,
    Vector,
    VectorError,
    frozen,
    versions_up_to,
)
from gc_ref._conformance.catalogue.deviations import DEVIATIONS, Form
from gc_ref._conformance.findings.counterexample import named
from gc_ref._conformance.ports.numbers import ProtocolError, clean, read_number, short
from gc_ref._conformance.vector_files.kills import answers_of, shown_forms
from gc_ref._conformance.vector_files.read import load_all, parse_object

__all__ = ["RESULTS", "Miss", "Verified", "verify"]

RESULTS = "gc-ref-results/1"
#: Share of the failures and of what a deviation fails that must agree for its name to be said.
NAMED, NEAREST = 0.9, 0.5


@dataclass(frozen=True)
class Miss:
    """A vector that an answer fails: how, and its worst value, where it has one."""

    vector: Vector
    words: str
    step: int = 0
    position: int = 0
    got: float | None = None
    values: tuple[tuple[float, ...], ...] = ()  # where there are as many as there must be

    def shown(self) -> dict[str, Any] | None:
        """Return the worst value as JSON has it."""
        if self.got is None:
            return None
        v, shape = self.vector, self.vector.shape
        index = [int(i) for i in np.unravel_index(self.position, shape or (1,))] if shape else []
        return {
            "step": self.step + 1,
            "index": index,
            "expected": named(v.expected[self.step][self.position]),
            "got": named(self.got),
            "bound": named(v.bound[self.step][self.position]),
        }


@dataclass
class Verified:
    """What came out: the ids of the vectors, by what was found."""

    port: str
    version: str
    passed: list[Vector] = field(default_factory=list)
    missed: list[Miss] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)
    missing: list[Vector] = field(default_factory=list)
    #: Vectors flagged "exact" that are within their bounds, but not bit for bit.
    inexact: list[str] = field(default_factory=list)

    @property
    def count(self) -> int:
        """Number of vectors that the port has answered."""
        return len(self.passed) + len(self.missed)

    @property
    def verdict(self) -> str:
        """``"conforms"``, or ``"deviates"``: also where an answer is missing."""
        return "deviates" if self.missed or self.missing else "conforms"

    def explained(self) -> tuple[float, tuple[str, ...]]:
        """Deviations that would fail the same vectors, and how well that agrees (0 to 1).

        The agreement is the number of vectors that both fail, over those that either does.
        Of several that agree alike, those remain whose answers are nearest to the port's.
        """
        failing = {m.vector.id for m in self.missed}
        kills: dict[str, set[str]] = {}
        for vector in (*self.passed, *(m.vector for m in self.missed)):
            for id in vector.kills:
                kills.setdefault(id, set()).add(vector.id)
        agree = {id: len(ids & failing) / len(ids | failing) for id, ids in kills.items()}
        best = max(agree.values(), default=0.0)
        if not failing or best < NEAREST:
            return 0.0, ()
        alike = [form for id, form in shown_forms() if agree.get(id) == best]
        if len({form.deviation for form in alike}) > 1:
            score = {form.id: self._answers_like(form) for form in alike}
            alike = [form for form in alike if score[form.id] == max(score.values())]
        names = {form.deviation for form in alike}
        return best, tuple(d for d in DEVIATIONS if d in names)

    def _answers_like(self, form: Form) -> int:
        """Number of failed vectors that a form answers as the port does, up to rounding."""
        count = 0
        for miss in self.missed:
            theirs = answers_of(miss.vector, form)
            if theirs is not None and miss.values and len(miss.values) == len(theirs):
                count += all(
                    abs(g - a) <= 2 * b
                    for got, answer, bound in zip(
                        miss.values, theirs, miss.vector.bound, strict=True
                    )
                    for g, a, b in zip(got, answer, bound, strict=True)
                    if b < math.inf
                )
        return count

    @property
    def identified(self) -> tuple[str, ...]:
        """Ids of the deviations that explain the failures, nearly all and nearly nothing else."""
        share, names = self.explained()
        return names if share >= NAMED else ()

    def to_json(self) -> str:
        """Return the result, schema ``gc-ref-verified/1``."""
        rows: dict[str, dict[str, Any]] = {}
        for v in self.passed:
            rows[v.id] = {"clause": v.clause, "status": "passed"}
        for m in self.missed:
            rows[m.vector.id] = {
                "clause": m.vector.clause, "status": "failed", "message": m.words,
                "counterexample": m.shown(),
            }  # fmt: skip
        for v in self.missing:
            rows[v.id] = {"clause": v.clause, "status": "missing"}
        for key, reason in self.skipped.items():
            rows[key] = {"status": "skipped", "message": reason}
        found = {
            "schema": "gc-ref-verified/1",
            "suite_version": self.version,
            "port": self.port,
            "verdict": self.verdict,
            "verified": self.count,
            "identified": list(self.identified),
            "vectors": [{"id": key, **rows[key]} for key in sorted(rows)],
        }
        return json.dumps(found, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def verify(
    path: Path | str, *, suite_version: str | None = None, files: Sequence[str] = ()
) -> Verified:
    """Hold the results of a port against the vectors.

    Parameters
    ----------
    path : path
        File of results, see conformance/vectors/README.md.
    suite_version : str, optional
        Suite whose vectors are asked for; what the file says, or the latest, by default.
    files : sequence of path
        Further vectors, of the user.

    Raises
    ------
    VectorError
        If the file cannot be used.
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
        _sort_in(verified, vector, results, path)
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


def _sort_in(
    verified: Verified, vector: Vector, results: Mapping[str, Any], path: Path | str
) -> None:
    """Put one vector where it belongs."""
    if vector.id not in results:
        verified.missing.append(vector)
        return
    answer = results[vector.id]
    if isinstance(answer, dict):
        reason = answer.get("skipped")
        if set(answer) != {"skipped"} or not isinstance(reason, str) or not reason.strip():
            raise VectorError(f'{path}: {vector.id}: expected values, or {{"skipped": "why"}}')
        verified.skipped[vector.id] = clean(reason)
        return
    values = _values(answer, f"{path}: {vector.id}")
    miss = _miss(vector, values)
    if miss:
        verified.missed.append(miss)
        return
    verified.passed.append(vector)
    if "exact" in vector.flags and any(
        g != e and e == e for got, want in zip(values, vector.expected, strict=True)
        for g, e in zip(got, want, strict=True)
    ):  # fmt: skip
        verified.inexact.append(vector.id)


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


def _miss(vector: Vector, values: list[list[float]]) -> Miss | None:
    """Say how an answer fails, or nothing."""
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
