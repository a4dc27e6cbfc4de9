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


def choice(files: Mapping[str, Records]) -> str:
    """Return the table."""
    rows = files[VERDICTS].rows
    lines = ["| framework | right today | not right today | the few lines |", "|---|---|---|---|"]
    for framework, example in EXAMPLES.items():
        own = [r for r in rows if r.framework == framework and r.package != EXAMPLE]
        right = links(r for r in own if r.verdict == "conforms")
        wrong = links(r for r in own if r.verdict != "conforms")
        if framework == "PyTorch" and files[REGISTRY].rows:
            wrong += "; [most others of pytorch_optimizer](#registry)"
        shown = f"[below](#in-{framework.lower()}), judged as [{example}](#{example})"
        lines.append(line([framework, right or "none", wrong or "none known", shown]))
    return "\n".join(lines) + "\n"


def links(rows: Iterable[Row]) -> str:
    """Return the rows of each package, with its version, as links into the matrix."""
    packages: dict[str, list[str]] = {}
    for row in rows:
        link = f"[{row.name}](#{row.name})"
        packages.setdefault(f"{row.package} {row.version}", []).append(link)
    return "; ".join(f"{package}: {', '.join(found)}" for package, found in packages.items())
