"""Write the list of known failures from a run (``gc-ref check ... --accept FILE.toml``).

The file keeps what it says of other ports, and the reasons of what still fails; its comments
are lost, as the help says. New entries have the reason ``""``: until it is filled in,
``--expected`` refuses the file. The run's exit status is not changed by it, so that accepting
is never green by itself.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from gc_ref._conformance.catalogue.deviations import DEVIATIONS
from gc_ref._conformance.cli.output_files import problem_of, write_whole
from gc_ref._conformance.findings.check_report import Expectation
from gc_ref._conformance.known_failures.expectations import ExpectationError, read_file
from gc_ref._conformance.known_failures.toml import tables
from gc_ref._conformance.reports.words import clean, counted

if TYPE_CHECKING:
    from gc_ref._conformance.reports.report import Report

__all__ = ["accept", "read_before", "write_file"]

#: How a file begins.
HEAD = (
    "# Known failures, as gc-ref check --accept writes them: say in each reason why it fails.\n\n"
)
Known = Mapping[str, Mapping[str, Expectation]]


def read_before(path: str) -> Known:
    """Read what the file has before the run, so that a broken one is told at once.

    Raises
    ------
    ExpectationError
        If it is there and wrong, or could not be written.
    """
    if path == "-":
        raise ExpectationError("--accept - names no file: the list is kept and filled in, name one")
    if problem := "no file can have this name" if "\0" in path else problem_of(_goal(path)):
        raise ExpectationError(f"--accept {clean(path)}: {problem}")
    if not os.path.lexists(path) or (os.path.isfile(path) and not os.path.getsize(path)):
        return {}
    return read_file(path, blank_reasons=True)


def accept(report: Report, path: str, before: Known) -> str:
    """Write the failures of a run into a file; return what was done, in a line.

    Raises
    ------
    ExpectationError
        If there is nothing to accept, if only fuzzing found a failure, or if the file cannot
        be written: it is left as it is.
    """
    name = str(report.port["name"])
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
    if not failed:
        undecided = report.with_status("indeterminate")
        why = "no check failed, some were undecided" if undecided else "nothing failed"
        hint = f"; remove what it lists for {name}" if name in before else ""
        raise ExpectationError(f"{path} is not written: {why}{hint}")
    old = before.get(name, {})
    new = {c.id: _entry(c.id, report.identified, old.get(c.id)) for c in failed}
    write_file(path, {**before, name: new})
    gone = [id for id in old if id not in new]
    blank = [id for id, entry in new.items() if not entry.reason.strip()]
    words = f"{path}: {counted(len(new), 'known failure')} of {name}"
    if gone:
        words += f"; removed, as they fail no more: {', '.join(gone)}"
    if blank:
        words += f"; fill in the reason of {', '.join(blank)}"
    return words


def _entry(check: str, identified: tuple[str, ...], old: Expectation | None) -> Expectation:
    """Return the entry of a failed check, with the deviation if exactly one explains it."""
    explains = [d for d in identified if len(identified) == 1 or check in DEVIATIONS[d].checks]
    deviation = explains[0] if len(explains) == 1 else None
    if old is None:
        return Expectation("", None, deviation)
    if old.deviation in identified:
        deviation = old.deviation
    return Expectation(old.reason, old.issue, deviation)


def write_file(path: str, known: Known) -> None:
    """Write a list of known failures, whole or not at all.

    Raises
    ------
    ExpectationError
        If it cannot be written.
    """
    found = [
        ((port, check), entry.to_json())
        for port, entries in known.items()
        for check, entry in entries.items()
    ]
    try:
        write_whole(_goal(path), (HEAD + tables(found, "ports")).encode())
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise ExpectationError(f"{path} cannot be written: {why}") from error


def _goal(path: str) -> str:
    return os.path.realpath(path)  # what a link points to is replaced
