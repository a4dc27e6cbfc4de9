"""What the author of a port can do about each known deviation, in a sentence."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["MENDS", "mend"]

#: The axes of the inputs of ``g``, as code: PyTorch says ``dim``, the others ``axis``.
INPUT_AXES = {
    "output-first": "dim=tuple(range(1, g.ndim))",
    "output-last": "axis=tuple(range(g.ndim - 1))",
}
#: In each, ``{inputs}`` stands for the axes of the inputs.
MENDS: Mapping[str, str] = {
    "not-applied": "centralize the gradients before the optimizer reads them, use what comes back, "
    "and test that a step with it differs from one without",
    "layout-swapped": "average over the inputs of this layout: {inputs}",
    "partial-axes": "average over all inputs at once: {inputs}",
    "whole-tensor": "give the mean its axes, and keep them: {inputs}, with keepdims",
    "all-parameters": "centralize each parameter on its own: {inputs}",
    "vectors-too": "return gradients of fewer than two dimensions as they are",
    "vectors-erased": "return gradients of fewer than two dimensions as they are",
    "shape-gated": "centralize every weight of two or more dimensions, whatever its size",
    "rank-gated": "centralize every weight of two or more dimensions: g.ndim > 1",
    "mean-broadcast-wrong": "keep the averaged axes (keepdims), so that each mean meets its own "
    "neuron",
    "offset": "subtract the mean and add nothing",
    "scaled": "subtract the mean and leave the scale alone; offer a normalization as a switch of "
    "its own",
    "partial": "subtract the whole mean, from every weight, at every step",
    "wrong-divisor": "divide the sum by the number of inputs of the neuron: mean({inputs})",
    "not-the-mean": "subtract the arithmetic mean over the inputs: {inputs}",
    "stale-mean": "take the mean of the very gradient that it is subtracted from",
    "low-precision-mean": "take the mean in the gradient's own dtype, or in a wider one",
    "first-shape-axes": "find the axes anew for each weight: {inputs}",
    "kind-gated": "centralize the weights of every kind of layer, whatever their names",
    "value-gated": "centralize whatever the values of the gradient are",
    "clipped-first": "centralize first and clip then, or leave the clipping to the caller",
    "nan-leak": "take each mean from its own neuron alone: {inputs}",
    "intermittent": "centralize at every step",
    "decay-distorted": "shrink the weights by lr·λ, without the bias-corrected step size",
    "state-aliased": "copy a gradient before it becomes state, and make state for each parameter",
    "state-lost": "let state_dict() (in Keras, the optimizer's variables) hold all state",
    "moment-centralized": "centralize a copy: out of place, the first moment stays as it is",
    "second-moment-raw": "square the centralized gradient for the second moment",
    "lr-twice": "multiply by the learning rate once",
    "bias-correction-missing": "divide the moments by 1 - beta1**t and 1 - beta2**t",
    "base-dropped": "hand the centralized gradient to the optimizer that it is meant for",
    "flag-ignored": "ask for the switch before centralizing",
    "weights-centralized": "centralize the gradient, never the weight",
}


def mend(deviation: str, layout: str) -> str:
    """What its author can do about a port with one known deviation.

    Parameters
    ----------
    deviation : str
        Id in the catalogue.
    layout : {"output-first", "output-last"}
        The layout of the port's weights.

    Returns
    -------
    str

    Examples
    --------
    >>> mend("partial-axes", "output-first")
    'average over all inputs at once: dim=tuple(range(1, g.ndim))'
    """
    return MENDS[deviation].format(inputs=INPUT_AXES[layout])
