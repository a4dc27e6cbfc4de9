"""The steps of the GitHub action are plain shell: run as GitHub would run them."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from gc_ref._conformance.cli.main import parse_words

ACTION = Path(__file__).parents[2] / "conformance" / "action" / "action.yml"
PORT = """\
def right(g):
    return g if g.ndim < 2 else g - g.mean(axis=tuple(range(g.ndim - 1)), keepdims=True)


def wrong(g):
    return g


def broken(g):
    raise RuntimeError("out of order")
"""


def action():
    return yaml.safe_load(ACTION.read_text("utf-8"))


def step(name):
    [found] = [s for s in action()["runs"]["steps"] if s["name"] == name]
    return found


class Runner:
    """Runs steps in one folder, with the environment that the action's text asks for."""

    def __init__(self, folder, **inputs):
        self.folder = folder
        given = {k: v.get("default") for k, v in action()["inputs"].items()}
        self.inputs = {**given, "python": sys.executable, **inputs}
        self.summary, self.output = folder / "summary.txt", folder / "output.txt"
        (folder / "ports.py").write_text(PORT, "utf-8")

    def run(self, name):
        found = step(name)
        assert found["shell"] == "bash"
        values = {f"${{{{ inputs.{k} }}}}": v for k, v in self.inputs.items()}
        values["${{ github.action_path }}"] = str(ACTION.parent)
        env = {name: values[text] for name, text in found["env"].items()}
        script = self.folder / "step.sh"
        script.write_text(found["run"], "utf-8")
        return subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", str(script)],
            cwd=self.folder,
            env={
                **os.environ,
                **env,
                "GITHUB_STEP_SUMMARY": str(self.summary),
                "GITHUB_OUTPUT": str(self.output),
            },
            capture_output=True,
            encoding="utf-8",
        )


@pytest.mark.parametrize(
    ("checks", "status", "reports"),
    [
        ("operator:ports.py:right --max-examples 0", 0, 1),
        ("# ours\n\noperator:ports.py:right\noperator:ports.py:wrong --max-examples 0\n", 1, 2),
        ("operator:ports.py:wrong\noperator:ports.py:broken", 3, 2),
        ("operator:ports.py:right\noperator:ports.py:wrong\noperator:ports.py:right", 1, 2),
        ("operator:ports.py:right --min-checks 99 --max-examples 0", 4, 1),
        ("operator:ports.py:right --no-such-option", 2, 0),
        ("'operator:ports.py:right' # with a remark", 0, 1),
    ],
)
def test_the_worst_status_is_that_of_the_step(tmp_path, checks, status, reports):
    runner = Runner(tmp_path, checks=checks)
    done = runner.run("Check")
    assert done.returncode == status, done.stdout + done.stderr
    assert runner.output.read_text("utf-8") == f"status={status}\n"
    folder = tmp_path / runner.inputs["reports"]
    assert len(list(folder.glob("*.json"))) == len(list(folder.glob("*.html"))) == reports
    summary = runner.run("Job summary")
    assert summary.returncode == 0, summary.stderr
    shown = runner.summary.read_text("utf-8")
    for path in folder.glob("0*.json"):
        assert json.loads(path.read_text("utf-8"))["port"]["name"] in shown
    assert ("no report, exit status 2" in shown) == (reports == 0)


@pytest.mark.parametrize("checks", ["", "\n# nothing\n"])
def test_checking_nothing_is_never_green(tmp_path, checks):
    done = Runner(tmp_path, checks=checks).run("Check")
    assert done.returncode == 2
    assert "nothing was checked" in done.stderr


def test_a_line_that_cannot_be_split_is_named(tmp_path):
    runner = Runner(tmp_path, checks="operator:ports.py:right 'unclosed")
    done = runner.run("Check")
    assert done.returncode != 0
    assert "No closing quotation in this line of `checks`" in done.stderr
    assert "Traceback" not in done.stderr


def test_words_are_no_commands(tmp_path):
    runner = Runner(tmp_path, checks="'operator:ports.py:$(touch pwned)' ; touch pwned")
    assert runner.run("Check").returncode == 2
    assert not (tmp_path / "pwned").exists()


def test_the_summary_says_so_where_there_is_no_report(tmp_path):
    runner = Runner(tmp_path, checks="")
    runner.run("Check")
    assert runner.run("Job summary").returncode == 0
    assert "wrote no report" in runner.summary.read_text("utf-8")


def test_what_is_installed_is_this_project_with_what_the_steps_use(tmp_path):
    """A stand-in for Python writes down what it was asked: nothing is installed here."""
    fake = tmp_path / "fake"
    fake.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > "{tmp_path}/asked"\n', "utf-8")
    fake.chmod(0o755)
    for requirement, wanted in (("from-action", None), ("gc-ref[check] @ file:///x", "as given")):
        runner = Runner(tmp_path, checks="", python=str(fake), requirement=requirement)
        assert runner.run("Install gc-ref").returncode == 0
        asked = (tmp_path / "asked").read_text("utf-8").splitlines()
        assert asked[:3] == ["-m", "pip", "install"]
        path, bracket, _ = asked[-1].partition("[check,report]")
        if wanted:
            assert asked[-1] == requirement
        else:
            assert bracket
            assert (Path(path) / "pyproject.toml").is_file()
    assert step("Install gc-ref")["if"] == "inputs.requirement != ''"


def test_the_reports_are_kept_whatever_happened():
    for name in ("Job summary", "Keep the reports"):
        assert step(name)["if"] == "always()"
    assert set(step("Keep the reports")["with"]) == {"name", "path"}


def test_the_options_that_the_steps_use_exist():
    parse_words(["check", "operator:x.py:y", "--json", "a", "--html", "b"])
    parse_words(["report", "a.json", "--markdown", "b", "--html", "c"])
