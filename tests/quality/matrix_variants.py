"""Ways of writing Φ, right and wrong, for any library of arrays: one axis of the matrix.

The right ones are the same function to a mathematician and differ in how they round. Each wrong
one is a mistake that was seen in published ports, or that a port could make unseen.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

#: Above these sizes the wrong ports below treat a weight, or a vector, otherwise.
BIG_WEIGHT, LONG_VECTOR = 4096, 16


@dataclass(frozen=True)
class Arrays:
    """What Φ is written with: a library of arrays, and what libraries call differently.

    Attributes
    ----------
    xp : module
        Has ``mean``, ``sum``, ``reshape``, ``divide`` and ``zeros_like``.
    layout : str
        Where its framework keeps the outputs of a weight.
    cast : callable
        ``cast(array, dtype)``, where the dtype is a name or that of another array.
    take : callable
        ``take(matrix, index, axis)``: one row or column.
    loop : callable
        ``loop(count, body, start)`` with ``body(index, value) -> value``.
    """

    xp: Any
    layout: str
    cast: Callable[[Any, Any], Any]
    take: Callable[[Any, Any, int], Any]
    loop: Callable[[int, Callable[[Any, Any], Any], Any], Any]

    def inputs(self, g: Any, *, other_layout: bool = False) -> tuple[int, ...]:
        """All axes but that of the outputs, in this layout or in the other one."""
        first = (self.layout == "output-first") is not other_layout
        rank = len(g.shape)
        return tuple(range(1, rank)) if first else tuple(range(rank - 1))

    def fan_in(self, g: Any) -> int:
        """Inputs of each output neuron."""
        return math.prod(int(g.shape[i]) for i in self.inputs(g))

    def mean(self, g: Any, axes: tuple[int, ...] | None = None) -> Any:
        """Mean over the inputs, or over other axes, that broadcasts."""
        return self.xp.mean(g, axis=self.inputs(g) if axes is None else axes, keepdims=True)


def counting(count: int, body: Callable[[Any, Any], Any], start: Any) -> Any:
    """Loop of a library that computes at once."""
    value = start
    for index in range(count):
        value = body(index, value)
    return value


def plain(a: Arrays, g: Any) -> Any:
    return g - a.mean(g)


def eq_2(a: Arrays, g: Any) -> Any:
    e = 1.0 / math.sqrt(a.fan_in(g))
    return g - e * a.xp.sum(e * g, axis=a.inputs(g), keepdims=True)


def welford(a: Arrays, g: Any) -> Any:
    shape, count = tuple(g.shape), a.fan_in(g)
    axis = 1 if a.layout == "output-first" else 0
    outputs = shape[0] if axis else shape[-1]
    matrix = a.xp.reshape(g, (outputs, count) if axis else (count, outputs))

    def add(index: Any, mean: Any) -> Any:
        return mean + a.xp.divide(a.take(matrix, index, axis) - mean, a.cast(index + 1, g.dtype))

    mean = a.loop(count, add, a.xp.zeros_like(a.take(matrix, 0, axis)))
    ones = (1,) * (len(shape) - 1)
    return g - a.xp.reshape(mean, (outputs, *ones) if axis else (*ones, outputs))


def prescaled(a: Arrays, g: Any) -> Any:
    return g - a.xp.sum(g * (1.0 / a.fan_in(g)), axis=a.inputs(g), keepdims=True)


def float64_inside(a: Arrays, g: Any) -> Any:
    wide = a.cast(g, "float64")
    return a.cast(wide - a.mean(wide), g.dtype)


def twice(a: Arrays, g: Any) -> Any:
    return plain(a, plain(a, g))


def whole_tensor(a: Arrays, g: Any) -> Any:
    return g - a.mean(g, tuple(range(len(g.shape))))


def wrong_axes(a: Arrays, g: Any) -> Any:
    return g - a.mean(g, a.inputs(g, other_layout=True))


def half_the_mean(a: Arrays, g: Any) -> Any:
    return g - a.mean(g) * 0.5


def big_skipped(a: Arrays, g: Any) -> Any:
    return g if math.prod(map(int, g.shape)) > BIG_WEIGHT else plain(a, g)


@dataclass(frozen=True)
class Variant:
    """One way of writing Φ, and whether it is right."""

    name: str
    words: str
    correct: bool
    of_weight: Callable[[Arrays, Any], Any]
    float64: bool = False  # whether the framework must be told to compute in float64
    long_vectors: bool = False
    second_steps: bool = True  # whether Φ acts on every second step too

    def phi(self, arrays: Arrays, g: Any) -> Any:
        """Φ of the gradient of any parameter."""
        if len(g.shape) >= 2:
            return self.of_weight(arrays, g)
        if self.long_vectors and len(g.shape) == 1 and int(g.shape[0]) > LONG_VECTOR:
            return g - arrays.mean(g, (0,))
        return g


VARIANTS = {
    variant.name: variant
    for variant in (
        Variant("plain", "g - mean(g)", True, plain),
        Variant("eq-2", "e = 1/√M · 1, g - e(eᵀg)", True, eq_2),
        Variant("welford", "a running mean", True, welford),
        Variant("prescaled", "the sum of g · (1/M)", True, prescaled),
        Variant("float64", "computed in float64, rounded once", True, float64_inside, float64=True),
        Variant("twice", "Φ(Φ(g))", True, twice),
        Variant("whole-tensor", "one mean of the whole weight", False, whole_tensor),
        Variant("wrong-axes", "the axes of the other layout", False, wrong_axes),
        Variant("half", "half the mean", False, half_the_mean),
        Variant("second-step", "Φ at odd steps only", False, plain, second_steps=False),
        Variant(
            "big-skipped",
            f"weights of more than {BIG_WEIGHT:,} elements are left alone",
            False,
            big_skipped,
        ),
        Variant(
            "long-vectors",
            f"vectors of more than {LONG_VECTOR} entries lose their mean",
            False,
            plain,
            long_vectors=True,
        ),
    )
}
