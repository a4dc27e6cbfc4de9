"""Which axes of which kind of weight number its output neurons.

Eq. 1 takes one mean per output neuron, over all of its inputs. An array does
not say which of its axes number the outputs: the layer that owns it does.
Two conventions decide it together:

``layout``
    where the framework stores the outputs of a plain layer: ``output-first``
    (PyTorch: ``(out, in, *window)``) or ``output-last`` (Keras and Flax:
    ``(*window, in, out)``).
``axes_rule``
    ``by-rank``, one rule for every weight of two or more dimensions, as all
    published ports have it; or ``by-kind``, the true outputs of the layer.
    Dense and Conv1D/2D/3D weights leave no choice: both rules agree there.
"""

from __future__ import annotations

LAYOUTS = ("output-first", "output-last")

#: Kinds of weight with two or more dimensions; all are in the scope of GC.
KINDS = (
    "dense",
    "conv1d",
    "conv2d",
    "conv3d",
    "depthwise",
    "transposed",
    "embedding",
    "attention-in",
    "attention-out",
)

#: Kinds that Flax has in place of two of Keras's. It stores both as the kernels of plain
#: convolutions: depthwise as one with a group for each channel, ``(*window, 1, out)``, and
#: transposed with the outputs last, ``(*window, in, out)``.
FLAX_KINDS = {"depthwise": "depthwise-grouped", "transposed": "transposed-direct"}

#: Kinds of parameter with no or one dimension; GC leaves them alone.
VECTOR_KINDS = ("bias", "scale", "scalar")

_WINDOW_RANK = {
    "conv1d": 1,
    "conv2d": 2,
    "conv3d": 3,
    "depthwise": 2,
    "transposed": 2,
    "depthwise-grouped": 2,
    "transposed-direct": 2,
}


def is_convolution(kind: str) -> bool:
    """Whether ``kind`` is a convolution, the scope of the paper's GCC variant.

    Parameters
    ----------
    kind : str
        One of `KINDS`, `FLAX_KINDS` or `VECTOR_KINDS`.

    Returns
    -------
    bool

    Examples
    --------
    >>> is_convolution("conv1d"), is_convolution("dense")
    (True, False)
    """
    return kind in _WINDOW_RANK


def output_axes(
    kind: str, ndim: int, *, layout: str, axes_rule: str = "by-rank"
) -> tuple[int, ...] | None:
    """Axes that number the output neurons of a weight (Eq. 1); None if it is out of scope.

    Parameters
    ----------
    kind : str
        Kind of parameter: ``"dense"``, ``"conv1d"``, ``"conv2d"``, ``"conv3d"``,
        ``"depthwise"``, ``"transposed"``, ``"embedding"``, ``"attention-in"``,
        ``"attention-out"``, ``"bias"``, ``"scale"`` or ``"scalar"``; as Flax stores them,
        ``"depthwise-grouped"`` and ``"transposed-direct"``.
    ndim : int
        Number of dimensions of the weight.
    layout : {"output-first", "output-last"}
        Where the framework stores the outputs of a plain layer.
    axes_rule : {"by-rank", "by-kind"}
        One rule for every weight, or the true outputs of each kind.

    Returns
    -------
    tuple of int or None
        Non-negative axes; None for parameters of fewer than two dimensions.

    Raises
    ------
    ValueError
        For an unknown kind, layout or rule.

    Examples
    --------
    A Keras depthwise kernel is ``(height, width, channel, multiplier)``: it has one
    output per channel and multiplier, but by rank only its last axis counts.

    >>> output_axes("depthwise", 4, layout="output-last")
    (3,)
    >>> output_axes("depthwise", 4, layout="output-last", axes_rule="by-kind")
    (2, 3)

    That of Flax is ``(height, width, 1, output)``, and leaves no choice.

    >>> output_axes("depthwise-grouped", 4, layout="output-last", axes_rule="by-kind")
    (3,)
    """
    if kind not in (*KINDS, *FLAX_KINDS.values(), *VECTOR_KINDS):
        raise ValueError(f"unknown kind of weight {kind!r}; known: {', '.join(KINDS)}")
    if layout not in LAYOUTS:
        raise ValueError(f"unknown layout {layout!r}; known: {', '.join(LAYOUTS)}")
    if axes_rule not in ("by-rank", "by-kind"):
        raise ValueError(f"unknown axes_rule {axes_rule!r}; known: by-rank, by-kind")
    if ndim < 2:
        return None
    first = layout == "output-first"
    if axes_rule == "by-kind":
        if kind == "embedding":  # a lookup is one-hot @ W: rows are inputs in every framework
            return (1,)
        if kind == "transposed":  # stored as the kernel of the convolution it is the adjoint of
            return (1,) if first else (ndim - 2,)
        if kind == "depthwise" and not first:  # each channel is convolved alone
            return (ndim - 2, ndim - 1)
        if kind == "attention-in" and not first:  # (model, heads, per head): einsum to both
            return tuple(range(1, ndim))
    return (0,) if first else (ndim - 1,)


def weight_shape(
    kind: str, *, layout: str, fan_in: int, fan_out: int, window: int = 2
) -> tuple[int, ...]:
    """Shape of a real layer's weight, as its framework stores it.

    Parameters
    ----------
    kind : str
        One of `KINDS`, `FLAX_KINDS` or `VECTOR_KINDS`.
    layout : {"output-first", "output-last"}
        PyTorch's, or Keras's and Flax's.
    fan_in : int
        Input channels (rows of an embedding; heads of an attention weight).
    fan_out : int
        Output channels (columns of an embedding).
    window : int
        Length of each axis of a convolution's window; size of an attention head.

    Returns
    -------
    tuple of int

    Examples
    --------
    >>> weight_shape("conv2d", layout="output-first", fan_in=4, fan_out=3)
    (3, 4, 2, 2)
    >>> weight_shape("conv2d", layout="output-last", fan_in=4, fan_out=3)
    (2, 2, 4, 3)
    """
    if kind == "scalar":
        return ()
    if kind in VECTOR_KINDS:
        return (fan_out,)
    first = layout == "output-first"
    if kind == "embedding":
        return (fan_in, fan_out)
    if kind == "attention-in":
        # PyTorch stacks the three projections; Keras keeps (model, heads, head).
        model = fan_in * window
        return (3 * model, model) if first else (model, fan_in, window)
    if kind == "attention-out":
        model = fan_in * window
        return (model, model) if first else (fan_in, window, model)
    windows = (window,) * _WINDOW_RANK.get(kind, 0)
    if kind == "depthwise":
        return (fan_in, 1, *windows) if first else (*windows, fan_in, 1)
    if kind == "depthwise-grouped":
        fan_in, fan_out = 1, fan_in
    if kind == "transposed":
        return (fan_in, fan_out, *windows) if first else (*windows, fan_out, fan_in)
    return (fan_out, fan_in, *windows) if first else (*windows, fan_in, fan_out)
