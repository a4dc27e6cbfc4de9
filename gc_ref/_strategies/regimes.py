"""Hard regimes of gradients, built from small integers.

Every regime turns a matrix of seeds, small integers with |seed| ≤ 127, into integers of
at most p bits and exponents: element = integer · 2**exponent. So every value is
representable in the dtype by construction; nothing is ever rounded. Seeds of zero give
the simplest values of a regime, which is what Hypothesis shrinks to.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from gc_ref._exact.rounding import FORMATS, Format

Ints = npt.NDArray[np.int64]


class _Draw(NamedTuple):
    """What Hypothesis drew, from which a regime makes its values."""

    seeds: Ints  # (outputs, inputs)
    heads: Ints  # (outputs, 1): for what the inputs of an output have in common
    variant: int  # 0 to 15: how far a regime goes, or which of its forms it takes
    form: Format

    @property
    def signs(self) -> Ints:
        """+1 or −1 for every output."""
        return np.where(self.heads < 0, -1, 1)


def _mixed(seeds: Ints, bits: int) -> Ints:
    """Spread |seed| over ``bits`` bits; 0 stays 0 and different seeds stay different."""
    factor = int(0.6180339887498949 * 2**bits) | 1
    return np.asarray((abs(seeds) * factor) % 2**bits, dtype=np.int64)


def _significands(seeds: Ints, p: int) -> Ints:
    """Integers of p bits, 2**(p − 1) for a seed of 0."""
    integers: Ints = 2 ** (p - 1) + _mixed(seeds, p - 1)
    return integers


def _plain(draw: _Draw, seeds: Ints) -> tuple[Ints, Ints]:
    """The seeds themselves; in odd variants, p-bit numbers of the same binades and signs."""
    if draw.variant % 2 == 0:
        return seeds, np.zeros_like(seeds)
    p = draw.form.precision
    binades = np.frexp(seeds)[1].astype(np.int64)
    return np.sign(seeds) * _significands(seeds, p), np.where(seeds == 0, 0, binades - p)


def _filled(seeds: Ints) -> Ints:
    """Seeds without zeros."""
    return np.where(seeds == 0, 1, seeds)


def _ordinary(draw: _Draw) -> tuple[Ints, Ints]:
    values, exponents = _plain(draw, draw.seeds)
    return values, exponents - 5


def _large_mean(draw: _Draw) -> tuple[Ints, Ints]:
    p = draw.form.precision
    base = 3 * 2 ** (p - 2) + _mixed(draw.heads, p - 3)
    width = 2 ** (p - 6 - draw.variant * (p - 8) // 15)
    deviations = np.sign(draw.seeds) * (abs(draw.seeds) * width // 127)
    return draw.signs * (base + deviations), np.full_like(draw.seeds, 7 - p)


def _cancelling(draw: _Draw) -> tuple[Ints, Ints]:
    p, inputs = draw.form.precision, draw.seeds.shape[1]
    half = inputs // 2
    values = _significands(draw.seeds, p) * np.where(draw.seeds < 0, -1, 1)
    exponents = np.full_like(values, 1 - p)
    values[:, -half or inputs :] = -values[:, :half]
    if half:
        values[:, -1:] += draw.heads % 2  # one unit in the last place off
    if inputs % 2:
        exponents[:, half] -= p
    return values, exponents


def _wide_exponents(draw: _Draw) -> tuple[Ints, Ints]:
    p, top = draw.form.precision, 5
    width = min(3 * p, 19) if draw.form.emax == 15 else 3 * p
    steps = _mixed(draw.seeds, 20) % (width + 1)
    steps[:, :1] = 0
    if steps.shape[1] > 1:
        steps[:, -1] = width
    signs = np.where(draw.seeds < 0, -1, 1)
    if draw.variant % 2 == 0:
        return signs, top - steps
    return signs * _significands(draw.seeds, p), top - steps - p + 1


def _subnormal(draw: _Draw) -> tuple[Ints, Ints]:
    step = 1
    if draw.variant % 2:
        step = max(1, (2 ** (draw.form.precision - 1) - 1) // 127 - 1 | 1)
    seeds = draw.seeds.copy()
    seeds[:, :1] = _filled(seeds[:, :1])
    return seeds * step, np.full_like(seeds, draw.form.smallest)


def _constant(draw: _Draw) -> tuple[Ints, Ints]:
    """One p-bit number for every output, with room for three units above it."""
    p = draw.form.precision
    values = draw.signs * (2 ** (p - 1) + _mixed(draw.heads, p - 2))
    exponents = np.full_like(draw.seeds, 1 - p + draw.variant % 8)
    return values + np.zeros_like(draw.seeds), exponents


def _near_constant(draw: _Draw) -> tuple[Ints, Ints]:
    values, exponents = _constant(draw)
    units = draw.seeds % 4
    units[:, :1] = 0
    if units.shape[1] > 1:
        units[:, -1] = 1 + draw.seeds[:, -1] % 3
    return values + draw.signs * units, exponents


def _huge(draw: _Draw) -> tuple[Ints, Ints]:
    seeds = draw.seeds.copy()
    seeds[:, :1] = 127 * draw.signs
    values, exponents = _plain(draw, seeds)
    room = draw.form.emax - 2 - max(seeds.shape[1] - 1, 0).bit_length()
    return values, exponents + room - 7


def _tiny(draw: _Draw) -> tuple[Ints, Ints]:
    values, exponents = _plain(draw, _filled(draw.seeds))
    return values, exponents + draw.form.emin


def _spike(draw: _Draw) -> tuple[Ints, Ints]:
    p, inputs = draw.form.precision, draw.seeds.shape[1]
    values, exponents = _plain(draw, draw.seeds)
    exponents = exponents - 4 - draw.variant * (p - 1) // 15
    if inputs:
        rows, heads = np.arange(len(values)), draw.heads[:, 0]
        at = abs(heads) % inputs
        values[rows, at] = draw.signs[:, 0] * _significands(heads, p)
        exponents[rows, at] = 7 - p
    return values, exponents


def _integers(draw: _Draw) -> tuple[Ints, Ints]:
    inputs, p = draw.seeds.shape[1], draw.form.precision
    if not _mean_is_exact(inputs, p):
        raise ValueError(
            f"regime 'integers' needs a fan-in of 2**k, at most 2**{p - 1}, not {inputs}"
        )
    largest = 2 ** (p - 1) // max(inputs, 1)
    values = np.sign(draw.seeds) * (abs(draw.seeds) % (largest + 1))
    return values, np.zeros_like(draw.seeds)


def _mean_is_exact(inputs: int, p: int) -> bool:
    """Whether some integers of p bits but 0 have sums of n, and means, without rounding."""
    return inputs & (inputs - 1) == 0 and inputs <= 2 ** (p - 1)


_BUILDERS: Mapping[str, Callable[[_Draw], tuple[Ints, Ints]]] = {
    "ordinary": _ordinary,
    "large-mean": _large_mean,
    "cancelling": _cancelling,
    "wide-exponents": _wide_exponents,
    "subnormal": _subnormal,
    "near-constant": _near_constant,
    "constant": _constant,
    "huge": _huge,
    "tiny": _tiny,
    "spike": _spike,
    "integers": _integers,
}

#: What each regime promises, of the inputs of every output (p: bits of precision).
REGIMES: Mapping[str, str] = MappingProxyType(
    {
        "ordinary": "values of order one: |g| ≤ 4",
        "large-mean": "|mean| at least 16 times, up to 2**(p−3) times, every deviation from it",
        "cancelling": "pairs x, −x: the sum is at most 2**(2−p) times the sum of sizes",
        "wide-exponents": "magnitudes spread over 3p binades (float16: 19)",
        "subnormal": "multiples of the smallest subnormal number, below the smallest normal one",
        "near-constant": "one number and others at most 3 units in the last place away",
        "constant": "one number: Φ is exactly 0",
        "huge": "n·max|g| between max/64 and max/4: squares overflow, sums must not",
        "tiny": "between the smallest normal number and 128 of it: squares underflow",
        "spike": "one value at least 8 times, up to 2**(p+4) times, the size of every other",
        "integers": "integers, n = 2**k, n·max|g| ≤ 2**(p−1): Φ has no rounding at all",
    }
)


def build(
    regime: str, seeds: Ints, heads: Ints, variant: int, dtype: str
) -> npt.NDArray[np.floating[Any]]:
    """Matrix (outputs, inputs) of a regime, in the NumPy dtype that carries ``dtype``."""
    draw = _Draw(seeds, heads.reshape(-1, 1), variant, FORMATS[dtype])
    values, exponents = _BUILDERS[regime](draw)
    exact = np.ldexp(values.astype(np.float64), exponents.astype(np.int32))
    return exact.astype("float32" if dtype == "bfloat16" else dtype)


def fits(regime: str, inputs: int, dtype: str) -> bool:
    """Whether a regime exists for this fan-in."""
    return regime != "integers" or _mean_is_exact(inputs, FORMATS[dtype].precision)
