"""Known failures: the file, --expected, --accept, and the strict rules that they follow."""

import json
import os
import stat
import tomllib
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gc_ref.conformance import _fuzz, check, operator_port
from gc_ref.conformance._accept import accept, write_file
from gc_ref.conformance._cli import main
from gc_ref.conformance._deviations import DEVIATIONS
from gc_ref.conformance._expectations import Expectation, ExpectationError, read_file
from gc_ref.conformance._toml import quoted

PORTS = """
import numpy as np


def plain(g):
    return g if g.ndim < 2 else g - g.mean(axis=tuple(range(g.ndim - 1)), keepdims=True)


def first_axis(g):
    return g if g.ndim < 2 else g - g.mean(axis=0, keepdims=True)


def nothing(g):
    return None


def half(g):
    return g if g.ndim < 2 else g - g.mean(axis=tuple(range(g.ndim - 1)), keepdims=True) / 2
"""
FAILED = ["scope/every-weight", "value/exact", "value/bounded", "law/orthogonal"]
KNOWN = "".join(
    f'[ports."first_axis"."{id}"]\nreason = "later"\ndeviation = "partial-axes"\n' for id in FAILED
)


def plain(g):
    return g if g.ndim < 2 else g - g.mean(axis=tuple(range(g.ndim - 1)), keepdims=True)


def first_axis(g):
    return g if g.ndim < 2 else g - g.mean(axis=0, keepdims=True)


@cache
def first_axis_with(known, deviation=None):
    entries = {"reason": "later"} | ({"deviation": deviation} if deviation else {})
    expected = dict.fromkeys(known, entries)
    return check(operator_port(first_axis), max_examples=0, expected=expected)


@pytest.fixture
def work(tmp_path, monkeypatch):
    """A folder with the ports of this file, to run the command in."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ports.py").write_text(PORTS, encoding="utf-8")
    return tmp_path


def gc_ref(capsys, port, *words):
    status = main(["check", f"operator:ports.py:{port}", "--max-examples", "0", *words])
    return status, *capsys.readouterr()


# ---- the file


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "lists no known failure"),
        ("[ports]\n", "lists no known failure"),
        ("ports = 3\n", "ports is no table"),
        ("# nothing yet\n", "lists no known failure"),
        ('[ports."p"]\n', 'ports."p" lists no check'),
        ("[ports.p\n", "is not TOML: Expected ']' at the end of a table declaration (at line 1"),
        ("a = " + "[" * 5000, "is not TOML that can be read"),
        (b"\xff[ports]\n", "is not UTF-8: byte 0 cannot be read"),
        ('[port."p"."value/exact"]\nreason = "r"\n', "unknown key 'port'"),
        ('[ports."p"."value/exat"]\nreason = "r"\n', "no check 'value/exat'; did you mean 'value/"),
        ('[ports."p"."value/exact"]\n', "value/exact: no reason"),
        ('[ports."p"."value/exact"]\nreason = " "\n', "gives no reason for p value/exact"),
        ('[ports."p"]\n"value/exact" = ""\n', "gives no reason for p value/exact"),
        ('[ports."p"."value/exact"]\nreason = 3\n', "value/exact: reason is no string, but 3"),
        ('[ports."p"."value/exact"]\nreasn = "r"\n', "unknown key 'reasn'; known: reason, issue"),
        ('[ports."p"]\n"value/exact" = 3\n', "expected a reason, or a table with a reason"),
        ('[ports."p"."value/exact"]\nreason = "r"\nissue = ""\n', "issue is blank"),
        (
            '[ports."p"."value/exact"]\nreason = "r"\ndeviation = "rank-gate"\n',
            "there is no deviation 'rank-gate'; did you mean 'rank-gated'?",
        ),
        ('[ports.my.sgd."value/exact"]\nreason = "r"\n', "there is no check 'sgd'"),
    ],
)
def test_a_file_that_is_wrong(work, capsys, content, message):
    data = content if isinstance(content, bytes) else content.encode()
    (work / "known.toml").write_bytes(data)
    status, out, err = gc_ref(capsys, "plain", "--expected", "known.toml")
    assert (status, out) == (2, "")
    assert err.startswith("gc-ref: known.toml")
    assert message in err
    assert err.count("\n") == 1
    with pytest.raises(ExpectationError):
        check(operator_port(plain), max_examples=0, expected="known.toml")


@pytest.mark.parametrize("name", ["missing.toml", "."])
def test_a_file_that_is_not_there(work, capsys, name):
    status, out, err = gc_ref(capsys, "plain", "--expected", name)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert name in err


def test_a_byte_order_mark_is_no_error(work):
    (work / "known.toml").write_text("\ufeff" + KNOWN, encoding="utf-8")
    assert list(read_file("known.toml")["first_axis"]) == FAILED


@pytest.mark.parametrize(
    ("given_", "message"),
    [
        ({"value/exat": "r"}, "no check 'value/exat'"),
        ({3: "r"}, "there is no check 3"),
        ({"value/exact": ""}, "gives no reason for value/exact"),
        ({"value/exact": {"issue": "i"}}, "value/exact: no reason"),
        ({"value/exact": 3}, "got int"),
        ([("value/exact", "r")], "give the path of a TOML file, or a mapping"),
    ],
)
def test_a_mapping_that_is_wrong(given_, message):
    with pytest.raises(ValueError, match=message):
        check(operator_port(plain), max_examples=0, expected=given_)


# ---- the rules


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


def test_an_entry_that_matched_nothing_is_told_to_be_removed():
    report = first_axis_with((*FAILED, "step/adam"))
    assert report.verdict == "deviates"
    (wrong,) = report.with_status("unexpected-pass")
    assert "the port is not held to Algorithm 2" in wrong.message
    assert "matched nothing" in wrong.message
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
        accept(fuzzed, "known.toml", {})
    assert not (work / "known.toml").exists()


# ---- the command


def test_the_command_with_a_list(work, capsys):
    (work / "known.toml").write_text(KNOWN, encoding="utf-8")
    status, out, _ = gc_ref(capsys, "first_axis", "--expected", "known.toml", "--json", "r.json")
    assert status == 0
    assert out.startswith("CONFORMS with 4 expected failures: first_axis passes 15 of 19 checks\n")
    assert "--expected known.toml" in out.splitlines()[-1]
    report = json.loads((work / "r.json").read_text("utf-8"))
    assert report["verdict"] == "conforms"
    assert all("--expected known.toml" in c["rerun"] for c in report["checks"])


def test_sections_of_other_ports_are_no_error(work, capsys):
    (work / "known.toml").write_text(KNOWN, encoding="utf-8")
    status, out, _ = gc_ref(capsys, "plain", "--expected", "known.toml")
    assert status == 0
    words = " ".join(out.split())
    assert "known.toml lists nothing for plain, so nothing was expected to fail" in words
    status, out, _ = gc_ref(capsys, "half", "--expected", "known.toml")
    assert status == 1


def test_the_least_number_of_checks_counts_as_before(work, capsys):
    (work / "known.toml").write_text(KNOWN, encoding="utf-8")
    for least, wanted in ((19, 0), (20, 4)):
        status, _, _ = gc_ref(
            capsys, "first_axis", "--expected", "known.toml", "--min-checks", str(least)
        )
        assert status == wanted


def test_a_file_is_written_from_a_run(work, capsys):
    status, out, err = gc_ref(capsys, "first_axis", "--accept", "known.toml")
    assert status == 1, "accepting is never green by itself"
    assert out.startswith("DEVIATES")
    assert "fill in the reason of scope/every-weight" in err
    found = tomllib.loads((work / "known.toml").read_text("utf-8"))
    entry = {"reason": "", "deviation": "partial-axes"}
    assert found == {"ports": {"first_axis": dict.fromkeys(FAILED, entry)}}
    status, out, err = gc_ref(capsys, "first_axis", "--expected", "known.toml")
    assert (status, out) == (2, "")
    for id in FAILED:
        assert f"first_axis {id}" in err


def test_what_was_written_is_used_once_the_reasons_are_there(work, capsys):
    gc_ref(capsys, "first_axis", "--accept", "known.toml")
    text = (work / "known.toml").read_text("utf-8").replace('reason = ""', 'reason = "later"')
    (work / "known.toml").write_text(text, encoding="utf-8")
    assert gc_ref(capsys, "first_axis", "--expected", "known.toml")[0] == 0


def test_writing_again_keeps_other_ports_and_reasons(work, capsys):
    other = '[ports."other"."law/linear"]\nreason = "theirs"\nissue = "https://example.org/1"\n'
    mine = '[ports."first_axis"."value/exact"]\nreason = "mine"\nissue = "#2"\n'
    gone = '[ports."first_axis"."hygiene/dtype"]\nreason = "mended since"\n'
    (work / "known.toml").write_text(other + mine + gone, encoding="utf-8")
    (work / "known.toml").chmod(0o640)
    _, _, err = gc_ref(capsys, "first_axis", "--accept", "known.toml")
    found = read_file("known.toml", blank_reasons=True)
    assert found["other"] == {"law/linear": Expectation("theirs", "https://example.org/1")}
    assert found["first_axis"]["value/exact"] == Expectation("mine", "#2", "partial-axes")
    assert sorted(found["first_axis"]) == sorted(FAILED)
    assert "removed, as they fail no more: hygiene/dtype" in err
    assert "value/exact" not in err.partition("fill in")[2]
    assert stat.S_IMODE((work / "known.toml").stat().st_mode) == 0o640
    left = set(os.listdir()) - {"__pycache__"}
    assert left == {"known.toml", "ports.py"}, "nothing else is left behind"


@pytest.mark.parametrize(
    ("port", "status", "message"),
    [
        ("plain", 2, "known.toml is not written: nothing failed; remove what it lists for plain"),
        ("nothing", 3, ""),
    ],
)
def test_when_there_is_nothing_to_accept(work, capsys, port, status, message):
    before = '[ports."plain"."law/linear"]\nreason = "r"\n'
    (work / "known.toml").write_text(before, encoding="utf-8")
    got, _, err = gc_ref(capsys, port, "--accept", "known.toml")
    assert got == status
    assert message in err
    assert (work / "known.toml").read_text("utf-8") == before


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--accept", "no/such/known.toml"], "there is no such folder"),
        (["--accept", "ports.py"], "is not TOML"),
        (["--accept", "a.toml", "--expected", "b.toml"], "not allowed with argument"),
    ],
)
def test_a_command_line_that_is_wrong(work, capsys, words, message):
    try:
        status, out, err = gc_ref(capsys, "first_axis", *words)
    except SystemExit as stop:
        status, (out, err) = stop.code, capsys.readouterr()
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert message in err


def test_a_file_that_cannot_be_written_is_left_as_it_is(work, monkeypatch):
    (work / "known.toml").write_text(KNOWN, encoding="utf-8")

    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(ExpectationError, match="No space left on device"):
        write_file("known.toml", {"p": {"value/exact": Expectation("r")}})
    assert (work / "known.toml").read_text("utf-8") == KNOWN
    assert sorted(os.listdir()) == ["known.toml", "ports.py"]


# ---- writing TOML

KNOWN_FAILURES = st.dictionaries(
    st.text(max_size=12),
    st.dictionaries(
        st.sampled_from(FAILED),
        st.builds(
            Expectation,
            st.text(max_size=30),
            st.none() | st.text(min_size=1, max_size=30).filter(str.strip),
            st.none() | st.sampled_from(list(DEVIATIONS)),
        ),
        min_size=1,
    ),
    min_size=1,
    max_size=3,
)


@given(known=KNOWN_FAILURES)
def test_what_is_written_is_read_back(known, tmp_path_factory):
    path = str(tmp_path_factory.getbasetemp() / "round_trip.toml")
    write_file(path, known)
    assert read_file(path, blank_reasons=True) == known


@given(text=st.text())
def test_a_string_is_read_back(text):
    assert tomllib.loads(f"{quoted(text)} = {quoted(text)}") == {text: text}


def test_half_a_surrogate_pair_is_refused(work):
    with pytest.raises(ExpectationError, match="surrogate"):
        write_file("known.toml", {"\ud800": {"value/exact": Expectation("r")}})
    assert not (work / "known.toml").exists()
