"""The other commands of gc-ref: help, identify, explain, selftest and the version."""

import json
import re

import pytest

import gc_ref
from gc_ref._conformance.ports.conventions import CONVENTIONS
from gc_ref.conformance import CHECKS, DEVIATIONS

from ._cli_command import quick


def test_help_lists_what_exists_and_nothing_else(run):
    status, out, _ = run("check", "--help")
    assert status == 0
    assert set(re.findall(r"--[a-z-]+", out)) == {
        "--help", "--framework", "--layout", "--algorithm", "--base", "--set", "--base-set",
        "--switch", "--convention", "--suite", "--max-examples", "--seed", "--json", "--min-checks",
        "--timeout", "--verbose", "--suite-version", "--vectors", "--markdown", "--html", "--badge",
        "--expected", "--accept",
    }  # fmt: skip
    for kind in ("operator", "torch", "keras", "optax", "numpy"):
        assert f"  {kind} " in out
    for status in ("0 conforms", "1 deviates", "2 wrong usage", "3 the port", "4 fewer checks"):
        assert status in out
    assert "exec:COMMAND" in out


def test_help_lists_the_commands(run):
    status, out, _ = run("--help")
    assert status == 0
    for command in ("check", "identify", "selftest", "explain", "vectors"):
        assert command in out


def test_identify_says_what_a_wrong_port_does(run):
    status, out, err = run("identify", *quick("operator:ports.py:half")[1:])
    assert (status, err) == (1, "")
    assert out.splitlines()[2] == "Identified: 0.5 times the mean is removed (`partial`)"
    assert "FAILED" not in out


def test_identify_names_the_conventions_of_a_right_port(run):
    status, out, err = run("identify", *quick("operator:ports.py:plain")[1:])
    assert (status, err) == (0, "")
    assert "It removes the mean over all inputs of each output neuron" in out
    assert "  layout = output-last (declared)" in out


def test_identify_of_a_port_that_cannot_be_driven(run):
    status, out, _ = run("identify", *quick("operator:ports.py:returns_none")[1:])
    assert status == 3
    assert out.startswith("ERROR: returns_none could not be judged to the end")
    assert "NoneType" in out


def test_the_report_says_what_was_identified(run):
    status, out, _ = run(*quick("operator:ports.py:half"), "--json", "-")
    report = json.loads(out)
    assert status == 1
    assert report["identified"] == ["partial"]
    assert report["diagnosis"] == ["0.5 times the mean is removed (`partial`)"]


@pytest.mark.parametrize(
    ("id", "needed"),
    [
        ("law/linear", "Eq. 2"),
        ("layout-swapped", "seen in"),
        ("partial-axes/outputs", "breaks"),
        ("placement", "decayed-gradient: centralizes the gradient with its L2 decay"),
    ],
)
def test_explain(run, id, needed):
    status, out, err = run("explain", id)
    assert (status, err) == (0, "")
    assert out.startswith(f"{id} (")
    assert needed in " ".join(out.split())
    assert out.count("\n") >= 4


def test_explain_alone_lists_what_there_is(run):
    status, out, err = run("explain")
    assert (status, err) == (0, "")
    lines = [line.split(maxsplit=1) for line in out.splitlines() if line.startswith("  ")]
    assert [id for id, _ in lines] == [*CHECKS, *DEVIATIONS, *CONVENTIONS]
    said = dict(lines)
    assert said["law/contraction"] == CHECKS["law/contraction"].sentence
    assert said["lr-twice"] == DEVIATIONS["lr-twice"].sentence
    assert said["layout"] == "output-first | output-last"


def test_explain_says_how_to_mend_a_deviation(run):
    _, out, _ = run("explain", "partial-axes")
    text = " ".join(out.split())
    assert (
        "to mend: average over all inputs at once: dim=tuple(range(1, g.ndim)) (output-first)"
        in text
    )
    assert "axis=tuple(range(g.ndim - 1)) (output-last)" in text
    _, out, _ = run("explain", "lr-twice")
    assert "to mend: multiply by the learning rate once found by" in " ".join(out.split())


def test_help_groups_the_options(run):
    _, out, _ = run("check", "--help")
    groups = re.findall(r"^([a-z ]+):\n((?:  .*\n)+)", out, re.MULTILINE)
    found = {title: re.findall(r"^  (--[a-z-]+)", text, re.MULTILINE) for title, text in groups}
    assert "--set" in found["the port"]
    assert "--base-set" in found["what it is held to"]
    assert "--seed" in found["how much is run"]
    assert "--json" in found["output"]
    assert "--accept" in found["known failures"]
    texts = {title: " ".join(text.split()) for title, text in groups}
    assert "--set NAME=VALUE argument of the port" in texts["the port"]
    assert (
        "NAME=VALUE argument of the constructor or factory of --base" in texts["what it is held to"]
    )


MISSPELLED = [
    (["check", "oprator:ports.py:plain"], 2, "operator"),
    (["check", "operator:ports.py:plian"], 3, "plain"),
    (["check", "operator:ports.py:plain", "--framwork=torch"], 2, "--framework"),
    (["check", "operator:ports.py:plain", "--convention", "scop=all"], 2, "scope"),
    (["selftest", "--deviation", "partial-axis"], 2, "partial-axes"),
]


@pytest.mark.parametrize(("words", "status", "meant"), MISSPELLED, ids=lambda x: str(x)[-20:])
def test_what_is_misspelled_is_asked_about(run, words, status, meant):
    got, out, err = run(*words)
    assert (got, out) == (status, "")
    assert f"; did you mean {meant!r}?" in err
    assert err.count("\n") == 1


def test_an_option_like_no_other_is_not_guessed_at(run):
    _, _, err = run("check", "--zzz")
    assert err == "gc-ref: unrecognized arguments: --zzz (see gc-ref check --help)\n"


def test_selftest_explains_its_marks(run):
    _, out, _ = run("selftest", "--framework", "numpy", "--deviation", "vectors-erased")
    legend = out.partition("\n\n")[0]
    for mark in (
        "X fails, and is there",
        "+ fails besides",
        ". does not fail",
        "ok:",
        "identified:",
    ):
        assert mark in legend


def test_selftest_of_one_deviation(run):
    status, out, err = run("selftest", "--framework", "numpy", "--deviation", "vectors-erased")
    assert (status, err) == (0, "")
    lines = [line for line in out.splitlines() if line.startswith("numpy")]
    forms = ["vectors-erased"] * 2 + ["vectors-erased/not-scalars"] * 2
    assert [line.split()[1] for line in lines] == ["control", "absurd", *forms]
    assert all(line.endswith("identified") for line in lines[2:])
    assert "6 of 6 ports judged as they must be; not judged: torch, jax, keras" in out


def test_selftest_fails_if_a_deviation_gets_away(run, monkeypatch):
    from gc_ref._conformance.running import selftest as _selftest

    monkeypatch.setattr(_selftest, "caught", lambda deviation, report: False)
    status, out, _ = run("selftest", "--framework", "numpy", "--deviation", "vectors-erased")
    assert status == 1
    assert "NOT CAUGHT" in out
    assert "2 of 6 ports" in out


def test_version(run):
    assert run("--version") == (0, f"gc-ref {gc_ref.__version__}\n", "")
