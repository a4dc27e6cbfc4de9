"""Drive an optax transformation through ``jax.grad`` and ``apply_updates``, on a Flax tree."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from gc_ref._conformance.adapters.calls import one_line, quietly, refuse_coroutine
from gc_ref._conformance.adapters.hyperparameters import ALIASES, Signature, read_signature
from gc_ref._conformance.adapters.optax.programs import Programs
from gc_ref._conformance.adapters.optax.training import Loop, run_case, write_loop
from gc_ref._conformance.adapters.switch import switched_off
from gc_ref._conformance.ports.case import Case, Trajectory
from gc_ref._conformance.ports.conventions import parse_conventions
from gc_ref._conformance.ports.port import Construction, Port, PortError, PortLoadError

__all__ = ["optax_port"]

#: Hyperparameters to try the factory with; it may require any of them.
_SAMPLE = {
    "lr": 0.125,
    "momentum": 0.5,
    "beta1": 0.5,
    "beta2": 0.75,
    "eps": 0.5,
    "weight_decay": 0.0,
}


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
        Arguments of the factory to fix. A boolean one whose name holds ``gc`` or
        ``central`` is taken as the switch of GC.
    layout : {"output-last", "output-first"}
        Where the weights store their outputs (Eq. 1); Flax stores them last.
    conventions : mapping, optional
        Declared conventions, field to value.
    target : str, optional
        The command-line target that makes this port.
    options : iterable of str, optional
        Further command-line words that make this port.

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
    try:
        import jax
        import optax
    except ImportError as error:
        raise PortLoadError(f"an optax port needs pip install optax: {error}") from error

    fixed = dict(settings or {})
    label = name or getattr(factory, "__name__", None) or type(factory).__name__
    recipe = _load(factory, fixed, label)

    def make_off(changed: dict[str, Any], words: str) -> Port:
        return _port(_load(factory, changed, f"{label} ({words})"), layout)

    off, hint = switched_off(factory, fixed, make_off)
    environment = {
        "optax": optax.__version__,
        "jax": jax.__version__,
        "numpy": np.__version__,
        "backend": jax.default_backend(),
    }
    if recipe.scaled:
        environment["learning rate"] = "added by optax.scale(-lr), as the factory takes none"
    return _port(
        recipe,
        layout,
        algorithm=algorithm,
        base=base,
        off=off,
        conventions=parse_conventions(conventions or {}),
        target=target,
        options=tuple(options),
        environment=environment | hint,
    )


@dataclass(frozen=True)
class _Recipe:
    """How to make the transformation anew for each run."""

    factory: Callable[..., Any]
    settings: Mapping[str, Any]
    label: str
    signature: Signature

    @property
    def scaled(self) -> bool:
        """Whether it takes no learning rate, so that ``optax.scale(-lr)`` follows it."""
        return "lr" not in self.signature.names

    def make_bare(self, hyperparameters: Mapping[str, float]) -> Any:
        """Call the factory; refuse what is no gradient transformation."""
        try:
            made = self.factory(**self.signature.arguments(hyperparameters, self.settings))
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            raise PortLoadError(f"{self.label} could not be made: {one_line(error)}") from error
        refuse_coroutine(made, self.label)
        if not all(callable(getattr(made, part, None)) for part in ("init", "update")):
            raise PortLoadError(
                f"{self.label} makes a {type(made).__module__}.{type(made).__name__}, which is no "
                "optax.GradientTransformation: it needs init() and update()"
            )
        return made

    def make(self, hyperparameters: Mapping[str, float]) -> Any:
        """Make the whole optimizer."""
        import optax

        made = self.make_bare(hyperparameters)
        if not self.scaled:
            return made
        if "lr" not in hyperparameters:
            raise PortError(f"{self.label} takes no learning rate, and neither has the case one")
        return optax.chain(made, optax.scale(-hyperparameters["lr"]))


def _load(factory: Callable[..., Any], settings: dict[str, Any], label: str) -> _Recipe:
    """Read the signature and make a first transformation, so that what is wrong shows early."""
    if not callable(factory):
        raise PortLoadError(
            f"{type(factory).__name__} object is not callable: give a factory "
            "(**hyperparameters) -> optax.GradientTransformation"
        )

    def probe(arguments: dict[str, Any]) -> bool:
        try:
            refuse_coroutine(factory(**arguments), label)
        except KeyboardInterrupt:
            raise
        except BaseException:
            return False
        return True

    with quietly():
        recipe = _Recipe(factory, settings, label, read_signature(factory, settings, probe=probe))
        made = recipe.make_bare(_SAMPLE)
        if recipe.scaled and _descends(made):
            raise PortLoadError(
                f"{label} takes no learning rate (looked for an argument named "
                f"{', '.join(ALIASES['lr'])}), and yet its updates descend: it has one inside. "
                "Let the factory take learning_rate"
            )
    return recipe


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


def _port(recipe: _Recipe, layout: str, **others: Any) -> Port:
    import jax

    programs = Programs()

    def make_loop(case: Case, eager_init: bool) -> Loop:
        made = recipe.make(case.hyperparameters)
        compiled = None if "eager" in case.drive else programs
        return write_loop(made, compiled, eager_init=eager_init)

    def run(case: Case) -> Trajectory:
        return run_case(case, layout, recipe.label, make_loop)

    config: Any = jax.config
    wide = bool(config.jax_enable_x64)
    return Port(
        name=recipe.label,
        kind="optax",
        run=run,
        layout=layout,
        takes=recipe.signature.takes | ({"lr"} if recipe.scaled else set()),
        fixed=recipe.signature.fixed,
        dtypes=("float32", "float64") if wide else ("float32",),
        drives=frozenset({"eager", "checkpoint", "twin"}),
        flush_to_zero=True,  # found by experiment: XLA does on a CPU, with jit and without
        per_run_cost="dear",
        construction=Construction(
            "optax",
            recipe.factory,
            lambda h: recipe.signature.arguments(h, recipe.settings),
            "scaled" if recipe.scaled else "",
        ),
        **others,
    )
