"""Hypothesis strategy for the weights of real layers. See `gc_ref.strategies`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from gc_ref._layouts import KINDS, LAYOUTS, is_convolution, output_axes, weight_shape
from gc_ref._slices import matrix_shape

_FANS = (1, 2, 3, 4, 5, 7, 8, 16)


class Layer(NamedTuple):
    """A weight of a real layer.

    Parameters
    ----------
    kind : str
        Kind of layer, ``dense`` for instance.
    layout : str
        ``output-first`` (PyTorch) or ``output-last`` (Keras, Flax).
    shape : tuple of int
        As the framework stores it.
    output_axis : tuple of int
        Axes that number the output neurons.

    Examples
    --------
    >>> Layer("dense", "output-first", (3, 5), (0,)).fan_in
    5
    """

    kind: str
    layout: str
    shape: tuple[int, ...]
    output_axis: tuple[int, ...]

    @property
    def fan_in(self) -> int:
        """Number of inputs of every output: the n, or M, of Eq. 1."""
        return matrix_shape(self.shape, self.output_axis)[1]


@st.composite
def layers(
    draw: DrawFn,
    /,
    *,
    kinds: Sequence[str] = KINDS,
    layouts: Sequence[str] = LAYOUTS,
    axes_rule: str = "by-rank",
    max_fan_in: int = 64,
    max_size: int = 256,
    power_of_two: bool = False,
    zero_size: bool = False,
) -> Layer:
    """Weights of real layers, two or more dimensions.

    Parameters
    ----------
    kinds, layouts : sequence of str
        What to draw from.
    axes_rule : {"by-rank", "by-kind"}
        One rule for every weight, or the true outputs of each kind.
    max_fan_in : int
        Largest number of inputs of an output. 64 keeps a wrong divisor visible in
        half types.
    max_size : int
        Largest number of elements.
    power_of_two : bool
        Whether the number of inputs must be a power of two.
    zero_size : bool
        Whether empty weights are drawn too.

    Returns
    -------
    Layer

    Examples
    --------
    >>> from hypothesis import find
    >>> find(layers(), lambda layer: True)
    Layer(kind='dense', layout='output-first', shape=(1, 1), output_axis=(0,))
    """
    kind, layout = draw(st.sampled_from(kinds)), draw(st.sampled_from(layouts))
    windows = (1, 2) if power_of_two or kind.startswith("attention") else (1, 2, 3)
    fans = tuple(n for n in _FANS if not power_of_two or n & (n - 1) == 0)
    if zero_size:
        fans = (*fans, 0)

    def layer(fan_in: int, fan_out: int, window: int) -> Layer:
        shape = weight_shape(kind, layout=layout, fan_in=fan_in, fan_out=fan_out, window=window)
        axes = output_axes(kind, len(shape), layout=layout, axes_rule=axes_rule)
        return Layer(kind, layout, shape, axes or (0,))

    def allowed(made: Layer) -> bool:
        return made.fan_in <= max_fan_in and math.prod(made.shape) <= max_size

    window = 1
    if kind.startswith("attention") or is_convolution(kind):
        window = draw(st.sampled_from([w for w in windows if allowed(layer(1, 1, w))]))
    fan_in = draw(st.sampled_from([n for n in fans if allowed(layer(n, 1, window))]))
    sizes = [n for n in fans if allowed(layer(fan_in, n, window))]
    return layer(fan_in, draw(st.sampled_from(sizes)), window)
