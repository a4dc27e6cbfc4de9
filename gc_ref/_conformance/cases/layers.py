"""The models that cases train: which layers, of which sizes, and why these."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Layer:
    """One layer of a case's model, before the framework's layout is known."""

    name: str
    kind: str
    fan_in: int = 1
    fan_out: int = 1
    window: int = 2
    bias: bool = False


#: Fan-ins are powers of two under both rules for the axes. Sizes straddle the gates that
#: published ports have (warp size 32, second dimension divisible by 16), and square
#: weights let a mean that is broadcast along the wrong axis go unnoticed by the framework.
INTEGER_LAYERS = (
    Layer("dense_0", "dense", 2, 2),
    Layer("dense_1", "dense", 4, 3, bias=True),
    Layer("dense_2", "dense", 8, 8),
    Layer("dense_3", "dense", 16, 16),
    Layer("dense_4", "dense", 64, 16),
    Layer("dense_5", "dense", 1, 4),
    Layer("dense_6", "dense", 8, 1, bias=True),
    Layer("conv1d_0", "conv1d", 4, 3),
    Layer("conv1d_1", "conv1d", 16, 16, 1),
    Layer("conv2d_0", "conv2d", 2, 3, bias=True),
    Layer("conv2d_1", "conv2d", 8, 16),
    Layer("conv2d_2", "conv2d", 4, 4, 1),
    Layer("conv2d_3", "conv2d", 1, 4),
    Layer("conv3d_0", "conv3d", 2, 3),
    Layer("depthwise_0", "depthwise", 4, 4),
    Layer("transposed_0", "transposed", 4, 2),
    Layer("embedding_0", "embedding", 8, 4),
    Layer("attention_0", "attention-in", 2, 8, 4),
    Layer("attention_1", "attention-out", 2, 8, 4),
    Layer("norm_0", "scale", 1, 6, bias=True),
    Layer("temperature", "scalar"),
    # Large, and last: some ports stop at a size, some forget the last parameter.
    Layer("dense_7", "dense", 1024, 3),
)
BOUNDED_LAYERS = (
    Layer("dense_0", "dense", 3, 4, bias=True),
    Layer("dense_1", "dense", 7, 5),
    Layer("dense_2", "dense", 10, 10),
    Layer("dense_3", "dense", 50, 6),
    Layer("conv1d_0", "conv1d", 3, 4, 3),
    Layer("dense_4", "dense", 6, 3),
    Layer("conv2d_0", "conv2d", 3, 4, 3),
    Layer("conv3d_0", "conv3d", 3, 2, 2),
    Layer("dense_5", "dense", 5, 7),
    Layer("norm_0", "scale", 1, 5, bias=True),
)
#: Sizes as real models have them, and their names: a fan-in past 16,384, outputs and a vector past
#: 4,096, one output, fan-ins that are no multiple of a block.
SIZED_LAYERS = (
    Layer("stem", "conv2d", 3, 8, 7),
    Layer("proj", "dense", 1027, 2),
    Layer("tall", "dense", 2, 130, bias=True),
    Layer("norm", "scale", 1, 5000),
    Layer("classifier", "dense", 4, 4160, bias=True),
    Layer("head", "dense", 20000, 1),
)
#: A weight past 2²⁰ elements.
LARGEST_LAYER = Layer("fc1", "dense", 2048, 514)
#: Sizes between those of the integer case and of real models, for optimizers that keep a matrix
#: for each axis of a weight: its entries are the square of these numbers.
WIDE_LAYERS = (
    Layer("proj", "dense", 1027, 2),
    Layer("tall", "dense", 2, 130, bias=True),
    Layer("hidden", "dense", 64, 130, bias=True),
)
#: The weight of the case of scales: three output neurons for each of 21 scales.
SCALED_LAYER = Layer("dense_0", "dense", 16, 63)
#: An array does not tell an operator its layer: only kinds that leave no choice.
UNAMBIGUOUS = ("dense", "conv1d", "conv2d", "conv3d", "bias", "scale", "scalar")
#: A few layers that stand for all: what costs a model per run need not cost all of it.
FEW = ("dense_1", "dense_2", "conv2d_0")


def stored_as(layers: Iterable[Layer], kinds: Mapping[str, str]) -> tuple[Layer, ...]:
    """Return the layers of a framework that has kinds of its own in place of some.

    Examples
    --------
    >>> [layer] = stored_as([Layer("block", "transposed")], {"transposed": "transposed-direct"})
    >>> layer.name, layer.kind
    ('block', 'transposed-direct')
    """
    return tuple(replace(layer, kind=kinds.get(layer.kind, layer.kind)) for layer in layers)
