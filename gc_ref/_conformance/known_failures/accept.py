"""Write the list of known failures from a run (``gc-ref check ... --accept FILE.toml``).

The file keeps its comments and its layout, what it says of other ports, and the reasons of what
still fails; entries of what fails no more go. Where none is left, the heading of the port's
section stays: ``--expected`` takes it for a port of which no failure is known. New entries have the
reason ``""``: until it is filled in, ``--expected`` refuses the file. The exit status of the run is
not changed by it, so that accepting is never green by itself. What cannot be accepted or written is
an `ExpectationError`, and the file is left as it is.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from gc_ref._conformance.catalogue.deviations import DEVIATIONS
from gc_ref._conformance.findings.check_report import Expectation
from gc_ref._conformance.known_failures.expectations import (
    ExpectationError,
    parse_file,
    read_text,
)
from gc_ref._conformance.known_failures.rewrite import rewritten
from gc_ref._conformance.reports.model import ReportData
from gc_ref._conformance.writing.extras import require
from gc_ref._conformance.writing.files import problem_of, write_whole
from gc_ref._conformance.writing.words import clean, counted


def refuse_early(path: str) -> None:
    """Refuse, before the run, a file that could not be written or that has a mistake in it.

    Without tomlkit none can be written (`MissingExtraError`).
    """
    require("tomlkit", "--accept")
    if path == "-":
        raise ExpectationError("--accept - names no file: the list is kept and filled in, name one")
    if problem := "no file can have this name" if "\0" in path else problem_of(_goal(path)):
        raise ExpectationError(f"--accept {clean(path)}: {problem}")
    _read(path)


def accept(report: ReportData, path: str) -> str:
    """Write the failures of a run into a file; return what was done, in a line."""
    name = str(report.port["name"])
    _, before = _read(path)
    failed = report.with_status("failed")
    if report.verdict == "error":
        raise ExpectationError(
            f"{path} is not written: {name} could not be judged to the end, so nothing is known"
        )
    if fuzzed := [c.id for c in failed if c.fuzzed]:
        raise ExpectationError(
            f"{path} is not written: only fuzzing found {', '.join(fuzzed)} wrong, which another "
            "run may not. Freeze it first: gc-ref check ... --json REPORT.json, then gc-ref "
            "vectors add REPORT.json FILE.json, and judge with --vectors FILE.json"
        )
    old = before.get(name, {})
    undecided = [c.id for c in report.with_status("indeterminate") if c.id in old]
    new = {id: old[id] for id in undecided}
    new |= {c.id: _entry(c.id, report.identified, old.get(c.id)) for c in failed}
    if not old and not new:
        return f"{path} is not written: no check failed, and it lists nothing of {name}"
    write_entries(path, name, new)
    words = f"{path}: {counted(len(new), 'known failure')} of {name}"
    if gone := [id for id in old if id not in new]:
        words += f"; removed, as they fail no more: {', '.join(gone)}"
    if undecided:
        words += f"; kept, as this run could not decide: {', '.join(undecided)}"
    if not new:
        words += "; its section stays, with no entry: --expected holds the port to all checks"
    if other := [id for id, entry in new.items() if id in old and _explained_anew(old[id], entry)]:
        words += "; now explained by another deviation, see whether the reason holds of "
        words += ", ".join(other)
    if blank := [id for id, entry in new.items() if not entry.reason.strip()]:
        words += f"; fill in the reason of {', '.join(blank)}"
    return words


def _entry(check: str, identified: Sequence[str], old: Expectation | None) -> Expectation:
    """Return the entry of a failed check, with the deviation if exactly one explains it."""
    explains = [d for d in identified if len(identified) == 1 or check in DEVIATIONS[d].checks]
    deviation = explains[0] if len(explains) == 1 else None
    if old is None:
        return Expectation("", None, deviation)
    if old.deviation in identified:
        deviation = old.deviation
    return Expectation(old.reason, old.issue, deviation)


def _explained_anew(old: Expectation, new: Expectation) -> bool:
    """Whether an entry with a reason has another deviation than before."""
    return bool(old.reason.strip()) and old.deviation not in (None, new.deviation)


def write_entries(path: str, port: str, entries: Mapping[str, Expectation]) -> None:
    """Write what a list says of one port, whole or not at all."""
    text, _ = _read(path)
    try:
        write_whole(_goal(path), rewritten(text, port, entries).encode())
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise ExpectationError(f"{path} cannot be written: {why}") from error


def _read(path: str) -> tuple[str, Mapping[str, Mapping[str, Expectation]]]:
    """Return the text of a list and what it says; nothing of one that is still to be made."""
    text = read_text(path) if os.path.lexists(path) else ""
    return text, parse_file(text, path, unfinished=True)


def _goal(path: str) -> str:
    return os.path.realpath(path)  # what a link points to is replaced
