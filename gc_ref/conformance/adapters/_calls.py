"""Calling other people's code: its output kept apart, its exceptions in one line."""

from __future__ import annotations

import contextlib
import inspect
import io
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np

from gc_ref.conformance._port import PortError

__all__ = ["one_line", "quietly", "refuse_coroutine"]

#: Longest message of somebody's exception that a report repeats.
LONGEST = 300


def one_line(error: BaseException) -> str:
    """Type and message of an exception on one line, cut to a readable length."""
    try:
        text = " ".join(str(error).split())
    except Exception:  # somebody's own __str__
        text = ""
    if len(text) > LONGEST:
        text = text[: LONGEST - 3] + "..."
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


@contextlib.contextmanager
def quietly() -> Iterator[None]:
    """Keep a port's prints and warnings out of the report."""
    with (
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
        warnings.catch_warnings(),
        np.errstate(),  # gives back NumPy's error state, whatever the port sets
    ):
        warnings.simplefilter("ignore")
        yield


def refuse_coroutine(answer: Any, label: str) -> None:
    """Close what an async function answers, and raise PortError: nobody would await it."""
    if inspect.iscoroutine(answer):
        answer.close()
        raise PortError(f"{label} is an async function, which is not awaited: give a plain one")
