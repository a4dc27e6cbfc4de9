"""The command gc-ref: where its report goes, whatever a target prints or changes."""

import io
import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from gc_ref._conformance.cli.main import main

from ._cli_command import command, quick


def test_json_to_a_file_comes_with_the_text(run, here):
    status, out, _ = run(*quick("operator:ports.py:half", "--json", "report.json"))
    assert status == 1
    assert out.startswith("DEVIATES")
    assert json.loads((here / "report.json").read_text(encoding="utf-8"))["verdict"] == "deviates"


def test_json_to_stdout_comes_alone(run, here):
    status, out, _ = run(*quick("operator:ports.py:half", "--json", "-"))
    assert status == 1
    assert json.loads(out)["verdict"] == "deviates"
    assert not (here / "-").exists()


def test_it_leaves_no_folder_of_hypothesis_where_it_runs(here):
    words = [sys.executable, "-m", "gc_ref.conformance", "check", "operator:ports.py:half"]
    plain = {k: v for k, v in os.environ.items() if k != "HYPOTHESIS_STORAGE_DIRECTORY"}
    before = {path.name for path in here.iterdir()}
    assert subprocess.run(words, env=plain, capture_output=True, check=False).returncode == 1
    assert {path.name for path in here.iterdir()} - before <= {"__pycache__"}


def test_the_same_seed_gives_the_same_bytes(run, here):
    def report(*words):
        target = "operator:ports.py:half"
        found = run("check", target, "--max-examples", "3", "--json", "report.json", *words)
        return *found, (here / "report.json").read_bytes()

    first, again, other = report(), report(), report("--seed", "5")
    assert first == again
    assert other[0] == first[0] == 1
    assert other[1] != first[1]
    assert other[3] != first[3]


def test_two_processes_print_the_same_bytes():
    words = ["check", "operator:ports.py:half", "--max-examples", "3", "--json", "-"]
    first, again = (command(*words, PYTHONHASHSEED=seed) for seed in ("1", "2"))
    assert first.stdout == again.stdout
    assert first.returncode == 1


def test_what_a_target_prints_stays_out_of_the_report(run):
    status, out, err = run(*quick("operator:noisy.py:plain", "--json", "-"))
    assert (status, err) == (0, "")
    assert json.loads(out)["verdict"] == "conforms"


def test_what_a_target_writes_below_python_stays_out_too(capfd):
    ran = command(*quick("operator:noisy_below.py:writes_below", "--json", "-"))
    assert (ran.returncode, ran.stderr) == (0, b"")
    assert json.loads(ran.stdout)["verdict"] == "conforms"
    assert main(list(quick("operator:noisy_below.py:writes_below", "--json", "-"))) == 0
    os.write(1, b"\n")  # the descriptor is given back
    assert json.loads(capfd.readouterr().out)["verdict"] == "conforms"


def test_standard_output_may_be_no_file(here, monkeypatch, capfd):
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    assert main(list(quick("operator:ports.py:writes_below", "--json", "-"))) == 0
    assert json.loads(sys.stdout.getvalue())["verdict"] == "conforms"
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("words", [["operator:ports.py:plain"], ["operator:missing.py:f"]])
def test_standard_output_may_be_closed(here, words):
    report = ["--json", "report.json"]
    script = [sys.executable, "-m", "gc_ref.conformance", *quick(*words, *report)]
    ran = subprocess.run(
        ["sh", "-c", shlex.join(script) + " >&-"], stderr=subprocess.PIPE, check=False
    )
    assert b"Traceback" not in ran.stderr
    assert ran.returncode == (0 if "plain" in words[0] else 3)
    assert (here / "report.json").exists() == (ran.returncode == 0)


def test_a_terminal_that_knows_ascii_only_is_no_reason_to_fail():
    for words, status in (
        (["check", "--help"], 0),
        (quick("operator:ports.py:half", "--json", "-"), 1),
    ):
        ran = command(*words, PYTHONIOENCODING="ascii")
        assert ran.returncode == status, ran.stderr
        assert b"Traceback" not in ran.stderr


def test_fuzzing_leaves_no_folder_behind(here):
    before = {path.name for path in here.iterdir()}
    ran = command("check", "operator:ports.py:plain", "--max-examples", "3")
    assert ran.returncode == 0, ran.stderr
    assert {path.name for path in here.iterdir()} - before <= {"__pycache__"}


def test_a_port_that_changes_the_directory(run, here):
    status, _, err = run(*quick("operator:ports.py:moves", "--json", "report.json"))
    assert (status, err) == (0, "")
    assert json.loads((here / "report.json").read_text("utf-8"))["verdict"] == "conforms"
    assert Path.cwd() == here


@pytest.mark.parametrize("target", ["numpy:ports.py:sgdm", "numpy:ports2:sgdm"])
def test_a_base_that_changes_the_directory(run, here, target):
    words = ["--base", "numpy:moving.py:plain_sgdm", "--json", "report.json"]
    status, _, err = run(*quick(target, *words))
    assert (status, err) == (0, "")
    assert json.loads((here / "report.json").read_text("utf-8"))["port"]["name"] == "sgdm"
