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
    words = set(re.findall(r"[\w/-]+(?:\.\d)?", out))
    assert {*CHECKS, *DEVIATIONS, *CONVENTIONS} <= words


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
