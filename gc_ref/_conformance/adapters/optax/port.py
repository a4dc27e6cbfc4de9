"""Drive an optax transformation through ``jax.grad`` and ``apply_updates``, on a Flax tree."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from gc_ref._conformance.adapters.optax.programs import Programs
from gc_ref._conformance.adapters.optax.training import Loop, run_case, write_loop
from gc_ref._conformance.adapters.shared.calls import quietly, refuse_coroutine
from gc_ref._conformance.adapters.shared.factory import (
    SAMPLE,
    Factory,
    factory_port,
    read_factory,
    refuse_other_framework,
)
from gc_ref._conformance.adapters.shared.hyperparameters import ALIASES
from gc_ref._conformance.adapters.shared.randomness import seeded
from gc_ref._conformance.ports.case import Case, Trajectory
from gc_ref._conformance.ports.port import Construction, Port, PortError, PortLoadError
from gc_ref._layouts import FLAX_KINDS


def optax_port(
    factory: Callable[..., Any],
    *,
    name: str | None = None,
    algorithm: str | None = None,
    base: Port | None = None,
    settings: Mapping[str, Any] | None = None,
    layout: str = "output-last",
    conventions: Mapping[str, str] | None = None,
    target: str | None = None,
    options: Iterable[str] = (),
    switch: str | None = None,
) -> Port:
    """Make a port out of an optax gradient transformation.

    Each run lays the parameters out as a Flax model has them (``{"Dense_0": {"kernel":
    …, "bias": …}}``) and trains them: ``jax.grad`` of the probe loss Σ⟨G, w⟩, which is
    exactly G, then ``update`` and ``optax.apply_updates``, the whole step under ``jax.jit``.

    Parameters
    ----------
    factory : callable
        ``factory(**hyperparameters) -> optax.GradientTransformation``. One that takes no
        learning rate, such as ``optax.centralize`` itself, is followed by
        ``optax.scale(-lr)``, that is by plain SGD.
    name : str, optional
        Name in reports; by default that of ``factory``.
    algorithm : {"sgdm", "adam"}, optional
        Hold it to Algorithm 1 or Algorithm 2.
    base : Port, optional
        Hold it to this optimizer fed with Φ(g).
    settings : mapping, optional
        Arguments of the factory to fix. A boolean one that is named after GC, such as
        ``use_gc``, is taken as its switch.
    layout : {"output-last", "output-first"}
        Where the weights store their outputs (Eq. 1); Flax stores them last.
    conventions : mapping, optional
        Declared conventions, field to value.
    target : str, optional
        The command-line target that makes this port.
    options : iterable of str, optional
        Further command-line words that make this port.
    switch : str, optional
        The argument that switches GC, where its name does not say so, or several do.

    Returns
    -------
    Port
        Of kind ``"optax"``. Runs of a new structure compile for about a second.

    Raises
    ------
    PortLoadError
        If optax is missing, if the factory fails or makes no gradient transformation,
        or if it takes no learning rate and yet descends by itself.

    Examples
    --------
    >>> import optax  # doctest: +SKIP
    >>> port = optax_port(optax.sgd, algorithm="sgdm")  # doctest: +SKIP
    >>> port.name, sorted(port.takes)  # doctest: +SKIP
    ('sgd', ['lr', 'momentum'])
    """
    return factory_port(
        factory,
        lambda fixed, label: _load(factory, fixed, label, layout),
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
    function: Callable[..., Any], settings: Mapping[str, Any], label: str, layout: str
) -> Port:
    """Read the signature and make a first transformation, so that what is wrong shows early."""
    try:
        import jax
        import optax
    except ImportError as error:
        raise PortLoadError(f"an optax port needs pip install optax: {error}") from error
    if not callable(function):
        raise PortLoadError(
            f"{type(function).__name__} object is not callable: give a factory "
            "(**hyperparameters) -> optax.GradientTransformation"
        )
    refuse_other_framework(function, "optax")
    with seeded(), quietly():
        factory = read_factory(function, settings, label)
        made = _make(factory, SAMPLE)
        scaled = "lr" not in factory.signature.names
        if scaled and _descends(made):
            raise PortLoadError(
                f"{label} takes no learning rate (looked for an argument named "
                f"{', '.join(ALIASES['lr'])}), and yet its updates descend: it has one inside. "
                "Let the factory take learning_rate"
            )
    environment = {
        "optax": optax.__version__,
        "jax": jax.__version__,
        "numpy": np.__version__,
        "backend": jax.default_backend(),
    }
    if scaled:
        environment["learning rate"] = "added by optax.scale(-lr), as the factory takes none"
    programs = Programs()

    def make_loop(case: Case, eager_init: bool) -> Loop:
        made = _make(factory, case.hyperparameters)
        if scaled:
            if "lr" not in case.hyperparameters:
                raise PortError(f"{label} takes no learning rate, and neither has the case one")
            made = optax.chain(made, optax.scale(-case.hyperparameters["lr"]))
        compiled = None if "eager" in case.drive else programs
        return write_loop(made, compiled, eager_init=eager_init)

    def run(case: Case) -> Trajectory:
        return run_case(case, layout, label, make_loop)

    config: Any = jax.config
    return Port(
        name=label,
        kind="optax",
        run=run,
        layout=layout,
        takes=factory.signature.takes | ({"lr"} if scaled else set()),
        fixed=factory.signature.fixed,
        dtypes=("float32", "float64") if config.jax_enable_x64 else ("float32",),
        drives=frozenset({"eager", "checkpoint", "twin"}),
        flush_to_zero=True,  # found by experiment: XLA does on a CPU, with jit and without
        per_run_cost="dear",
        own_kinds=FLAX_KINDS if layout == "output-last" else {},
        environment=environment,
        construction=Construction("optax", function, factory.arguments, "scaled" if scaled else ""),
    )


def _make(factory: Factory, hyperparameters: Mapping[str, float]) -> Any:
    """Call the factory; refuse what is no gradient transformation."""
    made = factory.make(hyperparameters)
    if not all(callable(getattr(made, part, None)) for part in ("init", "update")):
        raise PortLoadError(
            f"{factory.label} makes a {type(made).__module__}.{type(made).__name__}, which is no "
            "optax.GradientTransformation: it needs init() and update()"
        )
    return made


def _descends(transformation: Any) -> bool:
    """Whether the update of a bare transformation already points down the gradient."""
    import jax.numpy as jnp

    gradient = np.asarray([[4.0, -1.0], [-2.0, 3.0]], np.float32)
    tree = {"Dense_0": {"kernel": jnp.asarray(gradient)}}
    try:
        answer = transformation.update(tree, transformation.init(tree), tree)
        refuse_coroutine(answer, "update()")
        updates, _ = answer
        return bool(np.sum(np.asarray(updates["Dense_0"]["kernel"]) * gradient) < 0)
    except KeyboardInterrupt:
        raise
    except BaseException:  # the first real run will say what is wrong
        return False
