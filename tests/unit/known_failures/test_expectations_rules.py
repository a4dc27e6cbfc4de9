"""Known failures: the strict rules by which they count."""

from functools import cache

import numpy as np
import pytest

from gc_ref._conformance.checks import fuzz as _fuzz
from gc_ref._conformance.known_failures.accept import accept
from gc_ref._conformance.known_failures.expectations import ExpectationError
from gc_ref.conformance import check, operator_port

from ._known_failures import FAILED
from ._listed_ports import first_axis, plain


@cache
def first_axis_with(known, deviation=None):
    entries = {"reason": "later"} | ({"deviation": deviation} if deviation else {})
    expected = dict.fromkeys(known, entries)
    return check(operator_port(first_axis), max_examples=0, expected=expected)


def test_expected_failures_conform():
    report = first_axis_with(tuple(FAILED), "partial-axes")
    assert report.verdict == "conforms"
    assert [c.id for c in report.with_status("expected-failure")] == FAILED
    assert str(report).startswith(
        "CONFORMS with 4 expected failures: first_axis passes 15 of 19 checks\n"
    )
    assert "known: later" in str(report)
    assert report.checks_run == 19
    entry = next(c for c in report.to_dict()["checks"] if c["id"] == "value/exact")
    assert entry["status"] == "expected-failure"
    assert entry["expectation"] == {"reason": "later", "deviation": "partial-axes"}
    others = [c for c in report.to_dict()["checks"] if c["id"] not in FAILED]
    assert others
    assert all("expectation" not in c for c in others)


def test_one_expected_failure_is_singular():
    known = check(operator_port(lambda g: plain(g.astype(np.float64)), name="wide"), max_examples=0,
                  expected={"hygiene/dtype": "it computes in double"})  # fmt: skip
    assert str(known).startswith("CONFORMS with 1 expected failure: wide ")


def test_a_failure_that_is_not_listed_still_counts():
    report = first_axis_with(tuple(FAILED[1:]))
    assert report.verdict == "deviates"
    assert [c.id for c in report.with_status("failed")] == FAILED[:1]


def test_a_listed_check_that_passes_is_told_to_be_removed():
    report = first_axis_with((*FAILED, "law/linear"))
    assert report.verdict == "deviates"
    (wrong,) = report.with_status("unexpected-pass")
    assert wrong.id == "law/linear"
    assert "remove that entry" in wrong.message
    assert "UNEXPECTED PASS  law/linear" in str(report)
    assert report.checks_run == 19


def test_a_port_that_was_mended_fails_nothing(work):
    entries = "".join(f'[ports.plain."{id}"]\nreason = "r"\n' for id in (*FAILED, "step/adam"))
    (work / "base.toml").write_text(entries, encoding="utf-8")
    report = check(operator_port(plain), max_examples=0, expected="base.toml")
    text = str(report)
    assert text.startswith(
        "DEVIATES from its known failures: plain: 4 listed checks pass now and 1 listed check does "
        "not apply: remove them from base.toml\n"
    )
    assert "Not identified" not in text
    assert "removes the mean" not in text
    assert report.to_text(identify=True).splitlines()[2].startswith("It removes the mean")
    said = "plain deviates from its known failures: 5 listed checks do not fail"
    assert f"## ✗ {said}\n" in report.to_markdown()
    assert f"<h1>{said}</h1>" in report.to_html()


def test_failures_are_counted_beside_what_passes_now():
    report = first_axis_with((*FAILED[1:], "law/linear"))
    assert str(report).startswith(
        "DEVIATES: first_axis fails 1 of 19 checks (scope/every-weight); 1 listed check passes "
        "now: remove it from the list\n"
    )


def test_an_entry_that_matched_nothing_is_told_to_be_removed():
    report = first_axis_with((*FAILED, "step/adam"))
    assert report.verdict == "deviates"
    (wrong,) = report.with_status("unexpected-pass")
    assert "the port is not held to Algorithm 2" in wrong.message
    assert "matched nothing" in wrong.message
    assert "NOT MATCHED  step/adam" in str(report)
    assert "UNEXPECTED PASS" not in str(report)
    assert report.checks_run == 19, "it said nothing of the port, so it does not count"


def test_another_deviation_than_the_recorded_one():
    report = first_axis_with(tuple(FAILED), "whole-tensor")
    assert report.verdict == "deviates"
    assert [c.id for c in report.with_status("failed")] == FAILED
    assert "by whole-tensor, but the port shows partial-axes" in report.checks[4].message


def test_a_port_in_error_stays_one():
    report = check(operator_port(lambda g: None), expected={"hygiene/shape": "known"})
    assert report.verdict == "error"
    assert not report.with_status("expected-failure", "unexpected-pass")


def test_what_is_known_costs_no_search(monkeypatch):
    def search(judge):
        raise AssertionError("fuzzed")

    monkeypatch.setattr(_fuzz, "fuzz", search)
    report = check(operator_port(first_axis), expected=dict.fromkeys(FAILED, "later"))
    assert report.verdict == "conforms"


def rare(g):
    """Wrong for weights of one shape, which no frozen case holds."""
    return g if g.shape == (3, 5) else plain(g)


@pytest.fixture(scope="module")
def fuzzed():
    return check(operator_port(rare), max_examples=2000, expected={"value/bounded": "known"})


def test_what_only_fuzzing_found_matches_no_entry(fuzzed):
    (wrong,) = fuzzed.with_status("failed")
    assert (wrong.id, wrong.counterexample["case"]) == ("value/bounded", "fuzz")
    assert "gc-ref vectors add REPORT.json FILE.json" in wrong.message


def test_what_only_fuzzing_found_is_not_accepted(work, fuzzed):
    with pytest.raises(ExpectationError, match=r"only fuzzing found value/bounded wrong"):
        accept(fuzzed, "known.toml")
    assert not (work / "known.toml").exists()
