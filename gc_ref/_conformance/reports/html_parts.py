"""Pieces of an HTML page: escaped text, tables that a screen reader can follow, figures."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import resources

from gc_ref._conformance.reports.words import clean, short

__all__ = ["Cell", "Place", "details", "escape", "figure", "page", "prose", "status_cell", "table"]

CODE = re.compile(r"`([a-z0-9./-]+)`")


@dataclass(frozen=True)
class Place:
    """Where a part stands in a page: the prefix of its ids, the level of its headings."""

    prefix: str = "r"
    level: int = 2

    def heading(self, text: str, *, below: int = 0) -> str:
        """Return a heading, ``below`` levels further down; its text is escaped."""
        level = self.level + below
        return f"<h{level}>{escape(text)}</h{level}>"

    def id(self, name: str) -> str:
        """Return an id that no other part of the page has."""
        return f"{self.prefix}-{name}"


@dataclass(frozen=True)
class Cell:
    """A cell of a table: HTML, and a class."""

    html: str
    css: str = ""


def escape(text: object) -> str:
    """Return a text as HTML shows it as it is, in an attribute too."""
    return html.escape(clean(text))


def prose(text: str) -> str:
    """Return our own sentence, with the ids between backticks as code."""
    parts = CODE.split(text)
    return "".join(f"<code>{p}</code>" if i % 2 else escape(p) for i, p in enumerate(parts))


def table(
    caption: str,
    head: Sequence[str],
    rows: Sequence[Sequence[Cell | str | float]],
    *,
    css: str = "",
) -> Iterator[str]:
    """Yield a table: a caption, headers with a scope, the first cell of each row its header.

    Strings are text and numbers are numbers; a `Cell` is HTML. What is wider than the page
    scrolls, by keyboard too.
    """
    # Roles are said twice, as a phone's style makes blocks of the rows.
    role = {n: f' role="{r}"' if css == "stack" else "" for n, r in ROLES.items()}
    yield f'<div class="scroll" role="group" aria-label="{escape(caption)}" tabindex="0">'
    yield f'<table class="{css}"{role["table"]}><caption>{escape(caption)}</caption>'
    numeric = [all(isinstance(row[i], int | float) for row in rows) for i in range(len(head))]
    yield f"<thead{role['group']}><tr{role['row']}>" + "".join(
        f'<th scope="col"{role["col"]}{_css("number" if n and i else "")}>{escape(h)}</th>'
        for i, (h, n) in enumerate(zip(head, numeric, strict=True))
    ) + "</tr></thead>"  # fmt: skip
    yield f"<tbody{role['group']}>"
    for row in rows:
        first, *rest = (_cell(c) for c in row)
        cells = "".join(
            f"<td{role['cell']}{_css(c.css)}{_label(h) if css == 'stack' else ''}>{c.html}</td>"
            for c, h in zip(rest, head[1:], strict=True)
        )
        yield f'<tr{role["row"]}><th scope="row"{role["head"]}>{first.html}</th>{cells}</tr>'
    yield "</tbody></table></div>"


ROLES = {"table": "table", "group": "rowgroup", "row": "row", "col": "columnheader",
         "head": "rowheader", "cell": "cell"}  # fmt: skip


def _cell(value: Cell | str | float) -> Cell:
    if isinstance(value, Cell):
        return value
    if isinstance(value, str):
        return Cell(escape(value))
    return Cell(short(value, 9), "number")


def _css(name: str) -> str:
    return f' class="{name}"' if name else ""


def _label(text: str) -> str:
    return f' data-label="{escape(text)}"'


def status_cell(status: str, symbol: str, label: str) -> Cell:
    """Return a status: a symbol, its words, and a color that adds nothing to them."""
    inner = (
        f'<span class="{status}"><span aria-hidden="true">{symbol}</span> {escape(label)}</span>'
    )
    return Cell(inner, "status")


def details(summary: str, lines: Sequence[str]) -> Iterator[str]:
    """Yield a folded part; it opens by keyboard and without a script."""
    yield f"<details><summary>{escape(summary)}</summary>"
    yield from lines
    yield "</details>"


def figure(svg: str, caption: str, data: Sequence[str]) -> Iterator[str]:
    """Yield a picture with its caption, and its numbers folded: open where there is no picture."""
    if not svg:
        yield f"<p>{escape(caption)}</p>"
        yield from data
        return
    yield f"<figure>{svg}<figcaption>{escape(caption)}</figcaption></figure>"
    yield from details("The numbers of this picture", data)


def page(title: str, body: Sequence[str], *, css: str = "") -> str:
    """Return a whole page, which needs nothing but itself."""
    style = (resources.files("gc_ref._conformance.reports") / "style" / "report.css").read_text(
        "utf-8"
    )
    return "\n".join([
        "<!DOCTYPE html>", '<html lang="en">', "<head>", '<meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<meta name="color-scheme" content="light dark">',
        '<link rel="icon" href="data:,">',  # or browsers ask the server for one
        f"<title>{escape(title)}</title>", f"<style>\n{style}</style>", "</head>",
        f"<body{_css(css)}>", *body, "</body>", "</html>", "",
    ])  # fmt: skip
