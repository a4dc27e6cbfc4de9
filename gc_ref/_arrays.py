"""What the reference needs beside the paper: libraries, dtypes, blocks, and refusals."""

from __future__ import annotations

import contextlib
import functools
import math
import operator
import sys
from collections.abc import Callable
from numbers import Real
from types import ModuleType
from typing import Any

from array_api_compat import (
    array_namespace,
    device,
    is_cupy_array,
    is_jax_array,
    is_lazy_array,
    is_numpy_array,
    is_torch_array,
)

Array = Any

#: Elements of a block on a CPU: its float64 values stay in a cache of a megabyte or two, and the
#: calls for each block cost little beside them. No power of two, as results often are: of two
#: buffers of one size the C library gives one back to the system each time, and gets new pages.
#: Elsewhere a block is as large as memory allows to hold several times.
_CPU_BLOCK, _OTHER_BLOCK = 3 * 2**15, 2**24


def namespace_of(**arrays: Array) -> ModuleType:
    """Array namespace of named arrays, all of which must be real floating."""
    if any(array is None for array in arrays.values()):  # which array_namespace passes over
        raise TypeError(_not_arrays(arrays))
    try:
        xp: ModuleType = array_namespace(*arrays.values())
    except TypeError as error:
        raise TypeError(_not_arrays(arrays)) from error
    for name, array in arrays.items():
        if not _is_real_floating(array.dtype, xp):
            raise TypeError(
                f"{name} has dtype {array.dtype}, but a real floating dtype is needed: "
                "convert it first, for instance to float32"
            )
        if is_torch_array(array):
            _refuse_what_torch_users_pass(name, array)
    return xp


@functools.cache
def _is_real_floating(dtype: Any, xp: ModuleType) -> bool:
    try:
        return bool(xp.isdtype(dtype, "real floating"))
    except TypeError:  # a dtype that is foreign to the namespace: ml_dtypes in NumPy
        return False


def _refuse_what_torch_users_pass(name: str, array: Array) -> None:
    """Refuse a sparse gradient, and a parameter where its gradient is meant."""
    torch = sys.modules["torch"]
    if array.layout != torch.strided:
        raise TypeError(
            f"{name} is sparse ({array.layout}), and less its means it would be dense: "
            f"pass {name}.to_dense(), or leave this parameter as it is"
        )
    if name == "grad" and isinstance(array, torch.nn.Parameter):
        raise TypeError(
            "grad is a Parameter, a weight: pass its gradient, p.grad "
            "(or p.detach(), if the weight itself is to be centralized)"
        )


def _not_arrays(arrays: dict[str, Array]) -> str:
    """Say what is wrong with arguments that are no arrays of one library."""
    if "grad" in arrays and arrays["grad"] is None:
        return (
            "grad is None: the parameter is frozen, or the loss does not depend on it; "
            "leave it out (in PyTorch: if p.grad is not None)"
        )
    for name, array in arrays.items():
        for dense in ("toarray", "todense"):  # of SciPy; of JAX and others
            if hasattr(array, dense):
                return (
                    f"{name} is sparse ({type(array).__name__}), and less its means it would be "
                    f"dense: pass {name}.{dense}(), or leave this parameter as it is"
                )
    kinds = ", ".join(type(array).__name__ for array in arrays.values())
    return (
        f"{' and '.join(arrays)}: pass arrays of one library (NumPy, PyTorch, JAX, ...), "
        f"not {kinds}; numpy.asarray(x) makes an array of a list or a number"
    )


def can_look_at(array: Array) -> bool:
    """Whether Python may branch on the numbers in `array`, asked of its library.

    Not where a function is traced or batched, where a derivative is recorded, or where the
    numbers come later or lie on several machines.
    """
    if is_torch_array(array):
        torch = sys.modules["torch"]
        return (
            type(array) in (torch.Tensor, torch.nn.Parameter)  # no DTensor, no FakeTensor
            and array.device.type != "meta"
            and not (array.requires_grad and torch.is_grad_enabled())
            and torch.autograd.forward_ad._current_level < 0
            and not torch.compiler.is_compiling()
            and not torch.jit.is_tracing()
            and not torch._C._functorch.is_functorch_wrapped_tensor(array)
            and not torch._C._len_torch_dispatch_stack()  # no mode that records operations
        )
    if is_jax_array(array):
        jax = sys.modules["jax"]
        # Inside of jit, operations on concrete arrays are traced too: try one.
        traced = any(isinstance(x, jax.core.Tracer) for x in (array, jax.numpy.zeros(())))
        return not traced and bool(array.is_fully_addressable)
    return not is_lazy_array(array)


def widest_dtype(array: Array, xp: ModuleType) -> Any:
    """Dtype to sum in: float64 where the device has it, and at least float32."""
    if is_jax_array(array) and xp.finfo(array.dtype).bits < 64:
        return xp.float64 if sys.modules["jax"].config.jax_enable_x64 else xp.float32
    place = array.device if hasattr(array, "device") else device(array)
    return _widest_on(array.dtype, place, xp)


@functools.cache
def _widest_on(dtype: Any, place: Any, xp: ModuleType) -> Any:
    if xp.finfo(dtype).bits >= 64:
        return dtype  # NumPy's longdouble stays what it is
    there = xp.__array_namespace_info__().dtypes(device=place, kind="real floating")
    return there.get("float64", xp.float32)


def compute_dtype(array: Array, xp: ModuleType) -> Any:
    """Dtype in which the optimizers compute: float32 for half types, else that of `array`.

    In bfloat16 the usual beta2 = 0.999 would be 1.0, and v would never change.
    """
    return xp.float32 if xp.finfo(array.dtype).bits < 32 else array.dtype


def quiet() -> Any:
    """Context in which NumPy, and what stands on it, does not warn of infinities and NaN."""
    numpy = sys.modules.get("numpy")
    return numpy.errstate(over="ignore", invalid="ignore") if numpy else contextlib.nullcontext()


def buffer_short_rows(matrix: Array) -> None:
    """Let NumPy subtract a mean from rows in half the time, until `quiet` ends.

    Where it broadcasts, it copies rows that are shorter than its buffer, of 8192 numbers.
    """
    if matrix.shape[1] >= 256 and is_numpy_array(matrix):
        sys.modules["numpy"].setbufsize(256)


def takes_blocks(array: Array) -> bool:
    """Whether parts of such an array can be written, and are rounded to its dtype then."""
    return bool(is_numpy_array(array) or is_torch_array(array) or is_cupy_array(array))


def blocks(array: Array, length: int, elements: int) -> list[slice]:
    """Cut an axis of some length, each position of which has so many elements, into blocks."""
    if length and length * elements <= _CPU_BLOCK:
        return [slice(0, length)]
    block = _CPU_BLOCK if str(array.device) == "cpu" else _OTHER_BLOCK
    step = max(1, block // elements)
    return [slice(start, min(start + step, length)) for start in range(0, length, step)]


def elementwise(function: Callable[..., tuple[Array, ...]], *arrays: Array) -> tuple[Array, ...]:
    """Apply an elementwise function of arrays of one shape; in blocks, where that is possible."""
    first = arrays[0]
    if first.ndim == 0 or 0 in first.shape or not takes_blocks(first):
        return function(*arrays)
    pieces = blocks(first, first.shape[0], math.prod(first.shape[1:]))
    if len(pieces) == 1 or not all(can_look_at(array) for array in arrays):
        return function(*arrays)
    results: tuple[Array, ...] = ()
    xp = array_namespace(first)
    for piece in pieces:
        part = function(*(array[piece, ...] for array in arrays))
        results = results or tuple(xp.empty_like(first, dtype=one.dtype) for one in part)
        for whole, one in zip(results, part, strict=True):
            whole[piece, ...] = one
    return results


def require_state(state: Any, kind: Any, made_by: str) -> None:
    """Refuse a state of another optimizer, or none."""
    if getattr(state, "_fields", None) != kind._fields:
        raise TypeError(
            f"state must be {kind.__name__}, not {type(state).__name__}: "
            f"begin with {made_by}(weight), and pass on the state that each step returns"
        )


def require_same(dtype: Any, weight: Array, grad: Array, **moments: Array) -> None:
    """Refuse a gradient or moments that do not belong to this weight."""
    torch = sys.modules.get("torch")
    if torch and isinstance(weight, torch.nn.Parameter) and torch.is_grad_enabled():
        raise TypeError(
            "weight is a Parameter, and autograd would record the step: "
            "make it under torch.no_grad(), or pass weight.detach()"
        )
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


def index(value: Any, name: str) -> int:
    """`value` as an int; booleans and floats are refused."""
    if not isinstance(value, bool):
        try:
            return operator.index(value)
        except TypeError:
            pass
    raise TypeError(f"{name} must be an integer, not {value!r} of type {type(value).__name__}")
