"""``gc-ref explain``: what the id of a check or a deviation, or a convention, stands for."""

from __future__ import annotations

import argparse
import difflib
import textwrap
from collections.abc import Iterable, Iterator

from gc_ref._conformance.catalogue.checks import CHECKS, Check
from gc_ref._conformance.catalogue.deviations import DEVIATIONS, FORMS, UNSEEN, Deviation
from gc_ref._conformance.catalogue.mends import mend
from gc_ref._conformance.cli.output import write
from gc_ref._conformance.cli.usage import CONFORMS, UsageError
from gc_ref._conformance.ports.conventions import CONVENTIONS
from gc_ref._layouts import LAYOUTS

__all__ = ["add_options", "explain", "list_all", "run"]

WIDTH = 96


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the words of ``gc-ref explain``."""
    parser.description = "What an id stands for."
    parser.add_argument(
        "id", nargs="?", metavar="ID", help="of a check, a deviation or a convention; none: a list"
    )


def run(options: argparse.Namespace) -> int:
    """Print the explanation of an id, or the list of all ids."""
    write(explain(options.id) if options.id else list_all())
    return CONFORMS


def explain(id: str) -> str:
    """Explain a check or a deviation: clause, meaning, where it was seen; or a convention.

    >>> print(explain("lr-twice"), end="")
    lr-twice (deviation)
      breaks:   Algorithm 1
      means:    the learning rate is applied twice
      seen in:  the authors' PlainRAdam
      to mend:  multiply by the learning rate once
      found by: value/exact, value/bounded, step/sgdm, step/adam
      in code:  docs/deviations/lr-twice.md of a clone
    """
    if id in CHECKS:
        return _table(id, "check", _of_check(CHECKS[id]))
    if id in DEVIATIONS:
        return _table(id, "deviation", _of_deviation(DEVIATIONS[id]))
    if id in FORMS:  # the frozen vectors name forms: "partial/half"
        deviation = DEVIATIONS[FORMS[id].deviation]
        return _table(id, "form of a deviation", _of_deviation(deviation))
    if id in CONVENTIONS:
        return _table(id, "convention: a choice, never a failure", CONVENTIONS[id].values.items())
    near = difflib.get_close_matches(id, [*CHECKS, *DEVIATIONS, *CONVENTIONS], n=3)
    hint = f"did you mean {' or '.join(near)}?" if near else "gc-ref explain alone lists them all"
    raise UsageError(f"no check, deviation or convention is called {id!r}; {hint}")


def list_all() -> str:
    """Return a line for each name that `explain` knows, in groups."""
    groups: dict[str, dict[str, str]] = {
        "checks": {id: check.sentence for id, check in CHECKS.items()},
        "deviations": {id: deviation.sentence for id, deviation in DEVIATIONS.items()},
        "conventions": {id: " | ".join(found.values) for id, found in CONVENTIONS.items()},
    }
    width = max(len(id) for group in groups.values() for id in group) + 2
    return "\n".join(
        f"{title}\n" + "".join(f"  {id:{width}}{words}\n" for id, words in group.items())
        for title, group in groups.items()
    )


def _of_check(check: Check) -> Iterator[tuple[str, str]]:
    yield "clause", check.clause
    yield "means", check.sentence
    found = ", ".join(d.id for d in DEVIATIONS.values() if check.id in d.checks)
    yield "finds", found or "no catalogued deviation: it guards the port's behavior around GC"


def _of_deviation(deviation: Deviation) -> Iterator[tuple[str, str]]:
    yield "breaks", deviation.clause
    yield "means", deviation.sentence
    yield "seen in", deviation.seen or UNSEEN
    yield "to mend", _mends(deviation.id)
    yield "found by", ", ".join(deviation.checks)
    if deviation.only:
        yield "one check", f"may be all that finds it: {deviation.only}"
    yield "in code", f"docs/deviations/{deviation.id}.md of a clone"


def _mends(deviation: str) -> str:
    """Say what an author can do; in both layouts, where that differs."""
    said = {mend(deviation, layout): layout for layout in LAYOUTS}
    return "; ".join(f"{words} ({at})" if len(said) > 1 else words for words, at in said.items())


def _table(id: str, what: str, rows: Iterable[tuple[str, str]]) -> str:
    rows = list(rows)
    width = max(len(name) for name, _ in rows) + 2
    lines = [_fill(f"  {name + ':':{width}}", text) for name, text in rows]
    return f"{id} ({what})\n" + "".join(lines)


def _fill(head: str, text: str) -> str:
    """Break a text into lines, indented as its head is long."""
    return (
        textwrap.fill(
            text,
            WIDTH,
            initial_indent=head,
            subsequent_indent=" " * len(head),
            break_on_hyphens=False,
        )
        + "\n"
    )
