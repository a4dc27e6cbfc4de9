"""README.md: its commands are those that CI runs, and it is short."""

import importlib.util
import re
import subprocess
import sys

import pytest
from _documents import BLOCKS, ROOT

SETUP = ("main-command", "test-command")


@pytest.mark.parametrize("name", SETUP)
def test_ci_runs_the_setup_command_of_the_readme(name):
    """The script in .ci/run finds exactly the line that a reader sees."""
    (block,) = [b for b in BLOCKS["README.md"] if name in b.directives]
    assert block.text.count("\n") == 1, "one line each"
    script = (ROOT / ".ci" / "run").read_text("utf-8")
    extract = re.search(r"^readme_command\(\).*$", script, re.MULTILINE)[0]
    found = subprocess.run(
        ["bash", "-euc", f"{extract}\nreadme_command {name}"],
        cwd=ROOT,
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    assert found.stdout == block.text
    subprocess.run(["bash", "-n", "-c", block.text], check=True)


def test_the_demo_fails_on_an_unexpected_verdict(monkeypatch, capsys):
    monkeypatch.syspath_prepend(ROOT / "conformance")
    spec = importlib.util.spec_from_file_location("demo", ROOT / "conformance" / "demo.py")
    demo = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(demo)
    del sys.modules["ports"]  # its own import, which other tests must not find
    assert demo.main(demo.EXPECTED) == 0
    assert demo.main({"centralize": "deviates"}) == 1
    assert "UNEXPECTED: centralize" in capsys.readouterr().out


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text("utf-8").splitlines()) <= 220
