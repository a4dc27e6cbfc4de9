"""``gc-ref vectors``: copy the frozen vectors, verify results, freeze findings."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from gc_ref._conformance.cases.vectors import VectorError, folder

__all__ = ["add_vectors_command", "run_vectors_command"]

CONFORMS, DEVIATES, TOO_FEW = 0, 1, 4


def add_vectors_command(vectors: argparse.ArgumentParser, count: Callable[[str], int]) -> None:
    """Add the words of ``gc-ref vectors``."""
    actions = vectors.add_subparsers(dest="action", required=True, metavar="ACTION")

    def add(name: str, words: str) -> argparse.ArgumentParser:
        return actions.add_parser(name, help=words, description=words, allow_abbrev=False)

    copy = add("copy", "copy the frozen vectors, their schema, digest and README into a folder")
    copy.add_argument("folder", metavar="DIR", help="made if it is not there")
    verify = add("verify", "verify the results of a port that only reads files")
    verify.add_argument("file", metavar="RESULTS.json", help="see the vectors' README")
    verify.add_argument("--suite-version", metavar="VERSION")
    verify.add_argument(
        "--vectors", action="append", default=[], metavar="FILE", help="further vectors"
    )
    verify.add_argument("--json", metavar="FILE|-", help="write the result as JSON (- for stdout)")
    verify.add_argument(
        "--min-checks", type=count, default=1, metavar="N", help="vectors that must be answered"
    )
    found = add("add", "freeze what fuzzing found in a report, as vectors for --vectors")
    found.add_argument("report", metavar="REPORT.json", help="of gc-ref check --json")
    found.add_argument("file", metavar="FILE.json", help="made if it is not there")


def run_vectors_command(options: argparse.Namespace) -> tuple[int, str]:
    """Run ``gc-ref vectors``: exit status, and what is wrong where it is no verdict.

    Raises
    ------
    VectorError
        For a file that cannot be used.
    """
    if options.action == "copy":
        print(_copy(Path(options.folder)), end="")
        return CONFORMS, ""
    if options.action == "add":
        from gc_ref._conformance.vector_files.from_report import add_findings

        added, known = add_findings(options.report, options.file)
        for key in added:
            print(f"{options.file}: added {key}")
        for key in known:
            print(f"{options.file}: {key} is there already")
        return CONFORMS, ""
    return _verify(options)


def _verify(options: argparse.Namespace) -> tuple[int, str]:
    from gc_ref._conformance.vector_files.text import render
    from gc_ref._conformance.vector_files.verify import verify

    found = verify(options.file, suite_version=options.suite_version, files=options.vectors)
    print(found.to_json() if options.json == "-" else render(found), end="")
    if options.json and options.json != "-":
        _write(Path(options.json), found.to_json().encode())
    if found.count < options.min_checks:
        return TOO_FEW, (
            f"only {found.count} vectors were verified, --min-checks asks for {options.min_checks}"
        )
    return CONFORMS if found.verdict == "conforms" else DEVIATES, ""


def _copy(target: Path) -> str:
    """Copy all files, or none where one is there already and is another."""
    source = folder()
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
    return "".join(lines)


def _write(path: Path, content: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    except OSError as error:
        raise VectorError(f"{path}: {error.strerror}") from error
