"""Write TOML: tables of strings are all that is needed, and the standard library only reads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

__all__ = ["quoted", "tables"]

_SHORT = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r"}


def quoted(text: str) -> str:
    r"""Return a basic string of TOML.

    Raises
    ------
    ValueError
        For half of a surrogate pair, which no TOML file can hold.

    Examples
    --------
    >>> print(quoted('a "b"\n'))
    "a \"b\"\n"
    """
    parts = []
    for char in text:
        if 0xD800 <= ord(char) <= 0xDFFF:
            raise ValueError(f"{text!a} holds half of a surrogate pair, which TOML cannot")
        control = ord(char) < 0x20 or 0x7F <= ord(char) < 0xA0
        parts.append(_SHORT.get(char) or (f"\\u{ord(char):04x}" if control else char))
    return f'"{"".join(parts)}"'


def tables(found: Iterable[tuple[tuple[str, ...], Mapping[str, str]]], bare: str) -> str:
    """Return tables of strings, one after the other; ``bare`` begins the name of each.

    Examples
    --------
    >>> print(tables([(("my port", "value/exact"), {"reason": "old"})], "ports"), end="")
    [ports."my port"."value/exact"]
    reason = "old"
    """
    blocks = []
    for names, entries in found:
        head = ".".join([bare, *map(quoted, names)])
        blocks.append(f"[{head}]\n" + "".join(f"{k} = {quoted(v)}\n" for k, v in entries.items()))
    return "\n".join(blocks)
