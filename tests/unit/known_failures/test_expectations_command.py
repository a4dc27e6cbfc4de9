"""Known failures on the command line: --expected, and --accept, which writes their file."""

import json
import os
import stat
import tomllib
from dataclasses import replace

import numpy as np
import pytest

from gc_ref._conformance.findings.check_report import Expectation
from gc_ref._conformance.known_failures.accept import accept
from gc_ref._conformance.known_failures.expectations import ExpectationError, parse_file
from gc_ref.conformance import check, operator_port

from ._known_failures import FAILED, KNOWN, gc_ref
from ._listed_ports import plain


def test_the_command_with_a_list(work, capsys):
    (work / "known.toml").write_text(KNOWN, encoding="utf-8")
    status, out, _ = gc_ref(capsys, "first_axis", "--expected", "known.toml", "--json", "r.json")
    assert status == 0
    assert out.startswith("CONFORMS with 4 expected failures: first_axis passes 15 of 19 checks\n")
    [rerun] = [line for line in out.splitlines() if line.startswith("Rerun: ")]
    assert "--expected known.toml" in rerun
    report = json.loads((work / "r.json").read_text("utf-8"))
    assert report["verdict"] == "conforms"
    assert all("--expected known.toml" in c["rerun"] for c in report["checks"])


def test_sections_of_other_ports_are_no_error(work, capsys):
    other = '[ports."other"."value/exact"]\nreason = "theirs"\n'
    (work / "known.toml").write_text(other + KNOWN, encoding="utf-8")
    assert gc_ref(capsys, "first_axis", "--expected", "known.toml")[0] == 0


def test_a_list_without_the_port_is_an_error(work, capsys):
    (work / "known.toml").write_text(KNOWN, encoding="utf-8")
    for port, nearest in (("plain", ""), ("first_axes", "; did you mean 'first_axis'?")):
        with (work / "ports.py").open("a", encoding="utf-8") as file:
            file.write("\n\ndef first_axes(g):\n    raise AssertionError('it ran')\n")
        status, out, err = gc_ref(capsys, port, "--expected", "known.toml", "--json", "r.json")
        assert (status, out) == (2, "")
        said = f'known.toml lists nothing for "{port}"; it has sections for "first_axis"'
        assert err == f"gc-ref: {said}{nearest}\n"
        assert not (work / "r.json").exists()
    with pytest.raises(ExpectationError, match="lists nothing for"):
        check(operator_port(plain), max_examples=0, expected="known.toml")


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
    assert "known.toml: 4 known failures of first_axis; fill in the reason of scope/every" in err
    text = (work / "known.toml").read_text("utf-8")
    first, second, *rest = text.splitlines()
    assert first.startswith("# Known failures")
    assert second == ""
    assert not any(line.startswith("#") for line in rest)
    found = tomllib.loads(text)
    entry = {"reason": "", "deviation": "partial-axes"}
    assert found == {"ports": {"first_axis": dict.fromkeys(FAILED, entry)}}
    status, out, err = gc_ref(capsys, "first_axis", "--expected", "known.toml")
    assert (status, out) == (2, "")
    for id in FAILED:
        assert f"first_axis {id}" in err


def test_one_known_failure_is_singular(work):
    report = check(operator_port(lambda g: plain(g.astype(np.float64)), name="w"), max_examples=0)
    assert accept(report, "known.toml").startswith("known.toml: 1 known failure of w;")


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
    text = (work / "known.toml").read_text("utf-8")
    found = parse_file(text, "known.toml", unfinished=True)
    assert found["other"] == {"law/linear": Expectation("theirs", "https://example.org/1")}
    assert found["first_axis"]["value/exact"] == Expectation("mine", "#2", "partial-axes")
    assert sorted(found["first_axis"]) == sorted(FAILED)
    assert "removed, as they fail no more: hygiene/dtype" in err
    assert "value/exact" not in err.partition("fill in")[2]
    assert stat.S_IMODE((work / "known.toml").stat().st_mode) == 0o640
    left = set(os.listdir()) - {"__pycache__"}
    assert left == {"known.toml", "ports.py"}, "nothing else is left behind"


@pytest.mark.parametrize("recorded", ["whole-tensor", "partial-axes"])
def test_a_reason_for_another_deviation_is_to_be_looked_at(recorded, work, capsys):
    entry = f'[ports.first_axis."value/exact"]\nreason = "old"\ndeviation = "{recorded}"\n'
    (work / "known.toml").write_text(entry, encoding="utf-8")
    _, _, err = gc_ref(capsys, "first_axis", "--accept", "known.toml")
    said = "now explained by another deviation, see whether the reason holds of value/exact"
    assert (said in err) == (recorded != "partial-axes")


THEIRS = '[ports."first_axis"."value/exact"]\nreason = "theirs"\n'
MENDED = '[ports."plain"."law/linear"]\nreason = "r"\n'


def test_what_a_port_that_fails_nothing_was_known_for_is_taken_out(work, capsys):
    (work / "known.toml").write_text(f"# ours\n{MENDED}{THEIRS}", encoding="utf-8")
    status, out, err = gc_ref(capsys, "plain", "--accept", "known.toml")
    assert (status, out[:8]) == (0, "CONFORMS")
    assert err == (
        "gc-ref: known.toml: 0 known failures of plain; removed, as they fail no more: law/linear; "
        "its section stays, with no entry: --expected holds the port to all checks\n"
    )
    left = f'# ours\n{THEIRS}\n[ports."plain"]\n'
    assert (work / "known.toml").read_text("utf-8") == left
    assert gc_ref(capsys, "plain", "--expected", "known.toml")[0] == 0
    status, _, err = gc_ref(capsys, "plain", "--accept", "known.toml")
    assert status == 0
    assert "is not written: no check failed, and it lists nothing of plain" in err
    assert (work / "known.toml").read_text("utf-8") == left


def test_a_list_of_which_nothing_is_left(work, capsys):
    (work / "known.toml").write_text(f"# ours\n{MENDED}", encoding="utf-8")
    status, _, err = gc_ref(capsys, "plain", "--accept", "known.toml")
    assert status == 0
    assert "its section stays, with no entry" in err
    assert (work / "known.toml").read_text("utf-8") == '# ours\n\n[ports."plain"]\n'
    status, out, err = gc_ref(capsys, "plain", "--expected", "known.toml")
    assert (status, err) == (0, "")
    assert out.startswith("CONFORMS: plain passes 19 of 19 checks\n")
    assert gc_ref(capsys, "first_axis", "--expected", "known.toml")[0] == 2, "it is not listed"
    assert gc_ref(capsys, "first_axis", "--accept", "known.toml")[0] == 1
    text = (work / "known.toml").read_text("utf-8")
    assert text.startswith('# ours\n\n[ports."plain"]\n\n[ports."first_axis"."')


def test_a_port_with_an_empty_section_that_fails_deviates(work, capsys):
    (work / "known.toml").write_text('[ports."first_axis"]\n', encoding="utf-8")
    status, out, _ = gc_ref(capsys, "first_axis", "--expected", "known.toml")
    assert status == 1
    assert out.startswith("DEVIATES: first_axis fails 4 of 19 checks")


def test_no_file_is_made_where_nothing_failed(work, capsys):
    assert gc_ref(capsys, "plain", "--accept", "known.toml")[0] == 0
    assert "known.toml" not in os.listdir()


def test_what_a_run_could_not_decide_stays_in_the_list(work):
    before = f'{MENDED}[ports."plain"."value/exact"]\nreason = "r"\n'
    (work / "known.toml").write_text(before, encoding="utf-8")
    report = check(operator_port(plain, name="plain"), max_examples=0)
    checks = [
        replace(c, status="indeterminate") if c.id == "value/exact" else c for c in report.checks
    ]
    said = accept(replace(report, checks=tuple(checks)), "known.toml")
    assert "removed, as they fail no more: law/linear; kept, as this run could not decide" in said
    assert (work / "known.toml").read_text("utf-8") == before.removeprefix(MENDED)


def test_nothing_is_written_of_a_port_that_could_not_be_driven(work, capsys):
    (work / "known.toml").write_text(MENDED, encoding="utf-8")
    assert gc_ref(capsys, "nothing", "--accept", "known.toml")[0] == 3
    assert (work / "known.toml").read_text("utf-8") == MENDED


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--accept", "no/such/known.toml"], "--accept no/such/known.toml: there is no directory"),
        (["--accept", "no/known.toml"], "--accept no/known.toml: there is no directory"),
        (["--accept", "."], "--accept .: is a directory"),
        (["--accept", "-"], "--accept - names no file"),
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
    assert os.listdir() == ["ports.py"]
