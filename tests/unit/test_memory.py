"""How a NumPy array lies in memory, and in how many blocks it is taken, changes nothing."""

import tracemalloc

import numpy as np
import pytest

import gc_ref._arrays
from gc_ref import adam_init, adam_step, centralize, sgdm_init, sgdm_step

LAYOUTS = {
    "fortran": np.asfortranarray,
    "negative strides": lambda a: np.ascontiguousarray(a[::-1, ::-1, ::-1])[::-1, ::-1, ::-1],
    "every other element": lambda a: np.repeat(np.repeat(a, 2, axis=0), 2, axis=2)[::2, :, ::2],
    "transposed": lambda a: np.ascontiguousarray(a.T).T,
    "offset by a byte": lambda a: (
        np.frombuffer(b"\0" + a.tobytes(), dtype=np.uint8)[1:].view(a.dtype).reshape(a.shape)
    ),
}


@pytest.mark.parametrize("lay_out", LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "longdouble"])
@pytest.mark.parametrize("output_axis", [0, 1, -1, (0, 2)])
def test_layout(lay_out, dtype, output_axis, eq1):
    # Fan-ins 24, 18, 12 and 3 divide 72, and every sum is small: exact in any order.
    grad = np.random.default_rng(3).integers(-9, 9, (3, 4, 6)).astype(dtype) * 72
    laid_out = lay_out(grad)
    laid_out.flags.writeable = False
    assert np.array_equal(laid_out, grad)
    expected = eq1(grad, output_axis).astype("float64")
    assert np.array_equal(centralize(laid_out, output_axis=output_axis), expected)


def test_nothing_is_written_to():
    weight, grad = np.ones((3, 2)), np.asarray([[1.0, 2.0], [5.0, 0.0], [0.0, 4.0]])
    momentum = sgdm_init(weight)
    moments = adam_init(weight)
    for array in (weight, grad, momentum.momentum, *moments[:2]):
        array.flags.writeable = False  # a write would raise
    for _ in range(2):
        stepped, momentum = sgdm_step(weight, grad, momentum, lr=0.1, output_axis=1)
        assert not np.shares_memory(stepped, weight)
        assert not np.shares_memory(momentum.momentum, grad)
        stepped, moments = adam_step(weight, grad, moments, lr=0.1, output_axis=1)
        assert not np.shares_memory(stepped, weight)
        assert not np.shares_memory(moments.first_moment, moments.second_moment)


def test_fresh_moments_are_two_buffers():
    state = adam_init(np.ones(3))
    assert not np.shares_memory(state.first_moment, state.second_moment)


@pytest.mark.parametrize("output_axis", [0, 1, -1, (0, 2)])
@pytest.mark.parametrize("elements", [1, 10, 100])
def test_blocks_of_any_size(elements, output_axis, monkeypatch):
    rng = np.random.default_rng(7)
    weight, grad = 10 + rng.standard_normal((2, 13, 9, 5)).astype("float32")
    grad[3, 2, 1], grad[:, 0] = np.nan, 1 / 3  # slices that are done again, or not finite
    settings = {"lr": 0.1, "output_axis": output_axis}
    results = []
    for size in (gc_ref._arrays._CPU_BLOCK, elements):
        monkeypatch.setattr(gc_ref._arrays, "_CPU_BLOCK", size)
        first, state = sgdm_step(weight, grad, sgdm_init(weight), **settings)
        second, states = adam_step(weight, grad, adam_init(weight), **settings)
        centralized = centralize(grad, output_axis=output_axis)
        results.append([centralized, first, *state, second, *states])
    # The float64 means differ in their last bit; where two roundings would, choose another seed.
    for whole, in_blocks in zip(*results, strict=True):
        assert np.array_equal(whole, in_blocks, equal_nan=True)


@pytest.mark.parametrize("output_axis", [0, 1])
def test_no_second_array_is_made(output_axis):
    grad = np.ones((4096, 2048), dtype="float32")
    grad += np.arange(2048, dtype="float32")
    tracemalloc.start()
    try:
        result = centralize(grad, output_axis=output_axis)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak <= 1.3 * result.nbytes


@pytest.mark.parametrize("output_axis", [0, 1])
def test_numpy_buffers_as_before(output_axis):
    with np.errstate():
        np.setbufsize(4096)
        centralize(np.ones((300, 300), dtype="float32"), output_axis=output_axis)
        assert np.getbufsize() == 4096
    assert np.getbufsize() != 4096
