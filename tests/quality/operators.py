"""Operators on output-last NumPy arrays: correct ones in odd styles, and wrong ones."""

import math

import numpy as np


def _matrix(g):
    """The paper's W: rows are inputs, columns are outputs."""
    return g.reshape(-1, g.shape[-1])


def _inputs(g):
    return tuple(range(g.ndim - 1))


def plain(g):
    return g if g.ndim < 2 else g - g.mean(axis=_inputs(g), keepdims=True)


def in_place(g):
    if g.ndim > 1:
        g -= g.mean(axis=_inputs(g), keepdims=True)
    return g


def reversed_sum(g):
    if g.ndim < 2:
        return g
    m = _matrix(g)
    total = np.zeros(g.shape[-1], g.dtype)
    for row in m[::-1]:
        total = total + row
    return (m - total / g.dtype.type(len(m))).reshape(g.shape)


def pairwise_sum(g):
    if g.ndim < 2:
        return g
    rows = list(_matrix(g))
    while len(rows) > 1:
        pairs = [a + b for a, b in zip(rows[::2], rows[1::2], strict=False)]
        rows = pairs + ([rows[-1]] if len(rows) % 2 else [])
    return (_matrix(g) - rows[0] / g.dtype.type(len(_matrix(g)))).reshape(g.shape)


def compensated_sum(g):
    if g.ndim < 2:
        return g
    m = _matrix(g)
    total, lost = np.zeros(g.shape[-1], g.dtype), np.zeros(g.shape[-1], g.dtype)
    for row in m:
        y = row - lost
        t = total + y
        lost = (t - total) - y
        total = t
    return (m - total / g.dtype.type(len(m))).reshape(g.shape)


def running_mean(g):
    if g.ndim < 2:
        return g
    mean = np.zeros(g.shape[-1], g.dtype)
    for k, row in enumerate(_matrix(g), 1):
        mean = mean + (row - mean) / g.dtype.type(k)
    return (_matrix(g) - mean).reshape(g.shape)


def prescaled(g):
    if g.ndim < 2:
        return g
    n = g.dtype.type(g.size // g.shape[-1])
    return g - (g / n).sum(axis=_inputs(g), keepdims=True)


def reciprocal(g):
    if g.ndim < 2:
        return g
    weight = g.dtype.type(1 / (g.size // g.shape[-1]))
    return g - g.sum(axis=_inputs(g), keepdims=True) * weight


def exact_sum(g):
    if g.ndim < 2:
        return g
    m = _matrix(g)
    means = [math.fsum(column) / len(m) for column in m.T.astype(float).tolist()]
    return (m - np.array(means)).astype(g.dtype).reshape(g.shape)


def in_float64(g):
    if g.ndim < 2:
        return g
    wide = g.astype(np.float64)
    return (wide - wide.mean(axis=_inputs(g), keepdims=True)).astype(g.dtype)


def projection_matrix(g):
    """Eq. 2 to the letter: P = I - e eᵀ with e = 1/√M, then P·G."""
    if g.ndim < 2:
        return g
    m = _matrix(g)
    e = np.full((len(m), 1), 1 / np.sqrt(len(m)), g.dtype)
    if len(m) > 2048:  # the matrix would take gigabytes
        return (m - e @ (e.T @ m)).reshape(g.shape)
    return ((np.eye(len(m), dtype=g.dtype) - e @ e.T) @ m).reshape(g.shape)


def ones_matmul(g):
    if g.ndim < 2:
        return g
    m = _matrix(g)
    ones = np.ones((1, len(m)), g.dtype)
    return (m - (ones @ m) / g.dtype.type(len(m))).reshape(g.shape)


def einsum(g):
    if g.ndim < 2:
        return g
    m = _matrix(g)
    return (m - np.einsum("io->o", m) / g.dtype.type(len(m))).reshape(g.shape)


def twice(g):
    return plain(plain(g))


def per_neuron(g):
    if g.ndim < 2:
        return g
    out = np.empty_like(g)
    for i in range(g.shape[-1]):
        out[..., i] = g[..., i] - g[..., i].mean()
    return out


def axis_by_axis(g):
    if g.ndim < 2:
        return g
    mean = g
    for _ in range(g.ndim - 1):
        mean = mean.mean(axis=0)
    return g - mean


def shifted_first(g):
    if g.ndim < 2:
        return g
    m = _matrix(g)
    away = m - m[0]
    return (away - away.mean(axis=0)).reshape(g.shape)


def transposed_storage(g):
    if g.ndim < 2:
        return g
    t = np.asfortranarray(_matrix(g))
    return np.ascontiguousarray(t - t.mean(axis=0)).reshape(g.shape)


CORRECT = (
    plain, in_place, reversed_sum, pairwise_sum, compensated_sum, running_mean, prescaled,
    reciprocal, exact_sum, in_float64, projection_matrix, ones_matmul, einsum, twice, per_neuron,
    axis_by_axis, shifted_first, transposed_storage,
)  # fmt: skip


def not_applied(g):
    return g


def layout_swapped(g):
    return g if g.ndim < 2 else g - g.mean(axis=tuple(range(1, g.ndim)), keepdims=True)


def spatial_axes_only(g):
    return g if g.ndim < 3 else g - g.mean(axis=tuple(range(g.ndim - 2)), keepdims=True)


def channels_only(g):
    return g if g.ndim < 2 else g - g.mean(axis=-2, keepdims=True)


def whole_tensor(g):
    return g if g.ndim < 2 else g - g.mean()


def vectors_too(g):
    return g - g.mean(axis=_inputs(g) or None, keepdims=True) if g.ndim else g


def vectors_erased(g):
    return g - g.mean(axis=_inputs(g), keepdims=True)


def shape_gated(g):
    return plain(g) if g.ndim < 2 or g.size // g.shape[-1] % 32 == 0 else g


def second_dimension_gated(g):
    return plain(g) if g.ndim > 1 and g.shape[1] % 16 == 0 else g


def small_gated(g):
    return plain(g) if g.size > 1000 else g


def large_gated(g):
    return plain(g) if g.size <= 1000 else g


def misses_conv1d(g):
    return g if g.ndim == 3 else plain(g)


def misses_conv3d(g):
    return g if g.ndim == 5 else plain(g)


def offset(g):
    return plain(g) + g.dtype.type(1) if g.ndim > 1 else g


def adds_the_mean(g):
    return g + g.mean(axis=_inputs(g), keepdims=True) if g.ndim > 1 else g


def half_the_mean(g):
    return g - g.mean(axis=_inputs(g), keepdims=True) / 2 if g.ndim > 1 else g


def almost_the_mean(g):
    scale = g.dtype.type(0.999)
    return g - scale * g.mean(axis=_inputs(g), keepdims=True) if g.ndim > 1 else g


def divided_by_deviation(g):
    if g.ndim < 2:
        return g
    deviation = g.std(axis=_inputs(g), keepdims=True) + g.dtype.type(1e-8)
    return (plain(g) / deviation).astype(g.dtype)


def wrong_divisor(g):
    if g.ndim < 2:
        return g
    n = max(g.size // g.shape[-1] - 1, 1)
    return g - g.sum(axis=_inputs(g), keepdims=True) / g.dtype.type(n)


def median(g):
    return g - np.median(g, axis=_inputs(g), keepdims=True) if g.ndim > 1 else g


def first_element(g):
    return (_matrix(g) - _matrix(g)[0]).reshape(g.shape) if g.ndim > 1 else g


def mean_of_magnitudes(g):
    return g - np.abs(g).mean(axis=_inputs(g), keepdims=True) if g.ndim > 1 else g


def bfloat16_mean(g):
    if g.ndim < 2 or g.dtype != np.float32:
        return plain(g)
    mean = np.ascontiguousarray(g.mean(axis=_inputs(g), keepdims=True))
    bits = (mean.view(np.uint32) + 0x8000) & 0xFFFF0000
    return g - bits.astype(np.uint32).view(np.float32)


def nan_leaks(g):
    return g if g.ndim < 2 else plain(g) + 0 * g.sum()


def nan_hidden(g):
    return plain(np.nan_to_num(g))


def clipped(g):
    return np.clip(plain(g), -5, 5).astype(g.dtype)


class Intermittent:
    """Every third call forgets to centralize."""

    calls = 0

    def __call__(self, g):
        Intermittent.calls += 1
        return g if Intermittent.calls % 3 == 0 else plain(g)


class StaleMean:
    """Subtracts the mean of the gradient of the same shape that came before."""

    def __init__(self):
        self.seen = {}

    def __call__(self, g):
        if g.ndim < 2:
            return g
        mean = g.mean(axis=_inputs(g), keepdims=True)
        before = self.seen.get(g.shape, mean)
        self.seen[g.shape] = mean
        return g - before.astype(g.dtype)


WRONG = (
    not_applied, layout_swapped, spatial_axes_only, channels_only, whole_tensor, vectors_too,
    vectors_erased, shape_gated, second_dimension_gated, small_gated, large_gated, misses_conv1d,
    misses_conv3d, offset, adds_the_mean, half_the_mean, almost_the_mean, divided_by_deviation,
    wrong_divisor, median, first_element, mean_of_magnitudes, bfloat16_mean, nan_leaks, clipped,
)  # fmt: skip
