"""Gradient centralization of one array: Eq. 1 and Eq. 2 of the paper.

Yong, Huang, Hua and Zhang, "Gradient Centralization: A New Optimization
Technique for Deep Neural Networks", ECCV 2020, arXiv 2004.01461.

Eq. 1 is the line marked so in `centralize`; `_within_one_ulp` is the same line in blocks,
with a look at what cancelled. This file, ``_arrays.py``, ``_sgdm.py`` and
``_adam.py`` may be copied together into another project: beside the array library in use
they need array-api-compat alone.
"""

from __future__ import annotations

import functools
import math
import operator
from types import ModuleType
from typing import Any

from array_api_compat import is_jax_array

from ._arrays import (
    blocks,
    buffer_short_rows,
    can_look_at,
    index,
    namespace_of,
    quiet,
    takes_blocks,
    widest_dtype,
)

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
        If `grad` is no dense array or not real floating, or an axis is not an integer.
    ValueError
        If an axis is out of range or repeated, or none is given.

    Notes
    -----
    float32 and smaller types go through float64, where the namespace has it, and each
    element is within 1 ulp of its exact value φ, however much its slice cancels. Where
    Python cannot look at the numbers (inside ``jit``, ``vmap``, ``grad``,
    ``torch.compile`` and ``torch.func``, for tensors that require a gradient, DTensors and
    Dask arrays), it may be off by

        1 ulp + (n + 3)·2⁻⁵³·(mean|Φ(g)| + n·2⁻⁵³·mean|g|),

    with n inputs in its slice. For float64 itself, and without float64 (JAX without x64),
    it may be off by

        2u|φ| + (n + 2)·u·mean|g|, u = 2⁻⁵³ or 2⁻²⁴,

    and by 1 ulp more where that is rounded to a half type. A sum that would overflow is
    scaled by a power of two. XLA on a CPU takes subnormal numbers for 0, so under JAX
    numbers below 2n times the smallest normal one are beside all this.

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
    through_float64 = wide == xp.float64 and wide != grad.dtype
    if through_float64 and look and takes_blocks(grad):
        return _within_one_ulp(grad, outputs, inputs, wide, xp)

    g = xp.astype(grad, wide, copy=False)
    if through_float64 and look:
        return xp.astype(_by_exact_sum(g, inputs, xp), grad.dtype)
    if through_float64:
        g = g - _mean(g, inputs, look, xp)  # P² = P: what follows removes what this left
    mean = _mean(g, inputs, look, xp)
    return xp.astype(g - mean, grad.dtype, copy=False)  # Eq. 1


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


def _fan_in(shape: Any, inputs: tuple[int, ...]) -> int:
    return int(math.prod([shape[axis] for axis in inputs]))  # a list, for torch.compile


def _mean(g: Array, inputs: tuple[int, ...], look: bool, xp: ModuleType) -> Array:
    """Mean of each slice; NaN for a slice that is not finite."""
    if not look:
        return _scaled_mean(g, inputs, xp)
    with quiet():
        mean = xp.sum(g, axis=inputs, keepdims=True) / _fan_in(g.shape, inputs)
        finite = xp.isfinite(mean)
        return mean if xp.all(finite) else xp.where(finite, mean, _scaled_mean(g, inputs, xp))


def _scaled_mean(g: Array, inputs: tuple[int, ...], xp: ModuleType) -> Array:
    """Mean of values scaled by a power of two, so that no sum of finite ones overflows."""
    fan_in = _fan_in(g.shape, inputs)
    scale = 0.5 ** fan_in.bit_length()
    if is_jax_array(g) and inputs == tuple(range(inputs[0], g.ndim)):
        # XLA adds up one axis three times as fast as several.
        rows = xp.reshape(g, (*g.shape[: inputs[0]], fan_in, *(1 for _ in inputs[1:])))
        total = xp.sum(rows * scale, axis=inputs[0], keepdims=True)
    else:
        total = xp.sum(g * scale, axis=inputs, keepdims=True)
    scaled = total / fan_in
    largest = xp.full_like(scaled, xp.finfo(g.dtype).max) * scale
    mean = xp.minimum(xp.maximum(scaled, -largest), largest) / scale
    return xp.where(xp.isfinite(scaled), mean, xp.full_like(mean, math.nan))


def _within_one_ulp(
    grad: Array, outputs: tuple[int, ...], inputs: tuple[int, ...], wide: Any, xp: ModuleType
) -> Array:
    """Eq. 1 through float64, within 1 ulp: a slice that is not sure to be is done again."""
    ndim, shape = grad.ndim, tuple(grad.shape)
    columns = inputs + outputs == tuple(range(ndim))  # one for each output; else rows
    order = inputs + outputs if columns else outputs + inputs
    fan_in = _fan_in(shape, inputs)
    g = grad if order == tuple(range(ndim)) else xp.permute_dims(grad, order)
    g = g if ndim == 2 else xp.reshape(g, (fan_in, -1) if columns else (-1, fan_in))
    axis = 0 if columns else 1

    result, doubtful = _subtract_means(g, axis, xp)
    if fan_in > 1 and doubtful:  # the mean of one number is exact
        again = xp.concat(doubtful)
        for some in blocks(grad, again.shape[0], 4 * fan_in):  # of which it holds several
            at = (slice(None), again[some]) if columns else (again[some], slice(None))
            result[at] = xp.astype(_by_exact_sum(xp.astype(g[at], wide), (axis,), xp), grad.dtype)

    result = result if ndim == 2 else xp.reshape(result, tuple(shape[axis] for axis in order))
    if order == tuple(range(ndim)):
        return result
    return xp.permute_dims(result, tuple(order.index(axis) for axis in range(ndim)))


def _subtract_means(g: Array, axis: int, xp: ModuleType) -> tuple[Array, list[Array]]:
    """Eq. 1 for a matrix, in blocks; and the indices of the slices that it may not have right.

    A sum in which no value passes more than k additions, in whatever order, is off by at most
    k·u·Σ|g|, u = 2⁻⁵³ (Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., 4.2;
    to first order, for which the 1.02 below leaves room). So for an element φ of Φ(g), the
    float64 difference y of g and its mean, and y rounded to the r of p <= 24 bits,

        |y - φ| <= δ = (k + 1)·u·mean|g| + u|y|.

    If δ <= ulp(φ)/2 then |r - φ| <= ulp(φ). For where y is not in a binade above φ, rounding
    adds at most ulp(φ)/2 to δ. Else a power of two lies between them, nearer to y than
    ulp(φ)/2 <= ulp(y)/2; then r is that power, and |r - φ| <= δ. As ulp(φ) > 2⁻ᵖ|φ| and
    |φ| >= |y| - δ, all this holds where

        |y| >= limit = 1.02·2ᵖ⁺¹·(k + 1)·u·(mean|y| + |mean g|),

    as mean|g| is at most mean|φ| + |mean g|; or where the limit is below twice the smallest
    normal number: there δ is at most half of the smallest ulp there is. So the smallest |y| of
    a slice tells if all of it is right.
    """
    fan_in, pieces = g.shape[axis], blocks(g, g.shape[0], g.shape[1])
    result = xp.empty_like(g)
    parts = _parts(g, result, pieces, xp)
    groups = [[part] for part in parts] if axis == 1 else [parts]  # that share their means

    lengths = {fan_in} if axis == 1 else {piece.stop - piece.start for piece in pieces}
    k = len(groups[0]) + max(length // _runs(length) + _runs(length) for length in lengths)
    eps, smallest_normal = _finfo(g.dtype, xp)
    share = 1.02 * 4 / eps * (k + 1) * 2.0**-53 / fan_in  # 2ᵖ⁺¹ is 4/eps
    negligible = 2 * smallest_normal

    doubtful = []
    with quiet():
        buffer_short_rows(g)
        for first, group in zip(pieces, groups, strict=False):
            sums = []
            for g_part, _, values in group:
                values[...] = g_part
                sums.append(_sum(values, axis, xp))
            total = functools.reduce(operator.add, sums)
            mean = total / fan_in
            sums, smallest = [], []
            for g_part, result_part, values in group:
                if len(group) > 1:
                    values[...] = g_part
                values -= mean  # Eq. 1
                result_part[...] = values  # rounded once
                sizes = xp.abs(values, out=values)
                sums.append(_sum(sizes, axis, xp))
                smallest.append(sizes.min() if len(group) == 1 else xp.min(sizes, axis=0))
            near = functools.reduce(xp.minimum, smallest)
            size = functools.reduce(operator.add, sums) + abs(total)
            # One look at all slices together is quicker than one at each.
            nearest = float(near if len(group) == 1 else near.min())
            if not nearest >= share * float(size.max()):  # with a NaN neither
                if len(group) == 1:
                    near = xp.min(sizes, axis=axis, keepdims=True)
                sure = (near >= share * size) | (share * size <= negligible)
                doubtful.append(xp.nonzero(xp.reshape(~sure, (-1,)))[0] + first.start)
    return result, doubtful


def _parts(g: Array, result: Array, pieces: list[slice], xp: ModuleType) -> list[Any]:
    """For each block of rows: g, the result, and room for float64 values (the same for all)."""
    room = xp.empty((pieces[0].stop, g.shape[1]), dtype=xp.float64, device=g.device)
    if len(pieces) == 1:
        return [(g, result, room)]
    heights = [slice(piece.stop - piece.start) for piece in pieces]
    return [
        (g[piece, :], result[piece, :], room[height, :])
        for piece, height in zip(pieces, heights, strict=True)
    ]


@functools.cache
def _finfo(dtype: Any, xp: ModuleType) -> tuple[float, float]:
    about = xp.finfo(dtype)
    return float(about.eps), float(about.smallest_normal)


@functools.cache
def _runs(length: int) -> int:
    """In how many equal runs to add up so many numbers: of at most 256, if that divides well."""
    least = -(-length // 256)
    return next((runs for runs in range(least, 2 * least) if length % runs == 0), 1)


@functools.lru_cache(64)
def _ones(shape: tuple[int, int], dtype: Any, place: Any, xp: ModuleType) -> Array:
    return xp.ones(shape, dtype=dtype, device=place)


def _sum(values: Array, axis: int, xp: ModuleType) -> Array:
    """Sum of a matrix along an axis, by products with ones; in runs, where it is long."""
    height, width = values.shape
    runs = _runs(values.shape[axis])
    run = values.shape[axis] // runs
    ones = _ones((run, 1) if axis == 1 else (1, run), values.dtype, values.device, xp)
    if runs == 1:
        return values @ ones if axis == 1 else ones @ values
    if axis == 0:
        return xp.sum(ones @ values.reshape((runs, run, width)), axis=0)
    sums = values.reshape((height * runs, run)) @ ones
    return xp.sum(sums.reshape((height, runs)), axis=1, keepdims=True)


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
    fan_in = _fan_in(values.shape, inputs)
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
