"""Which argument of a factory switches GC on, and the same port with it off."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from gc_ref._conformance.adapters.shared.hyperparameters import named_arguments
from gc_ref._conformance.ports.port import Port, PortLoadError

#: Words of which the name of a switch of GC is made: one about GC, and others that add nothing.
_ABOUT_GC = re.compile(r"(use|using|with)?gcc?|central.*")
_NEUTRAL = {
    "use",
    "using",
    "with",
    "apply",
    "do",
    "is",
    "enable",
    "enabled",
    "on",
    "flag",
    "switch",
}
_NEUTRAL |= {"grad", "grads", "gradient", "gradients"}


class Switch(NamedTuple):
    """The switch of GC among a factory's arguments: its value, and the one that turns GC off."""

    name: str
    value: bool
    off: bool
    others: tuple[str, ...] = ()  # that are on as well, by their names switches of GC too

    @property
    def words(self) -> str:
        """How the port with GC off is made: ``use_gc=False``."""
        return f"{self.name}={self.off}"


def read_switch(
    factory: Callable[..., Any],
    settings: Mapping[str, Any],
    *,
    skip: int = 0,
    named: str | None = None,
) -> Switch | None:
    """Find the boolean argument that switches GC: the named one, or else by its name.

    Of several, the first that is on is taken. ``settings`` win over defaults; the first ``skip``
    positional arguments are left out.

    Raises
    ------
    PortLoadError
        If the named argument does not exist or is not boolean.

    Examples
    --------
    >>> def ranger(params, lr=1e-3, use_gc=True, using_normgc=True, gc_conv_only=False): ...
    >>> read_switch(ranger, {}, skip=1)
    Switch(name='use_gc', value=True, off=False, others=())
    >>> read_switch(ranger, {}, skip=1, named="using_normgc").words
    'using_normgc=False'
    """
    arguments = {**named_arguments(factory, skip)[0], **settings}
    flags = {name: value for name, value in arguments.items() if isinstance(value, bool)}
    if named is not None:
        if named not in flags:
            raise PortLoadError(
                f"{named!r} is no switch: it is to be an argument that is True or False "
                f"by default or by a setting; such are: {', '.join(flags) or 'none'}"
            )
        value = flags[named]
        return Switch(named, value, off=False if _is_switch(named) else not value)
    found = [name for name in flags if _is_switch(name)]
    on = [name for name in found if flags[name]]
    if on:
        return Switch(on[0], True, off=False, others=tuple(on[1:]))
    waiting = [name for name in found if name not in settings]  # what the user set off stays off
    return Switch(waiting[0], False, off=False) if waiting else None


def switched_off(
    factory: Callable[..., Any],
    settings: Mapping[str, Any],
    make: Callable[[dict[str, Any], str], Port],
    *,
    skip: int = 0,
    named: str | None = None,
) -> tuple[Port | None, str, dict[str, str]]:
    """Make the same port with its GC switch off, where it has one that is on.

    ``make(settings, words)`` makes the port with other settings; ``words``, such as
    ``"use_gc=False"``, say what is different. ``named`` is the switch that the user names.

    Returns
    -------
    off : Port or None
        The port with GC off.
    words : str
        What is different; empty where there is no such port.
    environment : dict
        A ``"hint"`` where the user should know something about the switch.
    """
    switch = read_switch(factory, settings, skip=skip, named=named)
    if switch is None:
        return None, "", {}
    if switch.value == switch.off:
        how = f"set {switch.name}={not switch.off} to judge it"
        return None, "", {"hint": f"GC is off, as {switch.words}: {how}"}
    try:
        off = make({**settings, switch.name: switch.off}, switch.words)
    except PortLoadError as error:
        return None, "", {"hint": f"cannot be made with {switch.words}: {error}"}
    if not switch.others:
        return off, switch.words, {}
    hint = f"{switch.name} is taken for the switch of GC; so could be: {', '.join(switch.others)}"
    return off, switch.words, {"hint": f"{hint} (--switch names the right one)"}


def _is_switch(name: str) -> bool:
    """Whether every word of a name is about GC or adds nothing, and one is about GC."""
    words = [w.lower() for w in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z0-9]+", name)]
    about = [w for w in words if _ABOUT_GC.fullmatch(w)]
    return bool(about) and all(w in _NEUTRAL for w in words if w not in about)
