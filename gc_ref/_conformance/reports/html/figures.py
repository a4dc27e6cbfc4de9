"""What the pictures of a page show: of each a caption in words and a table of its numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from gc_ref._conformance.findings.counterexample import Counterexample, numeric
from gc_ref._conformance.ports.case import KIND_NAMES
from gc_ref._conformance.reports.arithmetic import position
from gc_ref._conformance.reports.html import pictures
from gc_ref._conformance.reports.model import ReportData
from gc_ref._conformance.reports.summary import beyond, error_words
from gc_ref._conformance.writing.words import finite, listed, short

CASES = {
    "integers": "integer gradients, whose sums are exact in every order",
    "bounded": "hard regimes: large means, sums that cancel, tiny and spiky gradients",
    "decay": "integer gradients with a weight decay of 1/4",
    "long": "many steps",
}
#: Title of a column, and what its cells are: text, number, code, codes, status or link.
Column: TypeAlias = tuple[str, str]
#: One part of a report's evidence, as JSON has it.
Evidence: TypeAlias = Mapping[str, Any]

#: Inputs of a neuron that are shown beside each other.
ACROSS = 9


@dataclass(frozen=True)
class Table:
    """A table: the first cell of each row is its header."""

    caption: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Any]]
    css: str = ""


@dataclass(frozen=True)
class Figure:
    """A picture (empty where it cannot be drawn), its caption and its numbers."""

    title: str
    svg: str
    caption: str
    numbers: Table


def evidence_figures(report: ReportData, prefix: str) -> Iterator[Figure]:
    """Yield the figures of a report's evidence, but for those that there is nothing to show in.

    The ids in its pictures begin with ``prefix``.
    """
    failed = [c.id for c in report.failures]
    telling = [id for id in failed if id.startswith(("scope/", "value/", "step/"))]
    see = ", ".join(telling or failed)
    for part, (title, figure) in FIGURES.items():
        found = report.evidence[part]
        if "omitted" not in found:
            yield figure(title, found, see, f"{prefix}-{part}")


def _means(title: str, means: Evidence, see: str, prefix: str) -> Figure:
    weights = means["weights"]
    off = [w for w in weights if w["off"]]
    if off:
        left, right = (listed([numeric(v) for v in off[0][of]], 4) for of in ("port", "reference"))
        said = (
            f"In {len(off)} of {len(weights)} kinds of weight the port differs from the "
            f"reference. For instance {off[0]['parameter']}: {left} where the reference has "
            f"{right}."
        )
    else:
        said = _agreeing(means, see)
    without = f" Without GC: {means['without']}." if means["without"] else ""
    caption = (
        f"{said} Shown: {means['of']}, one weight of each kind, at most 8 of its outputs, on a "
        f"color scale of its own. The reference: {means['reference']}.{without}"
    )
    rows = []
    for w in weights:
        what = f"{KIND_NAMES.get(w['kind'], w['kind'])} {tuple(w['shape'])}"
        raw = [""] * len(w["port"]) if w["without"] is None else map(numeric, w["without"])
        error = "" if w.get("ratio") is None else short(numeric(w["ratio"]), 3)
        values = zip(raw, map(numeric, w["port"]), map(numeric, w["reference"]), strict=True)
        rows += [
            [f"{w['parameter']}, output {w['first'] + i}", what, *row, error]
            for i, row in enumerate(values)
        ]
    columns = (
        ("output neuron", "text"),
        ("weight", "text"),
        ("without GC", "number"),
        ("this port", "number"),
        ("reference", "number"),
        ("largest error of the weight / bound", "number"),
    )
    table = Table("Each output neuron", columns, rows)
    return Figure(title, pictures.draw_means(means, prefix=prefix), caption, table)


def _agreeing(means: Evidence, see: str) -> str:
    """Say that the port is as the reference in what is drawn, and what that does not show."""
    weights, distant = means["weights"], means.get("quantity") == "distance"
    kinds = f"In all {len(weights)} kinds of weight"
    said = f"{kinds} these means agree with the reference's."
    if distant:
        said = f"{kinds} the port is where the reference is after step {means['step']}."
    ratios = {w["parameter"]: numeric(w["ratio"]) for w in weights if w.get("ratio") is not None}
    off = {name: ratio for name, ratio in ratios.items() if beyond(ratio)}
    if off and see:
        worst = max(off, key=lambda name: off[name])
        gone = all(abs(numeric(v)) < 1e-5 for w in weights for v in w["reference"])
        still = "are gone here, too" if gone else "are as they should be here"
        fault = f"the per-output means {still}; the fault is in what else is removed or changed"
        said += (
            f" Yet in {len(off)} of them single elements are wrong ({worst}: "
            f"{error_words(off[worst])}): {'it shows at a later step' if distant else fault}: "
            f"see {see}."
        )
    elif see:
        said += f" They do not show what fails here: see {see}."
    return said


def _ratios(title: str, ratios: Evidence, see: str, prefix: str) -> Figure:
    cases = ratios["cases"]
    if over := sum(beyond(numeric(c["ratio"])) for c in cases):
        said = (
            f"In {over} of {len(cases)} cases the port is further from the exact value than "
            "rounding explains."
        )
    else:
        said = (
            f"In all {len(cases)} cases the port is as near to the exact value as it must be "
            "with rounding."
        )
    rows = []
    for c in cases:
        undecided = f"{c['undecided']} elements have a bound too wide to decide"
        notes = (CASES.get(c["case"], ""), c["note"], undecided if c["undecided"] else "")
        where = f"{c['parameter']}, step {c['step']}"
        ratio = short(numeric(c["ratio"]), 4)
        note = "; ".join(filter(None, notes))
        rows.append([f"{c['case']}, {c['dtype']}", ratio, where, c["elements"], note])
    columns = (
        ("case", "text"),
        ("error / bound", "number"),
        ("largest at", "text"),
        ("elements", "number"),
        ("note", "text"),
    )
    caption = f"{said} The bound is what a correct implementation may be off by."
    table = Table("Largest error of each case", columns, rows)
    return Figure(title, pictures.draw_ratios(ratios, prefix=prefix), caption, table)


def _drift(title: str, drift: Evidence, see: str, prefix: str) -> Figure:
    port = [numeric(v) for v in drift["port"]]
    reference = drift["reference"] and [numeric(v) for v in drift["reference"]]
    if drift["binds"]:
        said = (
            "With this optimizer GC keeps the sum of each output neuron's weights where it began "
            "(eᵀ(wᵗ − w⁰) = 0), so that a correct port stays at 0 up to rounding."
        )
    else:
        said = f"This port's weight sums may move: {drift['why']}."
    if reference is None:
        said += " There is no reference for this case, as the port was not held to it."
    elif see and _near(port, reference):
        said += f" These sums do not show what fails here: see {see}."
    weights = drift["weights"]
    which = ", ".join(weights) if len(weights) <= 3 else f"{len(weights)} weights"
    caption = (
        f"{said} Shown: the largest |sum now − sum at the start| of all output neurons of {which}."
    )
    columns = (("step", "text"), ("this port", "number"), ("reference", "number"))
    rows = list(zip(drift["steps"], port, reference or [""] * len(port), strict=True))
    table = Table("Drift after each step", columns, rows)
    return Figure(title, pictures.draw_drift(drift, prefix=prefix), caption, table)


def _near(port: Sequence[float], reference: Sequence[float]) -> bool:
    """Whether two lines look the same in the picture."""
    if not finite(*port, *reference):
        return False
    size = max(1.0, *map(abs, reference))
    return all(abs(p - r) < 1e-3 * size for p, r in zip(port, reference, strict=True))


FIGURES: Mapping[str, tuple[str, Callable[[str, Evidence, str, str], Figure]]] = {
    "means": ("What is left in each kind of weight", _means),
    "ratios": ("Errors against their bounds", _ratios),
    "drift": ("Weight sums over the steps", _drift),
}


def neuron_figure(shown: Counterexample, prefix: str) -> Figure | None:
    """Return expected against got for the neuron of a counterexample, where that is known."""
    element, expected, got = shown.easiest, shown.neuron.expected, shown.neuron.got
    if not expected or len(expected) != len(got):
        return None
    what = "the centralized gradient" if element.weight is None else "the weight"
    caption = (
        f"Expected against got: {what} after step {element.step}, for each input of that output "
        "neuron."
    )
    at = position(shown)
    if at is not None and len(expected) <= ACROSS:  # as arrays, which say all that a picture would
        return Figure("", "", caption, _across(shown))
    svg = pictures.draw_answer(expected, got, prefix=f"{prefix}-answer")
    return Figure("", svg, caption, _down(shown, at))


def _across(shown: Counterexample) -> Table:
    """The neuron as arrays: a row each, along the axis of the mean."""
    element, neuron = shown.easiest, shown.neuron
    inputs = [_index(shown, i) for i in range(len(neuron.got))]
    columns = [("array", "text"), *((words, "number") for words in inputs)]
    several = len(element.gradient) > 1
    rows: list[Sequence[Any]] = [
        (f"gradient, step {t}" if several else "gradient", *row)
        for t, row in enumerate(element.gradient, 1)
    ]
    rows += [("expected", *neuron.expected), ("got", *neuron.got)]
    if shown.output_axis is not None:
        columns.append(("mean", "number"))
        rows = [(*row, _mean_of(shown, row)) for row in rows]
    return Table(f"One output neuron: {_slice(shown)}", columns, rows, "arrays")


def _mean_of(shown: Counterexample, row: Sequence[Any]) -> float | str:
    """The mean of a row of gradients; that of weights says nothing."""
    name, *values = row
    weights = shown.easiest.weight is not None and name in ("expected", "got")
    return "" if weights or not finite(*values) else math.fsum(values) / len(values)


def _down(shown: Counterexample, at: int | None) -> Table:
    """The neuron with a row for each of its inputs, of which there are many."""
    element, neuron = shown.easiest, shown.neuron
    columns = (
        ("input", "text"),
        *((f"gradient, step {t}", "number") for t in range(1, len(element.gradient) + 1)),
        ("expected", "number"),
        ("got", "number"),
    )
    rows = [
        [f"{i} (the one above)" if i == at else str(i), *row]
        for i, row in enumerate(zip(*element.gradient, neuron.expected, neuron.got, strict=False))
    ]
    return Table(f"One output neuron: {_slice(shown)}", columns, rows)


def _slice(shown: Counterexample) -> str:
    """Say which part of the parameter is shown, and over which axes its mean goes."""
    axes = shown.output_axis
    if len(shown.easiest.index) != len(shown.shape):  # somebody else's report
        return shown.parameter
    if axes is None:
        return f"all of {shown.parameter}, which GC leaves alone"
    inner = [a for a in range(len(shown.shape)) if a not in axes]
    index = ", ".join(
        str(shown.easiest.index[a]) if a in axes else ":" for a in range(len(shown.shape))
    )
    over = f"{'axis' if len(inner) == 1 else 'axes'} {', '.join(map(str, inner))}"
    return f"{shown.parameter}[{index}]; its mean goes over {over}, along each row"


def _index(shown: Counterexample, i: int) -> str:
    """Index of an input of the neuron into the parameter."""
    axes, index = shown.output_axis or (), list(shown.easiest.index)
    for axis in reversed([a for a in range(len(shown.shape)) if a not in axes]):
        i, index[axis] = divmod(i, shown.shape[axis])
    return f"[{', '.join(map(str, index))}]"
