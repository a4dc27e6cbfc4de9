"""The one place where the command writes text: what strangers put into it is shown, not obeyed."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from typing import TextIO

from gc_ref._conformance.writing.words import shown

__all__ = ["ClosedPipeError", "OutputError", "keep_standard_output", "write", "write_error"]


class OutputError(Exception):
    """The standard output cannot be written to."""


class ClosedPipeError(OutputError):
    """Whoever read the standard output has read enough: ``gc-ref explain | head -n 1``."""


#: The standard output, once it was kept for the command alone, and the process that it is kept in.
_kept: TextIO | None = None
_owner: int | None = None


def keep_standard_output() -> None:
    """Keep the standard output of this process for `write` alone, to its end.

    Whatever else is written to file descriptor 1 goes to nothing: what a port prints while it
    runs, from a thread, or when Python ends.
    """
    global _kept, _owner
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    _kept = open(os.dup(1), "w", encoding=encoding, errors="backslashreplace")  # noqa: SIM115
    _owner = os.getpid()
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.close(null)


def write(text: str, *, utf8: bool = False) -> None:
    """Write a text to the standard output, now.

    Parameters
    ----------
    text : str
        The text. Characters that a terminal would obey are escaped as JSON does it.
    utf8 : bool
        Whether it is UTF-8 whatever the terminal has, as Markdown, HTML and JSON declare it.

    Raises
    ------
    OutputError
        If it cannot be written; `ClosedPipeError` where its reader has closed it.
    """
    _leave_if_forked()
    stream = sys.stdout if _kept is None else _kept
    if stream is None:  # the caller closed it
        return
    text = shown(text)
    try:
        if utf8 and isinstance(stream, io.TextIOWrapper):
            stream.flush()
            stream.buffer.write(text.encode("utf-8", "backslashreplace"))
            stream.buffer.flush()
        else:
            stream.write(text)
            stream.flush()
    except (OSError, ValueError) as error:  # a ValueError: somebody closed the stream
        _give_up(stream)
        kind = ClosedPipeError if isinstance(error, BrokenPipeError) else OutputError
        raise kind(f"standard output: {getattr(error, 'strerror', None) or error}") from error


def write_error(text: str) -> None:
    """Write a text to the standard error, where there is one."""
    _leave_if_forked()
    with contextlib.suppress(OSError, ValueError, AttributeError):
        print(shown(text), end="", file=sys.stderr, flush=True)


def _give_up(stream: TextIO) -> None:
    """Let nothing complain once more when Python empties the buffer of a broken stream."""
    with contextlib.suppress(OSError, ValueError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())
        os.close(null)


def _leave_if_forked() -> None:
    """End a copy of the judging process that a port has forked: it is no second judge."""
    if _owner is not None and os.getpid() != _owner:
        os._exit(0)
