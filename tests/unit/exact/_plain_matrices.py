"""Eq. 1 on nested lists of any kind of number, for the tests of `gc_ref.exact`."""

from __future__ import annotations

import itertools
import random
from typing import Any

Matrix = list[list[Any]]
PLACEMENTS = ["gradient", "decayed-gradient", "update", "decayed-update"]
DECAYS: list[tuple[float, str]] = [(0.0, "l2"), (0.25, "l2"), (0.1, "l2"), (0.1, "decoupled")]


def matrices(seed: int, count: int, *, rows: int = 2, columns: int = 3) -> list[Matrix]:
    rng = random.Random(seed)
    return [[[rng.gauss(0, 1) for _ in range(columns)] for _ in range(rows)] for _ in range(count)]


def phi(matrix: Matrix) -> Matrix:
    """Eq. 1 for rows as output neurons, on any kind of number."""
    return [[x - sum(row) / len(row) for x in row] for row in matrix]


def each(function: Any, *matrices: Matrix) -> Matrix:
    return [
        [function(*xs) for xs in zip(*rows, strict=True)] for rows in zip(*matrices, strict=True)
    ]


def flat(matrix: Matrix) -> list[Any]:
    return list(itertools.chain.from_iterable(matrix))


def entering(g: Matrix, w: Matrix, lam: Any, decay: str, placement: str) -> Matrix:
    """What enters the optimizer: Φ(g) + λw, Φ(g + λw) or g + λw; λ = 0 if decoupled."""
    if decay == "decoupled":
        return g if placement.endswith("update") else phi(g)
    if placement == "gradient":
        return each(lambda a, b: a + lam * b, phi(g), w)
    raw = each(lambda a, b: a + lam * b, g, w)
    return phi(raw) if placement == "decayed-gradient" else raw
