"""The pictures' part of the HTML report: each with a caption in words and its numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from gc_ref._conformance.ports.case import KIND_NAMES
from gc_ref._conformance.reports import pictures
from gc_ref._conformance.reports.html_parts import Cell, Place, escape, figure, table
from gc_ref._conformance.reports.words import beyond, error_words, failures, finite, listed, short
from gc_ref._conformance.reports.worked import place as position

__all__ = ["evidence", "neuron_figure"]

MISSING = (
    "There are no pictures here, as matplotlib was not installed: the tables hold all of their "
    "numbers. With <code>pip install 'gc-ref[report]'</code> they are drawn."
)
CASES = {
    "integers": "integer gradients, whose sums are exact in every order",
    "bounded": "hard regimes: large means, sums that cancel, tiny and spiky gradients",
    "decay": "integer gradients with a weight decay of 1/4",
    "long": "many steps",
}


def evidence(report: Mapping[str, Any], place: Place) -> Iterator[str]:
    """Yield the pictures of a report, or why there are none."""
    found, failed = report["evidence"], failures(report)
    telling = [c for c in failed if c["id"].startswith(("scope/", "value/", "step/"))]
    see = ", ".join(c["id"] for c in telling or failed)
    if all("omitted" in found[name] for name in ("means", "ratios", "drift")):
        return
    yield place.heading("What it looks like")
    if not pictures.available():
        yield f"<p>{MISSING}</p>"
    for name, title, show in (
        ("means", "The mean left in each kind of weight", partial(_means, see=see)),
        ("ratios", "Errors against their bounds", _ratios),
        ("drift", "Weight sums over the steps", partial(_drift, see=see)),
    ):
        yield place.heading(title, below=1)
        if "omitted" in found[name]:
            yield f'<p class="soft">Not shown: {escape(found[name]["omitted"])}.</p>'
        else:
            yield from show(found[name], place)


def _svg(draw: Callable[..., str], *data: Any, prefix: str) -> str:
    return draw(*data, prefix) if pictures.available() else ""


def _agreeing(weights: Sequence[Mapping[str, Any]], see: str) -> str:
    """Say that the means agree with the reference's, and what they do not show."""
    said = f"In all {len(weights)} kinds of weight these means agree with the reference's."
    off = [w for w in weights if beyond(w.get("ratio"))]
    if off and see:
        worst = max(off, key=lambda w: float(w["ratio"]))
        gone = all(finite(v) and abs(v) < 1e-5 for w in weights for v in w["reference"])
        means = "are gone here, too" if gone else "are as they should be here"
        said += (
            f" Yet in {len(off)} of them single elements are wrong ({worst['parameter']}: "
            f"{error_words(worst['ratio'])}): the per-output means {means}; the fault is in what "
            f"else is removed or changed: see {see}."
        )
    elif see:
        said += f" They do not show what fails here: see {see}."
    return said


def _means(means: Mapping[str, Any], place: Place, *, see: str) -> Iterator[str]:
    off = [w for w in means["weights"] if w["off"]]
    if off:
        first = off[0]
        left, right = listed(first["port"], 4), listed(first["reference"], 4)
        said = (
            f"In {len(off)} of {len(means['weights'])} kinds of weight the port differs from the "
            f"reference. For instance {first['parameter']}: {left} where the reference has {right}."
        )
    else:
        said = _agreeing(means["weights"], see)
    without = f" Without GC: {means['without']}." if means["without"] else ""
    caption = (
        f"{said} Shown: {means['of']}, one weight of each kind, at most 8 of its outputs, on a "
        f"color scale of its own. The reference: {means['reference']}.{without}"
    )
    svg = _svg(pictures.draw_means, means, prefix=place.id("means"))
    rows: list[list[Cell | str | float]] = []
    for w in means["weights"]:
        for i, (port, reference) in enumerate(zip(w["port"], w["reference"], strict=True)):
            kind = KIND_NAMES.get(w["kind"], w["kind"])
            name = f"{w['parameter']}, output {w['first'] + i}"
            without = "" if w["without"] is None else w["without"][i]
            error = "" if w.get("ratio") is None else short(w["ratio"], 3)
            rows.append([name, f"{kind} {tuple(w['shape'])}", without, port, reference,
                         Cell(error, "number")])  # fmt: skip
    head = ("output neuron", "weight", "without GC", "this port", "reference",
            "largest error of the weight / bound")  # fmt: skip
    yield from figure(svg, caption, list(table("Mean of each output neuron", head, rows)))


def _ratios(ratios: Mapping[str, Any], place: Place) -> Iterator[str]:
    cases = ratios["cases"]
    over = [c for c in cases if not finite(c["ratio"]) or c["ratio"] > 1]
    if over:
        said = (
            f"In {len(over)} of {len(cases)} cases the port is further from the exact value than "
            "rounding explains."
        )
    else:
        said = (
            f"In all {len(cases)} cases the port is as near to the exact value as it must be "
            "with rounding."
        )
    caption = f"{said} The bound is what a correct implementation may be off by."
    svg = _svg(pictures.draw_ratios, ratios, prefix=place.id("ratios"))
    rows: list[list[Cell | str | float]] = []
    for c in cases:
        note = [CASES.get(c["case"], ""), c["note"]]
        if c["undecided"]:
            note.append(f"{c['undecided']} elements have a bound too wide to decide")
        where = f"{c['parameter']}, step {c['step']}"
        rows.append([f"{c['case']}, {c['dtype']}", Cell(short(c["ratio"], 4), "number"), where,
                     c["elements"], "; ".join(n for n in note if n)])  # fmt: skip
    head = ("case", "error / bound", "largest at", "elements", "note")
    yield from figure(svg, caption, list(table("Largest error of each case", head, rows)))


def _drift(drift: Mapping[str, Any], place: Place, *, see: str) -> Iterator[str]:
    if drift["binds"]:
        said = (
            "With this optimizer GC keeps the sum of each output neuron's weights where it began "
            "(eᵀ(wᵗ − w⁰) = 0), so that a correct port stays at 0 up to rounding."
        )
    else:
        said = f"This port's weight sums may move: {drift['why']}."
    if drift["reference"] is None:
        said += " There is no reference for this case, as the port was not held to it."
    elif see and _near(drift["port"], drift["reference"]):
        said += f" These sums do not show what fails here: see {see}."
    weights = drift["weights"]
    which = ", ".join(weights) if len(weights) <= 3 else f"{len(weights)} weights"
    caption = (
        f"{said} Shown: the largest |sum now − sum at the start| of all output neurons of {which}."
    )
    svg = _svg(pictures.draw_drift, drift, prefix=place.id("drift"))
    reference = drift["reference"] or [""] * len(drift["steps"])
    rows = [
        [Cell(str(s)), p, r]
        for s, p, r in zip(drift["steps"], drift["port"], reference, strict=True)
    ]
    yield from figure(
        svg, caption, list(table("Drift after each step", ("step", "this port", "reference"), rows))
    )


def _near(port: Sequence[float | str], reference: Sequence[float | str]) -> bool:
    """Whether two lines look the same in the picture."""
    if not finite(*port, *reference):
        return False
    size = max(1.0, *(abs(float(v)) for v in reference))
    return all(abs(float(p) - float(r)) < 1e-3 * size for p, r in zip(port, reference, strict=True))


def neuron_figure(
    shown: Mapping[str, Any], neuron: Mapping[str, Any], place: Place
) -> Iterator[str]:
    """Yield expected against got for one output neuron, where that is known."""
    expected, got = neuron["expected"], neuron["got"]
    if not expected or len(expected) != len(got):
        return
    svg = ""
    if len(expected) > 1:
        svg = _svg(pictures.draw_answer, expected, got, prefix=place.id("answer"))
    what = "the weight" if shown["weight"] is not None else "the centralized gradient"
    caption = (
        f"Expected against got: {what} after step {shown['step']}, for each input of that output "
        "neuron."
    )
    gradients = shown["gradient"]
    head = [
        "input",
        *(f"gradient, step {t}" for t in range(1, len(gradients) + 1)),
        "expected",
        "got",
    ]
    at = position(shown)
    rows: list[list[Cell | str | float]] = []
    for i, (e, g) in enumerate(zip(expected, got, strict=True)):
        label = f"{i} (the one above)" if i == at else str(i)
        rows.append([Cell(label), *(step[i] for step in gradients), e, g])
    yield from figure(svg, caption, list(table("One output neuron", head, rows)))
