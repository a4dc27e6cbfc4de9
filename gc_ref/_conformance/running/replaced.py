"""Functions that the kit computes with: whether somebody has put others in their place.

Expected values and comparisons go through NumPy and the mathematics of Python. A port, or a library
that it loads, may replace these for the whole process, and then nothing that is found is true.
"""

from __future__ import annotations

import builtins
import fractions
import math

import numpy as np

__all__ = ["replaced_functions"]

#: Name to what holds the functions.
HOLDERS = {
    "": builtins,
    "math.": math,
    "fractions.Fraction.": fractions.Fraction,
    "numpy.": np,
    "numpy.linalg.": np.linalg,
    "numpy.random.": np.random,
}


#: Each function and type as it was when the kit was loaded. An import hook computes nothing.
_KNOWN = [
    (prefix, vars(holder), name, value)
    for prefix, holder in HOLDERS.items()
    for name, value in vars(holder).items()
    if callable(value) and name != "__import__"
]


def replaced_functions() -> str:
    """Say which functions are not those of when the kit was loaded, or return an empty text.

    Examples
    --------
    >>> replaced_functions()
    ''
    """
    names = [f"{prefix}{name}" for prefix, now, name, was in _KNOWN if now.get(name) is not was]
    if not names:
        return ""
    shown = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
    return (
        f"{shown}: not the function that was there when gc-ref was loaded; gc-ref computes with "
        "it, so nothing it finds can be trusted while a port, or a library that it loads, "
        "replaces it for the whole process"
    )
