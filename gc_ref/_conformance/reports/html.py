"""The HTML report: one file, no network, no script; made from the JSON alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from gc_ref._conformance.reports import words
from gc_ref._conformance.reports.html_evidence import evidence, neuron_figure
from gc_ref._conformance.reports.html_parts import (
    Cell,
    Place,
    details,
    escape,
    page,
    prose,
    status_cell,
    table,
)
from gc_ref._conformance.reports.words import VERDICT
from gc_ref._conformance.reports.worked import worked

__all__ = ["about", "render_html", "sections", "verdict_line"]


def render_html(report: Mapping[str, Any]) -> str:
    """Render a report, as JSON has it, as a page.

    Parameters
    ----------
    report : mapping
        A ``gc-ref-report/1``.

    Returns
    -------
    str
        The same bytes for the same report and the same matplotlib.
    """
    verdict, headline = report["verdict"], words.headline(report)
    body = [
        "<header>",
        verdict_line(verdict),
        f"<h1>{escape(headline)}</h1>",
        f"<p>{escape(words.summary(report).capitalize())}.</p>",
        "</header>",
        "<main>",
        *sections(report, Place()),
        *about(Place()),
        "</main>",
        f'<footer class="small soft"><p>{escape(words.judged(report))}</p></footer>',
    ]
    return page(f"{headline} (gc-ref)", body)


def verdict_line(verdict: str) -> str:
    """Return the verdict as a line of its own."""
    symbol = f'<span aria-hidden="true">{VERDICT[verdict]}</span>'
    return f'<p class="verdict {verdict}">{symbol} {verdict}</p>'


def about(place: Place) -> Iterator[str]:
    """Say what all this is to someone who has never heard of it."""
    yield place.heading("What this report is")
    yield f"<p>{escape(words.ABOUT)}</p>"
    yield (
        f'<p>The paper: <a href="{words.PAPER}">arXiv 2004.01461</a>. '
        "<code>gc-ref explain ID</code> says what a check or a deviation stands for.</p>"
    )


def sections(report: Mapping[str, Any], place: Place) -> Iterator[str]:
    """Yield the parts of one report."""
    yield from _diagnosis(report, place)
    yield from _counterexample(report, place)
    yield from _rerun(report, place)
    yield from evidence(report, place)
    yield from _checks(report, place)
    yield from _conventions(report, place)


def _diagnosis(report: Mapping[str, Any], place: Place) -> Iterator[str]:
    if report["verdict"] == "error":
        yield place.heading("What happened")
        for check in words.with_status(report, "error"):
            yield f'<p class="lead">{escape(check["message"])}</p>'
        yield "<p>Nothing more was checked.</p>"
        return
    said = report["diagnosis"] if report["verdict"] == "deviates" else report["diagnosis"][:1]
    if not said:
        return
    yield place.heading("What this port does")
    start = "It " if report["verdict"] == "conforms" else ""
    first, *rest = said
    yield f'<p class="lead">{_sentence(start + first)}</p>'
    if rest:
        yield "<ul>" + "".join(f"<li>{_sentence(s)}</li>" for s in rest) + "</ul>"
    known = words.identified(report)
    if known:
        rows: list[list[Cell | str | float]] = [
            [Cell(f"<code>{escape(d.id)}</code>"), d.sentence, d.clause, d.seen] for d in known
        ]
        head = ("deviation", "what such a port does", "breaks", "seen in")
        yield from table("Known deviations that reproduce it", head, rows, css="stack")


def _sentence(text: str) -> str:
    """Return one of our own sentences as HTML, with a capital and a full stop."""
    return prose(text[:1].upper() + text[1:].rstrip(".:")) + (":" if text.endswith(":") else ".")


def _counterexample(report: Mapping[str, Any], place: Place) -> Iterator[str]:
    found = words.smallest_counterexample(report)
    if found is None:
        return
    check, shown, neuron = found
    yield place.heading("The smallest counterexample, worked by hand")
    yield '<div class="panel"><ol>'
    yield from (f"<li>{escape(s)}</li>" for s in worked(shown, neuron))
    yield "</ol></div>"
    by = f"<code>{escape(check['id'])}</code> ({escape(check['clause'])})"
    case = f"<code>{escape(shown['case'])}</code> in {escape(shown['dtype'])}"
    yield f'<p class="small soft">Found by {by}, case {case}.</p>'
    yield from neuron_figure(shown, neuron, place)
    if "replay" in check:
        without = "" if "gc-ref installed" in check["replay"] else " without gc-ref"
        yield f"<p>The same{without}:</p>"
        yield f"<pre><code>{_code(check['replay'])}</code></pre>"


def _rerun(report: Mapping[str, Any], place: Place) -> Iterator[str]:
    if words.rerun(report):
        yield place.heading("Run it again")
        yield f"<pre><code>{_code(words.rerun(report))}</code></pre>"
        yield "<p>The same versions and seed give the same report, to the last byte.</p>"


def _code(text: str) -> str:
    return "\n".join(escape(line) for line in text.split("\n"))


def _checks(report: Mapping[str, Any], place: Place) -> Iterator[str]:
    yield place.heading("The checks")
    failed = words.failures(report)
    head = ("check", "status", "what must hold", "found")
    if failed:
        ended = report["verdict"] == "error"
        caption = "Where the judgment ended" if ended else "Checks that do not hold"
        yield from table(caption, head, [_row(c) for c in failed], css="stack")
    passed = words.with_status(report, "expected-failure", "passed")
    if passed:
        rows = table("Checks that hold", head, [_row(c) for c in passed], css="stack")
        yield from details(f"Passed ({len(passed)})", list(rows))
    skipped = words.with_status(report, "not-applicable")
    if skipped:
        rows = table("Checks that say nothing about this port, and why", head,
                     [_row(c) for c in skipped], css="stack")  # fmt: skip
        yield from details(f"Not checked ({len(skipped)})", list(rows))


def _row(check: Mapping[str, Any]) -> list[Cell | str | float]:
    symbol, label = words.STATUS[check["status"]]
    parts = [check["message"], words.error_words(check["ratio"])]
    expectation = check.get("expectation")
    if expectation:
        parts.append(f"known: {expectation['reason']} {expectation.get('issue', '')}".rstrip())
    return [
        Cell(f"<code>{escape(check['id'])}</code>"),
        status_cell(check["status"], symbol, label),
        words.must_hold(check),
        "; ".join(p for p in parts if p),
    ]


def _conventions(report: Mapping[str, Any], place: Place) -> Iterator[str]:
    rows: list[list[Cell | str | float]] = [
        [Cell(f"<code>{escape(field)}</code>"), Cell(f"<code>{escape(entry['value'])}</code>"),
         entry["source"], words.convention_meaning(field, entry["value"])]
        for field, entry in report["conventions"].items()
    ]  # fmt: skip
    if rows:
        yield place.heading("Conventions")
        head = ("convention", "value", "source", "meaning")
        yield from table("Choices of this port, which are never failures", head, rows, css="stack")
    if report["notes"]:
        yield place.heading("Noted")
        yield "<ul>" + "".join(f"<li>{escape(n)}</li>" for n in report["notes"]) + "</ul>"
    if "arithmetic" in report["environment"]:
        yield place.heading("Arithmetic granted")
        yield f"<p>{escape(report['environment']['arithmetic'])}.</p>"
