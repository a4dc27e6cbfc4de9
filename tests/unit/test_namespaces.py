"""The same namespace, dtype, shape and device come out, and the inputs stay as they were."""

import importlib

import numpy as np
import pytest
from array_api_compat import array_namespace

import gc_ref

GRAD = [[1.0, 10.0, -4.0], [3.0, 50.0, 4.0]]
CENTRALIZED = [[-1.0, -20.0, -4.0], [1.0, 20.0, 4.0]]


def test_every_real_floating_dtype(backend):
    for dtype in backend.dtypes:
        grad = backend.array(GRAD, dtype)
        before = backend.values(grad).copy()
        got = gc_ref.centralize(grad, output_axis=-1)
        assert type(got) is type(grad)
        assert got.dtype == grad.dtype
        assert tuple(got.shape) == (2, 3)
        assert getattr(got, "device", None) == getattr(grad, "device", None)
        assert backend.values(got).tolist() == CENTRALIZED
        assert np.array_equal(backend.values(grad), before)


def test_axes_over_a_convolution(backend, eq1):
    values = np.random.default_rng(2).integers(-9, 9, (2, 4, 2, 3)) * 24.0
    for dtype in backend.dtypes:
        if dtype == "bfloat16":  # these integers do not fit
            continue
        for output_axis in (0, -1, (0, 1), (0, 1, 2, 3)):
            got = gc_ref.centralize(backend.array(values, dtype), output_axis=output_axis)
            assert np.array_equal(backend.values(got), eq1(values, output_axis).astype("float64"))


def test_vectors_and_empty_arrays(backend):
    for dtype in backend.dtypes:
        for shape in [(), (3,), (0, 3), (3, 0)]:
            grad = backend.array(np.ones(shape), dtype)
            got = gc_ref.centralize(grad, output_axis=0)
            assert tuple(got.shape) == shape
            assert got.dtype == grad.dtype
            assert np.array_equal(backend.values(got), np.ones(shape))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_not_finite(backend, bad):
    for dtype in backend.dtypes:
        grad = backend.array([[1.0, bad], [3.0, 2.0]], dtype)
        got = backend.values(gc_ref.centralize(grad, output_axis=1))
        assert got[:, 0].tolist() == [-1.0, 1.0]
        assert np.isnan(got[:, 1]).all()


def test_sgdm_dtypes(backend):
    for dtype in backend.dtypes:
        weight, grad = backend.array(np.ones((2, 3)), dtype), backend.array(GRAD, dtype)
        start = gc_ref.sgdm_init(weight)
        new, state = gc_ref.sgdm_step(weight, grad, start, lr=0.5, momentum=0.5, output_axis=-1)
        held = "float32" if dtype in ("float16", "bfloat16") else dtype
        assert backend.dtype_name(new) == dtype
        assert backend.dtype_name(state.momentum) == held
        assert backend.values(state.momentum).tolist() == [[-0.5, -10, -2], [0.5, 10, 2]]
        assert backend.values(new).tolist() == [[1.25, 6, 2], [0.75, -4, 0]]
        assert backend.values(start.momentum).tolist() == np.zeros((2, 3)).tolist()
        assert backend.values(weight).tolist() == np.ones((2, 3)).tolist()


def test_adam_dtypes(backend):
    for dtype in backend.dtypes:
        # |ĝ| in {0, 1, 3, 7}, β1 = 1/2, β2 = 3/4, ε = 1, α = 1/8: no rounding at t = 1.
        weight = backend.array(np.ones((2, 3)), dtype)
        grad = backend.array([[1.0, 10.0, 4.0], [3.0, 16.0, 18.0]], dtype)
        start = gc_ref.adam_init(weight)
        new, state = gc_ref.adam_step(
            weight, grad, start, lr=0.125, beta1=0.5, beta2=0.75, eps=1.0, output_axis=-1
        )
        held = "float32" if dtype in ("float16", "bfloat16") else dtype
        assert backend.dtype_name(new) == dtype
        assert {backend.dtype_name(moment) for moment in state[:2]} == {held}
        assert state.step == 1
        assert start.step == 0
        assert backend.values(state.first_moment).tolist() == [[-0.5, -1.5, -3.5], [0.5, 1.5, 3.5]]
        assert backend.values(state.second_moment).tolist() == [[0.25, 2.25, 12.25]] * 2
        # ĝ/(|ĝ| + 1)/8 is 1/16, 3/32, 7/64
        up, down = [1.0625, 1.09375, 1.109375], [0.9375, 0.90625, 0.890625]
        assert backend.values(new).tolist() == [up, down]


@pytest.mark.parametrize("as_array", [False, True])
@pytest.mark.parametrize("beta1", [0.0, 0.5])
def test_adam_with_a_step_counted_in_an_array(backend, beta1, as_array):
    for dtype in backend.dtypes:
        if dtype in ("float16", "bfloat16"):  # as float32 does
            continue
        weight, grad = backend.array(np.zeros((2, 3)), dtype), backend.array(GRAD, dtype)
        xp = array_namespace(weight)
        state = gc_ref.adam_init(weight)._replace(step=xp.asarray(0))
        settings = {"lr": 1.0, "beta1": beta1, "beta2": 0.999, "output_axis": -1}
        if as_array:
            settings |= {k: backend.array(v, dtype) for k, v in settings.items() if k[:4] == "beta"}
        for t in (1, 2):
            weight, state = gc_ref.adam_step(weight, grad, state, **settings)
            assert int(state.step) == t
        assert backend.dtype_name(weight) == dtype
        # A constant gradient: m̂ = ĝ and v̂ = ĝ², so that a step is -ĝ/(|ĝ| + ε). The power of an
        # array is off by a unit or so, next to which 1 - β2 is 2⁻¹⁰.
        size = np.abs(CENTRALIZED)
        expected = -2 * np.asarray(CENTRALIZED) / (size + 1e-8)
        units = 4000 if as_array else 40
        off = np.abs(backend.values(weight) - expected)
        assert (off <= units * (2.0**-24 if dtype == "float32" else 2.0**-53)).all()


@pytest.mark.parametrize("name", ["lr", "eps"])
def test_hyperparameters_in_arrays_are_brought_to_the_dtype_of_the_weight(name):
    # 0.1 in float32, not in float64: else the namespace would promote, or refuse.
    weight, grad = np.ones((2, 3), "float32"), np.float32(GRAD)
    settings = {"lr": 0.3, "eps": 0.7, "output_axis": -1}
    steps = [
        gc_ref.adam_step(weight, grad, gc_ref.adam_init(weight), **settings | {name: value})[0]
        for value in (np.asarray(0.1), np.float32(0.1))
    ]
    assert steps[0].tolist() == steps[1].tolist()


@pytest.mark.parametrize("name", ["lr", "dampening"])
def test_hyperparameters_in_arrays_for_sgdm(backend, name):
    # 0.1 as the weight's dtype holds it; in the widest dtype it is another number.
    wide, dtype = backend.dtypes[-1], "float32"
    weight, grad = backend.array(np.ones((2, 3)), dtype), backend.array(GRAD, dtype)
    start = gc_ref.sgdm_init(weight)
    settings = {"lr": 0.3, "momentum": 0.5, "output_axis": -1}
    steps = [
        gc_ref.sgdm_step(weight, grad, start, **settings | {name: value})
        for value in (backend.array(0.1, wide), float(np.float32(0.1)))
    ]
    assert backend.values(steps[0][0]).tolist() == backend.values(steps[1][0]).tolist()
    assert backend.dtype_name(steps[0][1].momentum) == dtype


@pytest.mark.array_api_strict
def test_a_device_without_float64():
    # There float32 is the widest type; and float64 on another device is of no use.
    import array_api_strict as xp

    grad = xp.asarray(GRAD, dtype=xp.float32, device=xp.Device("no_float64"))
    got = gc_ref.centralize(grad, output_axis=-1)
    assert (got.dtype, got.device) == (grad.dtype, grad.device)
    values = [[float(got[i, j]) for j in range(3)] for i in range(2)]
    assert values == CENTRALIZED


def test_projection(backend):
    for dtype in backend.dtypes:
        like = backend.array([1.0], dtype)
        p = gc_ref.projection(4, dtype=like.dtype, xp=array_namespace(like))
        assert type(p) is type(like)
        assert p.dtype == like.dtype
        assert backend.values(p).tolist() == (np.eye(4) - 0.25).tolist()


def test_a_list_beside_an_array():
    weight = np.ones((2, 3))
    said = "^weight and grad: pass arrays of one library .*, not ndarray, list; "
    with pytest.raises(TypeError, match=said):
        gc_ref.sgdm_step(weight, GRAD, gc_ref.sgdm_init(weight), lr=1.0, output_axis=-1)


@pytest.mark.torch
def test_two_namespaces_at_once():
    import torch

    weight = torch.ones((2, 3))
    with pytest.raises(TypeError, match="weight and grad: pass arrays of one library"):
        gc_ref.sgdm_step(weight, np.float32(GRAD), gc_ref.sgdm_init(weight), lr=1.0, output_axis=-1)


@pytest.mark.parametrize(
    "raw",
    [
        "numpy",
        pytest.param("array_api_strict", marks=pytest.mark.array_api_strict),
        pytest.param("dask.array", marks=pytest.mark.dask),
        pytest.param("jax.numpy", marks=pytest.mark.jax),
        pytest.param("torch", marks=pytest.mark.torch),
    ],
)
def test_projection_in_a_plain_module(raw):
    xp = importlib.import_module(raw)
    p = gc_ref.projection(2, xp=xp)
    assert p.dtype == xp.ones(1).dtype  # the namespace's own default
    assert np.asarray(p).tolist() == [[0.5, -0.5], [-0.5, 0.5]]
