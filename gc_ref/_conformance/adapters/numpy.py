"""A NumPy port: a function that runs a case by itself and answers the trajectory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from gc_ref._conformance.adapters.calls import is_plain, one_line, quietly, refuse_coroutine
from gc_ref._conformance.ports.case import Array, Case, Trajectory
from gc_ref._conformance.ports.conventions import parse_conventions
from gc_ref._conformance.ports.port import Construction, Port, PortError, PortLoadError

__all__ = ["numpy_port"]

#: For who gives a function of a gradient where one of a whole training run is expected.
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
    label: str = name or getattr(run, "__name__", None) or type(run).__name__
    arguments = dict(settings or {})

    def drive(case: Case) -> Trajectory:
        copies = tuple({k: np.array(v) for k, v in g.items()} for g in case.gradients)
        parameters = tuple(replace(p, value=np.array(p.value)) for p in case.parameters)
        handed = replace(case, parameters=parameters, gradients=copies)
        try:
            with quietly():
                answer = run(handed, **arguments)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            hint = HINT if "Case" in str(error) else ""  # 'Case' object has no attribute 'ndim'
            message = f"{label} raised in case {case.id}: {one_line(error)}{hint}"
            raise PortError(message) from error
        refuse_coroutine(answer, label)
        return _trajectory(label, handed, case, answer)

    return Port(
        name=label,
        kind="numpy",
        run=drive,
        layout=layout,
        takes_unused=True,
        takes=frozenset({"lr", "momentum", "beta1", "beta2", "eps", "weight_decay"}),
        algorithm=algorithm,
        base=base,
        conventions=parse_conventions(conventions or {}),
        dtypes=("float32", "float64"),
        target=target,
        options=tuple(options),
        environment={"numpy": np.__version__},
        construction=Construction("numpy", run, lambda _: arguments),
    )


def _trajectory(label: str, handed: Case, case: Case, answer: Any) -> Trajectory:
    """Check a function's answer and turn it into a trajectory."""
    if isinstance(answer, Trajectory):
        steps: Any = answer.steps
    elif isinstance(answer, (list, tuple)):
        steps = answer
    else:
        raise PortError(
            f"{label} answered {type(answer).__name__} in case {case.id}; "
            "expected a list with one mapping {parameter name: array} per step"
            f"{HINT if isinstance(answer, (np.ndarray, np.generic)) else ''}"
        )
    checked: list[dict[str, Array]] = []
    dtypes: dict[str, str] = {}
    for number, step in enumerate(steps, 1):
        if not isinstance(step, Mapping):
            raise PortError(
                f"{label}: step {number} of case {case.id} is {type(step).__name__}, "
                "expected a mapping {parameter name: array}"
            )
        for key, value in step.items():
            if not isinstance(value, (np.ndarray, np.generic)):
                raise PortError(
                    f"{label}: {key} in step {number} of case {case.id} is "
                    f"{type(value).__name__}, expected a NumPy array"
                )
            if not is_plain(value):
                raise PortError(
                    f"{label}: {key} in step {number} of case {case.id} is a "
                    f"{type(value).__name__}, expected a plain NumPy array"
                )
            if value.dtype.kind not in "fiubc":
                raise PortError(
                    f"{label}: {key} in step {number} of case {case.id} has dtype {value.dtype}, "
                    "expected an array of real numbers"
                )
            dtypes[key] = str(value.dtype)
        checked.append({k: np.array(v).real for k, v in step.items()})
    writes = any(
        not np.array_equal(a[k], b[k], equal_nan=True)
        for a, b in zip(handed.gradients, case.gradients, strict=True)
        for k in b
    )
    return Trajectory(tuple(checked), dtypes=dtypes, writes_gradient=writes)
