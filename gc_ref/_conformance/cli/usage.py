"""What the subcommands share: exit statuses, usage errors, numbers among the options."""

from __future__ import annotations

import argparse
import contextlib
import signal
from collections.abc import Iterator

from gc_ref._conformance.cli.output import write_error

__all__ = [
    "CLOSED_PIPE",
    "CONFORMS",
    "DEVIATES",
    "EXIT_STATUS",
    "INTERNAL",
    "NOT_DRIVEN",
    "TOO_FEW",
    "USAGE",
    "StoppedError",
    "UsageError",
    "complain",
    "not_empty",
    "usage_error_for",
    "whole_number",
]

CONFORMS, DEVIATES, USAGE, NOT_DRIVEN, TOO_FEW = range(5)
INTERNAL = 70  # as in sysexits.h
CLOSED_PIPE = 141  # as a shell shows the end by SIGPIPE, whose number is 13
EXIT_STATUS = """\
exit status:
  0 conforms   1 deviates   2 wrong usage   3 the port could not be loaded or driven
  4 fewer checks ran than --min-checks   70 a mistake of gc-ref itself: no verdict
  130, 129, 143 stopped by SIGINT (Ctrl-C), SIGHUP, SIGTERM
  141 the reader of the output closed it (gc-ref check ... | head): no verdict
"""


class UsageError(Exception):
    """The words of the command line, or a file that they name, cannot be used."""


class StoppedError(KeyboardInterrupt):
    """The process was asked to stop by a signal; goes through all that Ctrl-C goes through."""

    def __init__(self, number: int) -> None:
        super().__init__(f"stopped by {signal.Signals(number).name}")
        self.number = number


@contextlib.contextmanager
def usage_error_for(*kinds: type[Exception], prefix: str = "") -> Iterator[None]:
    """Turn exceptions of these kinds into a `UsageError` with the same message."""
    try:
        yield
    except kinds as error:
        raise UsageError(f"{prefix}{error}") from error


def complain(status: int, message: str) -> int:
    """Print a message on standard error and return the exit status."""
    write_error(f"gc-ref: {message}\n")
    return status


def not_empty(text: str) -> str:
    """Read an option that names something: an unset variable of a script must not switch it off."""
    if not text.strip():
        raise argparse.ArgumentTypeError("is given, and empty: is a variable not set?")
    return text


def whole_number(text: str) -> int:
    """Read an option that is a number of examples, a seed: 0 or more."""
    try:
        value = int(text)
    except ValueError:
        value = -1
    if value < 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0 up")
    return value
