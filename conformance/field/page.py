"""The matrix of the field as one page that sorts and filters, and loads nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from html import escape
from pathlib import Path
from string import Template

from field.matrix import EXAMPLE, command
from field.records import RECREATED, REGISTRY, Records, Row

TEMPLATE = Path(__file__).with_name("page.html")
COLUMNS = (
    "port", "package", "version", "framework", "layout", "kind", "verdict", "what it really does",
    "what to do", "failed checks", "identified", "command",
)  # fmt: skip
FILTERS = ("framework", "kind", "verdict")


def page(files: Mapping[str, Records]) -> str:
    """Return the page of all records."""
    rows = list(all_rows(files))
    dates = sorted({records.run["date"] for records in files.values() if records.run})
    when = f"Judged on {' and '.join(dates)}." if dates else ""
    template = Template(TEMPLATE.read_text(encoding="utf-8"))
    return template.substitute(
        when=when,
        selects="\n".join(select(name, rows) for name in FILTERS),
        heads="".join(f'<th scope="col">{name}</th>' for name in COLUMNS),
        rows="\n".join(map(table_row, rows)),
    )


def all_rows(files: Mapping[str, Records]) -> Iterator[dict[str, str]]:
    """Column to text of each row; what could not be driven at all comes last."""
    for name, records in files.items():
        for row in records.rows:
            yield {
                "port": row.name,
                "package": row.package,
                "version": row.version,
                "framework": row.framework,
                "layout": row.layout,
                "kind": kind(name, row),
                "verdict": row.verdict,
                "what it really does": row.because + (f" ({row.scope})" if row.scope else ""),
                "what to do": row.todo,
                "failed checks": ", ".join(row.failed),
                "identified": ", ".join(row.identified),
                "command": command(row),
            }
    for records in files.values():
        for entry in records.undriven:
            yield dict.fromkeys(COLUMNS, "") | {
                "port": entry["package"],
                "package": entry["package"],
                "version": entry.get("version", ""),
                "kind": "published",
                "verdict": "undriven",
                "what it really does": entry["why"],
            }


def kind(file: str, row: Row) -> str:
    if file == RECREATED:
        return "re-created, original not run"
    if file == REGISTRY:
        return "pytorch_optimizer's list"
    return "example" if row.package == EXAMPLE else "published"


def select(name: str, rows: Iterable[Mapping[str, str]]) -> str:
    """Return a list of the values of a column to choose from."""
    values = sorted({row[name] for row in rows} - {""})
    options = "".join(f"<option>{escape(value)}</option>" for value in values)
    column = COLUMNS.index(name)
    return (
        f'<label>{name}<select data-column="{column}"><option value="">all</option>'
        f"{options}</select></label>"
    )


def table_row(row: Mapping[str, str]) -> str:
    cells = []
    for name in COLUMNS:
        text = escape(row[name], quote=False)
        if name == "verdict":
            cells.append(f'<td class="{text}">{text}</td>')
        elif name == "command" and text:
            cells.append(f"<td><code>{text}</code></td>")
        else:
            cells.append(f"<td>{text}</td>")
    return f'<tr id="{escape(row["port"])}">{"".join(cells)}</tr>'
