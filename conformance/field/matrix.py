"""The matrix of the field in Markdown, for README.md: tables by framework, made of the records."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterable, Mapping
from html import escape

from field.records import RECREATED, REGISTRY, VERDICTS, Records, Row
from field.registry import ignores

EXAMPLE = "example of this folder"
SYMBOL = {"conforms": "✓ conforms", "deviates": "✗ deviates", "undriven": "– not driven"}
HEAD = "| port | version | layout | verdict | what it really does | what to do | failed | again |"
#: In the order of the page.
FRAMEWORKS = ("PyTorch", "Keras", "TensorFlow", "Flax", "optax", "JavaScript", "C", "NumPy")


def matrix(files: Mapping[str, Records]) -> str:
    """Return the whole section between the marks of README.md."""
    published = files[VERDICTS]
    rows = published.rows
    others = {row.framework for row in rows} - set(FRAMEWORKS)
    parts = [overview(files)]
    for framework in (*FRAMEWORKS, *sorted(others)):
        own = [row for row in rows if row.framework == framework]
        if own:
            parts += [f"### {framework}", table(own)]
        if framework == "PyTorch" and files[REGISTRY].rows:
            parts += [registry(files[REGISTRY])]
    if recreated := files[RECREATED].rows:
        parts += ["### Re-created by us, the original not run", RECREATED_SAYS, table(recreated)]
    if left := [entry for records in files.values() for entry in records.undriven]:
        parts += ["### Not driven", undriven(left)]
    return "\n\n".join(parts) + "\n"


RECREATED_SAYS = (
    "These are in repositories only. Each was written anew by us, to do what is known of it; what "
    "is judged is what we wrote."
)


def overview(files: Mapping[str, Records]) -> str:
    """How many rows there are, of what kind, and when they were judged."""
    lines = ["| records | rows | conform | deviate | could not be driven | judged |"]
    lines.append("|---|---|---|---|---|---|")
    words = {
        VERDICTS: "published ports and examples",
        REGISTRY: "pytorch_optimizer's whole list",
        RECREATED: "re-created ports",
    }
    for name, records in files.items():
        if not records.rows:
            continue
        n = Counter(row.verdict for row in records.rows)
        run = records.run
        when = f"{run['date']}, gc-ref {run['gc_ref']}, suite {run['suite']}" if run else "–"
        cells = [words[name], len(records.rows), *(n[v] for v in SYMBOL), when]
        lines.append(line(map(str, cells)))
    return "\n".join(lines)


def table(rows: Iterable[Row]) -> str:
    """Return one table of rows."""
    lines = [HEAD, "|" + "---|" * (HEAD.count("|") - 1)]
    for row in rows:
        port = f'<a id="{row.name}"></a>{cell(row.package)}: {cell(row.name)}'
        if row.origin:
            port += f" ({cell(row.origin)})"
        verdict = SYMBOL[row.verdict] + (f" ({cell(row.scope)})" if row.scope else "")
        lines.append(
            line(
                [
                    port,
                    cell(row.version),
                    row.layout,
                    verdict,
                    cell(row.because),
                    cell(row.todo) or "–",
                    fold(str(len(row.failed)), ", ".join(row.failed)) if row.failed else "–",
                    fold("command", f"<code>{cell(command(row))}</code>"),
                ]
            )
        )
    return "\n".join(lines)


def registry(records: Records) -> str:
    """Return one line for the whole list of pytorch_optimizer, which opens to a table."""
    n = Counter(row.verdict for row in records.rows)
    ignored = sum(map(ignores, records.rows))
    lines = [
        '<a id="registry"></a>',
        f"<details><summary>pytorch_optimizer {records.rows[0].version}, all {len(records.rows)} "
        f"optimizers of its list with <code>use_gc=True</code>: {n['conforms']} conform, "
        f"{n['deviates']} deviate (to {ignored} of them it makes no difference), {n['undriven']} "
        "refuse it or could not be driven</summary>",
        "",
        "| optimizer | verdict | what it really does | failed |",
        "|---|---|---|---|",
    ]
    for row in records.rows:
        name = row.target.rpartition(":")[2]
        failed = fold(str(len(row.failed)), ", ".join(row.failed)) if row.failed else "–"
        lines.append(line([cell(name), SYMBOL[row.verdict], cell(row.because), failed]))
    again = cell(command(records.rows[0]))
    lines += ["", f"The command of the first; the others differ by the name: <code>{again}</code>"]
    return "\n".join([*lines, "", "</details>"])


def undriven(entries: Iterable[Mapping[str, str]]) -> str:
    """Return the table of what could not be judged at all."""
    lines = ["| port | version | why |", "|---|---|---|"]
    for entry in entries:
        lines.append(line(cell(entry.get(name, "")) for name in ("package", "version", "why")))
    return "\n".join(lines)


def command(row: Row) -> str:
    """Return the command that judges a row, typed in ``conformance/``."""
    return shlex.join(["gc-ref", *row.command])


def line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def fold(summary: str, text: str) -> str:
    return f"<details><summary>{summary}</summary>{text}</details>"


def cell(text: str) -> str:
    """Text of a cell, of which Markdown takes nothing for its own."""
    return escape(text, quote=False).replace("|", "\\|").replace("\n", " ")
