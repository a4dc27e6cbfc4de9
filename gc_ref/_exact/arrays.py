"""Arrays of exact rational numbers, and Eq. 1 on them: the base of `gc_ref.exact`.

Plain Python integers over one shared denominator. Floats are dyadic, so that
denominator is a power of two until a mean over M inputs brings in M.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from fractions import Fraction
from functools import reduce
from itertools import chain, product
from typing import Any, NamedTuple, NoReturn

OutputAxis = int | tuple[int, ...] | None


class ExactArray(NamedTuple):
    """An array of rational numbers over one shared denominator.

    Attributes
    ----------
    shape : tuple of int
        Shape of the array; ``()`` for a scalar.
    numerators : list of int
        One integer per element, in C order. Not necessarily in lowest terms.
    denominator : int
        Shared by all elements; positive.

    Examples
    --------
    >>> ExactArray((2,), [1, 3], 4).fractions()
    [Fraction(1, 4), Fraction(3, 4)]
    """

    shape: tuple[int, ...]
    numerators: list[int]
    denominator: int

    def fractions(self) -> list[Fraction]:
        """Return the elements in C order, in lowest terms.

        Returns
        -------
        list of Fraction
            One per element.

        Examples
        --------
        >>> exactly([[0.5], [0.25]]).fractions()
        [Fraction(1, 2), Fraction(1, 4)]
        """
        return [Fraction(n, self.denominator) for n in self.numerators]


class Enclosure(NamedTuple):
    """Two arrays with the true one between them, element by element.

    Attributes
    ----------
    lower, upper : ExactArray
        Of the same shape and the same denominator; equal where the value is known exactly.

    Examples
    --------
    >>> third = Enclosure(ExactArray((), [5], 16), ExactArray((), [6], 16))
    >>> third.lower.fractions()[0] <= Fraction(1, 3) <= third.upper.fractions()[0]
    True
    """

    lower: ExactArray
    upper: ExactArray


def exactly(values: Any) -> ExactArray:
    """Convert numbers to exact rationals, without any rounding.

    Parameters
    ----------
    values : array or nested sequence of numbers
        Anything with ``.tolist()`` (NumPy, PyTorch, JAX, ...), nested lists or tuples,
        or one number. Numbers may be floats, integers or Fractions. An `ExactArray`
        is returned as it is.

    Returns
    -------
    ExactArray
        Of the same shape and the very same values; the sign of a zero is lost.

    Raises
    ------
    ValueError
        For NaN or inf (the message names the index) and for ragged lists.
    TypeError
        For an element that is not a real number.

    Examples
    --------
    >>> exactly([[1.5, -0.25], [3, 0.0]])
    ExactArray(shape=(2, 2), numerators=[6, -1, 12, 0], denominator=4)
    """
    if isinstance(values, ExactArray):
        return values
    shape, flat = _flatten(values)
    try:
        ratios = [x.as_integer_ratio() for x in flat]
    except (AttributeError, OverflowError, ValueError):
        _refuse(shape, flat)
    denominators = {d for _, d in ratios}
    common = math.lcm(*denominators)  # the largest one, for floats
    factor = {d: common // d for d in denominators}
    return ExactArray(shape, [n * factor[d] for n, d in ratios], common)


def rational(value: Any, name: str) -> Fraction:
    """One finite number, a hyperparameter say, as an exact Fraction."""
    try:
        return Fraction(*value.as_integer_ratio())
    except AttributeError:
        raise TypeError(f"{name} must be a real number, not {type(value).__name__}") from None
    except (OverflowError, ValueError):
        raise ValueError(f"{name} is {value!r}; it must be finite") from None


def centralize(grad: Any, *, output_axis: OutputAxis) -> ExactArray:
    """Φ of Eq. 1: subtract from each output neuron's gradient its mean over all inputs.

    Parameters
    ----------
    grad : array or nested sequence of numbers
        Gradient of one weight: anything that `exactly` takes.
    output_axis : int, tuple of int, or None
        The axes that number the output neurons; one mean is taken over all other axes
        together. ``()`` makes the whole array one neuron. None: out of GC's scope, and
        the gradient comes back as it is; so does one of fewer than two dimensions,
        whatever the axis (Scope).

    Returns
    -------
    ExactArray
        Of the same shape, exact.

    Raises
    ------
    ValueError
        For an axis out of range or named twice (the message names the shape), and
        what `exactly` raises.

    Examples
    --------
    Two output neurons of three inputs each, output-first: the means are 2 and 1/3.

    >>> centralize([[1.0, 2.0, 3.0], [0.0, 0.0, 1.0]], output_axis=0)
    ExactArray(shape=(2, 3), numerators=[-3, 0, 3, -1, -1, 2], denominator=3)
    """
    array = exactly(grad)
    groups = slices(array.shape, output_axis)
    if not groups or not array.numerators:
        return array
    old = array.numerators
    new = [0] * len(old)
    fan_in = len(groups[0])
    for group in groups:  # one output neuron each
        total = sum([old[i] for i in group])
        for i in group:
            new[i] = fan_in * old[i] - total  # g - total/M, over the denominator times M
    return ExactArray(array.shape, new, array.denominator * fan_in)


def slices(shape: tuple[int, ...], output_axis: OutputAxis) -> list[list[int]]:
    """Flat C-order indices of each output neuron's inputs; no slices if out of scope."""
    ndim = len(shape)
    if output_axis is None or ndim < 2:
        return []
    given = output_axis if isinstance(output_axis, tuple) else (output_axis,)
    axes = [operator.index(axis) for axis in given]
    for axis in axes:
        if not -ndim <= axis < ndim:
            raise ValueError(
                f"output_axis {output_axis} is out of range for shape {shape}: "
                f"give axes from {-ndim} to {ndim - 1}"
            )
    outputs = {axis % ndim for axis in axes}
    if len(outputs) < len(axes):
        raise ValueError(f"output_axis {output_axis} names an axis twice for shape {shape}")
    strides = [math.prod(shape[axis + 1 :]) for axis in range(ndim)]
    starts = _offsets([(shape[a], strides[a]) for a in range(ndim) if a in outputs])
    inner = _offsets([(shape[a], strides[a]) for a in range(ndim) if a not in outputs])
    return [[start + offset for offset in inner] for start in starts]


def linear(*terms: tuple[Fraction, ExactArray]) -> ExactArray:
    """Return the sum of coefficient times array, exact, over one denominator again."""
    common = math.lcm(*(c.denominator * a.denominator for c, a in terms))
    columns = []
    for coefficient, array in terms:
        factor = coefficient.numerator * (common // (coefficient.denominator * array.denominator))
        columns.append([factor * n for n in array.numerators])
    sums = [sum(ns) for ns in zip(*columns, strict=True)]
    # Without the powers of two that all have in common, dyadic numbers stay short.
    bits = reduce(operator.or_, sums, common)
    shift = (bits & -bits).bit_length() - 1
    return ExactArray(terms[0][1].shape, [n >> shift for n in sums], common >> shift)


def _offsets(axes: Sequence[tuple[int, int]]) -> list[int]:
    """Flat offsets of all index tuples over axes given as (length, stride)."""
    ranges = [range(0, length * stride, stride or 1) for length, stride in axes]
    return [sum(steps) for steps in product(*ranges)]


def _flatten(values: Any) -> tuple[tuple[int, ...], list[Any]]:
    """Shape and C-order elements of an array or of nested lists, one level at a time."""
    shape: list[int] = []
    level = [values]
    while set(map(type, level)) - {float}:
        level = [x.tolist() if hasattr(x, "tolist") else x for x in level]
        nested = [isinstance(x, (list, tuple)) for x in level]
        if not any(nested):
            break
        lengths = {len(x) if deep else -1 for x, deep in zip(level, nested, strict=True)}
        if len(lengths) > 1:
            raise ValueError(
                f"ragged nested lists: the entries at depth {len(shape)} are not all lists of "
                "one length; an array needs rows of equal length"
            )
        shape.append(lengths.pop())
        level = list(chain.from_iterable(level))
    if not level and hasattr(values, "shape"):  # (0, 3).tolist() is []: the 3 is lost
        return tuple(values.shape), level
    return tuple(shape), level


def _refuse(shape: tuple[int, ...], flat: list[Any]) -> NoReturn:
    """Raise for the first element that is not a finite real number, naming its index."""
    for index, x in zip(product(*map(range, shape)), flat, strict=True):
        place = f"element {list(index)}" if index else "the value"
        if not hasattr(x, "as_integer_ratio"):
            raise TypeError(f"{place} is a {type(x).__name__}, not a real number: {x!r}")
        try:
            x.as_integer_ratio()
        except (OverflowError, ValueError):
            raise ValueError(f"{place} is {x!r}; exact values must be finite") from None
    raise AssertionError("every element is a finite real number")
