"""The first question of the protocol for programs, and what a program says of itself."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from gc_ref._conformance.adapters.exec.protocol import read_object, refuse_unknown
from gc_ref._conformance.adapters.shared.hyperparameters import ALIASES
from gc_ref._conformance.ports.port import PortError
from gc_ref._conformance.ports.serialization import ProtocolError, clean, read_number, short
from gc_ref._conformance.ports.storage import STORAGE
from gc_ref._layouts import LAYOUTS

PROTOCOL, VERSION = "gc-ref-exec", 1
#: Bytes that the answer may take.
LONGEST_HELLO = 1 << 16
#: Ways of `Case.drive` that a program may know.
DRIVES = ("checkpoint", "eager", "reuse-gradients", "twin")


@dataclass(frozen=True)
class Hello:
    """What a program says of itself: the members of its answer, see conformance/PROTOCOL.md."""

    name: str
    kind: str
    layout: str
    dtypes: tuple[str, ...]
    hyperparameters: frozenset[str]
    fixed: Mapping[str, float]
    algorithm: str | None
    conventions: Mapping[str, str]
    drives: frozenset[str]
    switch: bool
    flush_to_zero: bool
    versions: Mapping[str, str]


def hello_line(settings: Mapping[str, Any]) -> bytes:
    """Return the first question; raise ValueError or TypeError if JSON cannot hold a setting."""
    message = {"type": "hello", "protocol": PROTOCOL, "versions": [VERSION]}
    return json.dumps(message | {"settings": dict(settings)}, allow_nan=False).encode("ascii")


def read_hello(line: bytes) -> Hello:
    """Read what a program says of itself.

    Raises
    ------
    ProtocolError
        If it cannot be used.
    PortError
        If the program says that it cannot run.
    """
    found = read_object(line)
    if "error" in found:
        raise PortError(clean(str(found["error"])))
    version = found.get("version")
    if found.get("protocol") != PROTOCOL or type(version) is not int or version != VERSION:
        raise ProtocolError(
            f"its hello has protocol {short(found.get('protocol'))}, version "
            f'{short(found.get("version"))}: this kit speaks "{PROTOCOL}", version {VERSION}'
        )
    refuse_unknown(found, ("protocol", "version", *Hello.__dataclass_fields__), "its hello")
    fixed = _words(found, "fixed")
    hello = Hello(
        name=clean(_word(found, "name"), 80),
        kind=_word(found, "kind", ("operator", "optimizer")),
        layout=_word(found, "layout", LAYOUTS),
        dtypes=tuple(d for d in STORAGE if d in _list(found, "dtypes", tuple(STORAGE))),
        hyperparameters=_list(found, "hyperparameters", tuple(ALIASES)),
        fixed={k: read_number(v) for k, v in fixed.items()},
        algorithm=_word(found, "algorithm", ("sgdm", "adam")) if "algorithm" in found else None,
        conventions=_words(found, "conventions"),
        drives=_list(found, "drives", DRIVES),
        switch=_flag(found, "switch"),
        flush_to_zero=_flag(found, "flush_to_zero"),
        versions={clean(k, 40): clean(v, 80) for k, v in _words(found, "versions").items()},
    )
    _require_sense(hello)
    return hello


def _require_sense(hello: Hello) -> None:
    """Refuse members that contradict each other."""
    if "float32" not in hello.dtypes:
        raise ProtocolError('its hello lacks "float32" among its "dtypes": every port needs it')
    refuse_unknown(hello.fixed, ALIASES, 'its hello\'s "fixed"')
    both = sorted(hello.hyperparameters & set(hello.fixed))
    if both:
        raise ProtocolError(f'its hello has {both[0]} in "hyperparameters" and in "fixed"')
    if hello.kind == "operator":
        if hello.hyperparameters or hello.fixed or hello.algorithm or hello.drives or hello.switch:
            raise ProtocolError(
                'its hello is that of an "operator", which takes no steps: "hyperparameters", '
                '"fixed", "algorithm", "drives" and "switch" go with an "optimizer"'
            )
    elif "lr" not in hello.hyperparameters | set(hello.fixed):
        raise ProtocolError(
            'its hello is that of an "optimizer" without a learning rate: "hyperparameters" '
            'must have "lr", or "fixed" its value'
        )


def _word(found: Mapping[str, Any], name: str, known: Iterable[str] = ()) -> str:
    if name not in found:
        raise ProtocolError(f'its hello lacks "{name}"')
    value, known = found[name], tuple(known)
    if not isinstance(value, str) or not value.strip() or (known and value not in known):
        wanted = f"one of {', '.join(known)}" if known else "a word"
        raise ProtocolError(f'its hello has "{name}" {short(value)}, expected {wanted}')
    return value


def _list(found: Mapping[str, Any], name: str, known: tuple[str, ...]) -> frozenset[str]:
    value = found.get(name, [])
    if not isinstance(value, list) or not all(isinstance(v, str) and v in known for v in value):
        raise ProtocolError(
            f'its hello has "{name}" {short(value)}, expected a list of: {", ".join(known)}'
        )
    return frozenset(value)


def _words(found: Mapping[str, Any], name: str) -> dict[str, str]:
    value = found.get(name, {})
    if not isinstance(value, dict) or not all(isinstance(v, str) for v in value.values()):
        raise ProtocolError(f'its hello has "{name}" {short(value)}, expected an object of strings')
    return value


def _flag(found: Mapping[str, Any], name: str) -> bool:
    value = found.get(name, False)
    if not isinstance(value, bool):
        raise ProtocolError(f'its hello has "{name}" {short(value)}, expected true or false')
    return value
