"""Which argument of a factory switches GC on, and the same port with it off."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from gc_ref._conformance.adapters.shared.hyperparameters import named_arguments
from gc_ref._conformance.ports.port import Port, PortLoadError

#: Words that turn a name about GC into something else than its switch.
_NOT_A_SWITCH = frozenset({"only", "loc", "no", "not", "disable", "without"})


class Switches(NamedTuple):
    """The switches of GC among a factory's boolean arguments."""

    on: tuple[str, ...]  # True, by the user's settings or by default
    waiting: tuple[str, ...]  # False by default, and not named by the settings


def read_switches(
    factory: Callable[..., Any], settings: Mapping[str, Any], *, skip: int = 0
) -> Switches:
    """Find the boolean arguments that switch GC on and off, by their names.

    ``settings`` win over defaults; the first ``skip`` positional arguments are left out.

    Examples
    --------
    >>> def ranger(params, lr=1e-3, use_gc=True, gc_conv_only=False): ...
    >>> read_switches(ranger, {}, skip=1)
    Switches(on=('use_gc',), waiting=())
    """
    named, _ = named_arguments(factory, skip)
    values = {name: value for name, value in (named | dict(settings)).items() if _is_switch(name)}
    return Switches(
        on=tuple(name for name, value in values.items() if value is True),
        waiting=tuple(
            name for name, value in values.items() if value is False and name not in settings
        ),
    )


def switched_off(
    factory: Callable[..., Any],
    settings: Mapping[str, Any],
    make: Callable[[dict[str, Any], str], Port],
    *,
    skip: int = 0,
) -> tuple[Port | None, dict[str, str]]:
    """Make the same port with its GC switch off, where it has one that is on.

    ``make(settings, words)`` makes the port with other settings; ``words``, such as
    ``"use_gc=False"``, say what is different.

    Returns
    -------
    off : Port or None
        The port with GC off.
    environment : dict
        A ``"hint"`` where the user should know something about the switch.
    """
    switches = read_switches(factory, settings, skip=skip)
    if switches.on:
        words = ", ".join(f"{name}=False" for name in switches.on)
        try:
            return make({**settings, **dict.fromkeys(switches.on, False)}, words), {}
        except PortLoadError as error:
            return None, {"hint": f"cannot be made with {words}: {error}"}
    if switches.waiting:
        names = ", ".join(switches.waiting)
        words = ", ".join(f"{name}=True" for name in switches.waiting)
        return None, {"hint": f"{names} is off by default and was not set: set {words} to judge it"}
    return None, {}


def _is_switch(name: str) -> bool:
    lower = name.lower()
    about_gc = "gc" in lower or "central" in lower
    return about_gc and not _NOT_A_SWITCH & set(lower.split("_"))
