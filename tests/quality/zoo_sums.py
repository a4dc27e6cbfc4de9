"""More ways of evaluating Eq. 1: orders of summation, and forms of the mean around them.

Beside those of ``tests/unit/_correct_centralize.py``, and of the same kind: rows with one
output each, in the accumulator's dtype, and ``store``, which rounds to the storage dtype.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from _correct_centralize import Store, Way, columns, total
from _hard_data import Rows

Sum = Callable[[Rows], Rows]


def halves(g: Rows) -> Rows:
    """Pairwise, by recursive halving."""
    n = g.shape[1]
    return g if n == 1 else halves(g[:, : n // 2]) + halves(g[:, n // 2 :])


def blocks(g: Rows) -> Rows:
    """In blocks of five, and the sums of the blocks in order."""
    parts = [total(g[:, k : k + 5]) for k in range(0, g.shape[1], 5)]
    return total(np.concatenate(parts, axis=1))


def lanes(g: Rows) -> Rows:
    """Four accumulators in turn, as vector units do."""
    parts = [total(g[:, k::4]) for k in range(min(4, g.shape[1]))]
    return halves(np.concatenate(parts, axis=1))


def random_tree(g: Rows) -> Rows:
    """Two random terms at a time are replaced by their sum."""
    rng, parts = np.random.default_rng(g.shape[1]), list(columns(g))
    while len(parts) > 1:
        a = parts.pop(int(rng.integers(len(parts))))
        b = parts.pop(int(rng.integers(len(parts))))
        parts.append(a + b)
    return parts[0]


def backward(g: Rows) -> Rows:
    return total(g[:, ::-1])


def smallest_first(g: Rows) -> Rows:
    return total(np.take_along_axis(g, np.argsort(np.abs(g), axis=1), axis=1))


def by_sign(g: Rows) -> Rows:
    """Positive terms and negative terms apart."""
    zero = np.zeros_like(g)
    return total(np.maximum(g, zero)) + total(np.minimum(g, zero))


def neumaier(g: Rows) -> Rows:
    """Kahan's and Babuška's sum: what a larger term lost is kept too."""
    s = c = np.zeros((len(g), 1), g.dtype)
    for x in columns(g):
        t = s + x
        c = c + np.where(np.abs(s) >= np.abs(x), (s - t) + x, (x - t) + s)
        s = t
    return s + c


def two_sums(g: Rows) -> Rows:
    """Twice the precision by error-free additions (Knuth's)."""
    s = c = np.zeros((len(g), 1), g.dtype)
    for x in columns(g):
        t = s + x
        z = t - s
        c = c + ((s - (t - z)) + (x - z))
        s = t
    return s + c


def exact_sum(g: Rows) -> Rows:
    sums = [math.fsum(row) for row in g.astype(float).tolist()]
    return np.array(sums).astype(g.dtype)[:, None]


def last_of_cumsum(g: Rows) -> Rows:
    return np.cumsum(g, axis=1, dtype=g.dtype)[:, -1:]


def einsum(g: Rows) -> Rows:
    return np.einsum("oi->o", g)[:, None]


def column_major(g: Rows) -> Rows:
    """The reduction of NumPy over the other storage order, added row by row."""
    return np.ascontiguousarray(g.T).sum(axis=0, dtype=g.dtype)[:, None]


SUMS: dict[str, Sum] = {
    "forward": total,
    "backward": backward,
    "halves": halves,
    "blocks": blocks,
    "lanes": lanes,
    "random tree": random_tree,
    "smallest first": smallest_first,
    "by sign": by_sign,
    "Neumaier": neumaier,
    "two-sum": two_sums,
    "exact sum": exact_sum,
    "cumsum": last_of_cumsum,
    "einsum": einsum,
    "column major": column_major,
}


def divided(sums: Sum, g: Rows, store: Store) -> Rows:
    return store(g - sums(g) / g.dtype.type(g.shape[1]))


def reciprocal(sums: Sum, g: Rows, store: Store) -> Rows:
    return store(g - sums(g) * (1 / g.dtype.type(g.shape[1])))


def prescaled(sums: Sum, g: Rows, store: Store) -> Rows:
    return store(g - sums(g * (1 / g.dtype.type(g.shape[1]))))


def negated(sums: Sum, g: Rows, store: Store) -> Rows:
    """As an axpy with −1/n."""
    return store(g + sums(g) * (-1 / g.dtype.type(g.shape[1])))


def scaled_up(sums: Sum, g: Rows, store: Store) -> Rows:
    """(n·g − sum)/n: nothing is divided before the end."""
    n = g.dtype.type(g.shape[1])
    return store((n * g - sums(g)) / n)


def mean_stored(sums: Sum, g: Rows, store: Store) -> Rows:
    return store(g - store(sums(g) / g.dtype.type(g.shape[1])))


def twice(sums: Sum, g: Rows, store: Store) -> Rows:
    return divided(sums, divided(sums, g, store), store)


def shifted(sums: Sum, g: Rows, store: Store) -> Rows:
    """About the middle element, which is taken off first."""
    d = g - g[:, g.shape[1] // 2 :][:, :1]
    return store(d - sums(d) / g.dtype.type(g.shape[1]))


FORMS: tuple[Callable[[Sum, Rows, Store], Rows], ...] = (
    divided, reciprocal, prescaled, negated, scaled_up, mean_stored, twice, shifted,
)  # fmt: skip


def differences(g: Rows, store: Store) -> Rows:
    """Φ(g)_i is the mean of g_i − g_j over j."""
    total_ = np.zeros_like(g)
    for x in columns(g):
        total_ = total_ + (g - x)
    return store(total_ / g.dtype.type(g.shape[1]))


def merged(g: Rows, store: Store) -> Rows:
    """Means of halves merged by their weights, as Chan's parallel form of Welford's mean."""

    def mean(part: Rows) -> Rows:
        n = part.shape[1]
        if n == 1:
            return part
        left, right = mean(part[:, : n // 3 or 1]), mean(part[:, n // 3 or 1 :])
        share = g.dtype.type(n - (n // 3 or 1)) / g.dtype.type(n)
        return left + (right - left) * share

    return store(g - mean(g))


def fused_sum(g: Rows, store: Store) -> Rows:
    """Fused multiply-add: each product with 1/n is exact when it is added."""
    wide = np.longdouble if g.dtype == np.float64 else np.float64
    weight = wide(1 / g.dtype.type(g.shape[1]))
    s = np.zeros((len(g), 1), g.dtype)
    for x in columns(g):
        s = (s.astype(wide) + x.astype(wide) * weight).astype(g.dtype)
    return store(g - s)


def mean_of_means(g: Rows, store: Store) -> Rows:
    """Blocks of equal size have their means averaged (fan-ins with no divisor: one block)."""
    n = g.shape[1]
    size = next((k for k in (2, 3, 5, 7) if n % k == 0), n)
    parts = [g[:, k : k + size].mean(axis=1, keepdims=True) for k in range(0, n, size)]
    return store(g - np.concatenate(parts, axis=1).mean(axis=1, keepdims=True))


def output_by_output(g: Rows, store: Store) -> Rows:
    """One filter after the other, in plain loops."""
    out = g.copy()
    for row in out:
        s = g.dtype.type(0)
        for x in row:
            s += x
        row -= s / g.dtype.type(len(row))
    return store(out)


def sum_way(name: str, form: Callable[[Sum, Rows, Store], Rows]) -> Way:
    """Return a way of that order of summation and that form of the mean."""

    def way(g: Rows, store: Store) -> Rows:
        return form(SUMS[name], g, store)

    way.__name__ = f"{name}, {form.__name__}".replace("_", " ")
    return way


#: Every order once, every form at least once.
SUM_WAYS: tuple[Way, ...] = tuple(
    sum_way(name, FORMS[k % len(FORMS)]) for k, name in enumerate(SUMS)
)
OTHER_WAYS: tuple[Way, ...] = (
    differences, merged, fused_sum, mean_of_means, output_by_output,
)  # fmt: skip
