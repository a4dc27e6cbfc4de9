"""Ways of taking a mean away from a gradient: the right one, and those that ports are seen with.

Each is one function over any array namespace, so that the catalogue can plant it in
every framework and the search for a port's semantics can try it in NumPy.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["CENTERS", "Center", "Memory", "Slot", "places"]


@dataclass(frozen=True)
class Slot:
    """What a rule may know of a parameter: its shape, its output axis, its place in the model."""

    shape: tuple[int, ...]
    axis: int  # the output axis of a plain layer: 0 or -1
    index: int = 0  # among the model's weights of two or more dimensions
    count: int = 1  # of those weights
    first_rank: int = 2  # dimensions of the model's first weight
    bits: int = 24  # precision of the arithmetic
    group: int = 0  # parameter group, or half of the model

    @property
    def rank(self) -> int:
        """Number of dimensions."""
        return len(self.shape)

    @property
    def outputs(self) -> int:
        """Number of output neurons, by rank."""
        return self.shape[self.axis] if self.rank > 1 else 1

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    @property
    def fan_in(self) -> int:
        """Inputs of each output neuron, by rank."""
        return math.prod(self.shape) // self.outputs if self.rank > 1 else 1

    def axes(self, rule: str, amount: float = 0.0) -> tuple[int, ...]:
        """Axes that a rule averages; empty where it leaves the weight alone."""
        n, first = self.rank, self.axis == 0
        out = 0 if first else n - 1
        far = n - 1 if first else 0  # where the other layout keeps the outputs
        channel = 1 if first else n - 2
        rules: dict[str, tuple[int, ...]] = {
            "inputs": tuple(i for i in range(n) if i != out),
            "other-layout": tuple(i for i in range(n) if i != far),
            "window": tuple(range(2, n)) if first else tuple(range(n - 2)),
            "channels": (channel,),
            "outputs": (out,),
            "whole": tuple(range(n)),
            "outputs-and-window": tuple(i for i in range(n) if i != channel),
            "far-axis": (far,),
        }
        if rule == "rank":  # as for a weight of `amount` dimensions
            k = int(amount)
            return tuple(range(1, min(k, n))) if first else tuple(range(min(k - 1, n)))
        return rules[rule]


def places(ranks: Sequence[int]) -> list[tuple[int, int]]:
    """Return index and count of each parameter among the weights, from their dimensions."""
    count = sum(r > 1 for r in ranks)
    return [(sum(r > 1 for r in ranks[:i]), count) for i in range(len(ranks))]


@dataclass(frozen=True)
class Memory:
    """What some wrong rules remember: the previous gradient, and the whole model's mean."""

    before: Any = None
    model_mean: Any = 0.0


#: (namespace, gradient, slot, amount, memory) -> what the optimizer is given.
Rule = Callable[[Any, Any, Slot, float, Memory], Any]


@dataclass(frozen=True)
class Center:
    """One way of centralizing: what it is called, what it is in words, what it does."""

    name: str
    deviation: str  # "" for the right one
    words: str
    apply: Rule
    fitted: str = ""  # "partial", "offset" or "scaled": how its amount is found


def mean(xp: Any, g: Any, axes: tuple[int, ...]) -> Any:
    """Mean over axes, which stay as axes of length 1."""
    return xp.mean(g, axis=axes, keepdims=True) if axes else 0.0 * g


def _over(rule: str) -> Rule:
    def apply(xp: Any, g: Any, slot: Slot, amount: float, memory: Memory) -> Any:
        axes = slot.axes(rule, amount)
        return g - mean(xp, g, axes) if axes else g

    return apply


def _right(xp: Any, g: Any, slot: Slot) -> Any:
    return g - mean(xp, g, slot.axes("inputs"))


def _deviation_of(xp: Any, g: Any, axes: tuple[int, ...]) -> Any:
    away = g - mean(xp, g, axes)
    return xp.sqrt(mean(xp, away * away, axes)) + 1e-8


def _first_input(xp: Any, g: Any, slot: Slot, amount: float, memory: Memory) -> Any:
    index = tuple(slice(None) if i not in slot.axes("inputs") else slice(0, 1)
                  for i in range(slot.rank))  # fmt: skip
    return g - g[index]


def _median(xp: Any, g: Any, slot: Slot, amount: float, memory: Memory) -> Any:
    return g - xp.median(g, axis=slot.axes("inputs"), keepdims=True)


def _rms(xp: Any, g: Any, slot: Slot, amount: float, memory: Memory) -> Any:
    return g - xp.sqrt(mean(xp, g * g, slot.axes("inputs")))


def _midrange(xp: Any, g: Any, slot: Slot, amount: float, memory: Memory) -> Any:
    axes = slot.axes("inputs")
    ends = xp.max(g, axis=axes, keepdims=True) + xp.min(g, axis=axes, keepdims=True)
    return g - ends / 2


def _divided_by(divisor: Callable[[Slot], float]) -> Rule:
    def apply(xp: Any, g: Any, slot: Slot, amount: float, memory: Memory) -> Any:
        n = slot.fan_in
        return g - mean(xp, g, slot.axes("inputs")) * (n / divisor(slot))

    return apply


def _low_precision(bits: int) -> Rule:
    def apply(xp: Any, g: Any, slot: Slot, amount: float, memory: Memory) -> Any:
        m = mean(xp, g, slot.axes("inputs"))
        wide = m * (2.0 ** (slot.bits - bits) + 1)  # Veltkamp's splitting keeps `bits` bits
        return g - (wide - (wide - m))

    return apply


def _broadcast_wrong(xp: Any, g: Any, slot: Slot, amount: float, memory: Memory) -> Any:
    """Mean without its axes of length 1, where the shapes happen to fit along another axis."""
    m = mean(xp, g, slot.axes("inputs"))
    far = slot.rank - 1 if slot.axis == 0 else 0
    if slot.shape[far] != slot.shape[slot.axis]:
        return g - m
    shape = [1] * slot.rank
    shape[far] = slot.shape[far]
    return g - xp.reshape(m, tuple(shape))


def _stale(xp: Any, g: Any, slot: Slot, amount: float, memory: Memory) -> Any:
    return g - mean(xp, memory.before, slot.axes("inputs"))


def _nan_leak(xp: Any, g: Any, slot: Slot, amount: float, memory: Memory) -> Any:
    return _right(xp, g, slot) + 0.0 * mean(xp, g, slot.axes("whole"))


_ALL = (
    Center("mean", "", "the mean over all inputs of each output neuron is removed (Eq. 1)",
           _over("inputs")),
    Center("none", "not-applied", "the gradient is left as it is",
           lambda xp, g, slot, amount, memory: g),
    Center("other-layout", "layout-swapped", "averages all axes but the {far}, where the other "
           "layout keeps its outputs; here the outputs are the {out} axis", _over("other-layout")),
    Center("window", "partial-axes", "averages the window axes only, not the input channels",
           _over("window")),
    Center("channels", "partial-axes", "averages the axis of input channels only, not the window",
           _over("channels")),
    Center("outputs", "partial-axes", "averages the output axis only", _over("outputs")),
    Center("outputs-and-window", "partial-axes", "averages all axes but the input channels",
           _over("outputs-and-window")),
    Center("far-axis", "partial-axes", "averages the {far} axis only", _over("far-axis")),
    Center("rank", "partial-axes", "averages the axes that a weight of {amount:g} dimensions has, "
           "whatever the weight's own", _over("rank")),
    Center("first-shape", "first-shape-axes", "averages the axes of the model's first weight in "
           "every weight", lambda xp, g, slot, amount, memory:
           g - mean(xp, g, slot.axes("rank", slot.first_rank))),
    Center("whole", "whole-tensor", "subtracts one mean of the whole weight", _over("whole")),
    Center("model", "all-parameters", "subtracts one mean over all parameters of the model",
           lambda xp, g, slot, amount, memory: g - memory.model_mean),
    Center("stale", "stale-mean", "subtracts the mean of the gradient of the step before", _stale),
    Center("median", "not-the-mean", "subtracts the median of the inputs", _median),
    Center("first-input", "not-the-mean", "subtracts the first input's gradient", _first_input),
    Center("magnitude", "not-the-mean", "subtracts the mean of the magnitudes",
           lambda xp, g, slot, amount, memory: g - mean(xp, xp.abs(g), slot.axes("inputs"))),
    Center("rms", "not-the-mean", "subtracts the root of the mean square", _rms),
    Center("midrange", "not-the-mean", "subtracts the middle of the largest and the smallest",
           _midrange),
    Center("fan-in-1", "wrong-divisor", "divides the sum of M inputs by M - 1",
           _divided_by(lambda slot: max(slot.fan_in - 1, 1))),
    Center("fan-in+1", "wrong-divisor", "divides the sum of M inputs by M + 1",
           _divided_by(lambda slot: slot.fan_in + 1)),
    Center("divided-by-outputs", "wrong-divisor", "divides the sum of the inputs by the number "
           "of outputs", _divided_by(lambda slot: slot.shape[slot.axis])),
    Center("divided-by-size", "wrong-divisor", "divides the sum of the inputs by the size of the "
           "whole weight", _divided_by(lambda slot: math.prod(slot.shape))),
    Center("divided-by-root", "wrong-divisor", "divides the sum of M inputs by the root of M",
           _divided_by(lambda slot: math.sqrt(slot.fan_in))),
    Center("sum", "wrong-divisor", "subtracts the sum of the inputs, not their mean",
           _divided_by(lambda slot: 1)),
    Center("bfloat16-mean", "low-precision-mean", "the mean is rounded to bfloat16",
           _low_precision(8)),
    Center("float16-mean", "low-precision-mean", "the mean is rounded to float16's 11 bits",
           _low_precision(11)),
    Center("broadcast", "mean-broadcast-wrong", "the means of the outputs are laid along another "
           "axis of the same length (keepdims was dropped)", _broadcast_wrong),
    Center("divided-by-neuron", "scaled", "the centralized gradient of each neuron is divided by "
           "its standard deviation", lambda xp, g, slot, amount, memory:
           _right(xp, g, slot) / _deviation_of(xp, g, slot.axes("inputs"))),
    Center("divided-by-weight", "scaled", "the centralized gradient is divided by the standard "
           "deviation of the whole weight", lambda xp, g, slot, amount, memory:
           _right(xp, g, slot) / _deviation_of(xp, g, slot.axes("whole"))),
    Center("erase", "scaled", "the gradient of every weight becomes 0",
           lambda xp, g, slot, amount, memory: 0.0 * g),
    Center("partial", "partial", "{amount:.6g} times the mean is removed",
           lambda xp, g, slot, amount, memory: g - amount * mean(xp, g, slot.axes("inputs")),
           fitted="partial"),
    Center("offset", "offset", "{amount:+.6g} is added to the centralized gradient",
           lambda xp, g, slot, amount, memory: _right(xp, g, slot) + amount, fitted="offset"),
    Center("scaled", "scaled", "the centralized gradient is multiplied by {amount:.6g}",
           lambda xp, g, slot, amount, memory: _right(xp, g, slot) * amount, fitted="scaled"),
    Center("nan-leak", "nan-leak", "a NaN in one output neuron reaches the others", _nan_leak),
)  # fmt: skip

CENTERS: Mapping[str, Center] = {c.name: c for c in _ALL}
