"""An array as the matrix of Eq. 1: one row per output neuron, its inputs along the row."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["from_rows", "slice_index", "split_axes", "to_rows"]

Axis = int | tuple[int, ...]


def split_axes(ndim: int, output_axis: Axis) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Output axes and input axes, each non-negative and ascending."""
    axes = output_axis if isinstance(output_axis, tuple) else (output_axis,)
    if not axes or any(not -ndim <= axis < ndim for axis in axes):
        raise ValueError(f"output_axis={output_axis!r} does not name axes of {ndim} dimensions")
    outer = tuple(sorted({axis % ndim for axis in axes}))
    return outer, tuple(axis for axis in range(ndim) if axis not in outer)


def to_rows(array: npt.NDArray[Any], output_axis: Axis) -> npt.NDArray[Any]:
    """Matrix (outputs, inputs) of an array."""
    outer, inner = split_axes(array.ndim, output_axis)
    outputs = math.prod(array.shape[axis] for axis in outer)
    inputs = math.prod(array.shape[axis] for axis in inner)
    return array.transpose(outer + inner).reshape(outputs, inputs)


def from_rows(
    rows: npt.NDArray[Any], shape: tuple[int, ...], output_axis: Axis
) -> npt.NDArray[Any]:
    """Array of a matrix (outputs, inputs): the inverse of `to_rows`, C-ordered and its own."""
    outer, inner = split_axes(len(shape), output_axis)
    order = outer + inner
    stacked = rows.reshape(tuple(shape[axis] for axis in order))
    return np.array(stacked.transpose(tuple(np.argsort(order))), order="C")


def slice_index(
    row: int, column: int | None, shape: tuple[int, ...], output_axis: Axis
) -> tuple[int | slice, ...]:
    """Index into the array of one element, or (``column=None``) of a whole slice."""
    outer, inner = split_axes(len(shape), output_axis)
    index: list[int | slice] = [slice(None)] * len(shape)
    places = [(outer, row)] if column is None else [(outer, row), (inner, column)]
    for axes, flat in places:
        for axis in reversed(axes):
            flat, index[axis] = divmod(flat, shape[axis])
    return tuple(index)
