"""Climbing on one centralization: trees of summation, forms of the mean, and gradients."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from _correct_centralize import Way, letter
from _hard_data import Format, Rows, ratios

from gc_ref import bounds, exact

from .climb import Found, Tau, by_row, changed, fresh
from .zoo_sums import FORMS

FAN_INS = (2, 3, 4, 5, 7, 8, 12, 16)


@dataclass(frozen=True)
class Trees:
    """A tree of summation for each row: an order of its leaves, and neighbors to add."""

    order: Any
    merges: Any

    @classmethod
    def drawn(cls, rng: np.random.Generator, rows: int, n: int) -> Trees:
        order = rng.permuted(np.tile(np.arange(n), (rows, 1)), axis=1)
        merges = rng.integers(0, np.arange(n - 1, 0, -1), size=(rows, n - 1))
        return cls(order, merges)

    def changed(self, rng: np.random.Generator) -> Trees:
        """Exchange two leaves, or add another pair of neighbors at one place, in each row."""
        rows, n = self.order.shape
        every = np.arange(rows)
        order, merges = self.order.copy(), self.merges.copy()
        i, j = rng.integers(n, size=(2, rows))
        order[every, i], order[every, j] = self.order[every, j], self.order[every, i]
        k = rng.integers(n - 1, size=rows)
        merges[every, k] = rng.integers(0, n - 1 - k)
        swap = rng.random((rows, 1)) < 0.5
        return Trees(
            np.where(swap, order, self.order), np.where(swap, self.merges, merges)
        )  # fmt: skip

    def kept(self, better: Any, other: Trees) -> Trees:
        keep = better[:, None]
        return Trees(
            np.where(keep, other.order, self.order), np.where(keep, other.merges, self.merges)
        )

    def fold(self, terms: Rows, join: Callable[[Rows, Rows, Any, Any], Rows]) -> Rows:
        """Join neighbors until one is left; counts of leaves go along."""
        every = np.arange(len(terms))
        parts = np.take_along_axis(terms, self.order, axis=1)
        counts = np.ones(parts.shape, parts.dtype)
        for step in range(parts.shape[1] - 1):
            i = self.merges[:, step]
            parts[every, i] = join(
                parts[every, i], parts[every, i + 1], counts[every, i], counts[every, i + 1]
            )
            counts[every, i] += counts[every, i + 1]
            rest = np.ones(parts.shape, bool)
            rest[every, i + 1] = False
            parts = parts[rest].reshape(len(terms), -1)
            counts = counts[rest].reshape(len(terms), -1)
        return parts

    def sum(self, terms: Rows) -> Rows:
        return self.fold(terms, lambda a, b, *_: a + b)

    def mean(self, terms: Rows) -> Rows:
        """Means merged by their weights (Welford's formula, after Chan, on any tree)."""
        return self.fold(terms, lambda a, b, na, nb: a + (b - a) * (nb / (na + nb)))


def on_tree(form: str, trees: Trees) -> Way:
    """Return one way of Eq. 1 or Eq. 2 whose sums follow the trees."""
    if form == "merged means":
        return lambda g, store: store(g - trees.mean(g))
    if form == "merged means, stored":
        return lambda g, store: store(g - store(trees.mean(g)))
    if form == "Eq. 2":

        def eq2(g: Rows, store: Any) -> Rows:
            p = letter(g)
            return store(np.concatenate([trees.sum(g * row) for row in p], axis=1))

        return eq2
    if form == "stored sum":
        one = np.float64(1)

        def stored_sum(g: Rows, store: Any) -> Rows:
            weight = store(np.full((1, 1), one / g.shape[1]).astype(g.dtype))
            return store(g - store(store(trees.sum(g)) * weight))

        return stored_sum
    (evaluate,) = [f for f in FORMS if f.__name__ == form]
    return lambda g, store: evaluate(trees.sum, g, store)


TREE_FORMS = (
    *(f.__name__ for f in FORMS), "merged means", "merged means, stored", "Eq. 2", "stored sum",
)  # fmt: skip


def tau_of_centralize(g: Rows, name: str) -> Any:
    return bounds.centralize(g, output_axis=0, profile=bounds.profile(name))


def climb_trees(
    name: str, elements: int, rng: np.random.Generator, *,
    tau: Tau = tau_of_centralize, climb: bool = True, rows: int = 24, patience: int = 60,
) -> Found:  # fmt: skip
    """Search trees, forms and gradients for the worst ratio of one centralization."""
    form, found = Format(name), Found()

    def measured(g: Rows, shape: str, trees: Trees) -> Any:
        bound = tau(g, name)
        truth = exact.centralize(g.astype(float), output_axis=0)
        with np.errstate(all="ignore"):
            got = on_tree(shape, trees)(g, form.store)
        values = ratios(got, truth, truth, bound)
        where = f"{shape} on a tree, n = {g.shape[1]}"
        found.add(max(values), where, g.size, int(np.isinf(bound).sum()))
        return by_row(values, len(g))

    while found.elements < elements:
        n, shape = int(rng.choice(FAN_INS)), str(rng.choice(TREE_FORMS))
        g, trees = fresh(rng, (rows, n), form), Trees.drawn(rng, rows, n)
        best = measured(g, shape, trees)
        for _ in range(patience):
            if climb:
                g_2 = changed(g, rng, form)
                trees_2 = trees.changed(rng) if rng.random() < 0.5 else trees
            else:
                g_2, trees_2 = fresh(rng, (rows, n), form), Trees.drawn(rng, rows, n)
            value = measured(g_2, shape, trees_2)
            better = value >= best
            g, best = np.where(better[:, None], g_2, g), np.maximum(best, value)
            trees = trees.kept(better, trees_2)
    return found
