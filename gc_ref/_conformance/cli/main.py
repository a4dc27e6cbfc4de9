"""The command ``gc-ref``: finds the module of a subcommand, runs it, gives its exit status.

Each subcommand is the module of this package that is called like it. Only that one is imported:
``gc-ref explain`` loads nothing that judges.
"""

from __future__ import annotations

import argparse
import importlib
import io
import sys
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

import gc_ref
from gc_ref._conformance.cli.usage import NOT_DRIVEN, USAGE, UsageError, complain
from gc_ref._conformance.ports.port import PortError
from gc_ref._conformance.writing.extras import MissingExtraError

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
        0 conforms, 1 deviates, 2 usage, 3 not loaded or driven, 4 too few checks.

    Examples
    --------
    >>> main(["check", "--max-examples", "0", "--json", "/dev/null"])  # doctest: +ELLIPSIS
    CONFORMS: ...
    0
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal may be unable to show Φ
    options = parse_words(sys.argv[1:] if argv is None else argv)
    try:
        status: int = _module(options.command).run(options)
        return status
    except (UsageError, MissingExtraError) as error:
        return complain(USAGE, str(error))
    except PortError as error:
        return complain(NOT_DRIVEN, str(error))


def parse_words(words: Sequence[str]) -> argparse.Namespace:
    """Parse a command line; wrong usage ends the process with status 2."""
    parser = _Parser(prog="gc-ref", description="Reference and oracle of Gradient Centralization.")
    parser.add_argument("--version", action="version", version=f"gc-ref {gc_ref.__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, purpose in COMMANDS.items():
        command = commands.add_parser(
            name,
            help=purpose,
            allow_abbrev=False,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        if name in words:
            _module(name).add_options(command)
    options, rest = parser.parse_known_args(words)
    if rest:
        target = getattr(options, "target", None) or ""
        quote = f"; quote a program with its words: '{target} {rest[0]}'"
        hint = quote if target.startswith("exec:") and not rest[0].startswith("--") else ""
        parser.error(f"unrecognized arguments: {' '.join(rest)}{hint}")
    return options


def _module(command: str) -> Any:
    return importlib.import_module(f"gc_ref._conformance.cli.{command}")


class _Parser(argparse.ArgumentParser):
    """Usage errors in one line and with status 2."""

    def error(self, message: str) -> NoReturn:
        self.exit(USAGE, f"gc-ref: {message} (see {self.prog} --help)\n")


if __name__ == "__main__":
    sys.exit(main())
