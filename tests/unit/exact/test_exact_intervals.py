"""Interval operations in units of 1/5: the truth stays inside, and no end is loose.

Every operation is monotone between the ends of its arguments (x² also turns at 0), so
the least and greatest true results are known, and each end must be the whole number of
units next to them.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from fractions import Fraction
from math import ceil, floor

import pytest

from gc_ref._exact.intervals import (
    Interval,
    TooCoarseError,
    centered,
    combined,
    divided,
    magnitude,
    rooted,
    scaled,
    squared,
    times,
)

UNIT = 5
ANY = [(low, high) for low in range(-7, 8) for high in range(low, 8)]
POSITIVE = [(low, high) for low, high in ANY if low > 0]


def tight(values: Iterable[Fraction]) -> Interval:
    """The narrowest interval around numbers."""
    every = list(values)
    return floor(min(every) * UNIT), ceil(max(every) * UNIT)


def ends(x: Interval) -> list[Fraction]:
    return [Fraction(end, UNIT) for end in x]


def test_times_and_divided() -> None:
    for x, y in itertools.product(ANY, POSITIVE):
        pairs = list(itertools.product(ends(x), ends(y)))
        assert times(x, y, UNIT) == tight(a * b for a, b in pairs)
        assert divided(x, y, UNIT) == tight(a / b for a, b in pairs)


@pytest.mark.parametrize("factor", [Fraction(2, 3), Fraction(-7, 4), Fraction(0), Fraction(3)])
def test_scaled(factor: Fraction) -> None:
    assert scaled(ANY, factor) == [tight(factor * a for a in ends(x)) for x in ANY]


def test_combined() -> None:
    some = [(-7, -3), (-2, 5), (0, 0), (1, 4)]
    a, b = Fraction(2, 3), Fraction(-7, 4)
    for x, y in itertools.product(some, repeat=2):
        [(low, high)], [(least, most)] = scaled([x], a), scaled([y], b)
        assert combined((a, [x]), (b, [y])) == [(low + least, high + most)]


def test_squared_and_magnitude() -> None:
    for x in ANY:
        inside = [Fraction(k, UNIT) for k in range(x[0], x[1] + 1)]
        assert squared(x, UNIT) == tight(a * a for a in inside)
        assert Fraction(magnitude(x), UNIT) == min(abs(a) for a in inside)


def test_rooted() -> None:
    for low, high in [(a, b) for a in range(60) for b in range(a, 60)]:
        bottom, top = rooted((low, high), UNIT)
        # In units, the root of n/5 is √(5n).
        assert bottom**2 <= UNIT * low < (bottom + 1) ** 2
        assert max(top - 1, 0) ** 2 <= UNIT * high <= top**2
        assert top == 0 or (top - 1) ** 2 < UNIT * high


def test_centered() -> None:
    some = [(-7, -3), (-2, 5), (0, 0), (1, 4)]
    for x, y, z in itertools.product(some, repeat=3):
        corners = list(itertools.product(ends(x), ends(y), ends(z)))
        expected = [tight(c[i] - sum(c, Fraction(0)) / 3 for c in corners) for i in range(3)]
        assert centered([x, y, z], [[0, 1, 2]]) == expected
        assert centered([x, y, z], [[1]]) == [x, (0, 0), z]  # fan-in 1, and out of scope


def test_a_divisor_that_may_be_zero_is_too_coarse() -> None:
    with pytest.raises(TooCoarseError):
        divided((1, 1), (0, 1), UNIT)
