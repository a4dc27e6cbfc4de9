"""Calling other people's code: its output kept apart, its exceptions in one line."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import inspect
import io
import os
import sys
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np

from gc_ref._conformance.ports.port import PortError
from gc_ref._conformance.writing.words import one_line as one_line


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
    """Keep a port's prints and warnings out of the report, and give back what it switches."""
    with (
        _arithmetic_kept(),
        _recursion_limit_kept(),
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
        warnings.catch_warnings(),
        np.errstate(),  # gives back NumPy's error state, whatever the port sets
    ):
        warnings.simplefilter("ignore")
        yield


@contextlib.contextmanager
def _arithmetic_kept() -> Iterator[None]:
    """Give back the processor's floating-point modes: subnormal numbers flushed, the rounding.

    ``torch.set_flush_denormal`` sets them, and a library built with ``-ffast-math`` where it is
    loaded; our own arithmetic needs them as they were.
    """
    kept = ctypes.create_string_buffer(256)  # far more than any system's fenv_t
    library = _c_library()
    if library is not None:
        library.fegetenv(kept)
    try:
        yield
    finally:
        if library is not None:
            library.fesetenv(kept)


@functools.cache
def _c_library() -> Any:
    """Return the C library, if it can tell the floating-point modes."""
    with contextlib.suppress(OSError, TypeError, AttributeError):  # a system that has it not
        library = ctypes.CDLL(None)
        if library.fegetenv and library.fesetenv:
            return library
    return None


@contextlib.contextmanager
def _recursion_limit_kept() -> Iterator[None]:
    limit = sys.getrecursionlimit()
    try:
        yield
    finally:
        sys.setrecursionlimit(limit)


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
            with contextlib.suppress(OSError):  # the port closed what it did not open
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
