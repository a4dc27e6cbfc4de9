"""The HTML report: well-formed, self-contained, readable by everyone, true to the JSON."""

import json
import re
import shutil
import subprocess
import sys
from functools import cache
from itertools import pairwise

import _reports
import pytest

from gc_ref._conformance.reports.html import pictures
from gc_ref._conformance.reports.html.page import environment, render_html, render_html_matrix
from gc_ref._conformance.reports.html.pictures import PORT, REFERENCE
from gc_ref.conformance import DEVIATIONS

from ._pages import Page

pytest.importorskip("matplotlib")
PAGES = [*_reports.NAMES, "matrix", "known"]


@cache
def rendered(name):
    if name == "matrix":
        return render_html_matrix(
            [_reports.data(n) for n in ("plain", "swapped", "raises", "sgdm-idle")]
        )
    if name == "known":
        known = _reports.with_failures_known(_reports.report("sgdm-idle"))
        return render_html(_reports.read(known))
    return render_html(_reports.data(name))


@pytest.fixture(scope="module", params=PAGES, ids=lambda n: n[:9])
def page(request):
    text = rendered(request.param)
    return text, Page(text)


def test_it_is_well_formed(page):
    text, found = page
    assert text.startswith("<!DOCTYPE html>\n")
    assert found.faults == []
    [html] = found.all("html")
    assert html["attrs"]["lang"] == "en"
    for tag in ("title", "h1", "main", "body", "head"):
        assert len([e for e in found.all(tag) if "svg" not in e["in"]]) == 1, tag
    assert {m["attrs"].get("charset") for m in found.all("meta")} >= {"utf-8"}
    assert "width=device-width" in str([m["attrs"] for m in found.all("meta")])


def test_it_needs_nothing_but_itself(page):
    _, found = page
    assert not found.all("script", "img", "iframe", "object", "embed", "base", "form", "audio")
    for e in found.elements:
        for name, value in e["attrs"].items():
            assert not name.startswith("on"), e
            if name in ("src", "srcset", "action", "data"):
                raise AssertionError(e)
            if name.endswith("href"):
                inner = value.startswith("#")
                icon = e["tag"] == "link" and value == "data:,"
                assert inner or icon or (e["tag"] == "a" and value.startswith("https://")), e
            if name == "style":
                assert not re.search(r"url\((?!#)", value), e
    [style] = [e for e in found.all("style") if "svg" not in e["in"]]
    assert not re.search(r"url\(|@import|@font-face|expression", style["text"])


def test_ids_are_unique_and_references_lead_somewhere(page):
    _, found = page
    ids = [e["attrs"]["id"] for e in found.elements if "id" in e["attrs"]]
    assert len(ids) == len(set(ids))
    for e in found.elements:
        for name, value in e["attrs"].items():
            if name.endswith("href") and value.startswith("#"):
                assert value[1:] in ids, e
            for id in re.findall(r"url\(#([^)]+)\)", value or ""):
                assert id in ids, e
            if name == "aria-labelledby":
                assert set(value.split()) <= set(ids), e


def test_headings_are_in_order(page):
    _, found = page
    levels = [int(e["tag"][1]) for e in found.all("h1", "h2", "h3", "h4", "h5", "h6")]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels)), levels
    assert all(e["text"].strip() for e in found.all("h1", "h2", "h3", "h4"))


def test_tables_can_be_followed(page):
    _, found = page
    for th in found.all("th"):
        assert th["attrs"].get("scope") in ("col", "row"), th
        assert th["text"].strip()
    for table in found.all("table"):
        inner = found.inside(table)
        assert [e for e in inner if e["tag"] == "caption" and e["text"].strip()]
        width = len([e for e in inner if e["attrs"].get("scope") == "col"])
        for row in (e for e in inner if e["tag"] == "tr"):
            assert len([e for e in found.inside(row) if e["tag"] in ("th", "td")]) == width
        [box] = table["parent"]
        assert box["attrs"]["tabindex"] == "0"  # what scrolls can be scrolled by keyboard
        assert box["attrs"]["aria-label"]
    for details in found.all("details"):
        assert found.inside(details)[0]["tag"] == "summary"


def test_pictures_have_a_name_a_description_and_their_numbers(page):
    _, found = page
    for svg in found.all("svg"):
        assert svg["attrs"]["role"] == "img"
        ids = svg["attrs"]["aria-labelledby"].split()
        texts = {e["attrs"].get("id"): e["text"] for e in found.inside(svg)}
        assert all(texts[i].strip() for i in ids)
        assert not [e for e in found.inside(svg) if e["tag"] == "metadata"]
    assert len(found.all("figure")) == len(found.all("svg"))
    folded = [d for d in found.all("details") if "numbers of this picture" in d["text"]]
    assert len(folded) == len(found.all("svg"))
    for d in folded:
        assert [e for e in found.inside(d) if e["tag"] == "table"]


def test_pictures_take_the_text_color_of_the_page(page):
    text, found = page
    for svg in found.all("svg"):
        colors = set(re.findall(r"#[0-9a-f]{6}\b", "".join(
            e["attrs"].get("style", "") for e in found.inside(svg) if e["tag"] != "clippath"
        )))  # fmt: skip
        assert colors <= {PORT, REFERENCE}, colors
    assert pictures.INK not in text


@pytest.mark.parametrize("name", ["plain", "sgdm-idle"])
def test_the_same_report_gives_the_same_bytes(name):
    assert rendered.__wrapped__(name) == rendered(name)


def test_settings_of_the_caller_do_not_matter():
    import matplotlib as mpl

    before = rendered("sgdm-idle")
    with mpl.rc_context({"font.size": 30, "svg.fonttype": "path", "lines.linewidth": 9}):
        assert rendered.__wrapped__("sgdm-idle") == before
        assert mpl.rcParams["font.size"] == 30


def test_another_process_gives_the_same_bytes(tmp_path):
    (tmp_path / "r.json").write_text(_reports.text("swapped"), "utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "gc_ref.conformance", "report", "r.json", "--html", "-"],
        cwd=tmp_path, capture_output=True, check=True, timeout=300,
    )  # fmt: skip
    assert done.stdout.decode("utf-8") == rendered("swapped")


@pytest.mark.parametrize("name", ["swapped", "sgdm-idle", "adam-raw"])
def test_it_says_what_the_port_does_wrong(name):
    report, found = _reports.report(name), Page(rendered(name))
    text = found.all("body")[0]["text"]
    assert found.all("h1")[0]["text"].startswith(f"{name} deviates: ")
    for id in report["identified"]:
        assert id in text
    shown = report["evidence"]["counterexample"]["shown"]
    row = shown["gradient"][0]
    assert f"gradients of its {len(row)} inputs are {', '.join(f'{g:g}' for g in row)}" in text
    assert f"their mean is {sum(row) / len(row):g}" in text
    assert f"the port {'answered' if name == 'swapped' else 'has'}" in text
    assert report["checks"][0]["rerun"] in text
    for c in report["checks"]:
        assert c["id"] in text
        assert re.sub(r"\s+", " ", c["message"]) in re.sub(r"\s+", " ", text)


def test_a_step_of_algorithm_1_is_worked_by_hand():
    text = Page(rendered("sgdm-idle")).all("ol")[0]["text"]
    shown = _reports.report("sgdm-idle")["evidence"]["counterexample"]["shown"]
    assert f"= {shown['expected']:.9g}." in text
    assert "the gradient itself, its mean not taken off" in text


@pytest.mark.parametrize("name", ["swapped", "sgdm-idle"])
def test_expected_and_got_are_arrays_along_the_axis_of_the_mean(name):
    """The mean of the gradient is in its row: by hand it is that of the report's numbers."""
    found = Page(rendered(name))
    [table] = [t for t in found.all("table") if t["attrs"].get("class") == "arrays"]
    inner = found.inside(table)
    evidence = _reports.report(name)["evidence"]["counterexample"]
    shown = evidence["shown"]
    axis, index = shown["output_axis"], shown["index"]
    assert axis == [1]
    assert f"{shown['parameter']}[:, {index[1]}]; its mean goes over axis 0" in table["text"]
    heads = [e["text"] for e in inner if e["attrs"].get("scope") == "col"]
    count = len(evidence["got"])
    assert heads == ["array", *(f"[{i}, {index[1]}]" for i in range(count)), "mean"]
    rows = [[c["text"] for c in found.inside(r) if c["tag"] in ("th", "td")]
            for r in inner if r["tag"] == "tr"][1:]  # fmt: skip
    gradient = shown["gradient"][0]
    steps = len(shown["gradient"])
    assert rows[0][1:-1] == [f"{g:.9g}" for g in gradient]
    assert rows[0][-1] == f"{sum(gradient) / len(gradient):.9g}"
    assert [row[0] for row in rows[steps:]] == ["expected", "got"]
    assert rows[-1][1:-1] == [f"{g:.9g}" for g in evidence["got"]]
    # The mean of a gradient must be 0 when it is centralized; that of weights says nothing.
    assert rows[-2][-1] == ("0" if name == "swapped" else "")


def test_the_verdict_comes_with_its_scope_what_was_not_checked_and_the_mend():
    text = Page(rendered("swapped")).all("body")[0]["text"]
    places = [text.index(words) for words in (
        "swapped deviates", "Scope: all 15 weights", "Not checked: effect/off (the port has no",
        "To mend: average over the inputs of this layout: axis=tuple(range(g.ndim - 1))",
        "The smallest counterexample",
    )]  # fmt: skip
    assert places == sorted(places)


def test_there_is_no_empty_section():
    for name in ("plain", "swapped", "vectors"):  # operators have no weight sums
        text = Page(rendered(name)).all("body")[0]["text"]
        assert "Not shown" not in text
        assert "Weight sums over the steps" not in text
    assert "Weight sums over the steps" in rendered("sgdm-idle")


def test_failing_cells_of_the_matrix_are_colored_and_the_worst_port_is_first():
    found = Page(rendered("matrix"))
    failing = [e for e in found.all("td") if "is-failed" in e["attrs"].get("class", "")]
    assert failing
    assert all(e["text"].startswith("✗") for e in failing)
    assert ".is-failed" in found.all("style")[0]["text"]
    reports = {n: _reports.report(n) for n in ("plain", "swapped", "raises", "sgdm-idle")}
    wrong = {n: sum(c["status"] in ("failed", "error") for c in r["checks"])
             for n, r in reports.items()}  # fmt: skip
    links = [e["text"] for e in found.all("a") if e["attrs"]["href"].startswith("#port-")]
    assert links == sorted(wrong, key=lambda n: -wrong[n])


@pytest.mark.parametrize("columns", [4, 8])
def test_numbers_stay_in_their_cells(columns):
    """The widest number that is drawn, measured with the font that draws it."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(pictures.WIDTH, 1), dpi=72)
    renderer = FigureCanvasAgg(figure).get_renderer()
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_xlim(-0.3 * columns, columns)
    axes.set_ylim(1, 0)
    width = pictures.WIDTH * 72 / (1.3 * columns)
    for value in (-1.23e-05, 123456.0, -0.12, 3.0):
        pictures._cell(axes, 0, 0, value, 1e-6, width=width)
        drawn = axes.texts[-1].get_window_extent(renderer)
        cell = axes.patches[-1].get_window_extent(renderer)
        assert cell.x0 <= drawn.x0, value
        assert drawn.x1 <= cell.x1, value


def test_what_was_taken_from_the_gradients_is_said():
    assert "where Eq. 1 takes the same mean from all" in rendered("swapped")
    assert "nothing was taken from them" in rendered("idle")


def test_a_deviation_seen_nowhere_has_no_empty_column():
    report = _reports.report("swapped")
    report["identified"] = [next(d.id for d in DEVIATIONS.values() if not d.seen)]
    page = render_html(_reports.read(report))
    assert "no published port that we know of" not in page
    assert "seen in" not in page
    assert "seen in" in rendered("swapped")


def test_an_error_says_what_happened():
    found = Page(rendered("raises"))
    assert "could not be judged to the end" in found.all("h1")[0]["text"]
    assert "RuntimeError: no luck" in found.all("body")[0]["text"]
    assert not found.all("svg")


def test_a_known_failure_is_not_a_headline():
    found = Page(rendered("known"))
    assert "conforms but for" in found.all("h1")[0]["text"]
    text = found.all("body")[0]["text"]
    assert "known: a < b https://example.org/1" in text


def test_names_hold_anything():
    report = _reports.report(_reports.EVIL)
    report["port"]["target"] = _reports.EVIL
    report["notes"] = [_reports.EVIL]
    shown = "<script>alert(1)</script>|`x`*_[a](http://b)&amp;\ufffd@you\ufffd[31m line"
    evil = _reports.read(report)
    for text in (render_html(evil), render_html_matrix([_reports.data("plain"), evil])):
        found = Page(text)
        assert found.faults == []
        assert not found.all("script")
        assert "\x1b" not in text
        assert "\u202e" not in text
        assert [e for e in found.all("h1", "h2") if shown in e["text"]]
        assert [e for e in found.all("li") if e["text"] == shown]


def test_escaping_leaves_no_way_out():
    shown = environment().from_string("{{ text }}").render(text="<a b='c' d=\"e\">&\0")
    assert shown == "&lt;a b=&#39;c&#39; d=&#34;e&#34;&gt;&amp;\ufffd"


@pytest.mark.parametrize("name", ["swapped", "sgdm-idle", "matrix"])
def test_without_matplotlib_nothing_is_lost(name, monkeypatch):
    with_pictures = Page(rendered(name))
    monkeypatch.setattr(pictures, "available", lambda: False)
    found = Page(rendered.__wrapped__(name))
    assert found.faults == []
    assert not found.all("svg")
    text = found.all("body")[0]["text"]
    assert "pip install matplotlib" in text
    rows = [t["text"] for t in with_pictures.all("td", "th")]
    assert [t["text"] for t in found.all("td", "th")] == rows
    for caption in with_pictures.all("figcaption"):
        assert caption["text"] in text


def luminance(color):
    parts = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, two):
    low, high = sorted((luminance(one), luminance(two)))
    return (high + 0.05) / (low + 0.05)


def blend(color, share, below):
    mixed = [round(share * int(color[i : i + 2], 16) + (1 - share) * int(below[i : i + 2], 16))
             for i in (1, 3, 5)]  # fmt: skip
    return "#" + "".join(f"{c:02x}" for c in mixed)


def test_contrast_in_light_and_dark():
    """WCAG 2: 4.5 for text, 3 for what a picture shows."""
    [style] = [e["text"] for e in Page(rendered("raises")).all("style")]
    schemes = [dict(re.findall(r"--(\w+): (#[0-9a-f]{6})", part)) for part in
               re.findall(r":root \{(.*?)\}", style, re.S)]  # fmt: skip
    assert len(schemes) == 2
    for scheme in schemes:
        assert len(scheme) == 10
        assert contrast(scheme["bad"], scheme["alarm"]) >= 4.5
        for name in ("ink", "soft", "bad", "good", "warn", "link"):
            for ground in ("paper", "panel"):
                assert contrast(scheme[name], scheme[ground]) >= 4.5, (name, scheme)
        for color in (PORT, REFERENCE):
            assert contrast(color, scheme["paper"]) >= 3, (color, scheme)
            assert contrast(scheme["ink"], blend(color, 0.6, scheme["paper"])) >= 4.5  # heat map


@pytest.mark.skipif(shutil.which("chromium") is None, reason="chromium is not there")
@pytest.mark.parametrize("name", ["sgdm-idle", "matrix", _reports.EVIL], ids=lambda n: n[:9])
def test_it_fits_a_phone_and_a_desk_in_a_real_browser(name, tmp_path):
    """A page around it measures how wide it is: at 360 px nothing may stick out."""
    page = json.dumps(rendered(name).replace("<details>", "<details open>")).replace("<", "\\u003c")
    (tmp_path / "frame.html").write_text(
        f"""<!DOCTYPE html><meta charset="utf-8"><body><script>
        const found = [];
        for (const width of [360, 390, 1280]) {{
          const frame = document.createElement("iframe");
          frame.style.width = width + "px";
          frame.srcdoc = {page};
          frame.onload = () => {{
            const root = frame.contentDocument.documentElement;
            found.push([width, root.clientWidth, root.scrollWidth,
                        frame.contentDocument.querySelectorAll("svg").length]);
            document.title = "FOUND" + JSON.stringify(found);
          }};
          document.body.append(frame);
        }}
        </script>""",
        encoding="utf-8",
    )
    done = subprocess.run(
        ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic",
         "--no-first-run", "--disable-background-networking", "--disable-component-update",
         "--disable-sync", f"--user-data-dir={tmp_path / 'user'}", "--virtual-time-budget=20000",
         "--enable-logging=stderr", "--dump-dom", f"file://{tmp_path / 'frame.html'}"],
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    found = json.loads(re.search(r"<title>FOUND(.*?)</title>", done.stdout)[1])
    assert sorted(width for width, *_ in found) == [360, 390, 1280]
    for width, inner, whole, count in found:
        assert whole <= inner, (width, found)
        assert count == len(Page(rendered(name)).all("svg"))
    assert "CONSOLE" not in done.stderr, done.stderr
