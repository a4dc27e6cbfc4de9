"""Many reports in one page: a table of ports and checks, then each report in full."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from gc_ref._conformance.reports import words
from gc_ref._conformance.reports.html import about, sections, verdict_line
from gc_ref._conformance.reports.html_parts import Cell, Place, escape, page, status_cell, table
from gc_ref._conformance.reports.matrix import (
    CELL,
    check_ids,
    counts,
    labels,
    legend,
    status_of,
    titled,
)
from gc_ref._conformance.reports.words import VERDICT

__all__ = ["matrix_html"]


def matrix_html(reports: Sequence[Mapping[str, Any]]) -> str:
    """Render many reports as one page.

    Parameters
    ----------
    reports : sequence of mapping
        Each a ``gc-ref-report/1``.

    Returns
    -------
    str
        The same bytes for the same reports and the same matplotlib.
    """
    title = f"{titled(reports)} of Gradient Centralization: {counts(reports)}"
    body = ["<header>", f"<h1>{escape(title)}</h1>", "</header>", "<main>"]
    body += [*_matrix(reports), *about(Place()), *_each(reports), "</main>"]
    return page(f"{title} (gc-ref)", body, css="wide")


def _matrix(reports: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    names, place = labels(reports), Place()
    yield place.heading("The ports")
    rows: list[list[Cell | str | float]] = []
    for i, (name, r) in enumerate(zip(names, reports, strict=True)):
        known = ", ".join(f"<code>{escape(d)}</code>" for d in r["identified"])
        rows.append([
            Cell(f'<a href="#port-{i}">{escape(name)}</a>'),
            status_cell(r["verdict"], VERDICT[r["verdict"]], r["verdict"]),
            words.summary(r),
            Cell(known),
            r["port"]["target"] or f"{r['port']['kind']} port, from Python",
        ])  # fmt: skip
    head = ("port", "verdict", "checks", "identified as", "target")
    yield from table("Verdict of each port", head, rows, css="stack")
    yield place.heading("The checks")
    grid: list[list[Cell | str | float]] = []
    for id in check_ids(reports):
        cells = (
            status_cell(s or "not-applicable", *CELL[s])
            for s in (status_of(r, id) for r in reports)
        )
        name = escape(id).replace("/", "/<wbr>")  # a phone breaks the line there
        grid.append([Cell(f"<code>{name}</code>"), *cells])
    yield from table("What each check says of each port", ("check", *names), grid, css="matrix")
    yield (
        '<ul class="small">'
        + "".join(f"<li>{escape(line)}</li>" for line in legend(reports))
        + "</ul>"
    )


def _each(reports: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for i, (name, report) in enumerate(zip(labels(reports), reports, strict=True)):
        yield f'<section aria-labelledby="port-{i}">'
        yield f'<h2 id="port-{i}">{escape(name)}</h2>'
        yield verdict_line(report["verdict"])
        yield f'<p class="lead">{escape(words.headline(report))}</p>'
        yield f"<p>{escape(words.summary(report).capitalize())}.</p>"
        yield from sections(report, Place(f"r{i}", 3))
        yield f'<p class="small soft">{escape(words.judged(report))}</p>'
        yield "</section>"
