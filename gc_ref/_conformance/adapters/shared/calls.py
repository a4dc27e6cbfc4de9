"""Calling other people's code: its output kept apart, its exceptions in one line."""

from __future__ import annotations

import contextlib
import inspect
import io
import os
import sys
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np

from gc_ref._conformance.ports.port import PortError

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
def raising(
    kind: type[PortError], place: str, *, through: type[BaseException] | tuple[()] = ()
) -> Iterator[None]:
    """Turn whatever somebody's code raises into one message that says where it was raised.

    Errors of the class ``through``, and Ctrl-C, go on as they are.
    """
    try:
        yield
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        if isinstance(error, through):
            raise
        raise kind(f"{place}: {one_line(error)}") from error


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


def is_plain(array: Any) -> bool:
    """Whether an array computes as arrays do: it is no masked array and no matrix."""
    return not isinstance(array, (np.ma.MaskedArray, np.matrix))


def refuse_coroutine(answer: Any, label: str) -> None:
    """Close what an async function answers, and raise PortError: nobody would await it."""
    if inspect.iscoroutine(answer):
        answer.close()
        raise PortError(f"{label} is an async function, which is not awaited: give a plain one")


@contextlib.contextmanager
def process_kept() -> Iterator[None]:
    """Keep a port from writing to our standard output in C, and from changing our directory."""
    with _output_kept(), _directory_kept():
        yield


@contextlib.contextmanager
def _output_kept() -> Iterator[None]:
    """Point file descriptor 1, to which C code writes past ``sys.stdout``, at nothing."""
    _flush()
    kept = None
    with contextlib.suppress(OSError):  # closed: there is nothing to keep
        kept = os.dup(1)
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        os.close(null)
    try:
        yield
    finally:
        _flush()  # what a port left in a buffer goes to nothing too
        if kept is not None:
            os.dup2(kept, 1)
            os.close(kept)


def _flush() -> None:
    """Empty the buffers in front of file descriptor 1: those of Python and of the C library."""
    for stream in (sys.stdout, sys.__stdout__):
        with contextlib.suppress(AttributeError, OSError, ValueError):  # None, broken, closed
            stream.flush()  # type: ignore[union-attr]
    with contextlib.suppress(Exception):  # no ctypes, or a system that is not like Unix
        import ctypes

        ctypes.CDLL(None).fflush(None)


@contextlib.contextmanager
def _directory_kept() -> Iterator[None]:
    """Come back to the working directory, wherever a port goes."""
    here = None
    with contextlib.suppress(OSError):  # it may be gone
        here = os.getcwd()
    try:
        yield
    finally:
        if here is not None:
            with contextlib.suppress(OSError):
                os.chdir(here)
