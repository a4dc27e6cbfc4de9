"""How the gradients of cases are drawn: integers with known residuals, hard regimes."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Mapping

import numpy as np

from gc_ref._conformance.ports.case import Array
from gc_ref._slices import from_rows, matrix_shape


def rng_for(seed: int, label: str) -> np.random.Generator:
    """Return a generator of its own for each seed and case."""
    return np.random.default_rng([seed, zlib.crc32(label.encode())])


def integers(
    rng: np.random.Generator, shape: tuple[int, ...], axes: tuple[int, ...] | None, smallest: float
) -> Array:
    """Draw integers with residuals ±1, ±3, ±7 about means of at least ``smallest`` that differ.

    Each output neuron has a mean and residuals. Four residuals are ±(7, -3, -3, -1): they sum
    to 0, but their median is not 0.
    """
    if axes is None:
        return np.asarray(rng.integers(1, 9, size=shape), dtype=np.float64)
    outputs, fan_in = matrix_shape(shape, axes)
    if fan_in == 1:
        residual = np.zeros((outputs, 1))
    elif fan_in == 2:
        residual = rng.choice([1.0, 3.0, 7.0], size=(outputs, 1)) * np.array([1.0, -1.0])
    else:
        signs = rng.choice([-1.0, 1.0], size=(outputs, fan_in // 4, 1))
        residual = (signs * np.array([7.0, -3.0, -3.0, -1.0])).reshape(outputs, fan_in)
    residual = rng.permuted(residual, axis=1)
    mean = rng.choice([-1.0, 1.0]) * (smallest + 2 * (rng.permutation(outputs) % 12))
    return from_rows(residual + mean[:, None], shape, axes)


def repeated(
    rng: np.random.Generator, shape: tuple[int, ...], axes: tuple[int, ...] | None
) -> Array:
    """Draw integers of a large weight: four output neurons, again and again.

    So the exact result of all is known when that of four is. Means cancel in pairs: where the
    number of outputs is even, the whole gradient sums to 0.
    """
    if axes is None:
        return np.asarray(rng.integers(1, 9, size=shape), dtype=np.float64)
    outputs, fan_in = matrix_shape(shape, axes)
    signs = rng.choice([-1.0, 1.0], size=(4, fan_in // 4, 1))
    quads = (signs * np.array([7.0, -3.0, -3.0, -1.0])).reshape(4, -1)
    rest = np.array([[], [0.0], [3.0, -3.0], [2.0, -3.0, 1.0]][fan_in % 4])
    residual = rng.permuted(np.hstack([quads, np.tile(rest, (4, 1))]), axis=1)
    mean = np.array([3.0, -3.0, 9.0, -9.0])
    matrix = residual + mean[:, None]
    return from_rows(matrix[np.arange(outputs) % 4], shape, axes)


def scaled(rng: np.random.Generator, outputs: int, fan_in: int, exponents: Iterable[int]) -> Array:
    """Draw a matrix (outputs, fan_in) with a mean of each scale 2ᵏ.

    Deviations are as large as the mean, 64 times smaller, and 64 times larger.
    """
    signs = rng.choice([-1.0, 1.0], size=(outputs, fan_in // 4, 1))
    residual = (signs * np.array([7.0, -3.0, -3.0, -1.0])).reshape(outputs, fan_in)
    residual = rng.permuted(residual, axis=1)
    mean = np.repeat(np.exp2(np.array(exponents, dtype=np.float64)), 3)
    size = np.tile([1.0, 2.0**-6, 2.0**6], len(mean) // 3)
    mean *= rng.choice([-1.0, 1.0], size=len(mean))
    return np.asarray(mean[:, None] * (1 + residual / 4 * size[:, None]))


#: Regime -> function (rng, outputs, fan_in) that draws a matrix (outputs, fan_in).
REGIMES: Mapping[str, Callable[[np.random.Generator, int, int], Array]] = {
    "large-mean": lambda r, k, n: 100.0 + r.normal(size=(k, n)),
    "ordinary": lambda r, k, n: r.normal(size=(k, n)) + r.normal(size=(k, 1)),
    "tiny": lambda r, k, n: 1e-5 * (r.normal(size=(k, n)) + 2.0),
    "cancelling": lambda r, k, n: (
        np.where(np.arange(n) % 2 == 0, 1e3, -1e3) + r.normal(size=(k, n))
    ),
    "spike": lambda r, k, n: r.normal(size=(k, n)) * 1e-2 + 50.0 * (np.arange(n) == r.integers(n)),
    "wide-exponents": lambda r, k, n: (
        np.exp2(r.integers(-12, 13, size=(k, n))) * r.choice([-1.0, 1.0], size=(k, n)) + 3.0
    ),
}
