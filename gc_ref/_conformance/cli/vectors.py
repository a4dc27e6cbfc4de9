"""``gc-ref vectors``: copy the frozen vectors, verify results, freeze findings."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from gc_ref._conformance.cases.vectors import VectorError, folder
from gc_ref._conformance.cli.output import write
from gc_ref._conformance.cli.usage import (
    CONFORMS,
    DEVIATES,
    EXIT_STATUS,
    TOO_FEW,
    complain,
    not_empty,
    usage_error_for,
    whole_number,
)
from gc_ref._conformance.vector_files.from_report import add_findings
from gc_ref._conformance.vector_files.text import render
from gc_ref._conformance.vector_files.verify import verify
from gc_ref._conformance.writing.files import write_whole

__all__ = ["add_options", "run"]

DESCRIPTION = """\
Frozen vectors are inputs with their exact expected values and bounds, in files that a program in
any language can read: see the README among them.
"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the words of ``gc-ref vectors``."""
    parser.description, parser.epilog = DESCRIPTION, EXIT_STATUS
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")

    def add(name: str, purpose: str) -> argparse.ArgumentParser:
        return actions.add_parser(name, help=purpose, description=purpose, allow_abbrev=False)

    copy = add("copy", "copy the frozen vectors, their schema, digest and README into a folder")
    copy.add_argument("folder", metavar="DIR", help="made if it is not there")
    verify = add("verify", "verify the results of a port that only reads files")
    verify.add_argument("file", metavar="RESULTS.json", help="see the vectors' README")
    verify.add_argument("--suite-version", metavar="VERSION")
    verify.add_argument(
        "--vectors",
        type=not_empty,
        action="append",
        default=[],
        metavar="FILE",
        help="further vectors",
    )
    verify.add_argument(
        "--json",
        type=not_empty,
        metavar="FILE|-",
        help="write the result as JSON (- for stdout)",
    )
    verify.add_argument(
        "--min-checks",
        type=whole_number,
        default=1,
        metavar="N",
        help="vectors that must be answered",
    )
    found = add("add", "freeze what fuzzing found in a report, as vectors for --vectors")
    found.add_argument("report", metavar="REPORT.json", help="of gc-ref check --json")
    found.add_argument("file", metavar="FILE.json", help="made if it is not there")


def run(options: argparse.Namespace) -> int:
    """Copy, verify or add vectors."""
    action = {"copy": _copy, "verify": _verify, "add": _add}[options.action]
    with usage_error_for(VectorError):
        return action(options)


def _add(options: argparse.Namespace) -> int:
    added, known = add_findings(options.report, options.file)
    for id in added:
        write(f"{options.file}: added {id}\n")
    for id in known:
        write(f"{options.file}: {id} is there already\n")
    return CONFORMS


def _verify(options: argparse.Namespace) -> int:
    if options.json not in (None, "-"):
        for path in (options.file, *options.vectors):
            if os.path.realpath(path) == os.path.realpath(options.json):
                raise VectorError(f"{path} and --json name the same file: it would be lost")
    found = verify(options.file, suite_version=options.suite_version, files=options.vectors)
    write(found.to_json() if options.json == "-" else render(found), utf8=options.json == "-")
    if options.json not in (None, "-"):
        _write(Path(options.json), found.to_json().encode())
    if found.count < options.min_checks:
        return complain(
            TOO_FEW,
            f"only {found.count} vectors were verified, --min-checks asks for {options.min_checks}",
        )
    return CONFORMS if found.verdict == "conforms" else DEVIATES


def _copy(options: argparse.Namespace) -> int:
    """Copy all files, or none where one is there already and is another."""
    source, target = folder(), Path(options.folder)
    names = sorted(p.relative_to(source) for p in source.rglob("*") if p.is_file())
    if not names:
        raise VectorError(f"no vectors in {source}: this installation of gc-ref is broken")
    try:
        there = {n: (target / n).read_bytes() for n in names if (target / n).exists()}
    except OSError as error:
        raise VectorError(f"{error.filename}: {error.strerror}") from error
    other = [n for n, old in there.items() if old != (source / n).read_bytes()]
    if other:
        raise VectorError(f"{target / other[0]} is there and differs: nothing was written")
    lines = []
    for name in names:
        if name not in there:
            _write(target / name, (source / name).read_bytes())
        lines.append(f"{target / name}{' (unchanged)' if name in there else ''}\n")
    write("".join(lines))
    return CONFORMS


def _write(path: Path, content: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(os.path.realpath(path), content)
    except OSError as error:
        raise VectorError(f"{path}: {error.strerror}") from error
