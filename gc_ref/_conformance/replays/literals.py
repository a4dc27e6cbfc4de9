"""Values as Python source code, exactly."""

from __future__ import annotations

import ast
import textwrap
from typing import Any

import numpy as np

from gc_ref._conformance.ports.case import Array


def literal(value: Any) -> str:
    """Return the source code of a value; dots where it has none."""
    text = repr(value)
    try:
        same = ast.literal_eval(text) == value
    except (SyntaxError, ValueError):
        same = False
    return text if same else "...  # as the port was made\n"


def float_literal(value: float) -> str:
    """Return the source code of a float, which may be infinite or no number."""
    return repr(value) if abs(value) < float("inf") else f'float("{value}")'


def array_literal(array: Array) -> str:
    """Return the source code of a NumPy array."""
    values = ", ".join(_number(v) for v in array.ravel())
    inner, shape = f"[{values}]", ""
    if len(values) > 56:
        lines = textwrap.wrap(values, 84, break_long_words=False, break_on_hyphens=False)
        inner = "\n".join(["[", *(f"        {line}" for line in lines), "    ]"])
    if array.ndim != 1 or not array.size:
        shape = f".reshape{array.shape}" if array.ndim > 1 else f".reshape({array.shape})"
    return f'np.array({inner}, dtype="{array.dtype}"){shape}'


def _number(value: Any) -> str:
    """Return the shortest digits that are read back as the same number."""
    if not np.isfinite(value):
        return "np.nan" if np.isnan(value) else "np.inf" if value > 0 else "-np.inf"
    short = str(value)
    return short if type(value)(float(short)) == value else repr(float(value))
