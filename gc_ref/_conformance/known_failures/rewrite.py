"""The file of known failures with other entries of one port: all else in it stays as it is."""

from __future__ import annotations

import contextlib
import tomllib
from collections.abc import Mapping, Sequence
from itertools import takewhile
from typing import Any, TypeAlias

from gc_ref._conformance.findings.check_report import Expectation
from gc_ref._conformance.known_failures.expectations import ExpectationError
from gc_ref._conformance.writing.extras import require

with contextlib.suppress(ImportError):  # without it nothing is written
    import tomlkit
    from tomlkit.exceptions import TOMLKitError
    from tomlkit.items import KeyType, SingleKey, String, Table


#: How a new file begins.
HEAD = (
    "# Known failures, as gc-ref check --accept writes them: say in each reason why it fails.\n\n"
)
#: Check id to the keys of its entry.
Entries: TypeAlias = Mapping[str, Mapping[str, str]]


def rewritten(text: str, port: str, entries: Mapping[str, Expectation]) -> str:
    """Return the text of a list of known failures, with these entries of one port.

    Comments stay, but for those inside an entry that goes. So do the layout and what the list
    says of other ports, to the last byte.

    Parameters
    ----------
    text : str
        The list as it is; empty for a new one.
    port : str
        Name of the port.
    entries : mapping
        Check id to what is known: all that the list is to say of the port. Of none, its section
        stays, and nothing is in it.

    Returns
    -------
    str

    Raises
    ------
    MissingExtraError
        If tomlkit is not installed.
    ExpectationError
        If the list has a layout that cannot be kept.

    Examples
    --------
    >>> print(rewritten("", "my port", {"value/exact": Expectation("old")}), end="")
    # Known failures, as gc-ref check --accept writes them: say in each reason why it fails.
    <BLANKLINE>
    [ports."my port"."value/exact"]
    reason = "old"
    >>> print(rewritten("", "my port", {}), end="")
    # Known failures, as gc-ref check --accept writes them: say in each reason why it fails.
    <BLANKLINE>
    [ports."my port"]
    """
    require("tomlkit", "Writing a list of known failures")
    new = {check: entry.to_json() for check, entry in entries.items()}
    crlf = 0 < text.count("\n") == text.count("\r\n")
    before = (text.replace("\r\n", "\n") if crlf else text) or HEAD
    said = _plain(before)
    wanted = said | {port: new}
    for as_table in (True, False):
        try:
            after = _edited(before, port, new, as_table=as_table)
            if _plain(after) == wanted:
                return after.replace("\n", "\r\n") if crlf else after
        except (TOMLKitError, ValueError):
            continue
    raise ExpectationError(
        'its layout cannot be kept: write its entries as tables [ports."PORT"."CHECK"]'
    )


def _plain(text: str) -> dict[str, Entries]:
    """Return what a list says: port to entries, in whichever way they are written."""
    return {
        port: {c: {"reason": e} if isinstance(e, str) else e for c, e in entries.items()}
        for port, entries in tomllib.loads(text).get("ports", {}).items()
    }


def _edited(text: str, port: str, entries: Entries, *, as_table: bool) -> str:
    """Edit the entries of a port where they stand; write new ones as tables, or else inline."""
    document = tomlkit.parse(text if text.endswith("\n") else f"{text}\n")
    lists = _parts(document, "ports")
    sections = [section for ports in lists for section in _parts(ports.value, port)]
    if not sections and as_table:
        return f"{document.as_string().rstrip()}\n\n{_tables(port, entries)}"
    if not sections:
        lists[-1].append(_quoted(port), tomlkit.inline_table())
        sections = _parts(lists[-1].value, port)
    what_follows = _take_end(sections[-1])
    old = {check: [s.value for s in sections if check in s] for s in sections for check in s}
    for check, parts in old.items():
        if check in entries:
            _update(parts, check, entries[check])
        else:
            for part in parts:
                _remove(part, check)
    for check, entry in entries.items():
        if check in old:
            continue
        made = tomlkit.table() if as_table else tomlkit.inline_table()
        made.update(entry)
        sections[-1].append(_quoted(check), made)
    if what_follows:
        _last_table(sections[-1]).add(tomlkit.ws(what_follows))
    if entries or port in _plain(document.as_string()):
        return str(document.as_string())
    for ports in lists:  # what is left of a section that had no heading of its own
        while _parts(ports.value, port):
            _remove(ports.value, port)
    if as_table:
        return f"{document.as_string().rstrip()}\n\n{_tables(port, entries)}"
    lists[-1].append(_quoted(port), tomlkit.inline_table())
    return str(document.as_string())


def _parts(container: Any, name: str) -> list[Any]:
    """Return the parts of a table: a file may begin it, go on with another, and come back."""
    return [item for key, item in container.body if key is not None and key.key == name]


def _update(parts: Sequence[Any], check: str, entry: Mapping[str, str]) -> None:
    """Make an entry say what it is to say; what it says already stays as it is written."""
    old = [part[check] for part in parts]
    if isinstance(old[0], String):
        if entry != {"reason": str(old[0])}:
            made, trivia = tomlkit.inline_table(), old[0].trivia
            made.update(entry)
            made.trivia.comment_ws, made.trivia.comment = trivia.comment_ws, trivia.comment
            parts[0][check] = made
        return
    missing = dict(entry)
    for table in old:
        for key in list(table):
            if key not in entry:
                del table[key]
            elif table[key] != missing.pop(key):
                table[key] = entry[key]
    old[-1].update(missing)


def _remove(container: Any, check: str) -> None:
    """Remove an entry, but not the comments after it: they are on what follows."""
    at = next(i for i, (key, _) in enumerate(container.body) if key and key.key == check)
    entry = container.body[at][1]
    comments = _take_end(entry).lstrip("\n")
    container.remove(check)  # its place in the body stays, with nothing in it
    if isinstance(entry, Table):
        container.body[at] = (None, tomlkit.ws(comments))


def _take_end(item: Any) -> str:
    """Take from the end of a table what is on whatever follows: all from a blank line on."""
    if not isinstance(item, Table):
        return ""
    table = _last_table(item)
    body, end = table.value.body, ""
    while body and body[-1][0] is None:
        end = body.pop()[1].as_string() + end
    lines = end.splitlines(keepends=True)
    own = list(takewhile(str.strip, lines))
    if own:
        table.add(tomlkit.ws("".join(own)))
    return "".join(lines[len(own) :])


def _last_table(table: Any) -> Any:
    """Return the last table in a table, which may be itself."""
    last = next((item for key, item in reversed(table.value.body) if key is not None), None)
    return _last_table(last) if isinstance(last, Table) else table


def _tables(port: str, entries: Entries) -> str:
    """Return new tables for the end of a list; for a port without entries, its heading."""
    blocks = [] if entries else [f"[ports.{_quoted(port).as_string()}]\n"]
    for check, entry in entries.items():
        head = ".".join(("ports", _quoted(port).as_string(), _quoted(check).as_string()))
        blocks.append(f"[{head}]\n{tomlkit.dumps(entry)}")
    return "\n".join(blocks)


def _quoted(name: str) -> Any:
    """Return a name between quotation marks, as all of ours are, though TOML needs them seldom."""
    return SingleKey(name, KeyType.Basic)
