"""The file of known failures: how it is read, what is wrong with it, and how it is written."""

import os
import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gc_ref._conformance.findings.check_report import Expectation
from gc_ref._conformance.known_failures.accept import write_entries
from gc_ref._conformance.known_failures.expectations import ExpectationError, parse_file, read_file
from gc_ref._conformance.known_failures.rewrite import rewritten
from gc_ref.conformance import DEVIATIONS, check, operator_port

from ._known_failures import FAILED, KNOWN, gc_ref
from ._listed_ports import plain


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "lists no known failure"),
        ("[ports]\n", "lists no known failure"),
        ("ports = 3\n", "ports is no table"),
        ("# nothing yet\n", "lists no known failure"),
        ('[ports]\n"p" = "r"\n', 'ports."p" is no table'),
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


def written(known):
    """The list of these known failures, port after port."""
    text = ""
    for port, entries in known.items():
        text = rewritten(text, port, entries)
    return text


@given(known=KNOWN_FAILURES)
def test_what_is_written_is_read_back(known):
    assert parse_file(written(known), "known.toml", unfinished=True) == known


@given(text=st.text())
def test_a_string_is_read_back(text):
    known = {text: {"value/exact": Expectation(text)}}
    assert tomllib.loads(written(known)) == {"ports": {text: {"value/exact": {"reason": text}}}}


def test_half_a_surrogate_pair_is_refused(work):
    with pytest.raises(ExpectationError, match="surrogate"):
        write_entries("known.toml", "\ud800", {"value/exact": Expectation("r")})
    assert not (work / "known.toml").exists()


def test_a_file_that_cannot_be_written_is_left_as_it_is(work, monkeypatch):
    (work / "known.toml").write_text(KNOWN, encoding="utf-8")

    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(ExpectationError, match="No space left on device"):
        write_entries("known.toml", "p", {"value/exact": Expectation("r")})
    assert (work / "known.toml").read_text("utf-8") == KNOWN
    assert sorted(os.listdir()) == ["known.toml", "ports.py"]
