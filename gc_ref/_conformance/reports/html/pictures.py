"""The pictures of the HTML report: drawn by matplotlib, as inline SVG.

They have no background and take the page's text color, so that they fit a light page and a
dark one. Each has a name and a description; the numbers behind it are in a table beside it.
"""

from __future__ import annotations

import functools
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
#: Width of the widest character of a number (a minus sign), in units of the font size.
WIDEST = 0.84


def available() -> bool:
    """Whether matplotlib is there (the extra ``gc-ref[report]``)."""
    return is_installed("matplotlib")


def _picture(draw: Callable[..., tuple[str, str]]) -> Callable[..., str]:
    """Make of a function that draws into a figure one that returns an SVG for a page.

    The function returns a name and a description of the picture. In its place, ``prefix`` is taken:
    how the ids begin, as a page has several pictures. Without matplotlib there is no picture.
    """

    @functools.wraps(draw)
    def drawn(*data: Any, prefix: str) -> str:
        if not available():
            return ""
        import matplotlib as mpl
        from matplotlib.backends.backend_svg import FigureCanvasSVG
        from matplotlib.figure import Figure

        logger, text = logging.getLogger("matplotlib"), io.StringIO()
        level = logger.level
        logger.setLevel(logging.ERROR)  # its remarks on the font cache are not for our user
        try:
            # Not pyplot: no global state, no window, and the caller's settings do not matter.
            with mpl.rc_context():
                mpl.rcdefaults()
                mpl.rcParams.update(SETTINGS)
                figure = Figure()
                FigureCanvasSVG(figure)
                name, description = draw(figure, *data)
                figure.savefig(text, format="svg", transparent=True, metadata={"Date": None})
        finally:
            logger.setLevel(level)
        return _inline(text.getvalue(), name=name, description=description, prefix=prefix)

    return drawn


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


@_picture
def draw_means(figure: Any, means: Mapping[str, Any]) -> tuple[str, str]:
    """Draw a heat map: mean or distance of each output neuron, beside the reference's."""
    axes, weights, y = figure.add_subplot(), means["weights"], 0.0
    columns = max(4, *(len(w["port"]) for w in weights))
    for w in weights:
        wrong = w.get("ratio") is not None and beyond(numeric(w["ratio"]))
        error = f", error {short(numeric(w['ratio']), 2)} × bound" if wrong else ""
        title = f"{clean(w['kind'])} {tuple(w['shape'])}{error}"
        axes.text(0, y + 0.55, title, va="center", ha="left", weight="bold")
        y += 1.0
        parts = {"without GC": "without", "this port": "port", "reference": "reference"}
        lines = {label: [numeric(v) for v in w[part] or ()] for label, part in parts.items()}
        # Each kind of weight has its own scale: the largest mean shown of it.
        sizes = [abs(v) for values in lines.values() for v in values if finite(v)]
        scale = max(sizes, default=0) or 1.0
        for label, values in lines.items():
            if values:
                axes.text(-0.02 * columns, y + 0.5, label, va="center", ha="right")
                for x, value in enumerate(values):
                    _cell(axes, x, y, value, scale, width=WIDTH * 72 / (1.3 * columns))
                y += 1.0
        y += 0.35
    axes.set_xlim(-0.3 * columns, columns)
    axes.set_ylim(y - 0.3, 0)
    axes.axis("off")
    figure.set_size_inches(WIDTH, 0.2 * y + 0.15)
    worst = [w["kind"] for w in weights if w["off"]]
    said = f"The port differs visibly in {', '.join(worst)}." if worst else "They agree."
    return (
        "What is left in each output neuron",
        f"For each kind of weight rows without GC, of the port, of the reference. {said}",
    )


def _cell(axes: Any, x: float, y: float, value: float, scale: float, *, width: float) -> None:
    """Draw a cell that is ``width`` points wide, and the number in it as large as it fits."""
    from matplotlib.patches import Rectangle

    face = (INK, 0.35)
    if finite(value):
        face = (PORT if value > 0 else REFERENCE, min(abs(value) / scale, 1.0) * 0.6)
    style = {"facecolor": face, "edgecolor": (INK, 0.35), "linewidth": 0.5, "clip_on": False}
    axes.add_patch(Rectangle((x + 0.03, y + 0.05), 0.94, 0.9, **style))
    tiny = 0 < abs(value) < 1e-6 * scale  # rounding: the table has it in full
    text = "≈0" if tiny else short(value, 3)
    size = min(7.5, 0.9 * width / (WIDEST * len(text)))
    axes.text(x + 0.5, y + 0.52, text.replace("-", "−"), va="center", ha="center", size=size)


@_picture
def draw_ratios(figure: Any, ratios: Mapping[str, Any]) -> tuple[str, str]:
    """Draw the worst error of each case on a log scale, and the bound as a line."""
    cases = [(c, numeric(c["ratio"])) for c in ratios["cases"]]
    known = [ratio for _, ratio in cases if finite(ratio) and ratio > 0]
    low, high = min([*known, 0.1]) / 3, max([*known, 1.0]) * 8
    figure.set_size_inches(WIDTH, 0.44 * len(cases) + 0.85)
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
        side, offset = ("right", -7) if x > (low * high) ** 0.5 else ("left", 7)
        axes.annotate(text, (x, y), (offset, 5), textcoords="offset points", ha=side, size=8)
    names = [f"{clean(c['case'])}\n{clean(c['dtype'])}" for c, _ in cases]
    axes.set_yticks(range(len(cases)), names)
    axes.tick_params(axis="y", length=0)
    axes.xaxis.set_major_formatter(_power)
    axes.xaxis.minorticks_off()
    axes.set_xlabel("largest error, in units of its bound (log scale)")
    over = sum(beyond(ratio) for _, ratio in cases)
    return (
        "Error of each case against its bound",
        f"One line for each case. {over} of {len(cases)} reach beyond the bound, which is at 1.",
    )


def _power(value: float, _: int) -> str:
    """Return a power of ten as readers write it."""
    digits = f"{round(math.log10(value))}"
    return "10" + digits.translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))


@_picture
def draw_drift(figure: Any, drift: Mapping[str, Any]) -> tuple[str, str]:
    """Draw how far the weight sums went, over the steps."""
    steps, port = drift["steps"], [numeric(v) for v in drift["port"]]
    reference = [numeric(v) for v in drift["reference"] or ()]
    figure.set_size_inches(WIDTH, 2.4)
    axes = figure.add_subplot()

    def line(values: Sequence[float], **style: Any) -> None:
        axes.plot(steps, [v if finite(v) else math.nan for v in values], **style)

    line(port, color=PORT, label="this port", linewidth=2.4)
    if reference:  # on top, dashed: both are seen where they are the same
        line(reference, color=REFERENCE, label="reference", linestyle=(0, (4, 4)))
    axes.set_xlabel("step")
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.set_ylabel("drift of the weight sum")
    low, high = axes.get_ylim()
    if high - low < 1e-3 and low > -1e-3:  # rounding only: a flat line, not a mountain range
        axes.set_ylim(-0.05, 1)
    axes.legend(loc="best")
    said = f"After step {steps[-1]} the port's drift is {short(port[-1], 3)}"
    if reference:
        said += f", the reference's {short(reference[-1], 3)}"
    return "Drift of the weight sums over the steps", f"Two lines over the steps. {said}."


@_picture
def draw_answer(figure: Any, expected: Sequence[float], got: Sequence[float]) -> tuple[str, str]:
    """Draw expected against got for all inputs of one output neuron."""
    count = len(expected)
    figure.set_size_inches(WIDTH, 2.4)
    axes = figure.add_subplot()

    def points(values: Sequence[float], marker: str, **style: Any) -> None:
        at = [(x, v) for x, v in enumerate(values) if finite(v)]
        axes.plot([x for x, _ in at], [v for _, v in at], marker, markersize=8, **style)

    axes.axhline(0, color=INK, linewidth=0.6, alpha=0.5)
    for x, (e, g) in enumerate(zip(expected, got, strict=True)):
        if finite(e, g):
            axes.plot([x, x], [e, g], color=INK, linewidth=0.8, alpha=0.5)
    hollow = {"markerfacecolor": "none", "markeredgewidth": 1.6}
    points(expected, "o", color=REFERENCE, label="expected", **hollow)
    points(got, "X", color=PORT, label="got", markeredgewidth=0.5)
    if count <= 16:
        axes.set_xticks(range(count))
    axes.set_xlim(-0.6, count - 0.4)
    axes.margins(y=0.15)
    axes.set_xlabel("input of the output neuron")
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)
    off = sum(e != g for e, g in zip(expected, got, strict=True))
    return (
        "Expected against got",
        f"For each of {count} inputs the expected value and the port's. {off} differ.",
    )
