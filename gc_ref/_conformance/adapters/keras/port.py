"""Drive a Keras optimizer through the real ``model.fit``, on real layers."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from types import ModuleType
from typing import Any

from gc_ref._conformance.adapters.keras.training import run_case, without_noise
from gc_ref._conformance.adapters.shared.factory import (
    SAMPLE,
    Factory,
    factory_port,
    read_factory,
    refuse_other_framework,
)
from gc_ref._conformance.adapters.shared.hyperparameters import require_lr
from gc_ref._conformance.adapters.shared.randomness import seeded
from gc_ref._conformance.ports.case import Case, Trajectory
from gc_ref._conformance.ports.port import Construction, Port, PortLoadError


def select_backend() -> None:
    """Choose a backend for Keras, unless the user has. Call it before Keras is imported.

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
    switch: str | None = None,
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
        Constructor arguments to fix, under the optimizer's own names. A boolean one
        that is named after GC, such as ``use_gc``, is taken as its switch.
    layout : {"output-last", "output-first"}
        Where the weights store their outputs (Eq. 1); Keras layers store them last.
    conventions : mapping, optional
        Declared conventions, field to value.
    target : str, optional
        The command-line target that makes this port.
    options : sequence of str, optional
        Further command-line words that make this port.
    switch : str, optional
        The argument that switches GC, where its name does not say so, or several do.

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
    return factory_port(
        optimizer,
        lambda fixed, label: _load(optimizer, fixed, label, layout),
        name=name,
        settings=settings,
        algorithm=algorithm,
        base=base,
        conventions=conventions,
        target=target,
        options=options,
        switch=switch,
    )


def _load(
    optimizer: Callable[..., Any], settings: Mapping[str, Any], label: str, layout: str
) -> Port:
    """Read the signature and make a first optimizer, so that what is wrong shows early."""
    if not callable(optimizer):
        raise PortLoadError(f"{optimizer!r} is not callable: give an optimizer class or a factory")
    refuse_other_framework(optimizer, "keras")
    select_backend()
    with without_noise(), seeded():
        factory = read_factory(optimizer, settings, label)
        require_lr(factory.signature, label)
        _, home = _make(factory, SAMPLE)
    backend, environment = _environment(home)

    def run(case: Case) -> Trajectory:
        return run_case(case, layout, lambda: _make(factory, case.hyperparameters))

    construction = Construction("keras", optimizer, factory.arguments, backend)
    return Port(
        name=label,
        kind="keras",
        run=run,
        layout=layout,
        takes=factory.signature.takes,
        fixed=factory.signature.fixed,
        dtypes=("float32",),
        drives=frozenset(
            {"checkpoint", "twin", "fit-per-step", "rates"}
            | ({"eager"} if backend != "torch" else set())
        ),
        flush_to_zero=backend != "torch",  # XLA and TensorFlow do on a CPU; found by experiment
        per_run_cost="dear",
        usual_epsilon="hat",
        environment=environment,
        variables={"KERAS_BACKEND": backend} if home.__name__ == "keras" else {},
        construction=construction if home.__name__ == "keras" else None,
    )


def _make(factory: Factory, hyperparameters: Mapping[str, float]) -> tuple[Any, ModuleType]:
    """Make a new optimizer; say which Keras it belongs to."""
    made = factory.make({name: float(value) for name, value in hyperparameters.items()})
    for home in filter(None, (sys.modules.get("keras"), sys.modules.get("tf_keras"))):
        legacy = getattr(getattr(home.optimizers, "legacy", None), "Optimizer", ())
        if isinstance(made, home.optimizers.Optimizer) or (legacy and isinstance(made, legacy)):
            break
    else:
        raise PortLoadError(
            f"{factory.label} makes a {type(made).__module__}.{type(made).__name__}, "
            "which is not a Keras optimizer"
        )
    if getattr(made, "built", False) is True:
        raise PortLoadError(
            f"{factory.label} returned an optimizer that is already in use: "
            "make a new one at each call"
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
