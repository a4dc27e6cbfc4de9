"""Searches for a correct implementation that exceeds the bounds.

*Climbing*: the best of some random starts is taken. Many rows at once, each with gradients
(and a summation tree) of its own, are changed at random, and a change is kept where the
row's largest |err|/τ does not sink; now and then the better half of the rows takes the place
of the worse. What rows have in common (the style of stepping, the hyperparameters) changes
too. After some changes without gain it begins anew. *Sampling* draws the same things anew
each time and keeps nothing: what the climb is measured against. Every ratio is computed in
integers, from the exact value.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from _hard_data import REGIMES, Format, Rows, draw

from gc_ref import bounds

#: Makes τ: the bounds under attack, or broken ones, to see that the search would find it.
Tau = Callable[..., Any]


@dataclass
class Found:
    """The worst ratio so far, where it was, and how much was compared."""

    ratio: float = 0.0
    where: str = ""
    elements: int = 0
    undecided: int = 0

    def add(self, ratio: float, where: str, elements: int, undecided: int = 0) -> None:
        self.elements += elements
        self.undecided += undecided
        if ratio > self.ratio:
            self.ratio, self.where = ratio, where

    def merge(self, other: Found) -> Found:
        self.add(other.ratio, other.where, other.elements, other.undecided)
        return self


def changed(g: Rows, rng: np.random.Generator, form: Format) -> Rows:
    """Change about one number in each row: by ulps, a power of 2, its sign, or altogether."""
    rows, n = g.shape
    which = rng.integers(n, size=rows)
    at = np.arange(rows), which
    old = g[at].astype(float)
    bits = -np.log2(bounds.profile(form.name).unit_roundoff)
    choices = (
        old * (1 + rng.integers(-3, 4, rows) * 2.0 ** (1 - bits)),
        old * 2.0 ** rng.integers(-3, 4, rows),
        -old,
        g[np.arange(rows), rng.integers(n, size=rows)].astype(float),
        old * rng.uniform(0.5, 2, rows),
        np.ldexp(rng.uniform(1, 2, rows), rng.integers(-8, 4, rows)),
    )
    new = np.choose(rng.integers(len(choices), size=rows), choices)
    out = g.copy()
    out[at] = form.once(np.clip(new, -1e4, 1e4))
    return out


def fresh(rng: np.random.Generator, shape: tuple[int, int], form: Format) -> Rows:
    names = [r for r in REGIMES if r != "huge"]
    return draw(str(rng.choice(names)), rng, shape, form)


#: Random starts of which a climb takes the best, and changes without gain that end it.
STARTS, PATIENCE = 8, 100
#: After so many changes the better half of the rows takes the place of the worse.
BREED = 8


def bred(best: Any) -> Any:
    """Indices of rows: the better half twice."""
    half = np.argsort(best)[len(best) // 2 :]
    return np.resize(half, len(best))


def by_row(values: list[float], rows: int) -> Any:
    return np.array(values).reshape(rows, -1).max(axis=1)
