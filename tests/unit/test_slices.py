"""An array as the matrix of Eq. 1, and back."""

import math

import numpy as np
import pytest

from gc_ref._slices import from_rows, matrix_shape, slice_index, split_axes, to_rows


def rows(array, axes):
    """One list of numbers per output neuron, found index by index."""
    found = {}
    for index in np.ndindex(array.shape):
        found.setdefault(tuple(index[axis] for axis in axes), []).append(int(array[index]))
    return list(found.values())


@pytest.mark.parametrize(
    ("given", "outer", "inner"),
    [
        (0, (0,), (1, 2)),
        (-1, (2,), (0, 1)),
        (-3, (0,), (1, 2)),
        ((2, 0), (0, 2), (1,)),
        ([1, -2], (1,), (0, 2)),
        ((), (), (0, 1, 2)),
    ],
)
def test_axes_are_non_negative_and_ascending(given, outer, inner):
    assert split_axes((2, 3, 4), given) == (outer, inner)


@pytest.mark.parametrize("axis", [3, -4, (0, 3)])
def test_an_axis_out_of_range_is_refused(axis):
    with pytest.raises(ValueError, match=r"output_axis=.* is out of range for shape \(2, 3, 4\)"):
        split_axes((2, 3, 4), axis)


@pytest.mark.parametrize(
    ("shape", "axes", "first_row"),
    [
        ((2, 3), (0,), [0, 1, 2]),
        ((2, 3), (1,), [0, 3]),
        ((2, 2, 3), (2,), [0, 3, 6, 9]),
        ((2, 2, 3), (1, 2), [0, 6]),
        ((2, 2, 3), (0, 1), [0, 1, 2]),
        ((2, 3, 4), (1,), [0, 1, 2, 3, 12, 13, 14, 15]),
        ((1, 1), (0,), [0]),
    ],
)
def test_rows_of_an_array_and_back(shape, axes, first_row):
    array = np.arange(math.prod(shape)).reshape(shape)
    matrix = to_rows(array, axes)
    assert matrix.shape == matrix_shape(shape, axes)
    assert matrix[0].tolist() == first_row
    assert matrix.tolist() == rows(array, axes)
    back = from_rows(matrix, shape, axes)
    assert np.array_equal(back, array)
    assert back.flags.c_contiguous
    assert back.flags.owndata
    for row, column in np.ndindex(matrix.shape):
        assert array[slice_index(row, column, shape, axes)] == matrix[row, column]
        assert array[slice_index(row, None, shape, axes)].ravel().tolist() == matrix[row].tolist()


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (2, 0, 3)])
def test_empty_arrays_have_rows_too(shape):
    matrix = to_rows(np.zeros(shape), 0)
    assert matrix.shape == (shape[0], math.prod(shape[1:]))
    assert from_rows(matrix, shape, 0).shape == shape
