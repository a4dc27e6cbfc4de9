"""Enclosures of real numbers in integers: what √ and βᵗ of Algorithm 2 need.

An interval is a pair of integers (lower, upper) that counts units of 1/unit. Each
operation rounds its lower end down and its upper end up, so that the true result
stays inside, and rounds nothing that is a whole number of units.
"""

from __future__ import annotations

from fractions import Fraction
from math import ceil, floor, isqrt

from gc_ref._exact.arrays import rational

Interval = tuple[int, int]
Term = tuple[Fraction, list[Interval]]


class TooCoarseError(ArithmeticError):
    """A divisor that is not zero cannot be told from zero in these units."""


def power(beta: Fraction | int | float, t: int, *, bits: int = 256) -> tuple[Fraction, Fraction]:
    """Enclose βᵗ, the decay rate's power in the bias correction of Algorithm 2.

    Parameters
    ----------
    beta : Fraction, int or float
        Decay rate, non-negative; a float counts with its exact binary value.
    t : int
        Step, non-negative.
    bits : int
        Longest significand that is kept. A power with no more digits is exact.

    Returns
    -------
    tuple of Fraction
        ``(lower, upper)``, equal where the power is exact; else each rounded outward to
        ``bits`` bits as it grows, at most 2t units of the last of them apart.

    Raises
    ------
    ValueError
        For a negative ``beta`` or ``t``.

    Examples
    --------
    >>> power(0.5, 3)
    (Fraction(1, 8), Fraction(1, 8))
    >>> lower, upper = power(0.999, 1000)
    >>> 0 < upper - lower < lower / 2**240
    True
    """
    base = rational(beta, "beta")
    if base < 0 or t < 0:
        raise ValueError(f"power needs beta >= 0 and t >= 0, not {beta!r} and {t!r}")
    ends = []
    for round_up in (False, True):
        n, d = 1, 1
        for digit in f"{t:b}":  # from the left, so that no power beyond t is formed
            n, d = _shortened(n * n, d * d, bits, round_up)
            if digit == "1":
                n, d = _shortened(n * base.numerator, d * base.denominator, bits, round_up)
        ends.append(Fraction(n, d))
    return ends[0], ends[1]


def _shortened(n: int, d: int, bits: int, round_up: bool) -> tuple[int, int]:
    """Return n/d, or if its digits pass ``bits``, its neighbor with that many bits."""
    odd = d // (d & -d)  # a power of two in the denominator costs no digits
    if max(n.bit_length(), odd.bit_length()) <= bits:
        return n, d
    shift = bits - n.bit_length() + d.bit_length()
    shift -= n << d.bit_length() >= d << n.bit_length()  # else it could be one bit too long
    top, bottom = n << max(shift, 0), d << max(-shift, 0)
    short = -(-top // bottom) if round_up else top // bottom
    return short << max(-shift, 0), 1 << max(shift, 0)


def correction(beta: Fraction, t: int, unit: int, bits: int) -> Interval:
    """Enclose 1 - βᵗ, the divisor of the bias correction (Algorithm 2)."""
    lower, upper = power(beta, t, bits=bits)
    return floor((1 - upper) * unit), ceil((1 - lower) * unit)


def plus(x: Interval, y: Interval) -> Interval:
    """Sum x + y, exact."""
    return x[0] + y[0], x[1] + y[1]


def scaled(values: list[Interval], factor: Fraction) -> list[Interval]:
    """Product of each value and one exact number of either sign."""
    n, d = factor.numerator, factor.denominator
    if n == 0:
        return [(0, 0)] * len(values)
    if n < 0:
        n, values = -n, [(-high, -low) for low, high in values]
    return [(low * n // d, -(-high * n // d)) for low, high in values]


def combined(x: Term, y: Term) -> list[Interval]:
    """Sum of two terms, each an exact coefficient times values."""
    return list(map(plus, scaled(x[1], x[0]), scaled(y[1], y[0])))


def times(x: Interval, y: Interval, unit: int) -> Interval:
    """Product of x and y, for y >= 0."""
    low = x[0] * (y[0] if x[0] >= 0 else y[1])
    high = x[1] * (y[1] if x[1] >= 0 else y[0])
    return low // unit, -(-high // unit)


def squared(x: Interval, unit: int) -> Interval:
    """Square of x, never below zero."""
    high = max(-x[0], x[1])
    return magnitude(x) ** 2 // unit, -(-high * high // unit)


def divided(x: Interval, y: Interval, unit: int) -> Interval:
    """Quotient x / y, for y > 0."""
    if y[0] <= 0:
        raise TooCoarseError
    low, high = x[0] * unit, x[1] * unit
    return low // (y[1] if low >= 0 else y[0]), -(-high // (y[0] if high >= 0 else y[1]))


def rooted(x: Interval, unit: int) -> Interval:
    """Root of x, for x >= 0: n/unit has the root √(n·unit)/unit."""
    square = x[1] * unit
    high = isqrt(square)
    return isqrt(x[0] * unit), high + (high * high < square)


def magnitude(x: Interval) -> int:
    """Least absolute value in x."""
    return max(x[0], -x[1], 0)


def centered(values: list[Interval], groups: list[list[int]]) -> list[Interval]:
    """Φ of Eq. 1 on intervals: per slice, x - Σ/M = ((M-1)·x - the sum of the others)/M."""
    result = list(values)
    for group in groups:
        m = len(group)
        low = sum([values[i][0] for i in group])
        high = sum([values[i][1] for i in group])
        for i in group:
            x = values[i]
            least = (m - 1) * x[0] - (high - x[1])
            most = (m - 1) * x[1] - (low - x[0])
            result[i] = (least // m, -(-most // m))
    return result
