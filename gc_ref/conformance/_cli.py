"""The command ``gc-ref``."""

from __future__ import annotations

import argparse
import io
import math
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

import gc_ref
from gc_ref.conformance._conventions import parse_conventions, refuse_meaningless
from gc_ref.conformance._port import Port, PortError
from gc_ref.conformance._report import Report
from gc_ref.conformance._run import SUITES, check
from gc_ref.conformance._targets import KINDS, UsageError, make_port, parse_settings, parse_target
from gc_ref.conformance.adapters._calls import process_kept

__all__ = ["main"]

CONFORMS, DEVIATES, USAGE, NOT_DRIVEN, TOO_FEW = 0, 1, 2, 3, 4

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


class _Parser(argparse.ArgumentParser):
    """Usage errors in one line and with status 2."""

    def error(self, message: str) -> NoReturn:
        self.exit(USAGE, f"gc-ref: {message} (see {self.prog} --help)\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="gc-ref", description="Reference and oracle of Gradient Centralization.")
    parser.add_argument("--version", action="version", version=f"gc-ref {gc_ref.__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    judge = commands.add_parser(
        "check",
        help="judge a port",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
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
    judge.add_argument("--max-examples", type=_count, metavar="N", help="fuzzed examples per check")
    judge.add_argument("--seed", type=_count, default=0, metavar="N")
    judge.add_argument("--json", metavar="FILE|-", help="write the JSON report (- for stdout)")
    judge.add_argument("--min-checks", type=_count, default=1, metavar="N")
    return parser


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
    options = _parser().parse_args(argv)
    written = options.json
    if written and written != "-":
        written = os.path.join(_here(), written)  # a port may change the working directory
    try:
        with process_kept():
            port = _port(options)
            report = check(
                port, suite=options.suite, seed=options.seed, max_examples=options.max_examples
            )
    except UsageError as error:
        return _complain(USAGE, str(error))
    except PortError as error:
        return _complain(NOT_DRIVEN, str(error))
    try:
        _write(report, written)
    except OSError as error:
        where = f"--json {options.json}" if options.json else "standard output"
        return _complain(USAGE, f"{where}: {error.strerror}")
    return _status(report, options.min_checks)


def _write(report: Report, path: str | None) -> None:
    print(report.to_json() if path == "-" else report.to_text(), end="")
    if path and path != "-":
        Path(path).write_text(report.to_json(), encoding="utf-8")


def _status(report: Report, least: int) -> int:
    if report.verdict == "error":
        return NOT_DRIVEN
    if report.checks_run < least:
        return _complain(
            TOO_FEW, f"only {report.checks_run} checks ran, --min-checks asks for {least}"
        )
    return CONFORMS if report.verdict == "conforms" else DEVIATES


def _complain(status: int, message: str) -> int:
    if sys.stdout is not None:  # as it is where it was closed
        sys.stdout.flush()
    print(f"gc-ref: {message}", file=sys.stderr)
    return status


def _port(options: argparse.Namespace) -> Port:
    try:
        words = _pairs(options.convention)
        conventions = parse_conventions(words)
        kind = options.target.partition(":")[0] if options.target else ""
        operator = kind == "operator" or not (options.target or options.algorithm)  # Φ itself
        refuse_meaningless(conventions, "operator" if operator else kind, options.algorithm)
    except ValueError as error:
        raise UsageError(f"--convention: {error}") from error
    if options.layout and conventions.setdefault("layout", options.layout) != options.layout:
        raise UsageError("--layout and --convention layout= contradict each other")
    if options.target is None:
        return _reference(options, conventions)
    parse_target(options.target)  # before what goes with it: an unknown kind is said first
    if options.framework and kind != "operator":
        raise UsageError("--framework goes with operator targets only")
    if options.timeout and kind != "exec":
        raise UsageError("--timeout goes with exec targets only")
    if kind == "operator" and (options.algorithm or options.base):
        raise UsageError("--algorithm and --base go with optimizers, an operator has no steps")
    if options.base_set and not options.base:
        raise UsageError("--base-set goes with --base")
    base, here = None, Path(_here())
    if options.base:
        if options.base.partition(":")[0] != kind and options.base.partition(":")[0] in KINDS:
            article = "an" if kind[0] in "aeiou" else "a"
            raise UsageError(
                f"--base {options.base}: the base of {article} {kind} port is "
                f"{article} {kind} target"
            )
        base = make_port(
            options.base,
            settings=parse_settings(options.base_set, "--base-set"),
            layout=conventions.get("layout"),
            timeout=options.timeout,
            here=here,
        )
    return make_port(
        options.target,
        settings=parse_settings(options.set, "--set"),
        framework=options.framework or "numpy",
        layout=conventions.get("layout"),
        algorithm=options.algorithm,
        base=base,
        conventions=conventions,
        options=_same_again(options),
        timeout=options.timeout,
        here=here,
    )


def _here() -> str:
    """Return the working directory, or nothing where it was deleted."""
    try:
        return os.getcwd()
    except OSError:
        return ""


def _reference(options: argparse.Namespace, conventions: dict[str, str]) -> Port:
    """Return the reference itself as a port: what ``gc-ref check`` judges without a target."""
    from gc_ref.conformance._reference import reference_port

    words = (options.base, options.set, options.base_set, options.framework, options.timeout)
    if any(words):
        raise UsageError("--base, --set, --base-set, --framework and --timeout need a TARGET")
    return reference_port(options.algorithm, conventions, _same_again(options))


def _pairs(words: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for word in words:
        field, equals, value = word.partition("=")
        if not equals:
            raise ValueError(f"{word!r}: expected FIELD=VALUE")
        if found.setdefault(field, value) != value:
            raise ValueError(f"{field} is declared twice")
    return found


def _same_again(options: argparse.Namespace) -> tuple[str, ...]:
    """Words of this command line that make the same port again."""
    words: list[str] = []
    given: dict[str, Any] = {
        "--framework": options.framework,
        "--layout": options.layout,
        "--algorithm": options.algorithm,
        "--base": options.base,
        "--timeout": options.timeout and f"{options.timeout:g}",
    }
    for option, value in given.items():
        words += [option, value] if value else []
    for option, values in (
        ("--set", options.set),
        ("--base-set", options.base_set),
        ("--convention", options.convention),
    ):
        for value in values:
            words += [option, value]
    return tuple(words)


if __name__ == "__main__":
    sys.exit(main())
