"""Which package does GC right today: a table for README.md, made of the records."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from field.matrix import EXAMPLE, line
from field.records import REGISTRY, VERDICTS, Records, Row

#: Framework to the example whose lines README.md shows, or to nothing.
EXAMPLES = {
    "PyTorch": "torch-sgd",
    "Keras": "keras-sgd",
    "Flax": "flax-chain-sgd",
    "TensorFlow": "keras-sgd",
    "JavaScript": "tfjs-momentum",
}
#: Rows of a package that are named; the matrix has them all.
MOST = 3


def choice(files: Mapping[str, Records]) -> str:
    """Return the table."""
    rows = files[VERDICTS].rows
    lines = ["| framework | right today | not right today | the few lines |", "|---|---|---|---|"]
    for framework, example in EXAMPLES.items():
        own = [r for r in rows if r.framework == framework and r.package != EXAMPLE]
        right = links(r for r in own if r.verdict == "conforms")
        wrong = links(r for r in own if r.verdict != "conforms")
        if framework == "PyTorch" and files[REGISTRY].rows:
            wrong.append("[most others of pytorch_optimizer](#registry)")
        shown = f"[below](#in-{framework.lower()}), judged as [{example}](#{example})"
        cells = [framework, "<br>".join(right) or "none", "<br>".join(wrong) or "none known", shown]
        lines.append(line(cells))
    return "\n".join(lines) + "\n"


def links(rows: Iterable[Row]) -> list[str]:
    """Return a line for each package, with its version: links to the first of its rows."""
    packages: dict[str, list[Row]] = {}
    for row in rows:
        packages.setdefault(f"{row.package} {row.version}", []).append(row)
    found = []
    for package, of_it in packages.items():
        shown = ", ".join(f"[{row.name}](#{row.name})" for row in of_it[:MOST])
        more = f" and {len(of_it) - MOST} more" if len(of_it) > MOST else ""
        found.append(f"{package}: {shown}{more}")
    return found
