"""What the id of a check or of a deviation, or the name of a convention, stands for."""

from __future__ import annotations

import difflib
import textwrap
from collections.abc import Iterable, Iterator

from gc_ref._conformance.catalogue.checks import CHECKS, Check
from gc_ref._conformance.catalogue.deviations import DEVIATIONS, FORMS, UNSEEN, Deviation
from gc_ref._conformance.cli.targets import UsageError
from gc_ref._conformance.ports.conventions import CONVENTIONS

__all__ = ["explain", "listed"]


def explain(id: str) -> str:
    """Explain a check or a deviation: clause, meaning, where it was seen; or a convention.

    Parameters
    ----------
    id : str
        Id of either, for instance ``"law/zero-mean"`` or ``"layout-swapped"``, or the name
        of a convention: ``"placement"``.

    Returns
    -------
    str
        Lines of text.

    Raises
    ------
    UsageError
        If there is no such name; the message names the nearest.

    Examples
    --------
    >>> print(explain("lr-twice"), end="")
    lr-twice (deviation)
      breaks:   Algorithm 1
      means:    the learning rate is applied twice
      seen in:  the authors' RAdam and PlainRAdam
      found by: value/exact, value/bounded, step/sgdm, step/adam
    """
    if id in CHECKS:
        return _table(id, "check", _of_check(CHECKS[id]))
    if id in DEVIATIONS:
        return _table(id, "deviation", _of_deviation(DEVIATIONS[id]))
    if id in FORMS:  # as the frozen vectors name what they kill
        deviation = DEVIATIONS[FORMS[id].deviation]
        return _table(id, "form of a deviation", _of_deviation(deviation))
    if id in CONVENTIONS:
        return _table(id, "convention: a choice, never a failure", CONVENTIONS[id].values.items())
    known = [*CHECKS, *DEVIATIONS, *CONVENTIONS]
    near = difflib.get_close_matches(id, known, n=3)
    hint = (
        f"did you mean {' or '.join(near)}?" if near else "gc-ref explain alone lists what there is"
    )
    raise UsageError(f"no check, deviation or convention is called {id!r}; {hint}")


def listed() -> str:
    """Return all names that `explain` knows, in groups.

    Examples
    --------
    >>> print(listed().splitlines()[0])
    checks
    """
    groups = {"checks": CHECKS, "deviations": DEVIATIONS, "conventions": CONVENTIONS}
    lines = []
    for title, names in groups.items():
        lines += [title, *textwrap.wrap(
            ", ".join(names), 96, initial_indent="  ", subsequent_indent="  ",
            break_on_hyphens=False,
        )]  # fmt: skip
    return "\n".join(lines) + "\n"


def _of_check(check: Check) -> Iterator[tuple[str, str]]:
    yield "clause", check.clause
    yield "means", check.sentence
    found = ", ".join(d.id for d in DEVIATIONS.values() if check.id in d.checks)
    yield "finds", found or "no catalogued deviation: it guards the port's behavior around GC"


def _of_deviation(deviation: Deviation) -> Iterator[tuple[str, str]]:
    yield "breaks", deviation.clause
    yield "means", deviation.sentence
    yield "seen in", deviation.seen or UNSEEN
    yield "found by", ", ".join(deviation.checks)
    if deviation.only:
        yield "one check", f"may be all that finds it: {deviation.only}"


def _table(id: str, what: str, rows: Iterable[tuple[str, str]]) -> str:
    lines = [f"{id} ({what})"]
    listed = list(rows)
    width = max(len(name) for name, _ in listed) + 2
    for name, words in listed:
        head = f"  {name + ':':{width}}"
        lines += textwrap.wrap(
            head + words, 96, subsequent_indent=" " * len(head), break_on_hyphens=False
        )
    return "\n".join(lines) + "\n"
