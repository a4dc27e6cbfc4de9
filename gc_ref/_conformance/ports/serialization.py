"""Numbers in JSON without losing a digit: for the protocol of programs and the vector files.

Both are read from strangers: what is no number is refused, and shown in a few safe characters.
"""

from __future__ import annotations

import contextlib
import json
import math
import re
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from gc_ref._conformance.ports.case import Array
from gc_ref._conformance.ports.storage import STORAGE

#: As C's %a writes a number. A float64 holds each of these.
PLAIN = re.compile(r"-?0x[01](?:\.[0-9a-f]{1,13})?p[+-]?[0-9]{1,3}").fullmatch
HEXADECIMAL = re.compile(
    r"([+-]?)0[xX]([0-9a-fA-F]{1,32})(?:\.([0-9a-fA-F]{0,32}))?[pP]([+-]?[0-9]{1,6})"
).fullmatch
SPECIAL = {"nan": math.nan, "-nan": math.nan, "inf": math.inf, "-inf": -math.inf}
TRAILING_ZEROS = re.compile(r"\.?0+p")


class ProtocolError(Exception):
    """What a program or a file holds is not what the protocol allows; says what is wrong."""


class RepeatedError(ValueError):
    """A JSON object has a name twice; Python's own reader would keep the last one."""


def members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Make the dict of a JSON object: the ``object_pairs_hook`` for `json.loads`.

    Raises
    ------
    RepeatedError
        If a name is there twice.
    """
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise RepeatedError(f"an object that has {short(name)} twice")
        found[name] = value
    return found


def write_number(value: float) -> str:
    """Return a number as a hexadecimal text, without trailing zeros.

    Examples
    --------
    >>> write_number(-0.375), write_number(0.0), write_number(float("inf"))
    ('-0x1.8p-2', '0x0p+0', 'inf')
    """
    return TRAILING_ZEROS.sub("p", float(value).hex())


def write_numbers(values: Array) -> list[str]:
    """Return the numbers of an array in row-major order, as texts."""
    with np.errstate(invalid="ignore"):  # a signaling NaN
        flat = np.asarray(values, dtype=np.float64).ravel().tolist()
    return list(map(write_number, flat))


def read_number(text: object) -> float:
    """Read a hexadecimal text.

    Raises
    ------
    ProtocolError
        If it is no hexadecimal number, or one that no float64 is.

    Examples
    --------
    >>> read_number("0x1.8p+1"), read_number("-0X0.C0P2")
    (3.0, -3.0)
    """
    if isinstance(text, str):
        if PLAIN(text):
            return float.fromhex(text)
        if text in SPECIAL:
            return SPECIAL[text]
        found = HEXADECIMAL(text)
        if found:
            return _exactly(text, *found.groups(default=""))
    raise ProtocolError(
        f'{short(text)} is not a number as the protocol writes it: a string such as "0x1.8p+1", '
        '"inf", "-inf" or "nan"'
    )


def _exactly(text: str, sign: str, whole: str, part: str, power: str) -> float:
    """Read a number of which a float64 may not hold every digit."""
    mantissa = int(whole + part, 16)
    if not mantissa:
        return -0.0 if sign == "-" else 0.0
    if abs(int(power)) <= 2000:
        exact = mantissa * Fraction(2) ** (int(power) - 4 * len(part))
        with contextlib.suppress(OverflowError):
            value = float(exact)
            if value == exact:
                return -value if sign == "-" else value
    raise ProtocolError(f"{short(text)} is a number that no float64 is")


def read_numbers(values: Sequence[object], dtype: str) -> Array:
    """Read texts into a flat array of a dtype.

    Raises
    ------
    ProtocolError
        If one is no number, or none of the dtype.
    """
    flat = np.array([read_number(v) for v in values], dtype=np.float64)
    with np.errstate(over="ignore"):
        stored: Array = flat.astype(STORAGE[dtype])
    if dtype == "bfloat16":  # cut off the low half of the float32
        stored = (stored.view(np.uint32) & 0xFFFF0000).astype(np.uint32).view(np.float32)
        stored[np.isnan(flat)] = np.nan
    different = ~((stored.astype(np.float64) == flat) | np.isnan(flat))
    if different.any():
        raise ProtocolError(
            f"{short(values[int(np.argmax(different))])} is a number that no {dtype} is: round to "
            'it, or say the "dtype" that is meant'
        )
    return stored


def printable(text: str) -> str:
    """Put a stranger's words on one line of printable characters."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in " ".join(text.split()))


def clean(text: str, longest: int = 300) -> str:
    """Put a stranger's words on one printable line, cut to a readable length."""
    text = printable(text[: 4 * longest])
    return text if len(text) <= longest else text[: longest - 3] + "..."


def short(value: object) -> str:
    """Show a stranger's JSON value in a few characters."""
    if isinstance(value, str):
        return repr(clean(value, 60))
    if isinstance(value, dict):
        return f"an object of {len(value)}"
    nested = isinstance(value, list) and any(isinstance(v, (list, dict)) for v in value)
    if isinstance(value, list) and (nested or len(value) > 8):
        return f"a list of {len(value)}"
    return clean(json.dumps(value), 60)
