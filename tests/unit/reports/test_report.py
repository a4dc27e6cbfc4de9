"""Reports: the JSON schema of contract 4.5, and the text that a port's author reads."""

import json
import math
import re

import numpy as np
import pytest

from gc_ref._conformance.findings.check_report import Expectation
from gc_ref.conformance import DEVIATIONS, CheckReport, Report, check, operator_port

STATUSES = {
    "passed", "failed", "expected-failure", "unexpected-pass", "not-applicable",
    "indeterminate", "error",
}  # fmt: skip
CONTRACT_IDS = [
    "value/exact", "value/bounded", "law/zero-mean", "law/idempotent", "law/orthogonal",
    "law/linear", "law/shift-invariant", "law/permutation-equivariant", "law/contraction",
    "scope/every-weight", "scope/vectors-untouched", "scope/slices-isolated",
    "scope/parameters-isolated", "effect/on", "effect/off", "step/sgdm", "step/adam",
    "step/base-law", "step/constraint", "step/theorem-4.1", "hygiene/dtype", "hygiene/shape",
    "hygiene/gradient-unmutated", "hygiene/state", "hygiene/deterministic", "hygiene/checkpoint",
]  # fmt: skip


def plain(g):
    return g if g.ndim < 2 else g - g.mean(axis=tuple(range(g.ndim - 1)), keepdims=True)


def doubled(g):
    """Off by Φ(g) wherever there is any mean to remove."""
    return g if g.ndim < 2 else 2 * plain(g)


def nothing(g):
    return None


PORTS = {
    "plain": plain,
    "doubled": doubled,
    "nothing": nothing,
    "vectors": lambda g: plain(g) if g.ndim != 1 else g - g.mean(),
    "nan": lambda g: g * np.nan,
    "inf": lambda g: g * np.inf,
    "ravel": lambda g: plain(g).ravel(),
}


@pytest.fixture(scope="module")
def reports():
    return {
        name: check(operator_port(function, name=name), max_examples=0)
        for name, function in PORTS.items()
    }


@pytest.fixture(params=list(PORTS))
def report(request, reports):
    return reports[request.param]


def strictly(text):
    def refuse(word):
        raise AssertionError(f"{word} is no JSON")

    return json.loads(text, parse_constant=refuse)


def is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def test_fields_of_the_report(report):
    found = strictly(report.to_json())
    contract = {
        "schema", "suite", "port", "verdict", "conventions", "identified", "checks", "environment",
    }  # fmt: skip
    assert contract <= set(found)
    more = {
        "seed", "notes", "diagnosis", "suite_version", "recognized", "evidence", "ambiguous",
        "scope", "vectors", "mend",
    }  # fmt: skip
    assert set(found) - contract <= more
    assert found["schema"] == "gc-ref-report/1"
    assert found["suite"] == "quick"
    assert found["port"] == {"name": report.port["name"], "kind": "operator", "target": None}
    assert set(found["identified"]) <= set(DEVIATIONS)
    assert all(isinstance(words, str) and words for words in found["diagnosis"])
    assert all(isinstance(k, str) and isinstance(v, str) for k, v in found["environment"].items())
    assert {"gc_ref", "python", "numpy"} <= set(found["environment"])


def test_fields_of_each_check(report):
    for entry in strictly(report.to_json())["checks"]:
        assert list(entry)[:8] == [
            "id", "clause", "status", "message", "ratio", "ulps", "counterexample", "rerun",
        ]  # fmt: skip
        assert set(list(entry)[8:]) <= {
            "sentence", "fuzzed", "replay", "replay_form", "expectation",
        }  # fmt: skip
        for field in ("id", "clause", "message", "rerun"):
            assert isinstance(entry[field], str)
        assert entry["id"] in CONTRACT_IDS
        assert entry["clause"]
        assert entry["status"] in STATUSES
        for field in ("ratio", "ulps"):
            value = entry[field]
            assert value is None or is_number(value) or value in ("inf", "nan", "-inf")
        assert entry["counterexample"] is None or isinstance(entry["counterexample"], dict)


@pytest.mark.parametrize(
    ("name", "verdict"),
    [
        ("plain", "conforms"), ("doubled", "deviates"), ("nothing", "error"),
        ("vectors", "deviates"), ("nan", "deviates"), ("inf", "deviates"), ("ravel", "deviates"),
    ],
)  # fmt: skip
def test_verdict(reports, name, verdict):
    assert reports[name].verdict == verdict
    assert strictly(reports[name].to_json())["verdict"] == verdict


def test_every_check_of_the_contract_is_reported_once(reports):
    for name in ("plain", "doubled", "ravel"):
        assert sorted(c.id for c in reports[name].checks) == sorted(CONTRACT_IDS)


def test_conventions_say_where_they_are_from(reports):
    found = strictly(reports["plain"].to_json())["conventions"]
    assert found
    for entry in found.values():
        assert set(entry) == {"value", "source"}
        assert entry["source"] in ("declared", "inferred")
    assert found["scope"] == {"value": "all", "source": "inferred"}


def test_counterexample_is_a_true_one(reports):
    """Its own numbers, worked again: Eq. 1 on the slice shown, and twice that as the answer."""
    shown = strictly(reports["doubled"].to_json())["checks"]
    [entry] = [c for c in shown if c["id"] == "scope/every-weight"]
    found = entry["counterexample"]
    assert found["kind"] == "dense"
    assert found["step"] == 1
    [row] = found["gradient"]
    assert len(row) == found["shape"][0]
    assert found["output_axis"] == [1]
    residual = row[found["index"][0]] - sum(row) / len(row)
    assert found["expected"] == residual
    assert found["got"] == 2 * residual
    assert abs(found["got"] - found["expected"]) > found["bound"]
    assert entry["ratio"] > 1


def test_numbers_that_json_lacks_are_spelled(reports):
    for name, got in (("nan", "nan"), ("inf", {"inf", "-inf", "nan"})):
        checks = strictly(reports[name].to_json())["checks"]
        [entry] = [c for c in checks if c["id"] == "scope/every-weight"]
        assert entry["ratio"] == "inf"
        assert entry["counterexample"]["got"] in got


def entry(status, **fields):
    return CheckReport(
        **{
            "id": "value/exact", "clause": "Eq. 1", "sentence": "a sentence", "status": status,
            "message": "", "ratio": None, "ulps": None, "counterexample": None, "rerun": "again",
            **fields,
        }
    )  # fmt: skip


def made(*checks):
    port = {"name": "mine", "kind": "numpy", "target": None}
    return Report(port, "quick", 0, {}, checks, (), (), {"gc_ref": "0"})


@pytest.mark.parametrize(
    ("value", "written"),
    [(None, None), (0.0, 0.0), (2.5, 2.5), (math.inf, "inf"), (math.nan, "nan")],
)
def test_ratio_and_ulps(value, written):
    found = strictly(made(entry("failed", ratio=value, ulps=value)).to_json())["checks"][0]
    assert (found["ratio"], found["ulps"]) == (written, written)


@pytest.mark.parametrize(
    ("statuses", "verdict", "run"),
    [
        ([], "conforms", 0),
        (["passed", "not-applicable"], "conforms", 1),
        (["passed", "expected-failure"], "conforms", 2),
        (["passed", "failed"], "deviates", 2),
        (["passed", "unexpected-pass"], "deviates", 2),
        (["passed", "indeterminate"], "deviates", 2),
        (["failed", "error"], "error", 1),
        (["not-applicable"], "conforms", 0),
    ],
)
def test_verdict_and_number_of_checks(statuses, verdict, run):
    report = made(*(entry(s) for s in statuses))
    assert report.verdict == verdict
    assert report.checks_run == run
    known = " with 1 expected failure" if "expected-failure" in statuses else ""
    known = " from its known failures" if "unexpected-pass" in statuses else known
    assert report.to_text().partition(":")[0] == verdict.upper() + known


def test_a_missing_number_takes_no_text(reports):
    text = made(entry("failed", message="wrong")).to_text()
    assert "None" not in text
    assert "nan" not in text


# The text.


def test_the_first_line_is_the_verdict(report):
    first = report.to_text().partition("\n")[0]
    word = {"conforms": "CONFORMS", "deviates": "DEVIATES", "error": "ERROR"}[report.verdict]
    assert first.startswith(f"{word}: {report.port['name']} ")


def test_text_is_plain(report):
    text = report.to_text()
    assert text.endswith("\n")
    assert not text.endswith("\n\n")
    assert all(line.isprintable() for line in text.splitlines())  # no color, no control characters
    assert all(line == line.rstrip() for line in text.splitlines())
    assert str(report) == text


def test_a_failed_check_shows_what_it_takes_to_see_it_again(reports):
    report = reports["doubled"]
    text = report.to_text(verbose=True)
    assert text.count("rerun: ") == 0
    assert text.endswith(f"\nRerun: {report.rerun}\n")
    for failed in report.with_status("failed"):
        head = f"FAILED  {failed.id}  [{failed.clause}] {failed.sentence}\n"
        assert head in text
        block = text.partition(head)[2].partition("\n\n")[0]
        if failed.counterexample:
            shown = failed.counterexample
            assert shown["parameter"] in block
            assert f"expected {shown['expected']:.9g}, got {shown['got']:.9g}" in block
            assert "gradient over the inputs of that output" in block
            off = abs(shown["got"] - shown["expected"])
            if shown["bound"]:
                assert f"{off / shown['bound']:.3g} times its bound" in block
        elif failed.ratio is not None and math.isfinite(failed.ratio):
            assert f"{failed.ratio:.3g} times its bound" in block
    assert text.count("FAILED  ") == len(report.with_status("failed")) > 3


def test_a_failure_without_any_allowance_is_told_in_ulps(reports):
    [entry] = [c for c in reports["vectors"].checks if c.id == "scope/vectors-untouched"]
    assert entry.ratio == math.inf  # a bias is left alone: there is nothing to round
    text, shown = reports["vectors"].to_text(verbose=True), entry.counterexample.worst
    ulps = abs(shown.got - shown.expected) / np.spacing(np.float32(abs(shown.expected)))
    assert f"no rounding is allowed here: the error is {ulps:.3g} ulps" in text


def test_what_was_not_checked_is_listed_with_its_reason(reports):
    report = reports["plain"]
    text = report.to_text()
    skipped = report.with_status("not-applicable")
    assert len(skipped) >= 5
    listed = " ".join(text.partition(f"Not checked ({len(skipped)}): ")[2].split())
    for one in skipped:
        assert one.message.strip()
        ids, _ = listed.partition(f" ({one.message})")[::2]
        assert one.id in re.split(", |; ", ids.rpartition(")")[2])


def test_what_could_not_be_driven_says_why(reports):
    text = " ".join(reports["nothing"].to_text().split())
    assert "ERROR the port could not be driven (for hygiene/shape)" in text
    assert "nothing returned NoneType" in text
    assert "Traceback" not in text


def test_an_expected_failure_is_shown_with_what_is_known():
    known = Expectation("Conv1D comes later", "https://example.org/12")
    text = made(entry("expected-failure", message="off", expectation=known)).to_text()
    assert "Failed as expected (1):\n  value/exact: off; known: Conv1D comes later (https" in text
    assert "Passed" not in text


def test_long_messages_are_wrapped_and_kept_whole():
    words = [f"word{i}" for i in range(200)]
    text = made(entry("failed", message=" ".join(words))).to_text()
    assert all(w in text.split() for w in words)
    assert max(map(len, text.splitlines())) <= 100


def test_what_matters_comes_first(reports):
    """Verdict, deviation, mend, scope and what was not checked; then one failure whole."""
    report = reports["doubled"]
    head, first, *rest = report.to_text().split("\n\n")
    lines = [line.partition(":")[0] for line in head.splitlines() if not line.startswith(" ")]
    assert lines == ["DEVIATES", "Identified", "To mend", "More", "Scope", "Not checked (7)"]
    smallest = report.smallest
    assert first.startswith(f"FAILED  {smallest.id}  [")
    assert "at index" in first
    failed = report.with_status("failed")
    more = next(part for part in rest if part.startswith(f"Also failed ({len(failed) - 1}):\n"))
    for one in failed:
        assert (f"\n  {one.id}: " in more) is (one is not smallest)
    assert not any("at index" in part for part in rest)
    assert any(part.startswith("Passed (") for part in rest)


@pytest.mark.parametrize("name", ["plain", "doubled", "vectors", "nothing"])
def test_all_of_it_is_longer_and_says_all_that_is_in_short(reports, name):
    short, whole = reports[name].to_text(), reports[name].to_text(verbose=True)
    for one in reports[name].checks:
        assert one.id in short, "what was not shown is named in short, too"
        assert one.id in whole
    if name != "nothing":  # which could not be driven at all
        assert len(short.splitlines()) < len(whole.splitlines())
        assert "every weight of two or more dimensions" in whole


def test_the_mend_is_said_where_the_deviation_is_identified(reports):
    assert reports["plain"].mend == reports["nan"].mend == ()
    assert reports["vectors"].identified == ("vectors-too",)
    (words,) = reports["vectors"].mend
    assert words == "return gradients of fewer than two dimensions as they are"
    said = f"To mend: {words}"
    assert f"\n{said}\n" in reports["vectors"].to_text()
    assert f"\n{said}\n" in reports["vectors"].to_text(identify=True)
    assert "To mend" not in reports["nan"].to_text()
    more = "gc-ref explain vectors-too"
    assert reports["vectors"].to_text().count(f"\nMore: {more}\n") == 1
    assert reports["vectors"].to_markdown().count(f"**More:** `{more}`\n") == 1
    assert reports["vectors"].to_html().count(f"<code>{more}</code>") == 1
    assert "gc-ref explain" not in reports["nan"].to_text() + reports["plain"].to_text()
    assert "mend" not in reports["nan"].to_dict()
    assert reports["vectors"].to_dict()["mend"] == [words]


def test_the_mend_has_the_axes_of_the_layout():
    axes = {
        "output-first": "dim=tuple(range(1, g.ndim))",
        "output-last": "axis=tuple(range(g.ndim - 1))",
    }
    for layout, words in axes.items():
        port = operator_port(lambda g: g - g.mean() if g.ndim > 1 else g, layout=layout, name="all")
        report = check(port, max_examples=0)
        assert report.identified == ("whole-tensor",)
        assert words in report.mend[0]
