"""The Markdown report and the badge."""

import json
import re

import _reports
import pytest

from gc_ref._conformance.reports import markdown
from gc_ref._conformance.reports.markdown import code, escape, fence
from gc_ref._conformance.reports.summary import render_badge as badge_of
from gc_ref.conformance import check, operator_port

KNOWN = "known"


def render_markdown(found):
    return markdown.render_markdown(_reports.read(found))


def matrix_markdown(found):
    return markdown.render_markdown_matrix([_reports.read(f) for f in found])


def render_badge(found, **options):
    return badge_of(_reports.read(found), **options)


def rendered(name):
    if name == KNOWN:
        return render_markdown(_reports.with_failures_known(_reports.report("swapped")))
    return render_markdown(_reports.report(name))


def tables(text):
    """Tables of a text: lists of rows, each a list of cells."""
    found, rows = [], []
    for line in [*text.splitlines(), ""]:
        if line.startswith("|"):
            rows.append([c.strip() for c in line.strip("|").split("|")])
        elif rows:
            found.append(rows)
            rows = []
    return found


@pytest.mark.parametrize("name", [*_reports.NAMES, KNOWN], ids=lambda n: n[:9])
def test_it_is_well_formed(name):
    text = rendered(name)
    assert text.startswith("## ")
    assert text.endswith("\n")
    assert text.count("<details>") == text.count("</details>") == text.count("<summary>")
    assert text.count("```") % 2 == 0
    for table in tables(text):
        assert len({len(row) for row in table}) == 1, table
        assert set(table[1]) == {"---"}
    # GitHub reads a table in HTML only after an empty line
    assert not re.search(r"</summary>\n\|", text)


@pytest.mark.parametrize("name", ["swapped", "sgdm-idle", "raises", "plain"])
def test_every_check_is_in_one_table(name):
    report, text = _reports.report(name), rendered(name)
    ids = [c["id"] for c in report["checks"]]
    found = re.findall(r"<code>([a-z]+/[a-z0-9.-]+)</code>", "\n".join(
        " ".join(row) for table in tables(text) for row in table
    ))  # fmt: skip
    assert sorted(found) == sorted(ids)


def test_failures_come_first_and_what_holds_is_folded():
    text = rendered("swapped")
    head, folded = text.split("<details>", 1)
    assert "✗ failed" in head
    assert "✓ passed" not in head
    assert "✗ failed" not in folded
    assert "Passed (10)" in folded
    assert "Not checked (7)" in folded


def test_the_counterexample_is_worked():
    text = rendered("idle")
    assert "their mean is 5. Eq. 1 takes it from each: -1, 1." in text
    assert "nothing was taken from them" in text


def test_the_command_is_in_a_fence():
    [block] = re.findall(r"```sh\n(.*?)\n```", rendered("swapped"), re.S)
    assert block == _reports.report("swapped")["checks"][0]["rerun"]


def test_a_port_that_conforms_has_no_failures_and_one_that_raises_says_what():
    assert "✗" not in rendered("plain")
    assert rendered("plain").startswith("## ✓ plain conforms")
    assert rendered("raises").startswith("## ‼ raises could not be judged to the end")
    assert "RuntimeError: no luck" in rendered("raises")


def test_the_headline_names_no_deviation_where_several_would_do_the_same():
    report = _reports.report("swapped")
    report["identified"] = ["layout-swapped", "partial-axes"]
    report["diagnosis"] = ["several known semantics do the same on every case tried:", "a", "b"]
    report["ambiguous"] = True
    text = render_markdown(report)
    assert text.startswith("## ✗ swapped deviates: 9 of 19 checks failed\n")
    assert "tried:\n- a.\n- b.\n" in text


def test_known_failures_are_said():
    text = rendered(KNOWN)
    assert "conforms but for 9 known failures" in text
    assert "≈ failed as expected" in text


def test_names_hold_anything():
    report = _reports.report(_reports.EVIL)
    report["port"]["target"] = _reports.EVIL
    report["notes"] = [_reports.EVIL]
    for c in report["checks"]:
        c["message"] = _reports.EVIL
    both = matrix_markdown([report, _reports.report("plain")])
    for text in (render_markdown(report), both):
        outside = re.sub(r"```+sh\n.*?\n```+", "", text, flags=re.S)  # the command is as it is
        assert "<script" not in outside
        assert "@you" not in outside
        assert "http://" not in outside
        assert "`x`" not in outside
        assert "&#91;a&#93;" in outside
        assert "\u202e" not in text
        assert "\x1b" not in text
        assert tables(text)
        for table in tables(text):
            assert len({len(row) for row in table}) == 1


@pytest.mark.parametrize("text", ["", "a", "`", "```", "a````b", "```\n# no"])
def test_no_text_closes_its_fence(text):
    lines = fence(text).splitlines()
    mark = lines[0].removesuffix("sh")
    assert lines[-1] == mark
    assert not [line for line in lines[1:-1] if line.strip().startswith(mark)]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a|b", "a&#124;b"), ("<b>", "&#60;b&#62;"), ("x_y*z", "x&#95;y&#42;z"),
        ("- item", "&#45; item"), ("1. one", "&#49;. one"), ("12 failed", "12 failed"),
        ("a: b", "a: b"), ("a:b", "a&#58;b"), ("#12", "&#35;12"), ("two\nlines", "two lines"),
        ("(2, 3)", "(2, 3)"), ("50%", "50%"), ("\x07", "\ufffd"), ("www.x.y", "www&#46;x.y"),
    ],
)  # fmt: skip
def test_escaping(text, shown):
    assert escape(text) == shown
    assert code(text) == f"<code>{shown}</code>"


def test_the_matrix_has_every_port_and_every_check():
    names = ["plain", "swapped", "raises", "sgdm-idle", "based", "vectors"]
    reports = [_reports.report(n) for n in names]
    text = matrix_markdown(reports)
    verdicts, grid = tables(text)
    reports.sort(key=lambda r: sum(c["status"] in ("failed", "error") for c in r["checks"]) * -1)
    names = [r["port"]["name"] for r in reports]
    assert names[-2:] == ["plain", "based"], "the most failures first"
    assert [row[0] for row in verdicts[2:]] == names
    assert verdicts[0][1:4] == ["framework", "verdict", "what is wrong"]
    assert [row[2].split()[1] for row in verdicts[2:]] == [r["verdict"] for r in reports]
    assert grid[0] == ["check", *names]
    assert len(grid) == 2 + 26
    words = {"passed": "✓ pass", "failed": "✗ FAIL", "not-applicable": "– n/a", "error": "‼ ERROR"}
    for row in grid[2:]:
        id = re.fullmatch(r"<code>(.*)</code>", row[0])[1]
        for report, cell in zip(reports, row[1:], strict=True):
            status = [c["status"] for c in report["checks"] if c["id"] == id]
            assert cell == (words[status[0]] if status else "· not run")
    by_name = {row[0]: row for row in verdicts[2:]}
    assert by_name["swapped"][1].startswith("numpy ")
    assert by_name["swapped"][3].startswith("averages all axes but the first, where the other")
    assert "optax" not in by_name["swapped"][3]
    assert "layout-swapped" in by_name["swapped"][5]
    assert "no luck" in by_name["raises"][3]
    assert by_name["plain"][3] == ""
    assert "2 conform, 3 deviate, 1 could not be judged" in text
    assert "✗ FAIL: it does not" in text


def test_ports_of_one_name_are_told_apart():
    other = _reports.report("plain")
    other["port"]["target"] = "operator:x.py:plain"
    verdicts, grid = tables(matrix_markdown([_reports.report("plain"), other]))
    assert [row[0] for row in verdicts[2:]] == grid[0][1:] == ["plain (1)", "plain (2)"]


def test_checks_of_a_newer_release_are_shown_too():
    newer = _reports.report("plain")
    newer["checks"][0]["id"] = "hygiene/newest"
    newer["identified"] = ["quite-new"]
    newer["conventions"]["flavor"] = {"value": "sweet", "source": "declared"}
    for text in (render_markdown(newer), matrix_markdown([newer, _reports.report("idle")])):
        assert "hygiene/newest" in text


BADGES = [
    ("plain", "conforms (19 checks)", "brightgreen"),
    ("swapped", "deviates (9 of 19 checks)", "red"),
    ("raises", "could not be judged", "lightgrey"),
    (KNOWN, "conforms (19 checks, 9 known failures)", "yellow"),
]


@pytest.mark.parametrize(("name", "message", "color"), BADGES)
def test_badge(name, message, color):
    report = _reports.report("swapped" if name == KNOWN else name)
    found = json.loads(
        render_badge(_reports.with_failures_known(report) if name == KNOWN else report)
    )
    assert found == {
        "schemaVersion": 1, "label": "gradient centralization", "message": message, "color": color
    }  # fmt: skip


def test_a_run_that_checked_too_little_is_never_green():
    report = _reports.report("plain")
    assert json.loads(render_badge(report, least=19))["color"] == "brightgreen"
    assert json.loads(render_badge(report, least=20))["message"] == "only 19 checks ran"
    for c in report["checks"]:
        c["status"] = "not-applicable"
    assert json.loads(render_badge(report))["color"] == "lightgrey"
    assert json.loads(render_badge(report, least=0))["color"] == "lightgrey"
    assert "nothing was checked" in render_markdown(report)


def test_a_report_renders_itself():
    report = check(operator_port(_reports.swapped, name="swapped"), max_examples=0)
    assert report.to_markdown() == rendered("swapped")
    assert report.to_badge() == render_badge(_reports.report("swapped"))


@pytest.mark.parametrize("name", ["swapped", "plain"])
def test_scope_and_what_was_not_checked_stand_at_the_top(name):
    verdict, scope, skipped = rendered(name).split("\n\n")[1:4]
    assert verdict.startswith("**Conforms**" if name == "plain" else "**Deviates**")
    assert scope.startswith(
        "**Scope**: all 15 weights of two or more dimensions are to be centralized; "
        "layout = output-last"
    )
    assert skipped.startswith("**Not checked**: effect/off (the port has no switch")


def test_the_mend_follows_the_diagnosis():
    assert "\n**To mend:** average over the inputs of this layout: axis=tuple(" in rendered(
        "swapped"
    )
    for name in ("plain", "raises", "nan"):
        assert "To mend" not in rendered(name)
