"""Judge the field again: `python conformance/run_field.py`.

Each row of the records is judged by `gc-ref check` in a process of its own, in the virtual
environment that the row names, and held to its record: verdict, failed checks, identified
deviations. What each run said is kept as JSON in the folder `--output`.
"""

from __future__ import annotations

import argparse
import contextlib
import fnmatch
import importlib.util
import sys
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from field.environments import ROOT, build, names, prepare
from field.judging import Outcome, differences, judge, run_name, run_names
from field.records import HERE, Records, Row, read_all, write
from field.registry import explained


@dataclass(frozen=True)
class Run:
    """A row to judge, on one backend of Keras if it has several."""

    row: Row
    backend: str = ""

    @property
    def name(self) -> str:
        return run_name(self.row, self.backend)


def main(argv: list[str] | None = None, folder: Path = HERE) -> int:
    arguments = parsed(argv)
    files = read_all(folder)
    rows = [row for records in files.values() for row in records.rows]
    chosen = select(rows, arguments.only, arguments.environment)
    if not chosen:
        print("run_field: no row of the records is chosen", file=sys.stderr)
        return 2
    runs = [Run(row, backend) for row in chosen for backend in row.keras_backends or ("",)]
    pythons = environments(chosen, arguments)
    found = judged(runs, pythons, arguments)
    if arguments.record:
        recorded(files, found)
        return 0
    return compared(runs, found)


def parsed(argv: list[str] | None) -> argparse.Namespace:
    first, rest = __doc__.split("\n\n", 1)
    parser = argparse.ArgumentParser(description=f"{first}\n\n{rest}")
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--only", nargs="+", metavar="NAME", help="rows; * stands for any letters")
    parser.add_argument("--environment", choices=names(), help="only rows of this environment")
    parser.add_argument("--jobs", type=number, default=1, metavar="N", help="how many at once (1)")
    parser.add_argument("--resume", action="store_true", help="keep what --output has already")
    parser.add_argument("--output", type=Path, metavar="FOLDER", help="for JSON (build/field)")
    parser.add_argument("--python", metavar="PATH", help="judge with this Python; build nothing")
    parser.add_argument("--record", action="store_true", help="write what was found as the record")
    parser.set_defaults(output=ROOT / "build" / "field")
    return parser.parse_args(argv)


def number(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 up")
    return int(text)


def select(rows: Iterable[Row], only: list[str] | None, environment: str | None) -> list[Row]:
    """The rows of an environment whose names match; a name that matches no row ends the run."""
    rows = list(rows)
    for pattern in only or ():
        if not fnmatch.filter([row.name for row in rows], pattern):
            print(f"run_field: no row is called {pattern!r}", file=sys.stderr)
            raise SystemExit(2)
    return [
        row
        for row in rows
        if environment in (None, row.environment)
        and (only is None or any(fnmatch.fnmatchcase(row.name, pattern) for pattern in only))
    ]


def environments(rows: list[Row], arguments: argparse.Namespace) -> dict[str, str]:
    """The Python of each environment."""
    prepare({need for row in rows for need in row.needs})
    wanted = sorted({row.environment for row in rows})
    if arguments.python:
        return dict.fromkeys(wanted, arguments.python)
    folder = arguments.output / "environments"
    pythons = {}
    for name in wanted:
        print(f"environment {name}", file=sys.stderr, flush=True)
        pythons[name] = str(build(name, folder))
    return pythons


def judged(
    runs: list[Run], pythons: Mapping[str, str], arguments: argparse.Namespace
) -> dict[str, Outcome]:
    """Judge them, some at once; what is kept already is not judged again if so asked."""
    kept = arguments.output / "json"
    kept.mkdir(parents=True, exist_ok=True)
    found = {}
    for run in runs if arguments.resume else ():
        path = kept / f"{run.name}.json"
        if path.is_file() and (old := Outcome.read(path)).command == run.row.command:
            found[run.name] = old
    todo = [run for run in runs if run.name not in found]

    def one(run: Run) -> Outcome:
        return judge(run.row, python=pythons[run.row.environment], backend=run.backend)

    with ThreadPoolExecutor(arguments.jobs) as pool, progress(len(todo)) as tell:
        for future in as_completed([pool.submit(one, run) for run in todo]):
            outcome = future.result()
            outcome.write(kept / f"{outcome.name}.json")
            found[outcome.name] = outcome
            tell(outcome)
    return found


@contextlib.contextmanager
def progress(total: int) -> Iterator:
    """A bar on a terminal if tqdm is there, else a line for each run."""
    if sys.stderr.isatty() and importlib.util.find_spec("tqdm"):
        from tqdm import tqdm

        with tqdm(total=total, unit="run") as bar:

            def tell(outcome: Outcome) -> None:
                bar.set_postfix_str(outcome.name)
                bar.update()

            yield tell
    else:
        count = iter(range(1, total + 1))

        def tell(outcome: Outcome) -> None:
            print(f"[{next(count)}/{total}] {outcome.name}", file=sys.stderr, flush=True)

        yield tell


def compared(runs: list[Run], found: Mapping[str, Outcome]) -> int:
    """Print a table of what was found against the records; 1 if anything differs."""
    wide = max(len(run.name) for run in runs)
    wrong = 0
    for run in runs:
        outcome = found[run.name]
        said = differences(run.row, outcome)
        wrong += bool(said)
        result = f"DIFFERS: {'; '.join(said)}" if said else "as recorded"
        print(f"{run.name:{wide}}  {outcome.verdict:8}  {outcome.seconds:6.1f} s  {result}")
    judged_rows = f"{len(runs)} runs" if len(runs) > 1 else "1 run"
    print(f"{judged_rows}, {wrong} not as recorded" if wrong else f"{judged_rows}, as recorded")
    return int(wrong > 0)


def recorded(files: Mapping[str, Records], found: Mapping[str, Outcome]) -> None:
    """Write what was found into the files of records, each whose rows were judged.

    A file says when, and by what, all its rows were judged: not of a run of some of them.
    """
    for records in files.values():
        rows = [with_outcome(row, found) for row in records.rows]
        new = tuple(row or old for row, old in zip(rows, records.rows, strict=True))
        if not any(rows):
            continue
        run = origin(records, found) if all(rows) else records.run
        write(replace(records, rows=new, run=run))


def origin(records: Records, found: Mapping[str, Outcome]) -> dict[str, Any]:
    """When rows were judged, the oldest counts, and by which versions."""
    outcomes = [found[name] for row in records.rows for name in run_names(row)]
    reports = [outcome.report for outcome in outcomes if outcome.report]
    versions = sorted({report["environment"]["gc_ref"] for report in reports})
    suites = sorted({f"{report['suite']} {report['suite_version']}" for report in reports})
    return {
        "date": min(outcome.date for outcome in outcomes),
        "gc_ref": ", ".join(versions),
        "suite": ", ".join(suites),
        "seed": 0,
    }


def with_outcome(row: Row, found: Mapping[str, Outcome]) -> Row | None:
    """A row as its runs found it; None if it was not judged."""
    outcomes = [found.get(name) for name in run_names(row)]
    judged = [outcome for outcome in outcomes if outcome is not None]
    if len(judged) < len(outcomes):
        return None
    one, *others = judged
    new = replace(
        row, verdict=one.verdict, failed=tuple(one.failed), identified=tuple(one.identified)
    )
    for other in others:
        if said := differences(new, other):
            raise SystemExit(f"run_field: {other.name} is not as {one.name}: {'; '.join(said)}")
    if one.verdict.startswith("status"):
        raise SystemExit(f"run_field: {one.name} has no verdict: {one.verdict}, {one.said}")
    return explained(row, new, one)


if __name__ == "__main__":
    sys.exit(main())
