"""The exit statuses of the command, and the message that explains one."""

from __future__ import annotations

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
