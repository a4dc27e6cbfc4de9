"""The pictures of the HTML report: drawn by matplotlib, as inline SVG.

They have no background and take the page's text color, so that they fit a light page and a
dark one. Each has a name and a description; the numbers behind it are in a table beside it.
"""

from __future__ import annotations

import html
import io
import logging
import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from gc_ref._conformance.findings.counterexample import numeric
from gc_ref._conformance.reports.summary import beyond
from gc_ref._conformance.writing.extras import is_installed
from gc_ref._conformance.writing.words import clean, finite, short

__all__ = ["available", "draw_answer", "draw_drift", "draw_means", "draw_ratios"]

#: Stands for the page's text color until the SVG is written.
INK = "#010203"
PORT, REFERENCE = "#d9660a", "#3b82d6"  # readable on white and on near-black
SETTINGS: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "gc-ref",
    "font.size": 9,
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "text.color": INK,
    "text.usetex": False,
    "text.parse_math": False,
    "axes.linewidth": 0.7,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.unicode_minus": True,
    "axes.formatter.use_mathtext": False,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
    "figure.constrained_layout.use": True,
}
#: Width of all pictures in inches: not wider, so that their text stays readable on a phone.
WIDTH = 4.6


def available() -> bool:
    """Whether matplotlib is there (the extra ``gc-ref[report]``)."""
    return is_installed("matplotlib")


def _draw(
    draw: Callable[[Any], None], height: float, *, name: str, description: str, prefix: str
) -> str:
    """Draw into a figure and return it as SVG, of which several can stand in one page.

    Nothing is drawn, and nothing returned, where matplotlib is not installed.
    """
    if not available():
        return ""
    logger = logging.getLogger("matplotlib")
    before = logger.level
    logger.setLevel(logging.ERROR)  # its remarks on the font cache are not for our user
    try:
        svg = _svg(draw, height)
    finally:
        logger.setLevel(before)
    return _inline(svg, name=name, description=description, prefix=prefix)


def _svg(draw: Callable[[Any], None], height: float) -> str:
    """Draw into a figure and return the file that matplotlib makes of it."""
    import matplotlib as mpl
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    # Not pyplot: no global state, no window, and the settings of the caller do not matter.
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(SETTINGS)
        figure = Figure(figsize=(WIDTH, height))
        FigureCanvasSVG(figure)
        draw(figure)
        text = io.StringIO()
        figure.savefig(text, format="svg", transparent=True, metadata={"Date": None})
    return text.getvalue()


def _inline(svg: str, *, name: str, description: str, prefix: str) -> str:
    """Strip what only a file needs, and make ids, colors and name those of a page."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>\s*", "", svg, flags=re.S)
    svg = re.sub(r'\bid="([^"]+)"', rf'id="{prefix}-\1"', svg)
    svg = re.sub(r'href="#([^"]+)"', rf'href="#{prefix}-\1"', svg)
    svg = re.sub(r"url\(#([^)]+)\)", rf"url(#{prefix}-\1)", svg)
    svg = svg.replace(INK, "currentColor")
    svg = re.sub(r"(font: [^;\"]*?px) [^;\"]*", r"\1 system-ui, sans-serif", svg)
    box = re.search(r'viewBox="([^"]+)"', svg)
    assert box is not None
    width = float(box[1].split()[2])
    inner = svg[svg.index(">") + 1 :]
    return (
        f'<svg viewBox="{box[1]}" style="max-width: {width * 4 / 3:.0f}px" role="img" '
        f'aria-labelledby="{prefix}-name {prefix}-desc" xmlns="http://www.w3.org/2000/svg" '
        'xmlns:xlink="http://www.w3.org/1999/xlink">\n'
        f'<title id="{prefix}-name">{html.escape(name)}</title>\n'
        f'<desc id="{prefix}-desc">{html.escape(description)}</desc>{inner}'
    )


def draw_means(means: Mapping[str, Any], prefix: str) -> str:
    """Draw a heat map: mean of each output neuron, of the port beside the reference's."""
    weights = means["weights"]
    rows: list[tuple[float, str, Sequence[float], float]] = []
    titles, y = [], 0.0
    for w in weights:
        wrong = w.get("ratio") is not None and beyond(numeric(w["ratio"]))
        error = f", error {short(numeric(w['ratio']), 2)} × bound" if wrong else ""
        titles.append((y, f"{clean(w['kind'])} {tuple(w['shape'])}{error}"))
        y += 1.0
        parts = {"without GC": "without", "this port": "port", "reference": "reference"}
        lines = {label: [numeric(v) for v in w[part] or ()] for label, part in parts.items()}
        # Each kind of weight has its own scale: the largest mean shown of it.
        sizes = [abs(v) for values in lines.values() for v in values if finite(v)]
        scale = max(sizes, default=0) or 1.0
        for label, values in lines.items():
            if values:
                rows.append((y, label, values, scale))
                y += 1.0
        y += 0.35

    columns = max(4, *(len(values) for _, _, values, _ in rows))

    def draw(figure: Any) -> None:
        axes = figure.add_subplot()
        for at, title in titles:
            axes.text(0, at + 0.55, title, va="center", ha="left", weight="bold")
        for at, label, values, scale in rows:
            axes.text(-0.02 * columns, at + 0.5, label, va="center", ha="right")
            for x, value in enumerate(values):
                _cell(axes, x, at, value, scale)
        axes.set_xlim(-0.3 * columns, columns)
        axes.set_ylim(y - 0.3, 0)
        axes.axis("off")

    worst = [w["kind"] for w in weights if w["off"]]
    said = f"The port differs visibly in {', '.join(worst)}." if worst else "These means agree."
    return _draw(
        draw,
        0.2 * y + 0.15,
        name="Mean left in each output neuron",
        description="For each kind of weight rows without GC, of the port, of the reference. "
        + said,
        prefix=prefix,
    )


def _cell(axes: Any, x: float, y: float, value: float, scale: float) -> None:
    from matplotlib.patches import Rectangle

    color, share = INK, 0.35
    if finite(value):
        color, share = (PORT if value > 0 else REFERENCE), min(abs(value) / scale, 1.0) * 0.6
    face, edge = (color, share), (INK, 0.35)
    axes.add_patch(
        Rectangle(
            (x + 0.03, y + 0.05), 0.94, 0.9,
            facecolor=face, edgecolor=edge, linewidth=0.5, clip_on=False,
        )
    )  # fmt: skip
    tiny = 0 < abs(value) < 1e-6 * scale  # rounding: the table has it in full
    text = "≈0" if tiny else short(value, 3)
    axes.text(x + 0.5, y + 0.52, text.replace("-", "−"), va="center", ha="center", size=7.5)


def draw_ratios(ratios: Mapping[str, Any], prefix: str) -> str:
    """Draw the worst error of each case on a log scale, and the bound as a line."""
    cases = [(c, numeric(c["ratio"])) for c in ratios["cases"]]
    known = [ratio for _, ratio in cases if finite(ratio) and ratio > 0]
    low, high = min([*known, 0.1]) / 3, max([*known, 1.0]) * 8

    def draw(figure: Any) -> None:
        axes = figure.add_subplot()
        axes.set_xscale("log")
        axes.set_xlim(low, high)
        axes.set_ylim(len(cases) - 0.4, -0.7)
        axes.axvline(1, color=INK, linewidth=1.2, linestyle="--")
        axes.text(1, 1.0, "bound", ha="center", va="bottom", transform=axes.get_xaxis_transform())
        for y, (_, ratio) in enumerate(cases):
            x = max(ratio, low) if finite(ratio) else high
            color = PORT if beyond(ratio) else REFERENCE
            axes.plot([low, x], [y, y], color=color, linewidth=2, solid_capstyle="butt", alpha=0.55)
            marker = ("X" if beyond(ratio) else "o") if ratio else "|"
            axes.plot([x], [y], marker=marker, color=color, markersize=7, clip_on=False)
            text = short(ratio, 2) if ratio else "exact"
            align, offset = ("right", -7) if x > (low * high) ** 0.5 else ("left", 7)
            axes.annotate(text, (x, y), (offset, 5), textcoords="offset points", ha=align, size=8)
        names = [f"{clean(c['case'])}\n{clean(c['dtype'])}" for c, _ in cases]
        axes.set_yticks(range(len(cases)), names)
        axes.tick_params(axis="y", length=0)
        axes.xaxis.set_major_formatter(_power)
        axes.xaxis.minorticks_off()
        axes.set_xlabel("largest error, in units of its bound (log scale)")

    over = sum(beyond(ratio) for _, ratio in cases)
    return _draw(
        draw,
        0.44 * len(cases) + 0.85,
        name="Error of each case against its bound",
        description=f"One line for each case. {over} of {len(cases)} reach beyond the bound, "
        "which is at 1.",
        prefix=prefix,
    )


def _power(value: float, _: int) -> str:
    """Return a power of ten as readers write it."""
    digits = f"{round(math.log10(value))}"
    return "10" + digits.translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))


def draw_drift(drift: Mapping[str, Any], prefix: str) -> str:
    """Draw how far the weight sums went, over the steps."""
    steps, port = drift["steps"], [numeric(v) for v in drift["port"]]
    reference = [numeric(v) for v in drift["reference"] or ()]

    def line(axes: Any, values: Sequence[float], **style: Any) -> None:
        axes.plot(steps, [v if finite(v) else math.nan for v in values], **style)

    def draw(figure: Any) -> None:
        axes = figure.add_subplot()
        line(axes, port, color=PORT, label="this port", linewidth=2.4)
        if reference:  # on top, dashed: both are seen where they are the same
            line(axes, reference, color=REFERENCE, label="reference", linestyle=(0, (4, 4)))
        axes.set_xlabel("step")
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.set_ylabel("drift of the weight sum")
        low, high = axes.get_ylim()
        if high - low < 1e-3 and low > -1e-3:  # rounding only: a flat line, not a mountain range
            axes.set_ylim(-0.05, 1)
        axes.legend(loc="best")

    description = (
        f"Two lines over the steps. After step {steps[-1]} the port's drift is {short(port[-1], 3)}"
    )
    if reference:
        description += f", the reference's {short(reference[-1], 3)}"
    return _draw(
        draw,
        2.4,
        name="Drift of the weight sums over the steps",
        description=f"{description}.",
        prefix=prefix,
    )


def draw_answer(expected: Sequence[float], got: Sequence[float], prefix: str) -> str:
    """Draw expected against got for all inputs of one output neuron."""
    count = len(expected)

    def points(axes: Any, values: Sequence[float], marker: str, **style: Any) -> None:
        at = [(x, v) for x, v in enumerate(values) if finite(v)]
        axes.plot([x for x, _ in at], [v for _, v in at], marker, markersize=8, **style)

    def draw(figure: Any) -> None:
        axes = figure.add_subplot()
        axes.axhline(0, color=INK, linewidth=0.6, alpha=0.5)
        for x, (e, g) in enumerate(zip(expected, got, strict=True)):
            if finite(e, g):
                axes.plot([x, x], [e, g], color=INK, linewidth=0.8, alpha=0.5)
        hollow = {"markerfacecolor": "none", "markeredgewidth": 1.6}
        points(axes, expected, "o", color=REFERENCE, label="expected", **hollow)
        points(axes, got, "X", color=PORT, label="got", markeredgewidth=0.5)
        if count <= 16:
            axes.set_xticks(range(count))
        axes.set_xlim(-0.6, count - 0.4)
        axes.margins(y=0.15)
        axes.set_xlabel("input of the output neuron")
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)

    off = sum(e != g for e, g in zip(expected, got, strict=True))
    return _draw(
        draw,
        2.4,
        name="Expected against got",
        description=f"For each of {count} inputs the expected value and the port's. {off} differ.",
        prefix=prefix,
    )
