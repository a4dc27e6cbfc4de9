"""Formats to compute in, data that strain them, and the ratio of an error to its bound."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from gc_ref.exact import ExactArray

Rows = Any  # a matrix, in any of NumPy's real dtypes

DTYPES = ("float16", "bfloat16", "float32", "float64")
#: Bits of precision, exponent of the smallest subnormal, exponent past the largest number.
LIMITS = {
    "float16": (11, -24, 16),
    "bfloat16": (8, -133, 128),
    "float32": (24, -149, 128),
    "float64": (53, -1074, 1024),
}


def bfloat16(values: Rows) -> Rows:
    """float32 values rounded to bfloat16: the upper half of the bits, ties to even."""
    bits = np.ascontiguousarray(values, dtype=np.float32).view(np.uint32)
    rounded = bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))
    return (rounded & np.uint32(0xFFFF0000)).view(np.float32)


@dataclass(frozen=True)
class Format:
    """How a dtype is computed with here: sums in ``accumulator``, results through ``store``."""

    name: str

    @property
    def accumulator(self) -> type[np.floating[Any]]:
        return np.float64 if self.name == "float64" else np.float32

    def store(self, values: Rows) -> Rows:
        if self.name == "bfloat16":
            return bfloat16(values)
        return values.astype(self.name).astype(self.accumulator)

    def once(self, values: Rows) -> Rows:
        """float64 values to the dtype, overflow excluded (data are made this way)."""
        top = np.ldexp(1 - 2.0 ** -LIMITS[self.name][0], LIMITS[self.name][2])
        return self.store(np.clip(values, -top, top).astype(self.accumulator))


REGIMES = (
    "normal",
    "large-mean",
    "cancelling",
    "wide-exponents",
    "subnormal",
    "near-constant",
    "spike-first",
    "spike-last",
    "constant",
    "integers",
    "huge",
    "tiny",
    "zeros",
)


def draw(regime: str, rng: np.random.Generator, shape: tuple[int, int], form: Format) -> Rows:
    """Gradient rows of a regime, in the accumulator's dtype, representable in the dtype."""
    bits, low, high = LIMITS[form.name]
    k, n = shape
    x = rng.standard_normal(shape)
    if regime == "large-mean":
        x = 100 + x
    elif regime == "cancelling":
        x = np.concatenate([x[:, : n - n // 2], -x[:, : n // 2]], axis=1)
        x = x * (1 + rng.integers(-2, 3, shape) * 2.0**-bits)
    elif regime == "wide-exponents":
        x = np.ldexp(x, rng.integers(max(low, -60), min(high, 60) - 8, shape))
    elif regime == "subnormal":
        x = np.ldexp(rng.integers(-9, 10, shape).astype(float), low)
    elif regime == "near-constant":
        x = np.full(shape, abs(x[0, 0]) + 0.1) * (1 + rng.integers(0, 2, shape) * 2.0 ** (1 - bits))
    elif regime in ("spike-first", "spike-last"):
        x = x * 2.0 ** -(bits // 2)
        x[:, 0 if regime == "spike-first" else -1] = rng.choice([-1, 1], k) * 3.7
    elif regime == "constant":
        x = np.repeat(x[:, :1], n, axis=1)
    elif regime == "integers":
        x = rng.integers(-50, 51, shape).astype(float)
    elif regime == "huge":
        x = np.ldexp(rng.uniform(-1, 1, shape), high - 3 - int(n).bit_length())
    elif regime == "tiny":
        x = np.ldexp(x, low + bits)
    elif regime == "zeros":
        x = np.zeros(shape)
    return form.once(x)


def worst_ratio(
    got: Rows, low: ExactArray, high: ExactArray, tau: npt.NDArray[np.float64]
) -> float:
    """Largest |got − exact|/τ, in integers; the exact value lies between ``low`` and ``high``."""
    return max(ratios(got, low, high, tau), default=0.0)


def ratios(
    got: Rows, low: ExactArray, high: ExactArray, tau: npt.NDArray[np.float64]
) -> list[float]:
    """|got − exact|/τ of each element; 0 where τ is infinite, and decides nothing."""
    den = low.denominator
    flat = zip(
        np.asarray(got, np.float64).ravel().tolist(),
        low.numerators,
        high.numerators,
        tau.ravel().tolist(),
        strict=True,
    )
    return [ratio(x, below, above, den, bound) for x, below, above, bound in flat]


def ratio(x: float, below: int, above: int, den: int, bound: float) -> float:
    if bound == float("inf"):
        return 0.0
    if not np.isfinite(x):
        return float("inf")
    a, b = x.as_integer_ratio()
    error = max(a * den - below * b, above * b - a * den)
    return quotient(error, b * den, bound) if error else 0.0


def quotient(error: int, denominator: int, bound: float) -> float:
    if bound == 0:
        return float("inf")
    a, b = bound.as_integer_ratio()
    try:
        return error * b / (denominator * a)
    except OverflowError:
        return float("inf")
