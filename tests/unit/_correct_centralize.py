"""Correct ways to evaluate Eq. 1 and Eq. 2 in finite precision.

Each way takes a matrix with one output a row, in the dtype of the accumulator, and
``store``, which rounds to the storage dtype. They differ in rounding only.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator

import numpy as np
from _hard_data import Rows

Store = Callable[[Rows], Rows]
Way = Callable[[Rows, Store], Rows]

#: Inputs of the widest weight whose matrix P anybody would write out.
WIDEST_MATRIX = 2048


def pairwise(g: Rows, store: Store) -> Rows:
    return store(g - g.mean(axis=1, keepdims=True))


def in_order(g: Rows, store: Store) -> Rows:
    return store(g - total(g) / g.dtype.type(g.shape[1]))


def reversed_times_reciprocal(g: Rows, store: Store) -> Rows:
    return store(g - total(g[:, ::-1]) * (1 / g.dtype.type(g.shape[1])))


def scaled_first(g: Rows, store: Store) -> Rows:
    return store(g - total(g * (1 / g.dtype.type(g.shape[1]))))


def divided_first(g: Rows, store: Store) -> Rows:
    return store(g - (g / g.dtype.type(g.shape[1])).sum(axis=1, keepdims=True))


def largest_first(g: Rows, store: Store) -> Rows:
    order = np.argsort(-np.abs(g), axis=1)
    return store(g - total(np.take_along_axis(g, order, axis=1)) / g.dtype.type(g.shape[1]))


def kahan(g: Rows, store: Store) -> Rows:
    s = c = np.zeros((len(g), 1), g.dtype)
    for x in columns(g):
        y = x - c
        t = s + y
        c, s = (t - s) - y, t
    return store(g - s / g.dtype.type(g.shape[1]))


def welford(g: Rows, store: Store) -> Rows:
    mean = np.zeros((len(g), 1), g.dtype)
    for k, x in enumerate(columns(g), 1):
        mean = mean + (x - mean) / g.dtype.type(k)
    return store(g - mean)


def welford_reciprocal(g: Rows, store: Store) -> Rows:
    mean = np.zeros((len(g), 1), g.dtype)
    for k, x in enumerate(columns(g), 1):
        mean = mean + (x - mean) * (1 / g.dtype.type(k))
    return store(g - mean)


def running_ratio(g: Rows, store: Store) -> Rows:
    mean = np.zeros((len(g), 1), g.dtype)
    for k, x in enumerate(columns(g), 1):
        mean = mean * (g.dtype.type(k - 1) / g.dtype.type(k)) + x / g.dtype.type(k)
    return store(g - mean)


def shifted(g: Rows, store: Store) -> Rows:
    d = g - g[:, :1]
    return store(d - total(d) / g.dtype.type(g.shape[1]))


def shifted_by_last(g: Rows, store: Store) -> Rows:
    return store(g - (g[:, -1:] + (g - g[:, -1:]).mean(axis=1, keepdims=True)))


def fused(g: Rows, store: Store) -> Rows:
    wide = np.longdouble if g.dtype == np.float64 else np.float64
    product = total(g).astype(wide) * wide(1 / g.dtype.type(g.shape[1]))
    return store((g - product).astype(g.dtype))


def with_its_matrix(way: Way) -> Way:
    """Way that writes out P; of so many inputs that P takes gigabytes, ``g − e(eᵀg)`` instead."""

    @functools.wraps(way)
    def call(g: Rows, store: Store) -> Rows:
        return way(g, store) if g.shape[1] <= WIDEST_MATRIX else rank_one(g, store)

    return call


@with_its_matrix
def eq2_left(g: Rows, store: Store) -> Rows:
    return store((letter(g) @ g.T).T)


@with_its_matrix
def eq2_in_order(g: Rows, store: Store) -> Rows:
    p, acc = letter(g), np.zeros_like(g)
    for j in range(g.shape[1]):
        acc = acc + g[:, j : j + 1] * p[j]
    return store(acc)


@with_its_matrix
def eq2_right(g: Rows, store: Store) -> Rows:
    n = g.shape[1]
    return store(g @ (np.eye(n, dtype=g.dtype) - 1 / g.dtype.type(n)))


@with_its_matrix
def eq2_squared(g: Rows, store: Store) -> Rows:
    return store(g @ (letter(g) @ letter(g)))


def rank_one(g: Rows, store: Store) -> Rows:
    e = 1 / np.sqrt(g.dtype.type(g.shape[1]))
    return store(g - e * total(e * g))


def by_ones(g: Rows, store: Store) -> Rows:
    return store(g - (g @ np.ones((g.shape[1], 1), g.dtype)) / g.dtype.type(g.shape[1]))


def leave_one_out(g: Rows, store: Store) -> Rows:
    n = g.dtype.type(g.shape[1])
    return store(g * (1 - 1 / n) - (total(g) - g) / n)


def stored_mean(g: Rows, store: Store) -> Rows:
    return store(g - store(total(g) / g.dtype.type(g.shape[1])))


def stored_sum(g: Rows, store: Store) -> Rows:
    return store(g - store(store(total(g)) * store(1 / np.full((1, 1), g.shape[1], g.dtype))))


def twice(g: Rows, store: Store) -> Rows:
    return stored_mean(stored_mean(g, store), store)


def twice_unstored(g: Rows, store: Store) -> Rows:
    return in_order(in_order(g, store), store)


def twice_eq2(g: Rows, store: Store) -> Rows:
    return eq2_in_order(eq2_in_order(g, store), store)


def widest(g: Rows, store: Store) -> Rows:
    wide = g.astype(np.longdouble)
    return store((wide - wide.mean(axis=1, keepdims=True)).astype(g.dtype))


def flushed(g: Rows, store: Store) -> Rows:
    """In order, every operand and result flushed to zero when subnormal."""
    normal = np.finfo(g.dtype).tiny

    def ftz(x: Rows) -> Rows:
        return np.where(np.abs(x) < normal, g.dtype.type(0), x)

    g = ftz(g)
    s = np.zeros((len(g), 1), g.dtype)
    for x in columns(g):
        s = ftz(s + ftz(x / g.dtype.type(g.shape[1])))
    return store(ftz(g - s))


def total(g: Rows) -> Rows:
    s = g[:, :1]
    for x in columns(g[:, 1:]):
        s = s + x
    return s


def columns(g: Rows) -> Iterator[Rows]:
    return (g[:, k : k + 1] for k in range(g.shape[1]))


def letter(g: Rows) -> Rows:
    """P of Eq. 2 to the letter, in the accumulator."""
    n = g.shape[1]
    e = np.full((n, 1), 1 / np.sqrt(g.dtype.type(n)), g.dtype)
    p: Rows = np.eye(n, dtype=g.dtype) - e @ e.T
    return p


WAYS: tuple[Way, ...] = (
    pairwise,
    in_order,
    reversed_times_reciprocal,
    scaled_first,
    divided_first,
    largest_first,
    kahan,
    welford,
    welford_reciprocal,
    running_ratio,
    shifted,
    shifted_by_last,
    fused,
    eq2_left,
    eq2_in_order,
    eq2_right,
    eq2_squared,
    rank_one,
    by_ones,
    leave_one_out,
    stored_mean,
    stored_sum,
    twice,
    twice_unstored,
    twice_eq2,
    widest,
)
