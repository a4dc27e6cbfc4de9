"""The command ``gc-ref``: finds the module of a subcommand, runs it, gives its exit status.

Each subcommand is the module of this package that is called like it. Only that one is imported:
``gc-ref explain`` loads nothing that judges.
"""

from __future__ import annotations

import argparse
import importlib
import io
import signal
import sys
import traceback
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

import gc_ref
from gc_ref._conformance.cli.output import ClosedPipeError, OutputError, write, write_error
from gc_ref._conformance.cli.usage import (
    CLOSED_PIPE,
    INTERNAL,
    NOT_DRIVEN,
    USAGE,
    StoppedError,
    UsageError,
    complain,
)
from gc_ref._conformance.ports.port import PortError
from gc_ref._conformance.writing.extras import MissingExtraError
from gc_ref._conformance.writing.words import did_you_mean, one_line

__all__ = ["COMMANDS", "main", "parse_words"]

#: Subcommand to what it does. Its module has ``add_options(parser)`` and ``run(options)``.
COMMANDS: Mapping[str, str] = {
    "check": "judge a port",
    "identify": "say in words which semantics a port has",
    "selftest": "judge every catalogued wrong port",
    "report": "render reports, or join many into one table",
    "explain": "explain a check, deviation or convention",
    "vectors": "copy, verify or add frozen vectors",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status.

    Parameters
    ----------
    argv : sequence of str, optional
        Words after ``gc-ref``; those of the process by default.

    Returns
    -------
    int
        0 conforms, 1 deviates, 2 usage, 3 not loaded or driven, 4 too few checks, 70 a mistake
        of gc-ref, 128 and its number after a signal, 141 (as SIGPIPE has) where the reader of
        the standard output closed it.

    Examples
    --------
    >>> main(["check", "--max-examples", "0", "--json", "/dev/null"])  # doctest: +ELLIPSIS
    CONFORMS: ...
    0
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal may be unable to show Φ
    traces = True
    try:
        options = parse_words(sys.argv[1:] if argv is None else argv)
        traces = getattr(options, "verbose", True)
        status: int = _module(options.command).run(options)
        return status
    except _ParsedError as ended:
        return ended.status
    except ClosedPipeError:  # that is no mistake of anybody
        return CLOSED_PIPE
    except (UsageError, MissingExtraError, OutputError) as error:
        return complain(USAGE, str(error))
    except PortError as error:
        return complain(NOT_DRIVEN, str(error))
    except KeyboardInterrupt as error:
        number = error.number if isinstance(error, StoppedError) else signal.SIGINT
        words = (
            str(error) if isinstance(error, StoppedError) else f"interrupted ({one_line(error)})"
        )
        return complain(128 + number, words)
    except SystemExit as error:  # gc-ref itself has no other way out than the end of this function
        return complain(NOT_DRIVEN, f"the port wants to end the process: {one_line(error)}")
    except BaseException as error:
        return _mistake(error, traces)


def _mistake(error: BaseException, traces: bool) -> int:
    """Own up to an exception that nobody expected: it says nothing of the port."""
    if traces:
        try:
            write_error(traceback.format_exc())
        except BaseException:  # what it shows is somebody's and cannot be shown
            write_error("(its traceback cannot be shown)\n")
    return complain(
        INTERNAL,
        f"this is a mistake of gc-ref, and no verdict on the port: {one_line(error)}; please "
        f"report it with the command, the port and {'this' if traces else 'the'} traceback"
        f"{'' if traces else ', which --verbose shows'}",
    )


def parse_words(words: Sequence[str]) -> argparse.Namespace:
    """Parse a command line; wrong usage, help and the version end it, as `main` says."""
    parser = _Parser(prog="gc-ref", description="Reference and oracle of Gradient Centralization.")
    parser.add_argument("--version", action="version", version=f"gc-ref {gc_ref.__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    made: dict[str, _Parser] = {}
    for name, purpose in COMMANDS.items():
        made[name] = command = commands.add_parser(
            name,
            help=purpose,
            allow_abbrev=False,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        if name in words:
            _module(name).add_options(command)
    if words and not words[0].startswith("-") and words[0] not in COMMANDS:
        parser.error(
            f"there is no command {words[0]!r}; the commands are {', '.join(COMMANDS)}"
            f"{did_you_mean(words[0], COMMANDS)}"
        )
    options, rest = parser.parse_known_args(words)
    if rest:
        target = getattr(options, "target", None) or ""
        quote = f"; quote a program with its words: '{target} {rest[0]}'"
        hint = quote if target.startswith("exec:") and not rest[0].startswith("--") else ""
        if rest[0].startswith("--"):
            hint = did_you_mean(rest[0].partition("=")[0], made[options.command].options)
        made[options.command].error(f"unrecognized arguments: {' '.join(rest)}{hint}")
    return options


def _module(command: str) -> Any:
    return importlib.import_module(f"gc_ref._conformance.cli.{command}")


class _ParsedError(Exception):
    """The command line was parsed, and there is nothing to run: a usage error, or help."""

    def __init__(self, status: int) -> None:
        self.status = status


class _Parser(argparse.ArgumentParser):
    """Usage errors in one line and with status 2."""

    @property
    def options(self) -> list[str]:
        """Options by their names."""
        return [name for action in self._actions for name in action.option_strings]

    def error(self, message: str) -> NoReturn:
        self.exit(USAGE, f"gc-ref: {message} (see {self.prog} --help)\n")

    def exit(self, status: int = 0, message: str | None = None) -> NoReturn:
        if message:
            write_error(message)
        raise _ParsedError(status)

    def _print_message(self, message: str, file: Any = None) -> None:
        write(message)  # of --help and --version
