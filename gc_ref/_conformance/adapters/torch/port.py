"""Drive a PyTorch optimizer through ``backward()`` and ``step()``, on real layers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from gc_ref._conformance.adapters.calls import one_line, quietly, refuse_coroutine
from gc_ref._conformance.adapters.hyperparameters import Signature, read_signature, require_lr
from gc_ref._conformance.adapters.switch import switched_off
from gc_ref._conformance.adapters.torch.model import build_model, parameter_groups
from gc_ref._conformance.adapters.torch.training import run_case, untouched_torch
from gc_ref._conformance.ports.case import Case, Parameter, Trajectory
from gc_ref._conformance.ports.conventions import parse_conventions
from gc_ref._conformance.ports.port import Construction, Port, PortLoadError

__all__ = ["torch_port"]

#: Hyperparameters to try the constructor with; a factory may require any of them.
_SAMPLE = {
    "lr": 0.125,
    "momentum": 0.5,
    "beta1": 0.5,
    "beta2": 0.75,
    "eps": 0.5,
    "weight_decay": 0.0,
}


def torch_port(
    optimizer: Callable[..., Any],
    *,
    name: str | None = None,
    algorithm: str | None = None,
    base: Port | None = None,
    settings: Mapping[str, Any] | None = None,
    layout: str = "output-first",
    conventions: Mapping[str, str] | None = None,
    target: str | None = None,
    options: Iterable[str] = (),
) -> Port:
    """Make a port out of a PyTorch optimizer.

    Each run builds a model of real layers (Linear, Conv2d, MultiheadAttention, …), hands
    its parameters to a new optimizer in two groups, and trains it: the probe loss
    Σ⟨G, w⟩, whose gradient is exactly G, then ``backward()`` and ``step()``.

    Parameters
    ----------
    optimizer : callable
        A `torch.optim.Optimizer` class, or a factory
        ``(params, **hyperparameters) -> optimizer``.
    name : str, optional
        Name in reports; by default that of ``optimizer``.
    algorithm : {"sgdm", "adam"}, optional
        Hold it to Algorithm 1 or Algorithm 2.
    base : Port, optional
        Hold it to this optimizer fed with Φ(g).
    settings : mapping, optional
        Constructor arguments to fix, under the optimizer's own names. A boolean one
        whose name holds ``gc`` or ``central`` is taken as the switch of GC.
    layout : {"output-first", "output-last"}
        Where the weights store their outputs (Eq. 1); layers of PyTorch store them first.
    conventions : mapping, optional
        Declared conventions, field to value.
    target : str, optional
        The command-line target that makes this port.
    options : iterable of str, optional
        Further command-line words that make this port.

    Returns
    -------
    Port
        Of kind ``"torch"``; a run takes milliseconds.

    Raises
    ------
    PortLoadError
        If PyTorch is missing, if this is no optimizer, if it cannot be made with these
        settings, or if it takes no learning rate.

    Examples
    --------
    >>> import torch  # doctest: +SKIP
    >>> port = torch_port(torch.optim.SGD, algorithm="sgdm")  # doctest: +SKIP
    >>> port.name, sorted(port.takes)  # doctest: +SKIP
    ('SGD', ['lr', 'momentum', 'weight_decay'])
    """
    try:
        import torch
    except ImportError as error:
        raise PortLoadError(f"a torch port needs PyTorch (pip install torch): {error}") from error

    fixed = dict(settings or {})
    label = name or getattr(optimizer, "__name__", None) or type(optimizer).__name__
    recipe = _load(optimizer, fixed, label)

    def make_off(changed: dict[str, Any], words: str) -> Port:
        return _port(_load(optimizer, changed, f"{label} ({words})"), layout)

    off, hint = switched_off(optimizer, fixed, make_off, skip=1)
    environment = {"torch": torch.__version__, "numpy": np.__version__, "device": "cpu"}
    if not recipe.grouped:
        environment["parameter groups"] = "one, as the factory takes no more"
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
    """How to make the optimizer anew for each run."""

    factory: Callable[..., Any]
    settings: Mapping[str, Any]
    label: str
    signature: Signature
    grouped: bool

    def make(
        self,
        parameters: tuple[Parameter, ...],
        owned: Mapping[str, Any],
        hyperparameters: Mapping[str, float],
    ) -> Any:
        """Make an optimizer of a model's parameters; say what is wrong with it."""
        groups: list[Any] = parameter_groups(parameters, owned)
        params = groups if self.grouped else [p for g in groups for p in g["params"]]
        arguments = self.signature.arguments(hyperparameters, self.settings)
        try:
            made = self.factory(params, **arguments)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            raise PortLoadError(f"{self.label} could not be made: {one_line(error)}") from error
        refuse_coroutine(made, self.label)
        if not callable(getattr(made, "step", None)) or not hasattr(made, "param_groups"):
            raise PortLoadError(
                f"{self.label} makes a {type(made).__module__}.{type(made).__name__}, which is "
                "no PyTorch optimizer: it needs step() and param_groups"
            )
        mine = {id(p) for p in owned.values()}
        if not any(id(p) in mine for g in made.param_groups for p in g["params"]):
            raise PortLoadError(
                f"{self.label} returned an optimizer that holds none of the parameters it was "
                "given: make a new one at each call"
            )
        return made


def _load(factory: Callable[..., Any], settings: dict[str, Any], label: str) -> _Recipe:
    """Read the signature and make a first optimizer, so that what is wrong shows early."""
    import torch

    if not callable(factory):
        raise PortLoadError(
            f"{type(factory).__name__} object is not callable: give a torch.optim.Optimizer "
            "class, or a factory (params, **hyperparameters)"
        )
    parameters = tuple(
        Parameter(f"dense_{i}", "dense", np.zeros((3, 2), np.float32), "dense") for i in range(2)
    )

    def fresh() -> dict[str, Any]:
        return build_model(
            parameters, {p.name: torch.zeros(p.shape) for p in parameters}, layout="output-first"
        )[1]

    def probe(arguments: dict[str, Any]) -> bool:
        try:
            refuse_coroutine(factory(list(fresh().values()), **arguments), label)
        except KeyboardInterrupt:
            raise
        except BaseException:
            return False
        return True

    with untouched_torch(), quietly():
        signature = read_signature(factory, settings, probe=probe, skip=1)
        require_lr(signature, label)
        recipe = _Recipe(factory, settings, label, signature, grouped=True)
        try:
            recipe.make(parameters, fresh(), _SAMPLE)
        except PortLoadError:
            # A factory that sorts the parameters itself may want them in one flat list.
            flat = _Recipe(factory, settings, label, signature, grouped=False)
            if not probe(signature.arguments(_SAMPLE, settings)):
                raise
            flat.make(parameters, fresh(), _SAMPLE)
            return flat
    return recipe


def _port(recipe: _Recipe, layout: str, **others: Any) -> Port:
    def run(case: Case) -> Trajectory:
        return run_case(case, layout, recipe.label, recipe.make)

    return Port(
        name=recipe.label,
        kind="torch",
        run=run,
        layout=layout,
        takes=recipe.signature.takes,
        fixed=recipe.signature.fixed,
        dtypes=("float32", "float64"),
        drives=frozenset({"reuse-gradients", "checkpoint", "twin"}),
        flush_to_zero=False,  # found by experiment: PyTorch keeps subnormal numbers on a CPU
        construction=Construction(
            "torch", recipe.factory, lambda h: recipe.signature.arguments(h, recipe.settings)
        ),
        **others,
    )
