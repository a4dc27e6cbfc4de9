"""Array namespaces that the tests run on, and expected values in rational numbers."""

import itertools
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import pytest


@dataclass(frozen=True)
class Backend:
    """One array namespace. Values travel as float64, which holds all the dtypes here."""

    name: str
    dtypes: tuple[str, ...]
    make: Callable[[Any, str], Any]
    read: Callable[[Any], np.ndarray] = np.asarray

    def array(self, values, dtype):
        return self.make(np.asarray(values, dtype="float64"), dtype)

    def values(self, array):
        return np.asarray(self.read(array), dtype="float64")

    @staticmethod
    def dtype_name(array):
        return str(array.dtype).rpartition(".")[2]


def _read_only(values, dtype):
    array = values.astype(dtype)
    array.flags.writeable = False
    return array


def _numpy():
    return Backend("numpy", ("float16", "float32", "float64"), _read_only)


def _array_api_strict():
    import array_api_strict as xp

    def make(values, dtype):
        return xp.asarray(values, dtype=getattr(xp, dtype))

    def read(array):
        return np.from_dlpack(array)

    return Backend("array_api_strict", ("float32", "float64"), make, read)


def _torch():
    import torch

    return Backend(
        "torch",
        ("float16", "bfloat16", "float32", "float64"),
        lambda values, dtype: torch.asarray(values, dtype=getattr(torch, dtype)),
        lambda array: array.detach().to(torch.float64).numpy(),
    )


def _jax():
    import jax.numpy as jnp

    return Backend(
        "jax",
        ("float16", "bfloat16", "float32"),
        lambda values, dtype: jnp.asarray(values.astype("float32"), dtype=dtype),
    )


def _jax_x64():
    import jax.numpy as jnp

    return Backend(
        "jax-x64",
        ("float16", "bfloat16", "float32", "float64"),
        lambda values, dtype: jnp.asarray(values, dtype=dtype),
    )


def _dask():
    import dask.array as da

    return Backend(
        "dask",
        ("float16", "float32", "float64"),
        lambda values, dtype: da.from_array(values.astype(dtype), chunks=2),
        lambda array: array.compute(),
    )


@pytest.fixture(
    params=[
        pytest.param(_numpy, id="numpy"),
        pytest.param(_array_api_strict, id="strict", marks=pytest.mark.array_api_strict),
        pytest.param(_torch, id="torch", marks=pytest.mark.torch),
        pytest.param(_jax, id="jax", marks=pytest.mark.jax),
        pytest.param(_jax_x64, id="jax-x64", marks=pytest.mark.jax),
        pytest.param(_dask, id="dask", marks=pytest.mark.dask),
    ]
)
def backend(request):
    """Each array namespace in turn."""
    context = nullcontext()
    if request.param is _jax_x64:
        import jax

        context = jax.enable_x64(True)
    with context:
        yield request.param()


def _eq1(values, output_axis):
    """Eq. 1 in Fractions: minus the mean over all the axes that are no outputs."""
    values = np.asarray(values)
    outputs = output_axis if isinstance(output_axis, tuple) else (output_axis,)
    outputs = [axis % values.ndim for axis in outputs]
    exact = np.empty(values.shape, dtype=object)
    for index in np.ndindex(values.shape):
        exact[index] = Fraction(float(values[index]))
    result = np.empty(values.shape, dtype=object)
    for which in itertools.product(*(range(values.shape[axis]) for axis in outputs)):
        slice_ = [slice(None)] * values.ndim
        for axis, position in zip(outputs, which, strict=True):
            slice_[axis] = slice(position, position + 1)
        inputs = exact[tuple(slice_)]
        mean = sum(inputs.ravel().tolist(), Fraction(0)) / inputs.size
        result[tuple(slice_)] = inputs - mean
    return result


@pytest.fixture
def eq1():
    """Eq. 1 in Fractions, as a function ``eq1(values, output_axis)``."""
    return _eq1
