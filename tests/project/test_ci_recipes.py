"""The recipes for CI systems (docs/how-to/ci.md): read as those systems read them, and run.

What they install is not installed again; that it is asked for is checked.
"""

import configparser
import os
import shlex
import subprocess
import sys
import types

import pytest
import yaml
from _documents import BLOCKS, commands
from packaging.requirements import Requirement
from test_action import action

BLOCKS = BLOCKS["docs/how-to/ci.md"]
RECIPES = {b.directives["ci"]: b for b in BLOCKS if "ci" in b.directives}


@pytest.fixture
def shell(tmp_path):
    """Run a command where the page's files are, with gc-ref on the path."""
    for block in BLOCKS:
        if "file" in block.directives:
            (tmp_path / block.directives["file"]).write_text(block.text, encoding="utf-8")
    path = f"{commands(tmp_path / 'bin')}{os.pathsep}{os.environ['PATH']}"

    def run(command):
        return subprocess.run(
            ["bash", "-euc", command], cwd=tmp_path, env={**os.environ, "PATH": path},
            capture_output=True, encoding="utf-8",
        )  # fmt: skip

    return run


def is_install(command):
    """Whether a command installs something; what it installs must be a requirement."""
    words = shlex.split(command)
    if words[:2] != ["pip", "install"]:
        return False
    for word in words[2:]:
        assert word == "." or Requirement(word)
    return True


def test_every_recipe_is_tested_here():
    assert set(RECIPES) == {"github", "gitlab", "tox", "nox"}


def test_the_recipe_for_github(shell):
    [job] = yaml.safe_load(RECIPES["github"].text)["jobs"].values()
    [ours] = [s for s in job["steps"] if "gc-ref" in s.get("uses", "")]
    assert "/conformance/action@" in ours["uses"]
    inputs = action()["inputs"]
    assert set(ours["with"]) <= set(inputs)
    assert {k for k, v in inputs.items() if v.get("required")} <= set(ours["with"])
    assert all(is_install(s["run"]) for s in job["steps"] if "run" in s)
    lines = ours["with"]["checks"].splitlines()
    assert len(lines) == 2
    for line in lines:
        done = shell(f"gc-ref check {line}")
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith("CONFORMS")


def test_the_recipe_for_gitlab(shell, tmp_path):
    [job] = yaml.safe_load(RECIPES["gitlab"].text).values()
    install, check = job["script"]
    assert is_install(install)
    done = shell(check)
    assert done.returncode == 0, done.stderr
    assert all((tmp_path / path).stat().st_size for path in job["artifacts"]["paths"])


def test_the_recipe_for_tox(shell):
    parser = configparser.ConfigParser()
    parser.read_string(RECIPES["tox"].text)
    environment = parser["testenv:gc"]
    assert Requirement(environment["deps"]).name == "gc-ref"
    done = shell(environment["commands"])
    assert done.returncode == 0, done.stderr


def test_the_recipe_for_nox(shell, monkeypatch):
    class Session:
        def __init__(self):
            self.installed, self.ran = [], []

        def install(self, *words):
            self.installed += words

        def run(self, *words):
            self.ran.append(shlex.join(words))

    monkeypatch.setitem(sys.modules, "nox", types.SimpleNamespace(session=lambda f: f))
    space = {}
    exec(compile(RECIPES["nox"].text, "noxfile.py", "exec"), space)
    session = Session()
    space["gc"](session)
    assert [Requirement(w).name for w in session.installed] == ["gc-ref"]
    [command] = session.ran
    done = shell(command)
    assert done.returncode == 0, done.stderr
