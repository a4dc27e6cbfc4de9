"""Write docs/quality-matrix.json and docs/quality-matrix.md from what matrix.py has left.

    python tests/quality/matrix_page.py --date "$(date -I)" torch.jsonl optax.jsonl …

Of a verdict that several files have, the last counts. Frameworks of which the files say nothing
stay as the JSON file has them. The page is made of that file alone: no figure is written by hand.
"""

from __future__ import annotations

import argparse
import collections
import importlib.metadata
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from quality.matrix import RIGHT, left_out, recorded
from quality.matrix_frameworks import FRAMEWORKS
from quality.matrix_variants import VARIANTS

DOCS = Path(__file__).resolve().parents[2] / "docs"

HEAD = """\
# Does any optimizer make the oracle wrong?

Every optimizer that a framework lists is wrapped in right and in wrong ways of writing Φ, and each
is judged as a port. A right one is held to the plain optimizer (`--base`), to nothing, and, for
SGD and Adam, to the paper's formula (`--algorithm`); it must conform. A wrong one is held to the
plain optimizer and to the formula; it must deviate.
"""
TAIL = """\
The figures of each optimizer are in [quality-matrix.json](quality-matrix.json). Both files are
made by

<!-- not run: it takes hours -->
```sh
python tests/quality/matrix.py --framework torch --seeds 5 --resume torch.jsonl
python tests/quality/matrix_page.py --date "$(date -I)" torch.jsonl
```

and so on for each framework; `tests/quality/test_matrix.py` judges a part of it every time.
"""


def figures(entries: Iterable[Mapping[str, Any]], date: str) -> dict[str, Any]:
    """Condense the entries of each framework, run until a date."""
    by_framework: dict[str, list[Any]] = {}
    for entry in entries:
        by_framework.setdefault(entry["framework"], []).append(entry)
    return {n: {"date": date, **_of_framework(n, found)} for n, found in by_framework.items()}


def _of_framework(name: str, entries: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    made = FRAMEWORKS[name]
    without = left_out(made, entries)
    judged = [e for e in entries if e["optimizer"] not in without]
    optimizers: dict[str, dict[str, dict[str, int]]] = {}
    for e in judged:
        counts = optimizers.setdefault(e["optimizer"], {}).setdefault(e["variant"], {})
        what = f"{e['outcome']} ({e['mode']})"
        counts[what] = counts.get(what, 0) + 1
    return {
        "commits": sorted({e["commit"] for e in entries}),
        "versions": {module: _version(module) for module in made.needs},
        "listed": list(made.optimizers()),
        "seeds": sorted({e["seed"] for e in judged}),
        "totals": _totals(judged),
        "optimizers": optimizers,
        "not judged": without,
        "wrong": [
            {key: e[key] for key in ("optimizer", "variant", "mode", "seed", "outcome", "failed")}
            for e in judged
            if not RIGHT.get(e["outcome"], False)
        ],
    }


def _version(module: str) -> str:
    """Return the version of the package that a module comes from, whatever that is called."""
    (package, *_) = importlib.metadata.packages_distributions()[module]
    return importlib.metadata.version(package)


def _totals(entries: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, int]]:
    counts: dict[str, collections.Counter[str]] = {
        "right ports": collections.Counter(),
        "wrong ports": collections.Counter(),
    }
    for e in entries:
        kind = "right ports" if VARIANTS[e["variant"]].correct else "wrong ports"
        counts[kind][e["outcome"]] += 1
    return {kind: dict(sorted(found.items())) for kind, found in counts.items()}


def added(*counts: Mapping[str, int]) -> dict[str, int]:
    """Add up counts of outcomes."""
    total: collections.Counter[str] = collections.Counter()
    for found in counts:
        total.update(found)
    return dict(total)


def page(frameworks: Mapping[str, Any]) -> str:
    """Write the page of the figures of all frameworks."""
    lines = [HEAD, "| way of writing Φ | | |", "|---|---|---|"]
    for v in VARIANTS.values():
        lines.append(f"| `{v.name}` | {'right' if v.correct else 'wrong'} | {v.words} |")
    columns = (
        "optimizers",
        "seeds",
        "right ports",
        "accused",
        "wrong ports",
        "missed",
        "run until",
    )
    lines += ["", f"| framework | {' | '.join(columns)} |", f"|---|{'---:|' * len(columns)}"]
    lines += [_row(name, entry) for name, entry in frameworks.items()]
    for name, entry in frameworks.items():
        lines += ["", *_section(name, entry)]
    return "\n".join([*lines, "", TAIL])


def _row(name: str, entry: Mapping[str, Any]) -> str:
    right, wrong = entry["totals"]["right ports"], entry["totals"]["wrong ports"]
    cells = (
        name,
        f"{len(entry['optimizers'])} of {len(entry['listed'])}",
        len(entry["seeds"]),
        sum(right.values()),
        sum(n for what, n in right.items() if what != "passed"),
        sum(wrong.values()),
        sum(n for what, n in wrong.items() if what != "caught"),
        entry["date"],
    )
    return f"| {' | '.join(map(str, cells))} |"


def _section(name: str, entry: Mapping[str, Any]) -> list[str]:
    versions = ", ".join(f"{module} {version}" for module, version in entry["versions"].items())
    lines = [
        f"## {name}",
        "",
        f"{versions or 'optimizers of our own'}; gc-ref at {', '.join(entry['commits'])}; "
        f"seeds {', '.join(map(str, entry['seeds']))}.",
        "",
        "| Φ | optimizers | verdicts | judged wrongly |",
        "|---|---:|---:|---:|",
        *(_variant_row(variant, entry["optimizers"]) for variant in VARIANTS),
        "",
        f"Judged: {', '.join(entry['optimizers'])}.",
    ]
    seen = {*entry["optimizers"], *entry["not judged"]}
    if not_run := [optimizer for optimizer in entry["listed"] if optimizer not in seen]:
        lines += ["", f"Not run: {', '.join(not_run)}."]
    if entry["not judged"]:
        lines += ["", "| not judged | why |", "|---|---|"]
        lines += [f"| {who} | {_cell(why)} |" for who, why in entry["not judged"].items()]
    if only := [o for o in entry["optimizers"] if o in FRAMEWORKS[name].refusing_some]:
        lines += [
            "",
            f"{', '.join(only)}: refuses some parameters, and is held to the plain optimizer; "
            "what is done to vectors it cannot show.",
        ]
    if entry["wrong"]:
        lines += ["", "| judged wrongly | Φ | held to | seed | outcome | checks |"]
        lines += ["|---|---|---|---:|---|---|"]
        for e in entry["wrong"]:
            checks = ", ".join(f"`{id}`" for id in e["failed"] if id)
            who = (e["optimizer"], f"`{e['variant']}`", e["mode"], e["seed"], e["outcome"], checks)
            lines.append(f"| {' | '.join(map(str, who))} |")
    return lines


def _variant_row(variant: str, optimizers: Mapping[str, Any]) -> str:
    counted = [found[variant] for found in optimizers.values() if variant in found]
    total = added(*counted)
    wrong = sum(n for what, n in total.items() if not RIGHT.get(what.partition(" (")[0], False))
    return f"| `{variant}` | {len(counted)} | {sum(total.values())} | {wrong} |"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("results", nargs="+", type=Path, metavar="FILE.jsonl")
    parser.add_argument("--date", required=True, help="when the runs ended: 2026-11-26")
    options = parser.parse_args()
    entries = {cell: e for path in options.results for cell, e in recorded(path).items()}
    kept = DOCS / "quality-matrix.json"
    before = json.loads(kept.read_text(encoding="utf-8")) if kept.exists() else {}
    found = {**before, **figures(entries.values(), options.date)}
    kept.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    (DOCS / "quality-matrix.md").write_text(page(found), encoding="utf-8")


if __name__ == "__main__":
    main()
