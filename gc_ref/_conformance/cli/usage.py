"""What the subcommands share: exit statuses, usage errors, numbers among the options."""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Iterator

__all__ = [
    "CONFORMS",
    "DEVIATES",
    "EXIT_STATUS",
    "NOT_DRIVEN",
    "TOO_FEW",
    "USAGE",
    "UsageError",
    "complain",
    "usage_error_for",
    "whole_number",
]

CONFORMS, DEVIATES, USAGE, NOT_DRIVEN, TOO_FEW = range(5)
EXIT_STATUS = """\
exit status:
  0 conforms   1 deviates   2 wrong usage   3 the port could not be loaded or driven
  4 fewer checks ran than --min-checks
"""


class UsageError(Exception):
    """The words of the command line, or a file that they name, cannot be used."""


@contextlib.contextmanager
def usage_error_for(*kinds: type[Exception], prefix: str = "") -> Iterator[None]:
    """Turn exceptions of these kinds into a `UsageError` with the same message."""
    try:
        yield
    except kinds as error:
        raise UsageError(f"{prefix}{error}") from error


def complain(status: int, message: str) -> int:
    """Print a message on standard error and return the exit status."""
    if sys.stdout is not None:  # None where the caller closed it
        sys.stdout.flush()
    print(f"gc-ref: {message}", file=sys.stderr)
    return status


def whole_number(text: str) -> int:
    """Read an option that is a number of examples, a seed: 0 or more."""
    try:
        value = int(text)
    except ValueError:
        value = -1
    if value < 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0 up")
    return value
