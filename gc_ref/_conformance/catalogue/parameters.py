"""What a centering rule or a condition may know of a parameter, besides its gradient."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from gc_ref._conformance.ports.case import Parameter

__all__ = ["OUTPUT_AXIS", "ParameterInfo", "infos_of", "infos_of_shapes"]

#: Axis of the outputs of a plain layer.
OUTPUT_AXIS = {"output-first": 0, "output-last": -1}


@dataclass(frozen=True)
class ParameterInfo:
    """A parameter's shape, its output axis, and its place in the model."""

    shape: tuple[int, ...]
    axis: int  # of the outputs of a plain layer: 0 or -1
    index: int = 0  # among the model's weights of two or more dimensions
    count: int = 1  # of these weights
    first_rank: int = 2  # dimensions of the first of them
    bits: int = 24  # precision of the arithmetic
    group: int = 0  # its parameter group, or the half of the model that it is in

    @property
    def rank(self) -> int:
        """Number of dimensions."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    @property
    def outputs(self) -> int:
        """Number of output neurons, by rank."""
        return self.shape[self.axis] if self.rank > 1 else 1

    @property
    def fan_in(self) -> int:
        """Inputs of each output neuron, by rank."""
        return self.size // self.outputs if self.rank > 1 else 1

    def axes(self, which: str) -> tuple[int, ...]:
        """Axes that a rule averages; empty where it leaves the weight alone.

        Examples
        --------
        >>> kernel = ParameterInfo((3, 3, 8, 16), axis=-1)
        >>> kernel.axes("inputs"), kernel.axes("window"), kernel.axes("other-layout")
        ((0, 1, 2), (0, 1), (1, 2, 3))
        """
        # From the outputs over the input channels and the window to the far end.
        order = range(self.rank) if self.axis == 0 else range(self.rank)[::-1]
        chosen = {
            "inputs": order[1:],
            "other-layout": order[:-1],
            "window": order[2:],
            "channels": order[1:2],
            "outputs": order[:1],
            "outputs-and-window": (*order[:1], *order[2:]),
            "far-axis": order[-1:],
            "whole": order,
        }
        return tuple(sorted(chosen[which]))

    def axes_of_rank(self, rank: int) -> tuple[int, ...]:
        """Axes that a weight of ``rank`` dimensions has for inputs, as far as this one has them."""
        axes = range(self.rank)
        return tuple(axes[1:rank] if self.axis == 0 else axes[: rank - 1])


def infos_of_shapes(
    shapes: Sequence[tuple[int, ...]], axis: int, *, groups: Sequence[int] = (), bits: int = 24
) -> list[ParameterInfo]:
    """Describe the parameters of a model, listed as its optimizer has them.

    ``groups`` are the numbers of their parameter groups; the halves of the model by default.
    """
    count = sum(len(shape) > 1 for shape in shapes)
    first = next((len(shape) for shape in shapes if len(shape) > 1), 2)
    groups = groups or [int(i >= len(shapes) // 2) for i in range(len(shapes))]
    return [
        ParameterInfo(
            tuple(shape), axis, sum(len(s) > 1 for s in shapes[:i]), count, first, bits, groups[i]
        )
        for i, shape in enumerate(shapes)
    ]


def infos_of(
    parameters: Iterable[Parameter],
    layout: str,
    bits: int = 24,
    groups: Sequence[Sequence[str]] = (),
) -> dict[str, ParameterInfo]:
    """Describe the parameters of a case; ``groups`` are names, in the optimizer's order."""
    shapes = {p.name: p.shape for p in parameters}
    names = [name for group in groups for name in group] or list(shapes)
    numbers = [number for number, group in enumerate(groups) for _ in group]
    infos = infos_of_shapes(
        [shapes[name] for name in names], OUTPUT_AXIS[layout], groups=numbers, bits=bits
    )
    return dict(zip(names, infos, strict=True))
