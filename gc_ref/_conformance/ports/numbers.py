"""Numbers and texts of the protocol for programs, written and read without losing a digit."""

from __future__ import annotations

import json
import math
import re
from fractions import Fraction
from typing import Any

import numpy as np

from gc_ref._conformance.ports.case import Array

__all__ = [
    "STORAGE",
    "ProtocolError",
    "RepeatedError",
    "clean",
    "members",
    "read_number",
    "read_numbers",
    "short",
    "write_number",
    "write_numbers",
]

#: Longest text of a program that a report repeats.
LONGEST = 300
#: NumPy has no bfloat16: float32 arrays hold its values.
STORAGE = {"float16": "float16", "bfloat16": "float32", "float32": "float32", "float64": "float64"}

#: As C's %a writes it. These need no second look: a float64 holds each of them.
PLAIN = re.compile(r"-?0x[01](?:\.[0-9a-f]{1,13})?p[+-]?[0-9]{1,3}").fullmatch
HEXADECIMAL = re.compile(
    r"([+-]?)0[xX]([0-9a-fA-F]{1,32})(?:\.([0-9a-fA-F]{0,32}))?[pP]([+-]?[0-9]{1,6})"
).fullmatch
SPECIAL = {"nan": math.nan, "-nan": math.nan, "inf": math.inf, "-inf": -math.inf}
TRAILING = re.compile(r"\.?0+p").sub


class ProtocolError(Exception):
    """What a program wrote is no message of the protocol; says what is wrong with it."""


class RepeatedError(ValueError):
    """A JSON object has a name twice, which Python's own reader takes for an overwriting."""


def members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Make a dict of a JSON object, as `json.loads` wants of its ``object_pairs_hook``.

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
    """Return a number as the protocol has it, without trailing zeros.

    Examples
    --------
    >>> write_number(-0.375), write_number(0.0), write_number(float("inf"))
    ('-0x1.8p-2', '0x0p+0', 'inf')
    """
    return TRAILING("p", float(value).hex())


def write_numbers(values: Array) -> list[str]:
    """Return the numbers of an array in row-major order, as the protocol has them."""
    with np.errstate(invalid="ignore"):  # a signaling NaN
        flat = np.asarray(values, dtype=np.float64).ravel().tolist()
    return [TRAILING("p", v.hex()) for v in flat]


def read_number(text: object) -> float:
    """Read one number of the protocol; no digit of it may be lost.

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
    shown = short(text)
    raise ProtocolError(
        f'{shown} is not a number as the protocol writes it: a string such as "0x1.8p+1", '
        '"inf", "-inf" or "nan"'
    )


def _exactly(text: str, sign: str, whole: str, part: str, power: str) -> float:
    """Read a number that a float64 may not hold: every digit counts."""
    mantissa = int(whole + part, 16)
    if mantissa and abs(int(power)) > 2000:
        raise ProtocolError(f"{short(text)} is a number that no float64 is")
    exponent = int(power) - 4 * len(part) if mantissa else 0
    exact = Fraction(mantissa) * Fraction(2) ** exponent
    try:
        value = float(exact)
    except OverflowError:
        value = math.inf
    if math.isinf(value) or Fraction(value) != exact:
        raise ProtocolError(f"{short(text)} is a number that no float64 is")
    return -value if sign == "-" else value


def read_numbers(values: list[object], dtype: str) -> Array:
    """Read numbers that must be values of a dtype, in a flat array.

    Raises
    ------
    ProtocolError
        If one is no number of the protocol, or is none of the dtype.
    """
    flat = np.array([read_number(v) for v in values], dtype=np.float64)
    stored = _stored(flat, dtype)
    different = ~((stored.astype(np.float64) == flat) | np.isnan(flat))
    if different.any():
        raise ProtocolError(
            f"{short(values[int(np.argmax(different))])} is a number that no {dtype} is: round to "
            'it, or say the "dtype" that the port really answers'
        )
    return stored


def _stored(flat: Array, dtype: str) -> Array:
    """Values in an array of their dtype; the low half of a bfloat16's float32 is cut off."""
    with np.errstate(over="ignore"):
        stored: Array = flat.astype(STORAGE[dtype])
    if dtype == "bfloat16":
        stored = (stored.view(np.uint32) & 0xFFFF0000).astype(np.uint32).view(np.float32)
        stored[np.isnan(flat)] = np.nan
    return stored


def clean(text: str, longest: int = LONGEST) -> str:
    """Put words of a program on one line of printable characters, cut to a readable length."""
    text = " ".join(text[: 4 * longest].split())
    text = "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
    return text if len(text) <= longest else text[: longest - 3] + "..."


def short(value: object) -> str:
    """Show a value of a program in a few characters."""
    if isinstance(value, str):
        return repr(clean(value, 60))
    if isinstance(value, dict):
        return f"an object of {len(value)}"
    if isinstance(value, list) and (
        len(value) > 8 or any(isinstance(v, (list, dict)) for v in value)
    ):
        return f"a list of {len(value)}"
    return clean(json.dumps(value), 60)
