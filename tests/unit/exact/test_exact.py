"""`exactly` and `centralize`: hand-worked cases, and Eq. 1 spelled out in Fractions."""

from __future__ import annotations

import ast
import itertools
import math
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import gc_ref.exact
from gc_ref.exact import Enclosure, ExactArray, centralize, exactly

F = Fraction


def test_the_second_witness_is_independent() -> None:
    """It imports the standard library and its own parts, nothing else."""
    folder = Path(gc_ref.exact.__file__).parent
    sources = [folder / "exact.py", *folder.glob("_exact/*.py")]
    assert len(sources) > 1
    for source in sources:
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0
                names = [node.module or ""]
            else:
                continue
            for name in names:
                own = name.startswith("gc_ref._exact.")
                assert own or name.split(".")[0] in sys.stdlib_module_names, f"{source}: {name}"


# --- exactly -----------------------------------------------------------------


def test_exactly_by_hand() -> None:
    # 1.5 = 6/4, -0.25 = -1/4, 3 = 12/4
    assert exactly([[1.5, -0.25], [3, 0.0]]) == ExactArray((2, 2), [6, -1, 12, 0], 4)
    assert exactly(F(1, 3)) == ExactArray((), [1], 3)
    assert exactly([F(1, 3), 0.5]) == ExactArray((2,), [2, 3], 6)
    assert exactly((1, 2)) == ExactArray((2,), [1, 2], 1)
    assert exactly(5e-324).fractions() == [F(1, 2**1074)]


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int32"])
def test_exactly_takes_arrays(dtype: str) -> None:
    array = np.array([[1, -2, 3], [4, 5, 0]], dtype=dtype)
    assert exactly(array).fractions() == [1, -2, 3, 4, 5, 0]
    assert exactly(array.T).fractions() == [1, 4, -2, 5, 3, 0]  # C order, not memory order
    assert exactly(list(array)).shape == (2, 3)
    assert exactly(array[0, 0]) == ExactArray((), [1], 1)


@pytest.mark.parametrize("shape", [(0,), (0, 3), (3, 0), (2, 0, 4)])
def test_exactly_keeps_empty_shapes(shape: tuple[int, ...]) -> None:
    assert exactly(np.zeros(shape)) == ExactArray(shape, [], 1)
    assert centralize(np.zeros(shape), output_axis=0) == ExactArray(shape, [], 1)


def test_exactly_of_an_exact_array_is_itself() -> None:
    array = exactly([1.0, 2.0])
    assert exactly(array) is array


@given(hnp.arrays(np.float64, hnp.array_shapes(max_dims=3, max_side=3)))
def test_exactly_loses_nothing(array: np.ndarray[Any, np.dtype[np.float64]]) -> None:
    if not np.isfinite(array).all():
        with pytest.raises(ValueError, match="must be finite"):
            exactly(array)
        return
    exact = exactly(array)
    assert exact.shape == array.shape
    assert [float(x) for x in exact.fractions()] == array.ravel().tolist()


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_named(bad: float) -> None:
    with pytest.raises(ValueError, match=r"element \[1, 0\] is (nan|inf|-inf); exact"):
        exactly([[1.0, 2.0], [bad, math.nan]])
    with pytest.raises(ValueError, match="the value is"):
        exactly(bad)


@pytest.mark.parametrize("ragged", [[[1, 2], [3]], [1, [2]], [[1], 2], [[[1]], [2]]])
def test_ragged_lists_are_refused(ragged: Any) -> None:
    with pytest.raises(ValueError, match="ragged nested lists"):
        exactly(ragged)


@pytest.mark.parametrize("alien", ["1", 1j, None])
def test_what_is_no_real_number_is_refused(alien: Any) -> None:
    with pytest.raises(TypeError, match=r"element \[1\] is a .* not a real number"):
        exactly([1.0, alien])


# --- Eq. 1 -------------------------------------------------------------------


def test_eq_1_by_hand() -> None:
    # Output-first: rows are neurons. Means: (1 + 2 + 6)/3 = 3 and (0 + 0 + 1)/3 = 1/3.
    rows = centralize([[1.0, 2.0, 6.0], [0.0, 0.0, 1.0]], output_axis=0)
    assert rows.fractions() == [-2, -1, 3, F(-1, 3), F(-1, 3), F(2, 3)]
    # Output-last: columns are neurons. Means: 1/2, 1 and 7/2.
    columns = centralize([[1.0, 2.0, 6.0], [0.0, 0.0, 1.0]], output_axis=-1)
    assert columns.fractions() == [F(1, 2), 1, F(5, 2), F(-1, 2), -1, F(-5, 2)]


def test_spatial_axes_belong_to_the_inputs() -> None:
    # One output of a 2x2 window over 1 channel: the mean of 1, 2, 3, 6 is 3.
    kernel = [[[[1.0]], [[2.0]]], [[[3.0]], [[6.0]]]]  # (2, 2, 1, 1), output-last
    assert centralize(kernel, output_axis=3).fractions() == [-2, -1, 0, 3]


def test_two_output_axes() -> None:
    # (kh=2, channel=2, multiplier=1): outputs are channel and multiplier.
    kernel = [[[1.0], [10.0]], [[3.0], [30.0]]]
    assert centralize(kernel, output_axis=(1, 2)).fractions() == [-1, -10, 1, 10]
    assert centralize(kernel, output_axis=(-1, -2)).fractions() == [-1, -10, 1, 10]
    # No output axis: one neuron; the mean of 1, 10, 3, 30 is 11.
    assert centralize(kernel, output_axis=()).fractions() == [-10, -1, -8, 19]


def test_fan_in_one_gives_zero() -> None:
    assert centralize([[3.0], [5.0]], output_axis=0).fractions() == [0, 0]
    assert centralize([[3.0, 5.0]], output_axis=(0, 1)).fractions() == [0, 0]


@pytest.mark.parametrize(
    ("grad", "axis"), [(3.0, 0), ([1.0, 2.0], 0), ([1.0, 2.0], 7), ([[1.0, 2.0]], None)]
)
def test_out_of_scope_is_unchanged(grad: Any, axis: int | None) -> None:
    assert centralize(grad, output_axis=axis) == exactly(grad)


def test_bad_axes_name_the_shape() -> None:
    with pytest.raises(ValueError, match=r"output_axis 2 is out of range for shape \(1, 2\)"):
        centralize([[1.0, 2.0]], output_axis=2)
    with pytest.raises(ValueError, match=r"\(0, -3\) is out of range for shape \(1, 2\)"):
        centralize([[1.0, 2.0]], output_axis=(0, -3))
    with pytest.raises(ValueError, match=r"names an axis twice for shape \(1, 2\)"):
        centralize([[1.0, 2.0]], output_axis=(0, -2))


finite = st.floats(allow_nan=False, allow_infinity=False)


@given(
    hnp.arrays(np.float64, hnp.array_shapes(min_dims=2, max_dims=4, max_side=3), elements=finite),
    st.data(),
)
def test_eq_1_as_printed(grad: np.ndarray[Any, np.dtype[np.float64]], data: st.DataObject) -> None:
    """g - (1/M) Σ g over all inputs of the same output, index by index, in Fractions."""
    axes = data.draw(st.sets(st.integers(0, grad.ndim - 1), min_size=1).map(tuple))
    got = centralize(grad, output_axis=axes).fractions()
    indices = list(itertools.product(*map(range, grad.shape)))
    for position, index in enumerate(indices):
        same = [F(float(grad[j])) for j in indices if all(j[a] == index[a] for a in axes)]
        assert got[position] == F(float(grad[index])) - sum(same) / len(same)


def test_an_exact_array_may_be_centralized() -> None:
    once = centralize([[1.0, 2.0, 6.0]], output_axis=0)
    assert centralize(once, output_axis=0).fractions() == once.fractions()  # P² = P (Eq. 2)


def test_enclosure_has_two_ends() -> None:
    ends = Enclosure(exactly([1.0]), exactly([2.0]))
    assert ends.lower.fractions() == [1]
    assert ends.upper.fractions() == [2]
