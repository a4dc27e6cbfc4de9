"""Gradient centralization of one array: Eq. 1 and Eq. 2 of the paper.

Yong, Huang, Hua and Zhang, "Gradient Centralization: A New Optimization
Technique for Deep Neural Networks", ECCV 2020, arXiv 2004.01461.

This file, ``_sgdm.py`` and ``_adam.py`` may be copied together into another
project: beside the array library in use they need array-api-compat alone.
"""

from __future__ import annotations

import math
import operator
from numbers import Real
from types import ModuleType
from typing import Any

from array_api_compat import array_namespace, device

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
    float32 and smaller types are summed without any error in float64, where the
    namespace has it, and rounded once at the end: each element is then within 1 ulp
    of the exact value, however much its slice cancels. Otherwise (float64 itself;
    JAX without x64) this is the plain mean in the widest type there is, scaled by a
    power of two where the sum would overflow. XLA on a CPU treats subnormal numbers
    as 0, so under JAX the promise ends at the smallest normal number.

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
    fan_in = math.prod(grad.shape[axis] for axis in inputs)

    wide = _accumulator(grad, xp)
    values = xp.astype(grad, wide)
    finite = xp.all(xp.isfinite(values), axis=inputs, keepdims=True)
    values = xp.where(finite, values, xp.zeros_like(values))
    if wide != grad.dtype and xp.finfo(wide).bits == 64:
        high, low = _exact_sum(values, inputs, fan_in, xp.finfo(grad.dtype), xp)
        poisoned = xp.where(finite, high, xp.full_like(high, math.nan))
        # fan_in * values is exact, and low is what high misses of the sum: see _exact_sum.
        centered = ((fan_in * values - poisoned) - low) / fan_in
    else:
        scale = _safe_scale(values, inputs, fan_in, xp)
        values = values * scale
        mean = xp.sum(values, axis=inputs, keepdims=True) / fan_in
        poisoned = xp.where(finite, mean, xp.full_like(mean, math.nan))
        centered = (values - poisoned) / scale
    return xp.astype(centered, grad.dtype)


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
    m = _index(m, "m")
    if m < 1:
        raise ValueError(f"m is the number of inputs of a neuron, at least 1; got {m}")
    if xp is None:
        import numpy  # only here: the rest works without it

        xp = numpy
    eye = xp.eye(m) if dtype is None else xp.eye(m, dtype=dtype)
    xp = namespace_of(projection=eye)
    one = xp.ones((), dtype=eye.dtype) if xp.finfo(eye.dtype).bits > 64 else 1.0
    return eye * (one * (m - 1) / m) + (1 - eye) * (-one / m)


def namespace_of(**arrays: Array) -> ModuleType:
    """Array namespace of named arrays, all of which must be real floating."""
    names = " and ".join(arrays)
    try:
        xp: ModuleType = array_namespace(*arrays.values())
    except TypeError as error:
        kinds = ", ".join(type(array).__name__ for array in arrays.values())
        raise TypeError(
            f"{names}: pass arrays of one library (NumPy, PyTorch, JAX, ...), not {kinds}; "
            "numpy.asarray(x) makes an array of a list or a number"
        ) from error
    for name, array in arrays.items():
        try:
            real = xp.isdtype(array.dtype, "real floating")
        except TypeError:  # a dtype that is foreign to the namespace: ml_dtypes in NumPy
            real = False
        if not real:
            raise TypeError(
                f"{name} has dtype {array.dtype}, but a real floating dtype is needed: "
                "convert it first, for instance to float32"
            )
    return xp


def compute_dtype(array: Array, xp: ModuleType) -> Any:
    """Dtype in which the optimizers compute: float32 for half types, else that of `array`.

    In bfloat16 the usual beta2 = 0.999 would be 1.0, and v would never change.
    """
    return xp.float32 if xp.finfo(array.dtype).bits < 32 else array.dtype


def require_same(dtype: Any, weight: Array, grad: Array, **moments: Array) -> None:
    """Refuse a gradient or moments that do not belong to this weight."""
    for name, array, expected in [
        ("grad", grad, weight.dtype),
        *((f"state.{name}", moment, dtype) for name, moment in moments.items()),
    ]:
        if tuple(array.shape) != tuple(weight.shape) or array.dtype != expected:
            raise ValueError(
                f"{name} of shape {tuple(array.shape)} and dtype {array.dtype} does not fit "
                f"weight of shape {tuple(weight.shape)} and dtype {weight.dtype}: "
                f"pass shape {tuple(weight.shape)} and dtype {expected}"
            )


def hyperparameter(
    name: str, value: Any, dtype: Any, xp: ModuleType, *, below: float = math.inf
) -> Any:
    """Check a number (0 <= value < below); bring a 0-D array to the dtype, unchecked."""
    if isinstance(value, Real):  # NumPy scalars too: as such, they would promote float32
        number = float(value)
        if not 0 <= number < below:
            raise ValueError(f"{name} must be at least 0 and below {below}, got {value}")
        return number
    if getattr(value, "shape", None) != ():
        raise TypeError(f"{name} must be a number or a 0-D array, not {value!r}")
    return xp.astype(value, dtype)


def _index(value: Any, name: str) -> int:
    """`value` as an int; booleans and floats are refused."""
    if not isinstance(value, bool):
        try:
            return operator.index(value)
        except TypeError:
            pass
    raise TypeError(f"{name} must be an integer, not {value!r} of type {type(value).__name__}")


def _normalized_axes(output_axis: int | tuple[int, ...], shape: Any) -> tuple[int, ...]:
    """Non-negative output axes; their range does not matter below two dimensions."""
    given = output_axis if isinstance(output_axis, tuple) else (output_axis,)
    axes = tuple(_index(axis, "output_axis (an integer or a tuple of them)") for axis in given)
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


def _accumulator(grad: Array, xp: ModuleType) -> Any:
    """Widest real dtype to sum in: float64 where there is one, at least float32."""
    if xp.finfo(grad.dtype).bits >= 64:
        return grad.dtype  # NumPy's longdouble stays what it is
    there = xp.__array_namespace_info__().dtypes(device=device(grad), kind="real floating")
    return there.get("float64", xp.float32)


def _safe_scale(values: Array, inputs: tuple[int, ...], fan_in: int, xp: ModuleType) -> Array:
    """Power of two for each slice: 1, or less where its sum might overflow."""
    bits = fan_in.bit_length() + 1
    peak = xp.max(xp.abs(values), axis=inputs, keepdims=True)
    one = xp.ones_like(peak)
    return xp.where(peak > xp.finfo(values.dtype).max / 2**bits, one / 2**bits, one)


def _exact_sum(
    values: Array, inputs: tuple[int, ...], fan_in: int, narrow: Any, xp: ModuleType
) -> tuple[Array, Array]:
    """Sum float64 `values` that came from a narrower dtype, as high + low.

    Fixed point. Every value is an integer multiple of 2**bottom and below 2**top,
    both properties of the narrow dtype. Cut it into digits of `width` bits from the
    top down; truncation, difference and scaling by a power of two are exact. A sum of
    up to 2**(52 - width) digits stays below 2**52, so the sums are exact in any order.
    Carrying then leaves all digits but the first at most half a unit of the one above.
    Add them up from the top. `high` takes digits while the result is exact; from the
    first that is not, `low` takes the rest. That first remainder is a multiple of the
    unit of its digit and all that follows is about half a unit, so no sum loses its
    leading bits and `low` has a small *relative* error, about 2**-50.

    Hence the caller's (n x - high) - low has one too. n x is exact (24 bits and n up to
    2**28). If n x and high are within a factor of two of each other, their difference is
    exact and either 0 or at least one ulp of `high`, and `low` is less than 3/4 of that;
    else nothing cancels. No choice here depends on the values, so it can be traced.
    """
    top = math.frexp(float(narrow.max))[1]
    bottom = math.frexp(float(narrow.smallest_normal))[1] + math.frexp(float(narrow.eps))[1] - 2
    width = 52 - (fan_in - 1).bit_length()
    units = [2.0 ** (top - k * width) for k in range(1, math.ceil((top - bottom) / width) + 1)]

    digits = []
    rest = values / units[0]
    for _ in units[1:]:
        digit = xp.trunc(rest)
        digits.append(xp.sum(digit, axis=inputs, keepdims=True))
        rest = (rest - digit) * 2.0**width
    # The last remainder is an integer: no need to truncate it, which has the derivative 0.
    digits.append(xp.sum(rest, axis=inputs, keepdims=True))
    for k in range(len(units) - 1, 0, -1):
        carry = xp.round(digits[k] / 2.0**width)
        digits[k] = digits[k] - carry * 2.0**width
        digits[k - 1] = digits[k - 1] + carry

    high = digits[0] * units[0]
    low = xp.zeros_like(high)
    for digit, unit in zip(digits[1:], units[1:], strict=True):
        term = digit * unit
        total = high + term
        low = low + (term - (total - high))
        high = total
    return high, low
