"""Climbing on one centralization: trees of summation, forms of the mean, and gradients."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from _correct_centralize import Way, letter
from _hard_data import Format, Rows, ratios

from gc_ref import bounds, exact

from .climb import BREED, PATIENCE, STARTS, Found, Tau, bred, by_row, changed, fresh
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


@dataclass(frozen=True)
class Start:
    """The rows of one climb: a form, and gradients and a tree for each row."""

    form: str
    g: Rows
    trees: Trees

    @classmethod
    def drawn(cls, rng: np.random.Generator, rows: int, form: Format) -> Start:
        n, shape = int(rng.choice(FAN_INS)), str(rng.choice(TREE_FORMS))
        return cls(shape, fresh(rng, (rows, n), form), Trees.drawn(rng, rows, n))

    def changed(self, rng: np.random.Generator, form: Format) -> Start:
        trees = self.trees.changed(rng) if rng.random() < 0.5 else self.trees
        return Start(self.form, changed(self.g, rng, form), trees)

    def kept(self, better: Any, other: Start) -> Start:
        g = np.where(better[:, None], other.g, self.g)
        return Start(self.form, g, self.trees.kept(better, other.trees))

    def at(self, rows: Any) -> Start:
        trees = Trees(self.trees.order[rows], self.trees.merges[rows])
        return Start(self.form, self.g[rows], trees)


def climb_trees(
    name: str, elements: int, rng: np.random.Generator, *,
    tau: Tau = tau_of_centralize, climb: bool = True, rows: int = 16,
) -> Found:  # fmt: skip
    """Search trees, forms and gradients for the worst ratio of one centralization."""
    form, found = Format(name), Found()

    def measured(start: Start) -> Any:
        g = start.g
        bound = tau(g, name)
        truth = exact.centralize(g.astype(float), output_axis=0)
        with np.errstate(all="ignore"):
            got = on_tree(start.form, start.trees)(g, form.store)
        values = ratios(got, truth, truth, bound)
        where = f"{start.form} on a tree, n = {g.shape[1]}"
        found.add(max(values), where, g.size, int(np.isinf(bound).sum()))
        return by_row(values, rows)

    while found.elements < elements:
        starts = [Start.drawn(rng, rows, form) for _ in range(STARTS)]
        bests = [measured(start) for start in starts]
        best, start = max(zip(bests, starts, strict=True), key=lambda pair: pair[0].max())
        step = gained = 0
        while climb and step - gained < PATIENCE and found.elements < elements:
            step += 1
            other = start.changed(rng, form)
            value = measured(other)
            gained = step if value.max() > best.max() else gained
            start, best = start.kept(value >= best, other), np.maximum(best, value)
            if step % BREED == 0:
                start, best = start.at(bred(best)), best[bred(best)]
    return found
