"""``gc-ref report``: read reports, hold them to the schema, render one or join many."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from gc_ref._conformance.cli.output import write
from gc_ref._conformance.cli.output_files import FORMATS, OutputFiles, add_output_options
from gc_ref._conformance.cli.usage import CONFORMS, UsageError
from gc_ref._conformance.reports.report import Report
from gc_ref._conformance.reports.schema import problem, schema_text
from gc_ref._conformance.writing.extras import require
from gc_ref._conformance.writing.files import read_regular
from gc_ref._conformance.writing.words import clean

__all__ = ["add_options", "read_reports", "run"]

DESCRIPTION = """\
Render reports that gc-ref check --json wrote. One report becomes the page (or the Markdown) that
gc-ref check would have written itself; several become one table of ports and checks. Without
--markdown or --html, Markdown goes to the standard output.
"""
EXIT_STATUS = """\
exit status:
  0 rendered, whatever the reports say   2 wrong usage, or a file that is no report
  141 the reader of the output closed it (gc-ref report ... | head)
"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the words of ``gc-ref report``."""
    parser.description, parser.epilog = DESCRIPTION, EXIT_STATUS
    parser.add_argument(
        "files",
        nargs="*",
        metavar="[NAME=]FILE",
        help="that gc-ref check --json wrote, and what its port is to be called here",
    )
    add_output_options(parser, many=True)
    parser.add_argument(
        "--schema", action="store_true", help="print the JSON Schema of reports, and nothing else"
    )


def run(options: argparse.Namespace) -> int:
    """Render reports, whatever their verdicts are."""
    given = [name for name in FORMATS if getattr(options, name, None) is not None]
    if options.schema:
        if options.files or given:
            raise UsageError("--schema goes alone")
        write(schema_text())
        return CONFORMS
    if not options.files:
        raise UsageError("report needs one or more FILEs that gc-ref check --json wrote")
    if not given:
        options.markdown = "-"
    named = [_named(word) for word in options.files]
    options.files = [path for _, path in named]
    outputs = OutputFiles(options)
    reports = read_reports(options.files, [name for name, _ in named])

    def render(name: str) -> str:
        format = FORMATS[name]
        if len(reports) > 1 and format.many is not None:
            return format.many(reports)
        return format.one(reports[0], 1)

    outputs.write(render)
    return CONFORMS


def _named(word: str) -> tuple[str, str]:
    """Split NAME=FILE; a file that is there under the whole word has no name of its own."""
    name, equals, path = word.partition("=")
    return ("", word) if not (equals and name and path) or os.path.exists(word) else (name, path)


def read_reports(paths: Sequence[str], names: Sequence[str] = ()) -> list[Report]:
    """Read reports from files, each of another run; a file may hold a list of them.

    ``names`` are what the ports of the files are called; those of one file keep their own, too.
    Reports of one port differ in versions, backend, suite or seed, or the port has changed
    between: a report that is the same to the last number is the same run given twice.

    Raises
    ------
    UsageError
        With the file and the field that is wrong.
    """
    seen: dict[str, str] = {}
    found = []
    read = [(path, _read(path)) for path in paths]
    require("jsonschema", "gc-ref report")  # now: what is no JSON at all is said before
    for (path, data), name in zip(read, names or [""] * len(paths), strict=True):
        several = _held_to_schema(path, data)
        for report in several:
            key, own = json.dumps(report, sort_keys=True), report["port"]["name"]
            if key in seen:
                words = f"{seen[key]} and {path} are the same run of the same port"
                raise UsageError(f"{words}, {clean(own)}")
            seen[key] = path
            called = own if not name else name if len(several) == 1 else f"{name}: {own}"
            found.append(Report.from_dict({**report, "port": {**report["port"], "name": called}}))
    return found


def _read(path: str) -> Any:
    """Read the report of one port, or the list that ``pytest --gc-ref-json`` writes."""
    try:
        data = read_regular(path)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from error
    except ValueError as error:  # a null byte
        raise UsageError(f"{clean(path)}: no file can have this name") from error
    try:
        found = json.loads(data.decode("utf-8-sig"), parse_constant=_refuse)
    except RecursionError as error:
        raise UsageError(f"{path}: is nested too deeply for a report") from error
    except ValueError as error:
        raise UsageError(
            f"{path}: is no JSON, so no report that gc-ref check --json wrote: {clean(error)}"
        ) from error
    for where, report in _each(path, found):
        if not isinstance(report, dict) or "schema" not in report:
            raise UsageError(f"{where} is no report of gc-ref (it has no field 'schema')")
    if found == []:
        raise UsageError(f"{path}: is an empty list: no port was judged in that session")
    return found


def _each(path: str, found: Any) -> list[tuple[str, Any]]:
    """Return the reports that were read from a file, each with the words that say where it is."""
    if not isinstance(found, list):
        return [(f"{path}:", found)]
    return [(f"{path}: report {number}", report) for number, report in enumerate(found, 1)]


def _held_to_schema(path: str, found: Any) -> list[Mapping[str, Any]]:
    for where, report in _each(path, found):
        if wrong := problem(report):
            raise UsageError(f"{where} {clean(wrong)}")
    return [report for _, report in _each(path, found)]


def _refuse(word: str) -> NoReturn:
    raise ValueError(f"{word} is no number there")
