"""An operator port: a bare function from gradient to centralized gradient."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from gc_ref._conformance.adapters.optax import training as optax_training
from gc_ref._conformance.adapters.shared.calls import (
    is_plain,
    one_line,
    quietly,
    raising,
    refuse_coroutine,
)
from gc_ref._conformance.adapters.shared.dtypes import Dtypes
from gc_ref._conformance.adapters.shared.factory import label_of
from gc_ref._conformance.adapters.shared.randomness import draws_kept, seed_all
from gc_ref._conformance.adapters.torch import training as torch_training
from gc_ref._conformance.ports.case import Array, Case, Trajectory
from gc_ref._conformance.ports.port import Construction, Port, PortError, PortLoadError
from gc_ref._conformance.ports.storage import STORAGE

#: Said of a function that cannot be driven with NumPy arrays, the default.
WAY_OUT = (
    "Way out: it was given NumPy arrays; if it is written for another framework, name that one: "
    "--framework torch, --framework jax (in Python operator_port(..., framework=...))"
)
#: How names of dtypes begin that can be held against the exact value.
NUMBERS = ("float", "bfloat", "int", "uint", "bool", "complex")


@dataclass(frozen=True)
class _Backend:
    """How a framework's arrays are made, read and named."""

    make: Callable[[Array, str], Any]
    read: Callable[[Any], Array]
    dtype: Callable[[Any], str]
    is_array: Callable[[Any], bool]
    dtypes: tuple[str, ...]
    layout: str
    environment: Mapping[str, str]
    flush_to_zero: bool = False
    per_run_cost: str = "cheap"


def operator_port(
    function: Callable[[Any], Any],
    *,
    framework: str = "numpy",
    name: str | None = None,
    layout: str | None = None,
    conventions: Mapping[str, str] | None = None,
    settings: Mapping[str, Any] | None = None,
    target: str | None = None,
    options: Iterable[str] = (),
) -> Port:
    """Make a port of a function from gradient to centralized gradient.

    Parameters
    ----------
    function : callable
        Takes one gradient, an array of ``framework`` of any rank and real floating
        dtype, and returns the centralized gradient: same shape, same dtype.
    framework : {"numpy", "torch", "jax"}
        Whose arrays the function is given.
    name : str, optional
        Name in reports; the function's own by default.
    layout : {"output-first", "output-last"}, optional
        Where the weights keep their outputs: first for torch, else last.
    conventions : mapping, optional
        Declared conventions.
    settings : mapping, optional
        Further keyword arguments of the function.
    target : str, optional
        Command-line target, for the rerun command.
    options : iterable of str, optional
        Command-line options that make the same port again.

    Returns
    -------
    Port

    Raises
    ------
    PortLoadError
        If the function is not callable, or a class, or the framework is unknown or missing.
    ValueError
        For an unknown convention.

    Examples
    --------
    >>> def centralize(g):
    ...     return g if g.ndim < 2 else g - g.mean(axis=tuple(range(g.ndim - 1)), keepdims=True)
    >>> operator_port(centralize).layout
    'output-last'
    """
    if not callable(function):
        raise PortLoadError(f"{function!r} is not a function of a gradient")
    if isinstance(function, type):
        raise PortLoadError(
            f"{function.__qualname__} is a class, and an operator is a function of a gradient; "
            "an optimizer is a port of another kind: torch, keras or optax"
        )
    backend = _backend(framework)
    label, arguments = label_of(function, name), dict(settings or {})

    def centralized(handed: Any, where: str) -> Any:
        """Call the function; refuse an answer that is no array of real numbers."""
        with raising(PortError, f"{label} raised {where}"), quietly():
            answer = function(handed, **arguments)
        refuse_coroutine(answer, label)
        if not backend.is_array(answer) or not is_plain(answer):
            plain = "" if is_plain(answer) else "plain "
            raise PortError(
                f"{label} returned {type(answer).__name__} {where}; "
                f"expected a {plain}{framework} array"
            )
        if not backend.dtype(answer).startswith(NUMBERS):
            raise PortError(
                f"{label} returned dtype {backend.dtype(answer)} {where}; "
                "expected an array of real numbers"
            )
        return answer

    @draws_kept()
    def drive(case: Case) -> Trajectory:
        steps, dtypes, writes = [], Dtypes(case), False
        for number, gradients in enumerate(case.gradients):
            answers = {}
            for p in case.parameters:
                handed = backend.make(gradients[p.name], case.dtype)
                where = f"for {p.name} of shape {p.shape} and dtype {case.dtype}"
                # What is drawn for one weight does not depend on those before it.
                seed_all(zlib.crc32(f"{p.name} {number}".encode()))
                answers[p.name] = centralized(handed, where)
                dtypes.add(p.name, backend.dtype(answers[p.name]))
                same = np.array_equal(backend.read(handed), gradients[p.name], equal_nan=True)
                writes = writes or not same
            # Read only now, as an optimizer would: an answer may be a buffer used again.
            steps.append({name: backend.read(answer) for name, answer in answers.items()})
        return Trajectory(tuple(steps), dtypes=dtypes.found, writes_gradient=writes)

    return Port(
        name=label,
        kind="operator",
        run=drive,
        operator=True,
        layout=layout or backend.layout,
        conventions=dict(conventions or {}),
        dtypes=backend.dtypes,
        flush_to_zero=backend.flush_to_zero,
        per_run_cost=backend.per_run_cost,
        target=target,
        options=tuple(options),
        environment=backend.environment,
        construction=Construction(f"operator-{framework}", function, lambda _: arguments),
        way_out=WAY_OUT if framework == "numpy" else "",
    )


def _backend(framework: str) -> _Backend:
    makers = {"numpy": _numpy, "torch": _torch, "jax": _jax}
    if framework not in makers:
        raise PortLoadError(f"unknown framework {framework!r}; known: {', '.join(makers)}")
    try:
        return makers[framework]()
    except ImportError as error:
        raise PortLoadError(
            f"framework {framework} cannot be imported ({one_line(error)}): install it first"
        ) from error


def _numpy() -> _Backend:
    return _Backend(
        make=lambda values, dtype: np.array(values, dtype=dtype),
        read=lambda array: np.array(array).real,  # complex ones fail by their dtype
        dtype=lambda array: str(array.dtype),
        is_array=lambda x: isinstance(x, (np.ndarray, np.generic)),
        dtypes=("float16", "float32", "float64"),
        layout="output-last",
        environment={"numpy": np.__version__},
    )


def _torch() -> _Backend:
    import torch

    return _Backend(
        make=lambda values, dtype: torch.from_numpy(np.array(values)).to(getattr(torch, dtype)),
        read=lambda tensor: torch_training.array_of(tensor).copy(),
        dtype=lambda tensor: str(tensor.dtype).removeprefix("torch."),
        is_array=lambda x: isinstance(x, torch.Tensor),
        dtypes=tuple(STORAGE),
        layout="output-first",
        environment={"numpy": np.__version__, "torch": torch.__version__},
    )


def _jax() -> _Backend:
    import jax
    import jax.numpy as jnp

    wide = jnp.zeros(0).dtype == jnp.float64
    return _Backend(
        make=lambda values, dtype: jnp.asarray(values, dtype=dtype),
        read=optax_training.array_of,
        dtype=lambda array: str(array.dtype),
        is_array=lambda x: isinstance(x, jax.Array),
        dtypes=tuple(dtype for dtype in STORAGE if dtype != "float64" or wide),
        layout="output-last",
        flush_to_zero=True,
        per_run_cost="dear",  # JAX compiles for each shape
        environment={"numpy": np.__version__, "jax": jax.__version__},
    )
