"""`round_to` and `ulp`: correct rounding, judged by bit patterns decoded here."""

from __future__ import annotations

import functools
import math
import random
import struct
from fractions import Fraction

import numpy as np
import pytest

from gc_ref.exact import round_to, ulp

#: dtype -> (bits of the stored significand, exponent bias, patterns from 0 up to inf)
LAYOUTS = {"float16": (10, 15, 0x7C00), "bfloat16": (7, 127, 0x7F80)}
TINY = Fraction(1, 2**200)


def decoded(pattern: int, dtype: str) -> Fraction:
    """IEEE 754's formula; the pattern of inf gives the power of two that would come next."""
    stored, bias, _ = LAYOUTS[dtype]
    exponent, significand = divmod(pattern, 2**stored)
    if exponent == 0:
        return Fraction(significand, 2 ** (bias + stored - 1))
    return Fraction((2**stored + significand) << exponent, 2 ** (bias + stored))


@functools.cache
def numbers(dtype: str) -> list[Fraction]:
    return [decoded(pattern, dtype) for pattern in range(LAYOUTS[dtype][2] + 1)]


def as_float(pattern: int, dtype: str) -> float:
    return math.inf if pattern == LAYOUTS[dtype][2] else float(numbers(dtype)[pattern])


@pytest.mark.parametrize("dtype", LAYOUTS)
def test_every_representable_number_comes_back(dtype: str) -> None:
    for value in numbers(dtype)[:-1]:
        assert round_to(value, dtype) == value
        assert round_to(-value, dtype) == -value


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("dtype", LAYOUTS)
def test_around_every_middle_of_neighbors(dtype: str, sign: int) -> None:
    for pattern in range(LAYOUTS[dtype][2]):
        middle = (numbers(dtype)[pattern] + numbers(dtype)[pattern + 1]) / 2
        below, above = as_float(pattern, dtype), as_float(pattern + 1, dtype)
        even = above if pattern % 2 else below
        got = [round_to(sign * (middle + d), dtype) for d in (-TINY, 0, TINY)]
        assert got == [sign * below, sign * even, sign * above], hex(pattern)


def test_float16_patterns_agree_with_struct() -> None:
    for pattern in range(0x10000):
        (value,) = struct.unpack("<e", pattern.to_bytes(2, "little"))
        got = round_to(value, "float16")
        assert struct.pack("<e", got) == pattern.to_bytes(2, "little") or math.isnan(value)
        assert math.isnan(got) == math.isnan(value)


def test_bfloat16_patterns_are_the_upper_halves_of_float32() -> None:
    for pattern in range(0x10000):
        (value,) = struct.unpack("<f", (pattern << 16).to_bytes(4, "little"))
        got = round_to(value, "bfloat16")
        assert struct.pack("<d", got) == struct.pack("<d", value) or math.isnan(value)
        assert math.isnan(got) == math.isnan(value)


def test_bfloat16_is_not_rounded_twice() -> None:
    """1 + 2⁻⁸ is a middle; 2⁻⁴⁰ above it float32 sees the middle, and ties go down to 1."""
    x = 1 + Fraction(1, 2**8) + Fraction(1, 2**40)
    assert round_to(x, "bfloat16") == round_to(float(x), "bfloat16") == 1 + 2**-7
    assert round_to(1 + 2**-8, "bfloat16") == 1.0


def random_floats(seed: int, count: int, exponents: tuple[int, int]) -> list[float]:
    """Numbers of all sizes, a third of them at or beside a middle of two float32 numbers."""
    rng = random.Random(seed)
    out = []
    for k in range(count):
        x = math.ldexp(rng.uniform(1, 2), rng.randint(*exponents)) * rng.choice([-1, 1])
        if k % 3 == 0:
            (bits,) = struct.unpack("<Q", struct.pack("<d", x))
            bits = (bits >> 29 << 29 | 1 << 28) + rng.randint(-1, 1)
            (x,) = struct.unpack("<d", struct.pack("<Q", bits))
        out.append(x)
    return out


@pytest.mark.parametrize(("dtype", "exponents"), [("float16", (-27, 17)), ("float32", (-152, 129))])
def test_agrees_with_the_casts_of_numpy(dtype: str, exponents: tuple[int, int]) -> None:
    xs = random_floats(1, 20_000, exponents)
    with np.errstate(over="ignore", under="ignore"):
        cast = np.array(xs).astype(dtype).astype(np.float64)
    got = np.array([round_to(x, dtype) for x in xs])
    np.testing.assert_array_equal(got, cast)
    np.testing.assert_array_equal(np.signbit(got), np.signbit(cast))


def test_float32_agrees_with_struct() -> None:
    for x in random_floats(2, 5_000, (-152, 126)):
        assert round_to(x, "float32") == struct.unpack("<f", struct.pack("<f", x))[0]


def test_float64_agrees_with_the_division_of_integers() -> None:
    """Python's int / int is correctly rounded too, by other code."""
    rng = random.Random(3)
    for _ in range(5_000):
        n = rng.getrandbits(rng.randint(1, 900)) + 1
        d = rng.getrandbits(rng.randint(1, 1100)) + 1
        assert round_to(Fraction(n, d), "float64") == n / d
    assert round_to(Fraction(1, 2**1074), "float64") == 5e-324
    assert round_to(Fraction(3, 2**1075), "float64") == 1e-323  # a tie: 1.5 goes to 2
    assert round_to(0.1, "float64") == 0.1


@pytest.mark.parametrize(
    ("dtype", "largest", "half_ulp"),
    [
        ("float16", 65504, 16),
        ("bfloat16", (2**8 - 1) * 2**120, 2**119),
        ("float32", (2**24 - 1) * 2**104, 2**103),
        ("float64", (2**53 - 1) * 2**971, 2**970),
    ],
)
def test_overflow_starts_half_an_ulp_above_the_largest(
    dtype: str, largest: int, half_ulp: int
) -> None:
    assert round_to(largest, dtype) == largest
    assert round_to(largest + half_ulp - 1, dtype) == largest
    assert round_to(largest + half_ulp, dtype) == math.inf
    assert round_to(-largest - half_ulp, dtype) == -math.inf
    assert round_to(10**5000, dtype) == math.inf


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_zeros_keep_their_sign(dtype: str) -> None:
    def sign(x: Fraction | float) -> float:
        rounded = round_to(x, dtype)
        assert rounded == 0
        return math.copysign(1, rounded)

    speck = Fraction(1, 2**2000)
    assert (sign(speck), sign(-speck)) == (1, -1)
    assert (sign(0.0), sign(-0.0), sign(Fraction(0))) == (1, -1, 1)


def test_inf_and_nan_pass() -> None:
    assert round_to(-math.inf, "bfloat16") == -math.inf
    assert math.isnan(round_to(math.nan, "float16"))


@pytest.mark.parametrize(
    ("x", "dtype", "exponent"),
    [
        (1, "float16", -10),
        (Fraction(2**30 - 1, 2**30), "float16", -11),
        (-3, "float32", -22),
        (Fraction(1, 3), "bfloat16", -9),
        (0, "float16", -24),
        (Fraction(1, 2**14), "float16", -24),
        (Fraction(1, 2**20), "float16", -24),
        (5e-324, "float64", -1074),
        (1.0, "float64", -52),
        (65504, "float16", 5),
        (10**9, "float16", 5),
        (-(2**127), "bfloat16", 120),
    ],
)
def test_ulp(x: Fraction | int | float, dtype: str, exponent: int) -> None:
    assert ulp(x, dtype) == Fraction(2) ** exponent


def test_ulp_agrees_with_math_ulp() -> None:
    for x in random_floats(4, 2_000, (-1074, 1023)):
        assert ulp(x, "float64") == Fraction(math.ulp(x))


def test_errors() -> None:
    with pytest.raises(ValueError, match=r"'float8'; known: float16, bfloat16, float32, float64"):
        round_to(1, "float8")
    with pytest.raises(ValueError, match="unknown dtype"):
        ulp(1, "half")
    with pytest.raises(ValueError, match="inf has no unit"):
        ulp(math.inf, "float32")
