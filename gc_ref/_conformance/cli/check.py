"""``gc-ref check``: judge a port, print the report, write it to files."""

from __future__ import annotations

import argparse
import sys

from gc_ref._conformance.adapters.shared.calls import process_kept
from gc_ref._conformance.catalogue.checks import CHECKS
from gc_ref._conformance.cli.output import write
from gc_ref._conformance.cli.output_files import FORMATS, OutputFiles, add_output_options
from gc_ref._conformance.cli.port_arguments import (
    add_port_arguments,
    port_of,
    refuse_base_without_kind,
)
from gc_ref._conformance.cli.targets import KINDS, files_of_target, import_path_kept
from gc_ref._conformance.cli.usage import (
    CONFORMS,
    DEVIATES,
    EXIT_STATUS,
    NOT_DRIVEN,
    TOO_FEW,
    complain,
    not_empty,
    usage_error_for,
    whole_number,
)
from gc_ref._conformance.known_failures.accept import accept, refuse_early
from gc_ref._conformance.known_failures.expectations import ExpectationError, read_file, sections_of
from gc_ref._conformance.reports.report import Report
from gc_ref._conformance.running.judge_port import DEFAULT_EXAMPLES, RunOptions, judge_port
from gc_ref._conformance.running.progress import show_progress
from gc_ref._conformance.vector_files.read import load_all
from gc_ref._conformance.writing.words import counted

__all__ = ["add_judging_options", "add_options", "judge", "run"]

#: Last line of a report that is not whole.
MORE = "--verbose: what each check saw, with its numbers, and what each convention means\n"
DESCRIPTION = """\
Judge an implementation ("port") of Gradient Centralization.

TARGET is exec:COMMAND, or KIND:MODULE_OR_FILE.py:ATTRIBUTE, where KIND is
{kinds}
exec:COMMAND is a program in any language that answers lines of JSON, as
conformance/PROTOCOL.md says; quote it: 'exec:./my_port sgdm'.
Without a TARGET the NumPy reference itself is judged.
"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the words of ``gc-ref check``."""
    kinds = [f"  {name:9} {kind.purpose}" for name, kind in KINDS.items() if kind.purpose]
    parser.description = DESCRIPTION.format(kinds="\n".join(kinds))
    add_judging_options(parser)
    listed = parser.add_argument_group("known failures")
    known = listed.add_mutually_exclusive_group()
    known.add_argument(
        "--expected",
        type=not_empty,
        metavar="FILE.toml",
        help="strict list of known failures, of this port among others",
    )
    known.add_argument(
        "--accept",
        type=not_empty,
        metavar="FILE.toml",
        help="write that list from this run, reasons left to you, and take out what fails no more; "
        "comments, layout and what the file says of other ports stay",
    )


def add_judging_options(parser: argparse.ArgumentParser) -> None:
    """Add what ``gc-ref check`` and ``gc-ref identify`` both take."""
    parser.epilog = EXIT_STATUS
    parser.set_defaults(expected=None, accept=None)
    add_port_arguments(parser)
    amount = parser.add_argument_group("how much is run")
    amount.add_argument(
        "--suite", choices=DEFAULT_EXAMPLES, default="quick", help="seconds, or a night (quick)"
    )
    amount.add_argument(
        "--suite-version", metavar="VERSION", help="leave out frozen vectors that came after it"
    )
    amount.add_argument(
        "--vectors",
        type=not_empty,
        action="append",
        default=[],
        metavar="FILE",
        help="judge these vectors too",
    )
    amount.add_argument(
        "--max-examples", type=whole_number, metavar="N", help="fuzzed examples per check"
    )
    amount.add_argument(
        "--seed", type=whole_number, default=0, metavar="N", help="of the random cases (0)"
    )
    output = parser.add_argument_group("output")
    add_output_options(output)
    output.add_argument(
        "--verbose",
        action="store_true",
        help="print the whole report, and on standard error what runs (else a bar there)",
    )
    amount.add_argument(
        "--min-checks",
        type=whole_number,
        default=1,
        metavar="N",
        help="status 4 if fewer checks said anything; known failures count (1)",
    )


def run(options: argparse.Namespace) -> int:
    """Judge the port and print the whole report."""
    return judge(options, identify=False)


def judge(options: argparse.Namespace, *, identify: bool) -> int:
    """Judge the port that the options name, and print the report or the diagnosis alone."""
    refuse_base_without_kind(options)
    named = {"TARGET": options.target, "--base": options.base}
    outputs = OutputFiles(options, {n: files_of_target(t) for n, t in named.items() if t})
    with usage_error_for(ValueError):
        run_options = RunOptions(
            options.suite, options.seed, options.max_examples, options.suite_version
        )
        given = load_all(options.vectors)
        known = None if options.expected is None else read_file(options.expected)
        if options.accept:
            refuse_early(options.accept)
    with (
        process_kept(),
        import_path_kept(),
        show_progress(sys.stderr, lines=options.verbose) as progress,
    ):
        port = port_of(options)
        with usage_error_for(ExpectationError):
            sections = sections_of([port.name], known, options.expected) if known else {}
        report = judge_port(
            port,
            run_options,
            given=given,
            progress=progress,
            replays=True,
            unshrunk=CHECKS if options.accept else (),
            expectations=sections.get(port.name),
        )
    try:
        if outputs.stdout is None:
            write(report.to_text(identify=identify, verbose=options.verbose))
            if not (identify or options.verbose or report.verdict == "error"):
                write(MORE)
    finally:  # a reader of the text who has gone loses no file
        try:
            outputs.write(lambda name: FORMATS[name].one(report, options.min_checks))
        finally:
            if options.accept and report.verdict != "error":
                with usage_error_for(ExpectationError):
                    complain(CONFORMS, accept(report, options.accept))
    return _status(report, options.min_checks)


def _status(report: Report, least: int) -> int:
    ran = report.checks_run
    if report.verdict == "error":
        return NOT_DRIVEN
    if not ran and least == 1:  # the default: nobody asked for a number
        return complain(TOO_FEW, "no check said anything of the port, so nothing was judged")
    if ran < least:
        return complain(TOO_FEW, f"only {counted(ran, 'check')} ran, --min-checks asks for {least}")
    return CONFORMS if report.verdict == "conforms" else DEVIATES
