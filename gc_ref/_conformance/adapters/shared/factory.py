"""Other people's factories of optimizers: read, called, and made into ports."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from gc_ref._conformance.adapters.shared.calls import raising, refuse_coroutine
from gc_ref._conformance.adapters.shared.hyperparameters import Signature, read_signature
from gc_ref._conformance.adapters.shared.switch import switched_off
from gc_ref._conformance.ports.port import Port, PortError, PortLoadError

#: What can be done where somebody's constructor raises.
WANTED = (
    "Give it what it wants with --set NAME=VALUE (settings={...} in Python), or write a factory "
    "function that makes it, with parameter groups of its own where it wants flags in them"
)
#: What can be done where it cannot be trained.
WAY_OUT = (
    "Way out: a factory function of your own that makes it as it wants to be made, or a numpy: "
    "port, a function run(case) that trains with it by itself"
)
#: What the ports of a kind are made of.
NAMES: Mapping[str, str] = {
    "torch": "a PyTorch optimizer",
    "keras": "a Keras optimizer",
    "optax": "a factory of optax transformations",
}
#: Hyperparameters to try a factory with; it may require any of them.
SAMPLE: Mapping[str, float] = {
    "lr": 0.125,
    "momentum": 0.5,
    "beta1": 0.5,
    "beta2": 0.75,
    "eps": 0.5,
    "weight_decay": 0.0,
}


@dataclass(frozen=True)
class Factory:
    """An optimizer class or factory function, and the arguments that the user fixes."""

    function: Callable[..., Any]
    settings: Mapping[str, Any]
    label: str
    signature: Signature

    def arguments(self, hyperparameters: Mapping[str, float]) -> dict[str, Any]:
        """Return the keyword arguments for these hyperparameters."""
        return self.signature.arguments(hyperparameters, self.settings)

    def make(self, hyperparameters: Mapping[str, float], *leading: Any, **more: Any) -> Any:
        """Make an optimizer, or raise PortError; ``leading`` are positional arguments."""
        with raising(PortLoadError, f"{self.label} could not be made"):
            made = self.function(*leading, **(self.arguments(hyperparameters) | more))
        refuse_coroutine(made, self.label)
        return made


def read_factory(
    function: Callable[..., Any],
    settings: Mapping[str, Any],
    label: str,
    *,
    leading: Callable[[], tuple[Any, Mapping[str, Any]]] | None = None,
) -> Factory:
    """Read the signature of a factory, by calling it where the signature does not say all.

    ``leading()`` makes a new first argument (``params``) for a call, and further ones by name;
    ``label`` names the factory in messages.
    """

    def probe(arguments: dict[str, Any]) -> bool:
        if leading is None:
            return can_call(function, **arguments)
        first, more = leading()
        return can_call(function, first, **arguments, **more)

    signature = read_signature(function, settings, probe=probe, skip=int(leading is not None))
    return Factory(function, settings, label, signature)


def can_call(function: Callable[..., Any], /, *leading: Any, **arguments: Any) -> bool:
    """Whether a call gives an answer, instead of raising or of waiting to be awaited."""
    try:
        with raising(PortLoadError, "call"):
            refuse_coroutine(function(*leading, **arguments), "call")
    except PortError:
        return False
    return True


def refuse_other_framework(function: object, kind: str) -> None:
    """Refuse an optimizer class of another framework than a kind of port drives.

    Nothing is imported for it: the class that it derives from says where it is from.
    """
    if not isinstance(function, type):
        return
    for one in function.__mro__:
        home = one.__module__.partition(".")[0]
        other = {"torch": "torch", "keras": "keras", "tf_keras": "keras"}.get(home)
        if other is None or other == kind or not one.__name__.endswith("Optimizer"):
            continue
        name, theirs = NAMES[other], NAMES[kind]
        raise PortLoadError(
            f"{function.__name__} is the class of {name}, and the kind {kind} is for {theirs}: "
            f"name the kind {other} ({other}:... on the command line, {other}_port in Python)"
        )


def label_of(function: Callable[..., Any], name: str | None) -> str:
    """Return the name of a port in reports: the given one, or else the function's own."""
    return name or getattr(function, "__name__", None) or type(function).__name__


def factory_port(
    function: Callable[..., Any],
    load: Callable[[Mapping[str, Any], str], Port],
    *,
    name: str | None,
    settings: Mapping[str, Any] | None,
    algorithm: str | None,
    base: Port | None,
    conventions: Mapping[str, str] | None,
    target: str | None,
    options: Iterable[str],
    switch: str | None = None,
    skip: int = 0,
) -> Port:
    """Make the port of a factory, and the same with its switch of GC off.

    ``load(settings, label)`` makes the port without what the user declares of it. ``skip`` is
    the number of leading positional arguments that are not hyperparameters (``params``). The
    others are as the user gave them; see `torch_port`.
    """
    label, fixed = label_of(function, name), dict(settings or {})
    try:
        port = load(fixed, label)
    except PortLoadError as error:
        if error.__cause__ is None or isinstance(error.__cause__, ImportError):
            raise
        raise PortLoadError(f"{str(error).rstrip('.')}. {WANTED}") from error
    off, words, hint = switched_off(
        function,
        fixed,
        lambda changed, words: load(changed, f"{label} ({words})"),
        skip=skip,
        named=switch,
    )
    return replace(
        port,
        off=off,
        switch=words,
        algorithm=algorithm,
        base=base,
        conventions=dict(conventions or {}),
        target=target,
        options=tuple(options),
        environment={**port.environment, **hint},
        way_out=WAY_OUT,
    )
