"""The command line's words: subcommands, their options, their help."""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from typing import NoReturn

import gc_ref
from gc_ref._conformance.cli.outputs import OUTPUTS, add_outputs
from gc_ref._conformance.cli.report import REPORT
from gc_ref._conformance.cli.vectors import add_vectors_command
from gc_ref._conformance.running.run import SUITES
from gc_ref._conformance.wrong_ports.make import FRAMEWORKS

__all__ = ["USAGE", "make_parser", "parse_words"]

USAGE = 2

DESCRIPTION = """\
Judge an implementation ("port") of Gradient Centralization.

TARGET is exec:COMMAND, or KIND:MODULE_OR_FILE.py:ATTRIBUTE, where KIND is
  operator  a function gradient -> centralized gradient, on arrays of --framework
  torch     a torch.optim.Optimizer class, or a factory (params, **hyperparameters)
  keras     a keras Optimizer class, or a factory (**hyperparameters)
  optax     a factory (**hyperparameters) -> optax.GradientTransformation
  numpy     a function run(case) -> trajectory
exec:COMMAND is a program in any language that answers lines of JSON, as
conformance/PROTOCOL.md says; quote it: 'exec:./my_port sgdm'.
Without a TARGET the NumPy reference itself is judged.
"""
EPILOG = """\
exit status:
  0 conforms   1 deviates   2 wrong usage   3 the port could not be loaded or driven
  4 fewer checks ran than --min-checks
"""
REPORT_STATUS = """\
exit status:
  0 rendered, whatever the reports say   2 wrong usage, or a file that is no report
"""

IDENTIFY = """\
Say in words which semantics a port has: the mean over which axes, of which weights, at which
steps, and what its optimizer makes of it. TARGET and options are as for gc-ref check.
"""
SELFTEST = """\
Judge every catalogued wrong port, in every framework that is installed, and print the kill
matrix. The exit status is 0 only if each is caught by two checks that are there for it (or by
one, where the catalogue says why only one can), a correct control port passes and an absurd one
fails.
"""
VECTORS = """\
Frozen vectors are inputs with their exact expected values and bounds, in files that a program in
any language can read: see the README among them.
"""


class _Parser(argparse.ArgumentParser):
    """Usage errors in one line and with status 2."""

    def error(self, message: str) -> NoReturn:
        self.exit(USAGE, f"gc-ref: {message} (see {self.prog} --help)\n")


def parse_words(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse a command line; wrong usage ends the process with status 2."""
    parser = make_parser()
    options, rest = parser.parse_known_args(argv)
    if rest:
        target = getattr(options, "target", None) or ""
        quote = f"; quote a program with its words: '{target} {rest[0]}'"
        hint = quote if target.startswith("exec:") and not rest[0].startswith("--") else ""
        parser.error(f"unrecognized arguments: {' '.join(rest)}{hint}")
    return options


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line."""
    parser = _Parser(prog="gc-ref", description="Reference and oracle of Gradient Centralization.")
    parser.add_argument("--version", action="version", version=f"gc-ref {gc_ref.__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def add(name: str, short: str, long: str, epilog: str = EPILOG) -> argparse.ArgumentParser:
        return commands.add_parser(
            name, help=short, description=long, epilog=epilog, allow_abbrev=False,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )  # fmt: skip

    judge = add("check", "judge a port", DESCRIPTION)
    _add_judging(judge)
    _add_known_failures(judge)
    identify = add("identify", "say in words which semantics a port has", IDENTIFY)
    _add_judging(identify)
    identify.set_defaults(expected=None, accept=None)
    selftest = add("selftest", "judge every catalogued wrong port", SELFTEST, "")
    selftest.add_argument(
        "--framework", action="append", choices=FRAMEWORKS, help="only this one (may be repeated)"
    )
    selftest.add_argument(
        "--deviation", action="append", metavar="ID", help="only this one (may be repeated)"
    )
    selftest.add_argument("--seed", type=_count, default=0, metavar="N")
    report = add("report", "render reports, or join many into one table", REPORT, REPORT_STATUS)
    report.add_argument("files", nargs="*", metavar="FILE", help="that gc-ref check --json wrote")
    add_outputs(report, "markdown", "html")
    report.add_argument(
        "--schema", action="store_true", help="print the JSON Schema of reports, and nothing else"
    )
    explain = add(
        "explain", "explain a check, deviation or convention", "What an id stands for.", ""
    )
    explain.add_argument(
        "id", nargs="?", metavar="ID", help="of a check, a deviation or a convention; none: a list"
    )
    vectors = add("vectors", "copy, verify or add frozen vectors", VECTORS)
    add_vectors_command(vectors, _count)
    return parser


def _add_judging(judge: argparse.ArgumentParser) -> None:
    """Add what it takes to make a port and to judge it."""
    judge.add_argument("target", nargs="?", metavar="TARGET")
    judge.add_argument(
        "--framework", choices=("numpy", "torch", "jax"), help="arrays of an operator (numpy)"
    )
    judge.add_argument(
        "--layout",
        choices=("output-first", "output-last"),
        help="where the weights keep their outputs (torch: first, others: last)",
    )
    judge.add_argument("--algorithm", choices=("sgdm", "adam"), help="hold it to Algorithm 1 or 2")
    judge.add_argument("--base", metavar="TARGET", help="hold it to this optimizer fed with Phi(g)")
    for option in ("--set", "--base-set"):
        judge.add_argument(
            option, action="append", default=[], metavar="NAME=VALUE", help="constructor argument"
        )
    judge.add_argument(
        "--convention", action="append", default=[], metavar="FIELD=VALUE", help="declare a choice"
    )
    judge.add_argument(
        "--timeout", type=_seconds, metavar="SECONDS", help="limit of a program's case (60)"
    )
    judge.add_argument("--suite", choices=SUITES, default="quick")
    judge.add_argument(
        "--suite-version", metavar="VERSION", help="leave out frozen vectors that came after it"
    )
    judge.add_argument(
        "--vectors", action="append", default=[], metavar="FILE", help="judge these vectors too"
    )
    judge.add_argument("--max-examples", type=_count, metavar="N", help="fuzzed examples per check")
    judge.add_argument("--seed", type=_count, default=0, metavar="N")
    add_outputs(judge, *OUTPUTS)
    judge.add_argument(
        "--verbose", action="store_true", help="say on standard error what runs (else a bar there)"
    )
    judge.add_argument(
        "--min-checks", type=_count, default=1, metavar="N",
        help="status 4 if fewer checks said anything; known failures count (1)",
    )  # fmt: skip


def _add_known_failures(judge: argparse.ArgumentParser) -> None:
    known = judge.add_mutually_exclusive_group()
    known.add_argument(
        "--expected", metavar="FILE.toml",
        help="strict list of known failures, of this port among others",
    )  # fmt: skip
    known.add_argument(
        "--accept", metavar="FILE.toml",
        help="write that list from this run, reasons left to you; what the file says of other "
        "ports is kept, its comments are not",
    )  # fmt: skip


def _count(text: str) -> int:
    try:
        value = int(text)
    except ValueError:
        value = -1
    if value < 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0 up")
    return value


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds above 0")
    return value
