"""What a centering rule or a condition may know of a parameter, besides its gradient."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

__all__ = ["OUTPUT_AXIS", "ParameterInfo", "kind_in", "parameter_infos"]

#: Axis of the outputs of a plain layer.
OUTPUT_AXIS = {"output-first": 0, "output-last": -1}

Key = TypeVar("Key", bound=Hashable)


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
    kind: str = ""  # of layer, as far as a port can see it: by the name of the parameter

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
            "window-of-convolutions": order[2:] or order[1:],
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


def kind_in(name: str) -> str:
    """Return the kind of layer that a port may read off the name of a parameter.

    Examples
    --------
    >>> kind_in("model/Embed_0/embedding"), kind_in("dense_1/kernel"), kind_in("scale")
    ('embedding', 'dense', '')
    """
    tokens = {"embed": "embedding", "dense": "dense"}
    return next((kind for token, kind in tokens.items() if token in name.lower()), "")


def parameter_infos(
    shapes: Mapping[Key, tuple[int, ...]],
    axis: int,
    *,
    groups: Iterable[Iterable[Key]] = (),
    bits: int = 24,
    kinds: Mapping[Key, str] | None = None,
) -> dict[Key, ParameterInfo]:
    """Describe the parameters of a model, by any key, in the order in which an optimizer has them.

    That is the order of ``groups``, its parameter groups; by default these are the halves of the
    model. ``kinds`` are of their layers, where a port can know them.

    Examples
    --------
    >>> infos = parameter_infos({"kernel": (2, 3), "bias": (3,), "head": (3, 3)}, -1)
    >>> infos["head"].index, infos["head"].count, infos["head"].group
    (1, 2, 1)
    """
    keys = list(shapes)
    groups = groups or (keys[: len(keys) // 2], keys[len(keys) // 2 :])
    order = [(key, number) for number, group in enumerate(groups) for key in group]
    ranks = [len(shapes[key]) for key, _ in order]
    count = sum(rank > 1 for rank in ranks)
    first = next((rank for rank in ranks if rank > 1), 2)
    found: dict[Key, ParameterInfo] = {}
    for i, (key, number) in enumerate(order):
        index = sum(rank > 1 for rank in ranks[:i])
        kind = (kinds or {}).get(key, "")
        found[key] = ParameterInfo(shapes[key], axis, index, count, first, bits, number, kind)
    return found
