"""Drive a Keras optimizer through the real ``model.fit``, on real layers."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from types import ModuleType
from typing import Any

from gc_ref._conformance.adapters.calls import one_line, quickly_compiled, refuse_coroutine
from gc_ref._conformance.adapters.hyperparameters import Signature, read_signature
from gc_ref._conformance.adapters.keras.training import run_case, without_noise
from gc_ref._conformance.adapters.switch import switched_off
from gc_ref._conformance.ports.case import Case, Trajectory
from gc_ref._conformance.ports.conventions import parse_conventions
from gc_ref._conformance.ports.port import Construction, Port, PortLoadError

__all__ = ["keras_port", "select_backend"]

#: Hyperparameters to try the constructor with; a factory may require any of them.
_SAMPLE = {"lr": 0.5, "momentum": 0.5, "beta1": 0.5, "beta2": 0.75, "eps": 0.5, "weight_decay": 0.0}


def select_backend() -> None:
    """Choose a backend for Keras if nobody has: to be called before Keras is imported.

    Keras takes TensorFlow unless ``KERAS_BACKEND`` (or its configuration file) says
    otherwise, and cannot be imported where TensorFlow is missing. There, JAX is
    taken, or else PyTorch.

    Examples
    --------
    >>> select_backend()
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if "keras" in sys.modules or os.environ.get("KERAS_BACKEND"):
        return
    installed = [b for b in ("tensorflow", "jax", "torch") if importlib.util.find_spec(b)]
    if installed and installed[0] != "tensorflow":
        os.environ["KERAS_BACKEND"] = installed[0]


def keras_port(
    optimizer: Callable[..., Any],
    *,
    name: str | None = None,
    algorithm: str | None = None,
    base: Port | None = None,
    settings: Mapping[str, Any] | None = None,
    layout: str = "output-last",
    conventions: Mapping[str, str] | None = None,
    target: str | None = None,
    options: Sequence[str] = (),
) -> Port:
    """Make a port out of a Keras optimizer.

    Each run compiles a model of real layers (Dense, Conv1D, …) with a new optimizer
    and trains it by ``model.fit``, one batch per step, with the loss Σ⟨G, w⟩ whose
    gradient is exactly G. So only a hook that the trainer of the backend really calls
    has an effect. Works on the JAX, PyTorch and TensorFlow backends of Keras 3, and
    with the optimizers of the legacy ``tf_keras``. All gradients arrive dense, that
    of an embedding too.

    Parameters
    ----------
    optimizer : callable
        A Keras optimizer class, or a factory ``(**hyperparameters) -> optimizer``
        that makes a new one at each call.
    name : str, optional
        Name in reports; by default that of ``optimizer``.
    algorithm : {"sgdm", "adam"}, optional
        Hold it to Algorithm 1 or Algorithm 2.
    base : Port, optional
        Hold it to this optimizer fed with Φ(g).
    settings : mapping, optional
        Constructor arguments to fix, under the optimizer's own names.
    layout : {"output-last", "output-first"}
        Where the weights store their outputs (Eq. 1); Keras layers store them last.
    conventions : mapping, optional
        Declared conventions, field to value.
    target : str, optional
        The command-line target that makes this port.
    options : sequence of str, optional
        Further command-line words that make this port.

    Returns
    -------
    Port
        Of kind ``"keras"``; float32 only; each run is dear.

    Raises
    ------
    PortLoadError
        If this is no Keras optimizer, if it cannot be made with these settings, or if
        it takes no learning rate.

    Examples
    --------
    >>> import keras  # doctest: +SKIP
    >>> port = keras_port(keras.optimizers.SGD, algorithm="sgdm")  # doctest: +SKIP
    >>> port.name, sorted(port.takes)  # doctest: +SKIP
    ('SGD', ['lr', 'momentum', 'weight_decay'])
    """
    if not callable(optimizer):
        raise PortLoadError(f"{optimizer!r} is not callable: give an optimizer class or a factory")
    select_backend()
    fixed = dict(settings or {})
    label = name or getattr(optimizer, "__name__", None) or type(optimizer).__name__
    with without_noise():
        signature = read_signature(optimizer, fixed, probe=_probe(optimizer))
        if "lr" not in signature.names:
            raise PortLoadError(
                f"{label} takes no learning rate: it needs an argument learning_rate (or lr)"
            )
        _, home = _make(optimizer, signature, _SAMPLE, fixed, label)
    backend, environment = _environment(home)

    def run(case: Case) -> Trajectory:
        with quickly_compiled():
            return run_case(
                case,
                layout,
                lambda: _make(optimizer, signature, case.hyperparameters, fixed, label),
            )

    def make_off(changed: dict[str, Any], words: str) -> Port:
        return keras_port(optimizer, name=f"{label} ({words})", settings=changed, layout=layout)

    off, hint = switched_off(optimizer, fixed, make_off)
    return Port(
        name=label,
        kind="keras",
        run=run,
        layout=layout,
        takes=signature.takes,
        fixed=signature.fixed,
        algorithm=algorithm,
        base=base,
        off=off,
        conventions=parse_conventions(conventions or {}),
        dtypes=("float32",),
        drives=frozenset(
            {"checkpoint", "twin", "fit-per-step"} | ({"eager"} if backend != "torch" else set())
        ),
        flush_to_zero=backend != "torch",  # XLA and TensorFlow do on a CPU; found by experiment
        per_run_cost="dear",
        usual_epsilon="hat",
        target=target,
        options=tuple(options),
        environment={**environment, **hint},
        construction=Construction(
            "keras", optimizer, lambda h: signature.arguments(h, fixed), backend
        )
        if home.__name__ == "keras"
        else None,
    )


def _probe(optimizer: Callable[..., Any]) -> Callable[[dict[str, Any]], bool]:
    def probe(arguments: dict[str, Any]) -> bool:
        try:
            refuse_coroutine(optimizer(**arguments), "the factory")
        except KeyboardInterrupt:
            raise
        except BaseException:  # Keras says ValueError for an unknown argument
            return False
        return True

    return probe


def _make(
    optimizer: Callable[..., Any],
    signature: Signature,
    hyperparameters: Mapping[str, float],
    settings: Mapping[str, Any],
    label: str,
) -> tuple[Any, ModuleType]:
    """Make a new optimizer; say which Keras it belongs to."""
    numbers = {name: float(value) for name, value in hyperparameters.items()}
    try:
        made = optimizer(**signature.arguments(numbers, settings))
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise PortLoadError(f"{label} could not be made: {one_line(error)}") from error
    refuse_coroutine(made, label)
    for home in filter(None, (sys.modules.get("keras"), sys.modules.get("tf_keras"))):
        legacy = getattr(getattr(home.optimizers, "legacy", None), "Optimizer", ())
        if isinstance(made, home.optimizers.Optimizer) or (legacy and isinstance(made, legacy)):
            break
    else:
        raise PortLoadError(
            f"{label} makes a {type(made).__module__}.{type(made).__name__}, "
            "which is not a Keras optimizer"
        )
    if getattr(made, "built", False) is True:
        raise PortLoadError(
            f"{label} returned an optimizer that is already in use: make a new one at each call"
        )
    return made, home


def _environment(home: ModuleType) -> tuple[str, dict[str, str]]:
    backend = home.backend.backend() if hasattr(home, "ops") else "tensorflow"
    if home.backend.floatx() != "float32":
        raise PortLoadError(
            f"{home.__name__} is set to {home.backend.floatx()}, and the probe needs float32: "
            "call keras.config.set_floatx('float32')"
        )
    version = getattr(importlib.import_module(backend), "__version__", "unknown")
    return backend, {home.__name__: home.__version__, "backend": f"{backend} {version}"}
