"""Known failures: the file that lists them, and how a port's findings are held against it.

A port that is known to fail some checks is judged as strictly as any other::

    [ports."my-sgd"."scope/every-weight"]
    reason = "Conv1D is left alone until 2.0"
    issue = "https://example.org/issues/12"     # optional
    deviation = "rank-gated"                    # optional: `gc-ref explain rank-gated`

Where only the reason is given, ``"scope/every-weight" = "…"`` under ``[ports."my-sgd"]`` does.
``[ports."my-sgd"]`` with nothing under it says that nothing is known to fail of this port, as
``--accept`` leaves it where all was mended. Each entry says that this check of this port fails,
and must stay true:

- It fails: the check is an ``expected-failure``, and the port conforms.
- It passes: ``unexpected-pass``. The port deviates until the entry is removed.
- It does not apply: the entry matched nothing, which is ``unexpected-pass`` too. It is found
  out by the run alone, so it is no usage error, and it must not leave the verdict green.
- It fails with another deviation than the recorded one: still ``failed``.
- Only fuzzing made it fail: still ``failed``. Another run may find nothing, so the
  counterexample has to be frozen first (``gc-ref vectors add``).
- It is undecided, or the port could not be driven: as without the entry.

What is wrong with the file itself is found before the port is driven: an id that does not
exist, an unknown key, a reason that is missing or blank, an empty file. One file serves many
ports, modules and commands, so sections of other ports are no error. A file in which no section
is for a port at hand is one. Where several ports are judged with one file, one that it does not
list is judged as without it, and its report says so. Whatever is wrong is an `ExpectationError`.
"""

from __future__ import annotations

import difflib
import json
import os
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from gc_ref._conformance.catalogue.checks import CHECKS
from gc_ref._conformance.catalogue.deviations import DEVIATIONS
from gc_ref._conformance.findings.check_report import Expectation
from gc_ref._conformance.writing.files import read_regular

KEYS = ("reason", "issue", "deviation")


class ExpectationError(ValueError):
    """A list of known failures cannot be used: what is wrong, where, what to do instead."""


@dataclass(frozen=True)
class Expectations:
    """The known failures of one port, and where they are listed.

    Attributes
    ----------
    entries : mapping
        Check id to what is known.
    source : str
        Path of the file, or nothing where they were given from Python.
    note : str
        What the report says of the file, for instance that it does not know the port.
    """

    entries: Mapping[str, Expectation]
    source: str = ""
    note: str = ""

    @property
    def origin(self) -> str:
        """What lists them: the path of the file, or some words."""
        return self.source or "the list of known failures"


#: What `check` and `parametrize_with_checks` take for the known failures of one port.
KnownFailures: TypeAlias = str | os.PathLike[str] | Mapping[str, str | Mapping[str, str]]


def read_file(path: str | os.PathLike[str]) -> dict[str, dict[str, Expectation]]:
    """Read a file of known failures: port name to check id to what is known."""
    return parse_file(read_text(path), os.fspath(path))


def read_text(path: str | os.PathLike[str]) -> str:
    """Read the text of a file of known failures."""
    try:
        return read_regular(path).decode("utf-8-sig")
    except OSError as error:
        raise ExpectationError(f"{os.fspath(path)}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ExpectationError(
            f"{os.fspath(path)} is not UTF-8: byte {error.start} cannot be read"
        ) from error


def parse_file(
    text: str, name: str, *, unfinished: bool = False
) -> dict[str, dict[str, Expectation]]:
    """Parse the text of a file of known failures; its name begins every message.

    With ``unfinished``, reasons that are still to be filled in pass, and so does an empty list.
    """
    try:
        found = tomllib.loads(text)
    except ValueError as error:  # also of a number with thousands of digits
        raise ExpectationError(f"{name} is not TOML: {error}") from error
    except RecursionError:
        raise ExpectationError(f"{name} is not TOML that can be read: nested too deep") from None
    if unknown := sorted(set(found) - {"ports"}):
        raise ExpectationError(
            f'{name}: unknown key {unknown[0]!r}; entries are tables [ports."PORT"."CHECK"]'
        )
    ports = found.get("ports", {})
    if ports == {} and not unfinished:
        raise ExpectationError(f"{name} lists no known failure: leave it out, or fill it in")
    if not isinstance(ports, dict):
        raise ExpectationError(f'{name}: ports is no table; entries are [ports."PORT"."CHECK"]')
    parsed = {}
    for port, entries in ports.items():
        where = f"{name}: ports.{_quoted(port)}"
        if not isinstance(entries, dict):
            raise ExpectationError(f'{where} is no table; entries are [ports."PORT"."CHECK"]')
        parsed[port] = parse_entries(entries, where)
    if not unfinished:
        _refuse_blank({f"{p} {c}": e for p, es in parsed.items() for c, e in es.items()}, name)
    return parsed


def parse_entries(entries: Mapping[str, Any], where: str) -> dict[str, Expectation]:
    """Check and convert the entries of one port; ``where`` begins every message.

    A blank reason passes.
    """
    if not isinstance(entries, Mapping):
        raise ExpectationError(
            f"{where}: expected a mapping from check id to reason, got {type(entries).__name__}"
        )
    found = {}
    for check, entry in entries.items():
        _require_known("check", check, CHECKS, where)
        here = f"{where}: {check}"
        if isinstance(entry, str):
            entry = {"reason": entry}
        if not isinstance(entry, Mapping):
            raise ExpectationError(
                f"{here}: expected a reason, or a table with a reason, got {type(entry).__name__}"
            )
        if unknown := sorted(str(k) for k in set(entry) - set(KEYS)):
            raise ExpectationError(
                f"{here}: unknown key {unknown[0]!r}; known: {', '.join(KEYS)}"
                f"{_nearest(unknown[0], KEYS)}"
            )
        for key, value in entry.items():
            if not isinstance(value, str):
                raise ExpectationError(f"{here}: {key} is no string, but {value!r}")
            if key != "reason" and not value.strip():
                raise ExpectationError(f"{here}: {key} is blank: fill it in, or leave it out")
        if "reason" not in entry:
            raise ExpectationError(f"{here}: no reason: say why it fails")
        if "deviation" in entry:
            _require_known("deviation", entry["deviation"], DEVIATIONS, here)
        found[check] = Expectation(**entry)
    return found


def expectations_of(
    port: str, given: KnownFailures | None, *, where: str = "expected"
) -> Expectations | None:
    """Return what is known of a port, from a file or a mapping; None where nothing was given."""
    if given is None:
        return None
    if isinstance(given, Mapping):
        entries = parse_entries(given, where)
        _refuse_blank(entries, where)
        return Expectations(entries)
    if not isinstance(given, (str, os.PathLike)):
        raise ExpectationError(
            f"{where}: give the path of a TOML file, or a mapping from check id to reason, "
            f"not {type(given).__name__}"
        )
    return sections_of([port], read_file(given), os.fspath(given))[port]


def sections_of(
    ports: Sequence[str], known: Mapping[str, Mapping[str, Expectation]], source: str
) -> dict[str, Expectations]:
    """Return what a file that was read knows of each port at hand; it must know one of them."""
    has = f"it has sections for {', '.join(map(_quoted, known))}"
    missing = [port for port in ports if port not in known]
    if len(missing) == len(ports):
        nearest = next(filter(None, (_nearest(port, known) for port in ports)), "")
        names = ", ".join(map(_quoted, ports))
        raise ExpectationError(f"{source} lists nothing for {names}; {has}{nearest}")
    found = {port: Expectations(known[port], source) for port in ports if port in known}
    for port in missing:
        note = f"{source} lists nothing for {port}, so nothing was expected to fail; {has}"
        found[port] = Expectations({}, source, f"{note}{_nearest(port, known)}")
    return found


def _quoted(name: str) -> str:
    """Return a name as a file of known failures has it: TOML quotes as JSON does."""
    return json.dumps(name, ensure_ascii=False)


def _require_known(what: str, id: object, known: Iterable[str], where: str) -> None:
    if not isinstance(id, str) or id not in known:
        raise ExpectationError(
            f"{where}: there is no {what} {id!r}{_nearest(str(id), known)} "
            f"(`gc-ref explain ID` tells what an id stands for)"
        )


def _nearest(word: str, known: Iterable[str]) -> str:
    found = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f"; did you mean {found[0]!r}?" if found and found[0] != word else ""


def _refuse_blank(entries: Mapping[str, Expectation], where: str) -> None:
    blank = [name for name, entry in entries.items() if not entry.reason.strip()]
    if blank:
        raise ExpectationError(
            f"{where} gives no reason for {', '.join(blank)}: say in `reason` why each fails"
        )
