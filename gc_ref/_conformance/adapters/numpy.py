"""A NumPy port: a function that runs a case by itself and answers the trajectory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from gc_ref._conformance.adapters.shared.calls import (
    is_plain,
    one_line,
    quietly,
    refuse_coroutine,
)
from gc_ref._conformance.adapters.shared.dtypes import Dtypes
from gc_ref._conformance.adapters.shared.factory import label_of
from gc_ref._conformance.adapters.shared.hyperparameters import ALIASES
from gc_ref._conformance.adapters.shared.randomness import seeded
from gc_ref._conformance.ports.case import Array, Case, Trajectory
from gc_ref._conformance.ports.port import Construction, Port, PortError, PortLoadError

#: For a user who gives a function of a gradient where one of a training run is expected.
HINT = ". If this is a function gradient -> centralized gradient, use operator: (operator_port)"


def numpy_port(
    run: Callable[..., Any],
    *,
    name: str | None = None,
    algorithm: str | None = None,
    base: Port | None = None,
    settings: Mapping[str, Any] | None = None,
    layout: str = "output-last",
    conventions: Mapping[str, str] | None = None,
    target: str | None = None,
    options: Iterable[str] = (),
) -> Port:
    """Make a port of a function ``run(case, **settings)``.

    Parameters
    ----------
    run : callable
        Given a `Case`, returns a `Trajectory`, or a list with one mapping per step:
        parameter name to the parameter's value (numpy.ndarray) after that step.
        It must apply every hyperparameter of the case that its algorithm has.
    name : str, optional
        Name in reports; the function's own by default.
    algorithm : {"sgdm", "adam"}, optional
        Hold it to Algorithm 1 or 2.
    base : Port, optional
        Hold it to this optimizer fed with Φ(g).
    settings : mapping, optional
        Further keyword arguments of ``run``.
    layout : {"output-last", "output-first"}
        Where the weights keep their outputs.
    conventions : mapping, optional
        Declared conventions.
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
        If ``run`` is not callable.
    ValueError
        For an unknown convention.

    Examples
    --------
    >>> from gc_ref import centralize
    >>> def run(case):
    ...     weights = {p.name: p.value for p in case.parameters}
    ...     steps = []
    ...     for gradients in case.gradients:
    ...         weights = {
    ...             k: w - w.dtype.type(case.hyperparameters["lr"])
    ...             * centralize(gradients[k], output_axis=-1)
    ...             for k, w in weights.items()
    ...         }
    ...         steps.append(weights)
    ...     return steps
    >>> numpy_port(run, name="sgd").kind
    'numpy'
    """
    if not callable(run):
        raise PortLoadError(f"{run!r} is not a function run(case)")
    label, arguments = label_of(run, name), dict(settings or {})

    def drive(case: Case) -> Trajectory:
        copies = tuple({k: np.array(v) for k, v in g.items()} for g in case.gradients)
        parameters = tuple(replace(p, value=np.array(p.value)) for p in case.parameters)
        # Mappings of its own as well: a port may take gradients out of them.
        handed = replace(case, parameters=parameters, gradients=tuple(map(dict, copies)))
        try:
            with seeded(), quietly():
                answer = run(handed, **arguments)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            words = one_line(error)
            hint = HINT if "Case" in words else ""  # 'Case' object has no attribute 'ndim'
            message = f"{label} raised in case {case.id}: {words}{hint}"
            raise PortError(message) from error
        refuse_coroutine(answer, label)
        steps, dtypes = _read(answer, label, case)
        writes = any(
            not np.array_equal(a[k], b[k], equal_nan=True)
            for a, b in zip(copies, case.gradients, strict=True)
            for k in b
        )
        return Trajectory(steps, dtypes=dtypes, writes_gradient=writes)

    return Port(
        name=label,
        kind="numpy",
        run=drive,
        layout=layout,
        takes_unused=True,
        takes=frozenset(ALIASES),
        algorithm=algorithm,
        base=base,
        conventions=dict(conventions or {}),
        dtypes=("float32", "float64"),
        target=target,
        options=tuple(options),
        environment={"numpy": np.__version__},
        construction=Construction("numpy", run, lambda _: arguments),
    )


def _read(
    answer: Any, label: str, case: Case
) -> tuple[tuple[dict[str, Array], ...], dict[str, str]]:
    """Return copies of the arrays in a function's answer, step by step, and their dtypes."""
    steps: Any = answer.steps if isinstance(answer, Trajectory) else answer
    if not isinstance(steps, (list, tuple)):
        raise PortError(
            f"{label} answered {type(answer).__name__} in case {case.id}; "
            "expected a list with one mapping {parameter name: array} per step"
            f"{HINT if isinstance(answer, (np.ndarray, np.generic)) else ''}"
        )
    dtypes = Dtypes(case)
    for number, step in enumerate(steps, 1):
        if not isinstance(step, Mapping):
            raise PortError(
                f"{label}: step {number} of case {case.id} is {type(step).__name__}, "
                "expected a mapping {parameter name: array}"
            )
        for key, value in step.items():
            where, kind = f"{label}: {key} in step {number} of case {case.id}", type(value).__name__
            if not isinstance(value, (np.ndarray, np.generic)):
                raise PortError(f"{where} is {kind}, expected a NumPy array")
            if not is_plain(value):
                raise PortError(f"{where} is a {kind}, expected a plain NumPy array")
            if value.dtype.kind not in "fiubc":
                raise PortError(
                    f"{where} has dtype {value.dtype}, expected an array of real numbers"
                )
            dtypes.add(key, str(value.dtype))
    return tuple({k: np.array(v).real for k, v in step.items()} for step in steps), dtypes.found
