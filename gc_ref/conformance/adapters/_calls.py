"""Calling other people's code: its output kept apart, its exceptions in one line, quickly."""

from __future__ import annotations

import contextlib
import io
import sys
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np

__all__ = ["one_line", "quickly_compiled", "quietly"]

#: Longest message of somebody's exception that a report repeats.
LONGEST = 300


def one_line(error: BaseException) -> str:
    """Type and message of an exception on one line, cut to a readable length."""
    text = " ".join(str(error).split())
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


@contextlib.contextmanager
def quickly_compiled() -> Iterator[None]:
    """Let JAX, where it is in use, skip the polish of machine code that is run a few times.

    XLA optimizes the program itself (simplifies it, fuses its loops) as ever.
    """
    jax: Any = sys.modules.get("jax")
    if jax is None:
        yield
        return
    before = jax.config.values["jax_disable_most_optimizations"]
    jax.config.update("jax_disable_most_optimizations", True)
    try:
        yield
    finally:
        jax.config.update("jax_disable_most_optimizations", before)
