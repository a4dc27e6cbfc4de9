"""Drive a PyTorch optimizer through ``backward()`` and ``step()``, on real layers."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gc_ref._conformance.adapters.shared.calls import quietly, raising
from gc_ref._conformance.adapters.shared.factory import (
    SAMPLE,
    Factory,
    can_call,
    factory_port,
    read_factory,
    refuse_other_framework,
)
from gc_ref._conformance.adapters.shared.hyperparameters import named_arguments, require_lr
from gc_ref._conformance.adapters.shared.randomness import seeded
from gc_ref._conformance.adapters.torch.model import build_model, parameter_groups
from gc_ref._conformance.adapters.torch.training import Loop, untouched_torch
from gc_ref._conformance.ports.case import Parameter
from gc_ref._conformance.ports.port import Construction, Port, PortError, PortLoadError


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
    switch: str | None = None,
) -> Port:
    """Make a port out of a PyTorch optimizer.

    Each run builds a model of real layers (Linear, Conv2d, MultiheadAttention, …), hands
    its parameters to a new optimizer in two groups, and trains it: the probe loss
    Σ⟨G, w⟩, whose gradient is exactly G, then ``backward()`` and ``step()``. A ``step`` that
    raises is tried with a closure, and then with second derivatives (``create_graph=True``).

    Parameters
    ----------
    optimizer : callable
        A `torch.optim.Optimizer` class, or a factory
        ``(params, **hyperparameters) -> optimizer``. A required argument named ``model`` is
        given the model, also where it takes the place of ``params``.
    name : str, optional
        Name in reports; by default that of ``optimizer``.
    algorithm : {"sgdm", "adam"}, optional
        Hold it to Algorithm 1 or Algorithm 2.
    base : Port, optional
        Hold it to this optimizer fed with Φ(g).
    settings : mapping, optional
        Constructor arguments to fix, under the optimizer's own names. A boolean one
        that is named after GC, such as ``use_gc``, is taken as its switch. The value
        ``"@model"`` stands for the model.
    layout : {"output-first", "output-last"}
        Where the weights store their outputs (Eq. 1); layers of PyTorch store them first.
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
        skip=1,
    )


#: Setting that stands for the model: ``--set NAME=@model``.
MODEL = "@model"


@dataclass(frozen=True)
class _Recipe:
    """How to make the optimizer anew for each run."""

    factory: Factory
    grouped: bool = True  # whether it takes parameter groups, or only one flat list
    model_first: bool = False  # whether it wants the model in place of the parameters
    models: tuple[str, ...] = ()  # further arguments that want the model

    def make(
        self,
        parameters: tuple[Parameter, ...],
        model: Any,
        owned: Mapping[str, Any],
        hyperparameters: Mapping[str, float],
        later_group: bool = False,
    ) -> Any:
        """Make an optimizer of a model's parameters; refuse what is no optimizer of them."""
        groups: list[Any] = parameter_groups(parameters, owned)
        params = groups if self.grouped else [p for g in groups for p in g["params"]]
        later: list[Any] = []
        if later_group and self.grouped and not self.model_first:
            params, later = groups[:1], groups[1:]
        more = dict.fromkeys(self.models, model)
        leading = model if self.model_first else params
        made, label = self.factory.make(hyperparameters, leading, **more), self.factory.label
        if not callable(getattr(made, "step", None)) or not hasattr(made, "param_groups"):
            raise PortLoadError(
                f"{label} makes a {type(made).__module__}.{type(made).__name__}, which is "
                "no PyTorch optimizer: it needs step() and param_groups"
            )
        with raising(PortError, f"{label}.add_param_group", through=PortError):
            for group in later:
                made.add_param_group(group)
        held = [p for group in made.param_groups for p in group["params"]]
        if not any(p is mine for p in held for mine in owned.values()):
            raise PortLoadError(
                f"{label} returned an optimizer that holds none of the parameters it was "
                "given: make a new one at each call"
            )
        return made


def _load(
    optimizer: Callable[..., Any], settings: Mapping[str, Any], label: str, layout: str
) -> Port:
    """Read the signature and make a first optimizer, so that what is wrong shows early."""
    try:
        import torch
    except ImportError as error:
        raise PortLoadError(f"a torch port needs PyTorch (pip install torch): {error}") from error
    if not callable(optimizer):
        raise PortLoadError(
            f"{type(optimizer).__name__} object is not callable: give a torch.optim.Optimizer "
            "class, or a factory (params, **hyperparameters)"
        )
    refuse_other_framework(optimizer, "torch")
    parameters = tuple(
        Parameter(f"dense_{i}", "dense", np.zeros((3, 2), np.float32), "dense") for i in range(2)
    )
    model_first, models = _wants_model(optimizer, settings)

    def fresh() -> tuple[Any, dict[str, Any]]:
        zeros = {p.name: torch.zeros(p.shape) for p in parameters}
        return build_model(parameters, zeros, layout="output-first")

    def arguments() -> tuple[Any, dict[str, Any]]:
        model, owned = fresh()
        return (model if model_first else list(owned.values())), dict.fromkeys(models, model)

    with untouched_torch(), seeded(), quietly():
        factory = read_factory(optimizer, settings, label, leading=arguments)
        require_lr(factory.signature, label)
        recipe = _Recipe(factory, model_first=model_first, models=models)
        try:
            recipe.make(parameters, *fresh(), SAMPLE)
        except PortLoadError:
            # A factory that sorts the parameters itself may want them in one flat list.
            flat, more = arguments()
            if not can_call(optimizer, flat, **(factory.arguments(SAMPLE) | more)):
                raise
            recipe = replace(recipe, grouped=False)
            recipe.make(parameters, *fresh(), SAMPLE)
    return _port(recipe, layout)


def _wants_model(
    optimizer: Callable[..., Any], settings: Mapping[str, Any]
) -> tuple[bool, tuple[str, ...]]:
    """Whether the model comes in place of ``params``, and which further arguments want it."""
    everything, _ = named_arguments(optimizer, 0)
    if next(iter(everything), "") == "model" and "model" not in settings:
        return True, tuple(name for name, value in settings.items() if value == MODEL)
    required = [] if "model" in settings else [everything.get("model")]
    unset = ("model",) if inspect.Parameter.empty in required else ()
    return False, (*unset, *(name for name, value in settings.items() if value == MODEL))


def _port(recipe: _Recipe, layout: str) -> Port:
    import torch

    factory = recipe.factory
    environment = {"torch": torch.__version__, "numpy": np.__version__, "device": "cpu"}
    if not recipe.grouped:
        environment["parameter groups"] = "one, as the factory takes no more"
    later: set[str] = {"later-group"} if recipe.grouped and not recipe.model_first else set()
    return Port(
        name=factory.label,
        kind="torch",
        run=Loop(layout, factory.label, recipe.make).run,
        layout=layout,
        takes=factory.signature.takes,
        fixed=factory.signature.fixed,
        dtypes=("float32", "float64"),
        drives=frozenset({"reuse-gradients", "checkpoint", "twin", "rates", *later}),
        flush_to_zero=False,  # found by experiment: PyTorch keeps subnormal numbers on a CPU
        environment=environment,
        construction=None
        if recipe.model_first or recipe.models
        else Construction("torch", factory.function, factory.arguments),
    )
