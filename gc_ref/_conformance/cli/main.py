"""The command ``gc-ref``."""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Sequence

from gc_ref._conformance.adapters.calls import process_kept
from gc_ref._conformance.cases.vectors import VectorError, versions_up_to
from gc_ref._conformance.catalogue.checks import CHECKS
from gc_ref._conformance.catalogue.deviations import DEVIATIONS
from gc_ref._conformance.cli.explain import explain, listed
from gc_ref._conformance.cli.options import USAGE, parse_words
from gc_ref._conformance.cli.outputs import Outputs
from gc_ref._conformance.cli.port_options import port_of
from gc_ref._conformance.cli.report import join
from gc_ref._conformance.cli.targets import UsageError
from gc_ref._conformance.cli.vectors import run_vectors_command
from gc_ref._conformance.known_failures.accept import accept, read_before
from gc_ref._conformance.known_failures.expectations import ExpectationError, read_file, sections_of
from gc_ref._conformance.ports.port import PortError
from gc_ref._conformance.reports.report import Report
from gc_ref._conformance.reports.words import counted
from gc_ref._conformance.running.progress import watching
from gc_ref._conformance.running.run import judge_port
from gc_ref._conformance.vector_files.read import load_all
from gc_ref._conformance.wrong_ports.make import FRAMEWORKS

__all__ = ["main"]

CONFORMS, DEVIATES, NOT_DRIVEN, TOO_FEW = 0, 1, 3, 4


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status.

    Parameters
    ----------
    argv : sequence of str, optional
        Words after ``gc-ref``; those of the process by default.

    Returns
    -------
    int
        0 conforms, 1 deviates, 2 usage, 3 not loaded or driven, 4 too few checks.

    Examples
    --------
    >>> main(["check", "--max-examples", "0", "--json", "/dev/null"])  # doctest: +ELLIPSIS
    CONFORMS: ...
    0
    """
    for stream in (sys.stdout, sys.stderr):  # Φ on an ASCII terminal must not be the end
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    options = parse_words(argv)
    try:
        if options.command == "explain":
            print(explain(options.id) if options.id else listed(), end="")
            return 0
        if options.command == "selftest":
            return _selftest(options)
        if options.command == "vectors":
            status, problem = run_vectors_command(options)
            return _complain(status, problem) if problem else status
        if options.command == "report":
            return join(options)
        return _judge(options)
    except (UsageError, ExpectationError, VectorError) as error:
        return _complain(USAGE, str(error))
    except PortError as error:
        return _complain(NOT_DRIVEN, str(error))


def _judge(options: argparse.Namespace) -> int:
    """Run ``check`` or ``identify``: the same judgment, shown in two ways."""
    outputs = Outputs(options)  # what cannot be written is said before the run, not after
    try:
        versions_up_to(options.suite_version)
        given = load_all(options.vectors)
    except ValueError as error:
        raise UsageError(str(error)) from error
    known = read_file(options.expected) if options.expected else None
    before = read_before(options.accept) if options.accept else None
    with (
        process_kept(),
        watching(sys.stderr, total=len(CHECKS), verbose=options.verbose) as watch,
    ):
        port = port_of(options)
        expected = sections_of([port.name], known, options.expected)[port.name] if known else None
        report = judge_port(
            port, suite=options.suite, seed=options.seed, max_examples=options.max_examples,
            suite_version=options.suite_version, given=given, watch=watch, replays=True,
            unshrunk=CHECKS if options.accept else (), expectations=expected,
        )  # fmt: skip
    if outputs.direct is None:
        try:
            print(report.to_text(identify=options.command == "identify"), end="", flush=True)
        except OSError as error:
            raise UsageError(f"standard output: {error.strerror}") from error
    outputs.write({
        "json": report.to_json, "markdown": report.to_markdown, "html": report.to_html,
        "badge": lambda: report.to_badge(least=options.min_checks),
    })  # fmt: skip
    if before is not None and report.verdict != "error":
        _complain(0, accept(report, options.accept, before))
    return _status(report, options.min_checks)


def _status(report: Report, least: int) -> int:
    if report.verdict == "error":
        return NOT_DRIVEN
    ran = report.checks_run
    if not ran and least == 1:  # as it is unless told otherwise
        return _complain(TOO_FEW, "no check said anything of the port, so nothing was judged")
    if ran < least:
        return _complain(
            TOO_FEW, f"only {counted(ran, 'check')} ran, --min-checks asks for {least}"
        )
    return CONFORMS if report.verdict == "conforms" else DEVIATES


def _selftest(options: argparse.Namespace) -> int:
    """Print the kill matrix as it grows."""
    from gc_ref._conformance.running import selftest

    chosen = options.deviation or list(DEVIATIONS)
    if unknown := sorted(set(chosen) - set(DEVIATIONS)):
        raise UsageError(f"--deviation {unknown[0]}: unknown; known: {', '.join(DEVIATIONS)}")
    there = selftest.installed()
    frameworks = options.framework or there
    if missing := sorted(set(frameworks) - set(there)):
        raise UsageError(f"--framework {missing[0]}: not installed")
    print(selftest.legend(), end="\n\n")
    missed = total = 0
    for row in selftest.rows(frameworks, seed=options.seed, only=chosen.__contains__):
        print(selftest.line(row), flush=True)
        total, missed = total + 1, missed + (not row.killed)
    absent = [f for f in FRAMEWORKS if f not in frameworks]
    print(f"\n{total - missed} of {total} ports judged as they must be; " + (
        f"not judged: {', '.join(absent)}" if absent else "in all frameworks"
    ))  # fmt: skip
    return DEVIATES if missed else CONFORMS


def _complain(status: int, message: str) -> int:
    if sys.stdout is not None:  # as it is where it was closed
        sys.stdout.flush()
    print(f"gc-ref: {message}", file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main())
