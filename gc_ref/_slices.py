"""An array as the matrix of Eq. 1: one row per output neuron, its inputs along the row."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

#: The axes that number the output neurons. ``()`` makes the whole array one neuron.
Axis = int | Sequence[int]


def split_axes(shape: Sequence[int], output_axis: Axis) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Output axes and input axes of a shape, each non-negative and ascending."""
    given = output_axis if isinstance(output_axis, Sequence) else (output_axis,)
    ndim = len(shape)
    if any(not -ndim <= axis < ndim for axis in given):
        raise ValueError(f"output_axis={output_axis!r} is out of range for shape {tuple(shape)}")
    outer = tuple(sorted({axis % ndim for axis in given}))
    return outer, tuple(axis for axis in range(ndim) if axis not in outer)


def matrix_shape(shape: Sequence[int], output_axis: Axis) -> tuple[int, int]:
    """Number of outputs and of inputs of each: the shape of the matrix."""
    outer, inner = split_axes(shape, output_axis)
    return math.prod(shape[axis] for axis in outer), math.prod(shape[axis] for axis in inner)


def to_rows(array: npt.NDArray[Any], output_axis: Axis) -> npt.NDArray[Any]:
    """Matrix (outputs, inputs) of an array."""
    outer, inner = split_axes(array.shape, output_axis)
    return array.transpose(outer + inner).reshape(matrix_shape(array.shape, output_axis))


def from_rows(rows: npt.NDArray[Any], shape: Sequence[int], output_axis: Axis) -> npt.NDArray[Any]:
    """Array of a matrix (outputs, inputs): the inverse of `to_rows`, always a C-ordered copy."""
    outer, inner = split_axes(shape, output_axis)
    order = outer + inner
    stacked = rows.reshape([shape[axis] for axis in order])
    return np.array(stacked.transpose(np.argsort(order)), order="C")


def slice_index(
    row: int, column: int | None, shape: Sequence[int], output_axis: Axis
) -> tuple[int | slice, ...]:
    """Index into the array of one element of the matrix, or (``column=None``) of a whole row."""
    outer, inner = split_axes(shape, output_axis)
    index: list[int | slice] = [slice(None)] * len(shape)
    places = [(outer, row)] if column is None else [(outer, row), (inner, column)]
    for axes, flat in places:
        for axis in reversed(axes):
            flat, index[axis] = divmod(flat, shape[axis])
    return tuple(index)
