"""Gradient centralization of one array: Eq. 1 and Eq. 2 of the paper.

Yong, Huang, Hua and Zhang, "Gradient Centralization: A New Optimization
Technique for Deep Neural Networks", ECCV 2020, arXiv 2004.01461.

Eq. 1 is the line marked so in `centralize`; `_within_one_ulp` is the same line in blocks,
with a look at what cancelled. This file, ``_arrays.py``, ``_sgdm.py`` and
``_adam.py`` may be copied together into another project: beside the array library in use
they need array-api-compat alone.
"""

from __future__ import annotations

import math
from types import ModuleType
from typing import Any

from array_api_compat import device, is_writeable_array

from ._arrays import blocks, can_look_at, index, namespace_of, quiet, widest_dtype

__all__ = ["centralize", "projection"]

Array = Any


def centralize(grad: Array, /, *, output_axis: int | tuple[int, ...]) -> Array:
    """Remove from the gradient of each output neuron its mean over all inputs (Eq. 1).

    Parameters
    ----------
    grad : array
        Gradient of a weight, of any shape and any real floating dtype, from NumPy,
        array-api-strict, PyTorch, JAX (inside ``jit``, ``vmap`` and ``grad`` too),
        Dask or CuPy. It is not written to.
    output_axis : int or tuple of int
        The axis or axes that number the output neurons: 0 for PyTorch weights,
        -1 for Keras and Flax kernels. The mean runs over all the other axes.

    Returns
    -------
    array
        Of the same namespace, shape, dtype and device. Arrays of no or one
        dimension (biases, norm scales) and of size zero come back as they are;
        a neuron with a single input gets 0. A NaN or infinity turns its own
        slice into NaN and touches no other.

    Raises
    ------
    TypeError
        If `grad` is no array or not real floating, or an axis is not an integer.
    ValueError
        If an axis is out of range or repeated, or none is given.

    Notes
    -----
    float32 and smaller types go through float64, where the namespace has it, and each
    element is within 1 ulp of its exact value, however much its slice cancels. Where
    Python cannot look at the numbers (inside ``jit``, ``vmap``, ``grad``,
    ``torch.compile`` and ``torch.func``, for arrays that need a gradient, Dask arrays,
    DTensors), an element whose value is φ may be off by

        1 ulp + (n + 3)·2⁻⁵³·(mean|Φ(g)| + n·2⁻⁵³·mean|g|)

    with n inputs in its slice. Without float64 (JAX without x64), and for float64
    itself, this is g minus its plain mean, off by at most

        2u|φ| + (n + 2)·u·mean|g|, u = 2⁻²⁴ or 2⁻⁵³,

    and 1/2 ulp where the result is rounded to a smaller type.  A sum that would overflow
    is scaled by a power of two. XLA on a CPU treats subnormal numbers as 0, so under JAX
    all this ends at the smallest normal number.

    Examples
    --------
    >>> import numpy as np
    >>> kernel_gradient = np.asarray([[1.0, 10.0], [3.0, 50.0]])  # (inputs, outputs)
    >>> centralize(kernel_gradient, output_axis=-1)
    array([[ -1., -20.],
           [  1.,  20.]])
    """
    xp = namespace_of(grad=grad)
    outputs = _normalized_axes(output_axis, grad.shape)
    if grad.ndim < 2 or 0 in grad.shape:
        return grad
    inputs = tuple(axis for axis in range(grad.ndim) if axis not in outputs)
    wide, look = widest_dtype(grad, xp), can_look_at(grad)
    through_float64 = wide != grad.dtype and xp.finfo(wide).bits == 64
    if through_float64 and look and is_writeable_array(grad):
        return _within_one_ulp(grad, outputs, inputs, wide, xp)

    g = xp.astype(grad, wide, copy=False)
    if through_float64 and look:
        return xp.astype(_by_exact_sum(g, inputs, xp), grad.dtype)
    if through_float64:
        g = g - _mean(g, inputs, look, xp)  # P² = P: the next line removes what this one left
    return xp.astype(g - _mean(g, inputs, look, xp), grad.dtype, copy=False)  # Eq. 1


def projection(m: int, *, dtype: Any = None, xp: ModuleType | None = None) -> Array:
    """Make the projection P = I - e eᵀ of Eq. 2, with e = 1/√M · **1**.

    P times a gradient of shape (M, N), inputs first, is what `centralize` gives
    with ``output_axis=-1``.

    Parameters
    ----------
    m : int
        Fan-in M, at least 1.
    dtype : dtype, optional
        A real floating dtype of `xp`; its default real floating dtype if not given.
    xp : module, optional
        Array namespace to build it in; NumPy if not given.

    Returns
    -------
    array, shape (m, m)
        Each entry, 1 - 1/M or -1/M, correctly rounded.

    Raises
    ------
    TypeError
        If `m` is no integer or `dtype` is not real floating.
    ValueError
        If `m` is less than 1.

    Examples
    --------
    >>> projection(2)
    array([[ 0.5, -0.5],
           [-0.5,  0.5]])
    """
    m = index(m, "m")
    if m < 1:
        raise ValueError(f"m is the number of inputs of a neuron, at least 1; got {m}")
    if xp is None:
        import numpy  # only here: the rest works without it

        xp = numpy
    eye = xp.eye(m) if dtype is None else xp.eye(m, dtype=dtype)
    xp = namespace_of(projection=eye)
    one = xp.ones((), dtype=eye.dtype) if xp.finfo(eye.dtype).bits > 64 else 1.0
    return eye * (one * (m - 1) / m) + (1 - eye) * (-one / m)


def _mean(g: Array, inputs: tuple[int, ...], look: bool, xp: ModuleType) -> Array:
    """Mean of each slice; NaN for a slice that is not finite."""
    fan_in = math.prod(g.shape[axis] for axis in inputs)
    if look:
        with quiet(xp):
            mean = xp.sum(g, axis=inputs, keepdims=True) / fan_in
        if xp.all(xp.isfinite(mean)):
            return mean
    # Scaled by a power of two, no sum of finite numbers overflows.
    scale = 0.5 ** fan_in.bit_length()
    with quiet(xp):
        scaled = xp.sum(g * scale, axis=inputs, keepdims=True) / fan_in
    largest = xp.full_like(scaled, xp.finfo(g.dtype).max) * scale
    safe = xp.minimum(xp.maximum(scaled, -largest), largest) / scale
    safe = xp.where(xp.isfinite(scaled), safe, xp.full_like(safe, math.nan))
    return xp.where(xp.isfinite(mean), mean, safe) if look else safe


def _within_one_ulp(
    grad: Array, outputs: tuple[int, ...], inputs: tuple[int, ...], wide: Any, xp: ModuleType
) -> Array:
    """Eq. 1 in blocks through float64, for a dtype of p <= 24 bits: within 1 ulp.

    A sum in which no value passes more than k additions, in whatever order, is off by at most
    k·u·Σ|g|, u = 2⁻⁵³ (Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., 4.2;
    to first order, for which the 1.02 below leaves room). So for an element φ of Φ(g), the
    float64 difference y of g and its mean, and y rounded to r,

        |y - φ| <= δ = (k + 1)·u·mean|g| + u|y|.

    If δ <= ulp(φ)/2 then |r - φ| <= ulp(φ). For where y is not in a binade above φ, rounding
    adds at most ulp(φ)/2 to δ. Else a power of two lies between them, nearer to y than
    ulp(φ)/2 <= ulp(y)/2; then r is that power, and |r - φ| <= δ. As ulp(φ) > 2⁻ᵖ|φ|,
    |φ| >= |r|(1 - 2⁻ᵖ) - δ and p >= 8, all this holds where

        |r| >= limit = 1.02·2ᵖ⁺¹·(k + 1)·u·mean|g|,

    or where the limit is below twice the smallest normal number: there δ is at most half of
    the smallest ulp there is. So one look at the smallest |r| of each slice tells whether all
    of it is right. The few slices that fail are done again with their exact sum.
    """
    columns = inputs + outputs == tuple(range(grad.ndim))  # else one row for each output
    order = inputs + outputs if columns else outputs + inputs
    fan_in = math.prod(grad.shape[axis] for axis in inputs)
    g = xp.reshape(xp.permute_dims(grad, order), (fan_in, -1) if columns else (-1, fan_in))
    axis = 0 if columns else 1
    result = xp.empty_like(g)
    doubts = []
    pieces = blocks(grad, g.shape[0], g.shape[1])
    groups = [pieces] if columns else [[piece] for piece in pieces]
    # limit = 1.02·2ᵖ⁺¹·(k + 1)·u·mean|g|, with the sum of |g| for the mean and 2ᵖ⁺¹ = 4/eps
    factor = 1.02 * 4 / float(xp.finfo(grad.dtype).eps) * 2.0**-53 / fan_in
    tiny = 2 * float(xp.finfo(grad.dtype).smallest_normal)
    for group in groups:
        least = None
        with quiet(xp):
            total = magnitude = 0.0
            for piece in group:
                values = xp.astype(g[piece, ...], wide)
                total = total + _sum(values, axis, xp)
                magnitude = magnitude + _sum(xp.abs(values), axis, xp)
            mean = total / fan_in
        mean = xp.where(xp.isfinite(mean), mean, xp.full_like(mean, math.nan))
        for piece in group:
            rounded = xp.astype(xp.astype(g[piece, ...], wide) - mean, grad.dtype)  # Eq. 1
            result[piece, ...] = rounded
            smallest = xp.astype(xp.min(xp.abs(rounded), axis=axis, keepdims=True), wide)
            least = smallest if least is None else xp.minimum(least, smallest)
        limit = magnitude * (factor * (64 + fan_in // 64 + len(group) + 1))
        doubts.append((least < limit) & (limit > tiny))
    doubtful = doubts[0] if len(doubts) == 1 else xp.concat(doubts, axis=1 - axis)
    if fan_in > 1 and xp.any(doubtful):  # the mean of one number is exact
        for some in blocks(grad, g.shape[1 - axis], fan_in):
            at = (slice(None), some) if columns else (some, slice(None))
            if xp.any(doubtful[at]):
                exact = _by_exact_sum(xp.astype(g[at], wide), (axis,), xp)
                result[at] = xp.astype(exact, grad.dtype)
    result = xp.reshape(result, tuple(grad.shape[axis] for axis in order))
    return xp.permute_dims(result, tuple(order.index(axis) for axis in range(grad.ndim)))


def _sum(values: Array, axis: int, xp: ModuleType) -> Array:
    """Sum of a matrix along an axis: in runs of 64 numbers, to keep roundings few."""
    length, other = values.shape[axis], values.shape[1 - axis]
    whole = length - length % 64
    ones = xp.ones(64, dtype=values.dtype, device=device(values))
    if axis == 1:
        runs = xp.reshape(values[:, :whole], (other, whole // 64, 64)) @ ones
    else:
        runs = ones @ xp.reshape(values[:whole, :], (whole // 64, 64, other))
    total = xp.sum(runs, axis=axis, keepdims=True)
    if whole == length:
        return total
    rest = values[:, whole:] if axis == 1 else values[whole:, :]
    return total + xp.sum(rest, axis=axis, keepdims=True)


def _by_exact_sum(values: Array, inputs: tuple[int, ...], xp: ModuleType) -> Array:
    """Eq. 1 in float64 for `values` of 24 bits each, with a relative error of about 2⁻⁵⁰.

    Adding a large power of two and taking it off again rounds the values to multiples of a
    `unit`, 2⁻⁵³ of that power. It is chosen so that all partial sums of the multiples stay
    below 2⁵³ units: they are exact in any order. What is left of the values, also exact, is
    treated in the same way, until nothing is left; a typical gradient needs one round or two.
    Carrying then leaves each sum but the first at most half a unit of the one before.

    Add these sums up. `high` takes them while the result is exact; from the first that is
    not, `low` takes the rest. That first remainder is a multiple of its unit and all that
    follows is about half a unit, so no sum loses its leading bits and `low` has a small
    *relative* error. Hence (n x - high) - low has one too. n x is exact (24 bits and n up
    to 2²⁸). If n x and high are within a factor of two of each other, their difference is
    exact and either 0 or at least one ulp of `high`, and `low` is less than 3/4 of that;
    else nothing cancels.
    """
    fan_in = math.prod(values.shape[axis] for axis in inputs)
    finite = xp.all(xp.isfinite(values), axis=inputs, keepdims=True)
    values = xp.where(finite, values, xp.zeros_like(values))
    rest, sums, units = values, [], []
    while (peak := float(xp.max(xp.abs(rest)))) > 0:
        power = 2.0 ** (math.frexp(peak)[1] + fan_in.bit_length() + 1)
        part = (rest + power) - power
        rest = rest - part
        sums.append(xp.sum(part, axis=inputs, keepdims=True))
        units.append(power * 2.0**-53)
    for k in range(len(sums) - 1, 0, -1):
        carry = xp.round(sums[k] / units[k - 1]) * units[k - 1]
        sums[k] = sums[k] - carry
        sums[k - 1] = sums[k - 1] + carry
    high = low = xp.astype(xp.zeros_like(finite), values.dtype)
    for term in sums:
        total = high + term
        low = low + (term - (total - high))
        high = total
    high = xp.where(finite, high, xp.full_like(high, math.nan))
    return ((fan_in * values - high) - low) / fan_in


def _normalized_axes(output_axis: int | tuple[int, ...], shape: Any) -> tuple[int, ...]:
    """Non-negative output axes; their range does not matter below two dimensions."""
    given = output_axis if isinstance(output_axis, tuple) else (output_axis,)
    axes = tuple(index(axis, "output_axis (an integer or a tuple of them)") for axis in given)
    ndim = len(shape)
    if ndim < 2:
        return axes
    if not axes:
        raise ValueError(
            "output_axis is empty, but some axis must number the output neurons: "
            "0 for PyTorch weights, -1 for Keras and Flax kernels"
        )
    if any(not -ndim <= axis < ndim for axis in axes):
        raise ValueError(
            f"output_axis {output_axis} is out of range for grad of shape {tuple(shape)}: "
            f"pass axes from {-ndim} to {ndim - 1}"
        )
    axes = tuple(axis % ndim for axis in axes)
    if len(set(axes)) < len(axes):
        raise ValueError(
            f"output_axis {output_axis} names an axis of grad of shape {tuple(shape)} twice"
        )
    return axes
