"""The floating-point formats that ports compute in, and correct rounding to them, once."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import NamedTuple


class Format(NamedTuple):
    """A binary format of IEEE 754: bits of precision, and the exponents of normal numbers."""

    precision: int
    emin: int
    emax: int

    @property
    def smallest(self) -> int:
        """Exponent of the smallest subnormal number."""
        return self.emin - self.precision + 1


FORMATS = {
    "float16": Format(11, -14, 15),
    "bfloat16": Format(8, -126, 127),
    "float32": Format(24, -126, 127),
    "float64": Format(53, -1022, 1023),
}


def round_to(x: Fraction | int | float, dtype: str) -> float:
    """Round a number to a floating-point format, once, to nearest with ties to even.

    Going through another format first would round twice: 1 + 2⁻⁸ + 2⁻⁴⁰ lies above the
    middle of two bfloat16 numbers, but the float32 number nearest to it is that very middle.

    Parameters
    ----------
    x : Fraction, int or float
        The exact value. A float that is inf or NaN comes back as it is.
    dtype : {"float16", "bfloat16", "float32", "float64"}
        The format to round to.

    Returns
    -------
    float
        The rounded value, which a float64 holds exactly; it may be subnormal. A number that
        is half a unit in the last place above the largest finite one, or more, becomes ±inf;
        a negative number that rounds to zero becomes -0.0 (IEEE 754).

    Raises
    ------
    ValueError
        For an unknown dtype.

    Examples
    --------
    >>> round_to(Fraction(1, 3), "float16")
    0.333251953125
    >>> round_to(1 + Fraction(1, 2**8) + Fraction(1, 2**40), "bfloat16")
    1.0078125
    >>> round_to(65519, "float16"), round_to(65520, "float16")
    (65504.0, inf)
    """
    form = _format(dtype)
    try:
        numerator, denominator = x.as_integer_ratio()
    except (OverflowError, ValueError):  # inf or NaN: every format has them
        return float(x)
    negative = math.copysign(1.0, x) < 0 if x == 0 else x < 0
    spacing = _spacing(abs(numerator), denominator, form)
    up, down = max(-spacing, 0), max(spacing, 0)
    units, rest = divmod(abs(numerator) << up, denominator << down)
    twice = 2 * rest - (denominator << down)
    if twice > 0 or (twice == 0 and units % 2):
        units += 1
    # `_spacing` knows no largest exponent, so that an overflow shows only now.
    overflow = spacing > 0 and units << spacing >= 1 << (form.emax + 1)
    size = math.inf if overflow else math.ldexp(units, spacing)
    return -size if negative else size


def ulp(x: Fraction | int | float, dtype: str) -> Fraction:
    """Unit in the last place at x: the spacing of the format's numbers around it.

    Parameters
    ----------
    x : Fraction, int or float
        Any finite number; it need not be one of the format's.
    dtype : {"float16", "bfloat16", "float32", "float64"}
        The format.

    Returns
    -------
    Fraction
        2^(e-p+1) for 2^e <= abs(x) < 2^(e+1) and p significant bits; the smallest
        subnormal number at zero and among the subnormal ones; past the largest number,
        the spacing there.

    Raises
    ------
    ValueError
        For an unknown dtype, and for inf or NaN.

    Examples
    --------
    >>> ulp(1, "float16"), ulp(0, "float16") == Fraction(1, 2**24)
    (Fraction(1, 1024), True)
    """
    form = _format(dtype)
    try:
        numerator, denominator = x.as_integer_ratio()
    except (OverflowError, ValueError):
        raise ValueError(f"{x} has no unit in the last place; give a finite number") from None
    widest = form.emax - form.precision + 1
    return Fraction(2) ** min(_spacing(abs(numerator), denominator, form), widest)


def _spacing(numerator: int, denominator: int, form: Format) -> int:
    """Exponent of the spacing at a non-negative ratio, as if exponents had no upper end."""
    if numerator == 0:
        return form.smallest
    exponent = numerator.bit_length() - denominator.bit_length()  # exact, or one too large
    if numerator << max(-exponent, 0) < denominator << max(exponent, 0):
        exponent -= 1
    return max(exponent, form.emin) - form.precision + 1


def _format(dtype: str) -> Format:
    if dtype not in FORMATS:
        raise ValueError(f"unknown dtype {dtype!r}; known: {', '.join(FORMATS)}")
    return FORMATS[dtype]
