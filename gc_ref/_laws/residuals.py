"""Residuals and allowances of a law, in exact rational numbers.

A residual computed in floats would be blurred by the very rounding that it is
to be compared with. So every array becomes a matrix of `fractions.Fraction`,
one row per output neuron, and stays exact until the final ratio is reported.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache
from types import MappingProxyType
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from gc_ref import bounds, exact
from gc_ref._slices import Axis, from_rows, slice_index, split_axes, to_rows

#: A matrix (outputs, inputs), or a vector (outputs,), of Fractions.
Rows: TypeAlias = npt.NDArray[np.object_]

#: Elements of an array that a message shows.
LONGEST = 32


class LawError(AssertionError):
    """A law does not hold, beyond what rounding errors can explain.

    Parameters
    ----------
    law : str
        Id of the law, for instance ``law/zero-mean``.
    clause : str
        The clause of the paper that it states.
    message : str
        What was found, where.
    ratio : float
        Residual over allowance: more than 1, or ``inf`` where no rounding is allowed.
    index : tuple
        Index of the worst element or slice: ``array[error.index]`` selects it.
    inputs : mapping
        Name to array: what the operator was called with. They are notes of the error, too.

    Examples
    --------
    >>> error = LawError("law/zero-mean", "Eq. 2", "the sum is 3", ratio=9.0, index=(0,))
    >>> print(error)
    law/zero-mean (Eq. 2): the sum is 3
    """

    def __init__(
        self,
        law: str,
        clause: str,
        message: str,
        *,
        ratio: float = math.inf,
        index: tuple[int | slice, ...] = (),
        inputs: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:
        super().__init__(f"{law} ({clause}): {message}")
        self.law = law
        self.clause = clause
        self.message = message
        self.ratio = ratio
        self.index = index
        self.inputs = dict(inputs)
        for name, array in self.inputs.items():
            self.add_note(f"called with {name} = {_array_text(array)}")


def rationals(values: Any) -> Rows:
    """Array of Fractions with the shape and the exact values of ``values``."""
    if not isinstance(values, exact.ExactArray):
        array = np.asarray(values)
        if array.dtype.kind != "O":  # also turns ml_dtypes.bfloat16 into plain numbers, exactly
            array = array.astype(np.float64)
        values = exact.exactly(array)
    numbers = np.empty(math.prod(values.shape), dtype=object)
    numbers[:] = values.fractions()
    return numbers.reshape(values.shape)


def mean(rows: Rows) -> Rows:
    """Mean of every row, as a column; of empty rows, 0."""
    means: Rows = rows.sum(axis=1, keepdims=True) * Fraction(1, max(rows.shape[1], 1))
    return means


@dataclass(frozen=True)
class LawTest:
    """One law, put to one array: τ, exact residuals, and whether rounding explains them.

    Attributes
    ----------
    law, clause : str
        Id and clause, for messages.
    shape : tuple of int
        Shape of the weight.
    output_axis : tuple of int
        Axes that number the output neurons.
    profile : Profile
        Arithmetic that the operator is granted.
    dtype : str or None
        What a combination of inputs is rounded to; None for exact inputs: not at all.
    inputs : dict
        What the operator has been called with, by names.
    """

    law: str
    clause: str
    shape: tuple[int, ...]
    output_axis: tuple[int, ...]
    profile: bounds.Profile
    dtype: str | None
    inputs: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(
        cls, law: str, clause: str, grad: Any, output_axis: Axis, profile: bounds.Profile | None
    ) -> LawTest:
        """Test of a law on an array, whose dtype decides where no profile is given."""
        __tracebackhide__ = True
        shape = tuple(grad.shape)
        if len(shape) < 2 or output_axis is None:
            raise ValueError(
                f"{law} is about weights of two or more dimensions, not shape {shape} with "
                f"output_axis={output_axis!r}: there centralization leaves everything alone"
            )
        axes, _ = split_axes(shape, output_axis)
        if isinstance(grad, exact.ExactArray):
            return cls(law, clause, shape, axes, profile or bounds.EXACT, None)
        name = np.asarray(grad).dtype.name
        profile = profile or bounds.profile(name)
        dtype = profile.dtype if profile.unit_roundoff else name
        return cls(law, clause, shape, axes, profile, dtype)

    def rows(self, values: Any) -> Rows:
        """Exact matrix (outputs, inputs) of an array of the weight's shape."""
        __tracebackhide__ = True
        array = rationals(values)
        if array.shape != self.shape:
            raise ValueError(f"{self.law}: shape {array.shape} does not fit {self.shape}")
        return to_rows(array, self.output_axis)

    def call(self, phi: Callable[[Any], Any], **named: Any) -> Any:
        """Call the operator with an array, whose name a `LawError` tells."""
        __tracebackhide__ = True
        self.inputs.update(named)
        (array,) = named.values()
        return phi(array)

    def error(self, message: str, **more: Any) -> LawError:
        """Error of this law, with what the operator has been called with."""
        return LawError(self.law, self.clause, message, inputs=self.inputs, **more)

    def read(self, result: Any) -> Rows:
        """Exact rows of something under test; NaN, inf or another shape is a `LawError`."""
        __tracebackhide__ = True
        if not isinstance(result, exact.ExactArray):
            result = np.asarray(result)
        if tuple(result.shape) != self.shape:
            message = f"shape {tuple(result.shape)} came back for shape {self.shape}"
            raise self.error(message)
        if isinstance(result, np.ndarray) and result.dtype.kind != "O":
            bad = np.argwhere(~np.isfinite(result.astype(np.float64)))
            if len(bad):
                index = tuple(bad[0].tolist())
                message = f"{result[index]} came back at {_index_text(index)} for finite values"
                raise self.error(message, index=index)
        return self.rows(result)

    def tau(self, values: Any, *, returned: bool = False) -> Rows:
        """Bound of the operator's rounding error at an input, or at what it ``returned``."""
        __tracebackhide__ = True
        if self.profile.unit_roundoff == 0 or 0 in self.shape:
            return self.rows(np.zeros(self.shape))
        if isinstance(values, exact.ExactArray):
            values = rationals(values)
        numbers = np.asarray(values).astype(np.float64)  # exact for every dtype of `gc_ref.bounds`
        if not np.isfinite(numbers).all():
            raise ValueError(f"{self.law}: the gradient must be finite")
        tau = _bound(numbers.tobytes(), self.shape, self.output_axis, self.profile)
        if not np.isfinite(tau).all():
            if returned:
                raise self.error("the operator returned far too large values")
            raise ValueError(f"{self.law}: sums over this gradient may overflow; scale it down")
        return self.rows(tau)

    def as_input(self, rows: Rows) -> tuple[Any, Rows]:
        """Array of an exact matrix, rounded for the operator; and by how much rounding moved it."""
        __tracebackhide__ = True
        array = from_rows(rows, self.shape, self.output_axis)
        if self.dtype is None:
            return exact.exactly(array), rows - rows
        flat = [exact.round_to(x, self.dtype) for x in array.ravel()]
        rounded = np.array(flat, dtype=np.float64).reshape(self.shape)
        if not np.isfinite(rounded).all():
            raise ValueError(f"{self.law}: the combination overflows {self.dtype}; scale it down")
        storage = "float32" if self.dtype == "bfloat16" else self.dtype
        return rounded.astype(storage), self.rows(rounded) - rows

    def decide(self, residual: Rows, allowance: Rows, statement: str) -> float:
        """Worst ratio residual/allowance; LawError where a residual exceeds its allowance.

        Both are matrices (judged element by element) or vectors (slice by slice).
        """
        __tracebackhide__ = True

        def severity(place: tuple[int, ...]) -> tuple[bool, float]:
            found, allowed = residual.item(place), allowance.item(place)
            return found > allowed, _ratio(found, allowed)

        if not residual.size:
            return 0.0
        place = max(np.ndindex(residual.shape), key=severity)
        failed, ratio = severity(place)
        if not failed:
            return ratio
        column = place[1] if len(place) == 2 else None
        index = slice_index(place[0], column, self.shape, self.output_axis)
        raise self.error(
            f"{statement} fails at {_index_text(index)}: off by {_decimal(residual.item(place))}, "
            f"rounding explains at most {_decimal(allowance.item(place))} (ratio {ratio:.3g})",
            ratio=ratio,
            index=index,
        )


@lru_cache(maxsize=512)
def _bound(
    data: bytes, shape: tuple[int, ...], output_axis: tuple[int, ...], profile: bounds.Profile
) -> npt.NDArray[np.float64]:
    """`bounds.centralize`, remembered: each law asks for that of the same few gradients."""
    values = np.frombuffer(data, np.float64).reshape(shape)
    return bounds.centralize(values, output_axis=output_axis, profile=profile)


def _ratio(residual: Fraction, allowance: Fraction) -> float:
    if residual == 0:
        return 0.0
    try:
        return float(Fraction(residual) / allowance)  # both may be the int 0 of an empty sum
    except (ZeroDivisionError, OverflowError):
        return math.inf


def _decimal(number: Fraction) -> str:
    """Three digits of a number that a float may be too small or too large for."""
    try:
        short = float(number)
    except OverflowError:
        short = math.inf
    if number and not 0 < short < math.inf:
        return f"about 2**{number.numerator.bit_length() - number.denominator.bit_length()}"
    return f"{short:.3g}"


def _array_text(array: Any) -> str:
    """An array as one would write it, or its shape where it is long."""
    shape = tuple(array.shape)
    dtype = getattr(array, "dtype", "exact")
    if math.prod(shape) > LONGEST or isinstance(array, exact.ExactArray):
        return f"an array of shape {shape}, {dtype}"
    return f"{np.asarray(array).tolist()}, {dtype}"


def _index_text(index: tuple[int | slice, ...]) -> str:
    """Index as one would write it: ``[0, :, 2]``."""
    return "[" + ", ".join(":" if isinstance(i, slice) else str(i) for i in index) + "]"
