"""The main command: what a stranger sees of it, and that what it prints can be run."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module", params=[".", "conformance"])
def demo(request):
    """A folder, and what the demo prints that was started in it."""
    folder = ROOT / request.param
    script = ROOT / "conformance" / "demo.py"
    done = subprocess.run(
        [sys.executable, script], cwd=folder, capture_output=True, encoding="utf-8", check=True
    )
    assert done.stderr == ""
    return folder, done.stdout.splitlines()


def test_it_is_short_and_says_what_happened(demo):
    _, lines = demo
    assert len(lines) <= 20
    assert max(map(len, lines[:-3])) <= 100  # commands hold the path of the environment
    text = "\n".join(lines)
    assert "CONFORMS: centralize passes the 19 checks" in text
    assert "DEVIATES: centralize_wrong_axes fails 9 of 19 checks" in text
    # By hand: the mean of 4 and 6 is 5; the port takes the mean of the other axis.
    assert "[4, 6]; its mean is 5" in text
    assert "Expected [-1, 1], got [-3, 5]" in text
    assert "Mistake: the mean is taken over the axes of the other layout (layout-swapped)" in text
    right = "as they should be: the right function conforms, the wrong one deviates.\n"
    assert right in text
    assert "To mend: average over the inputs of this layout: axis=tuple(range(g.ndim - 1))" in text


def test_the_commands_that_it_prints_run_where_it_was_started(demo):
    folder, lines = demo
    commands = lines[-3:]
    assert all(line.startswith("  ") for line in commands)
    statuses = {}
    for command in commands:
        done = subprocess.run(command, shell=True, cwd=folder, capture_output=True)
        statuses[command.split("gc-ref", 1)[-1].split()[-1]] = done.returncode
    assert list(statuses.values()) == [1, 0, 0], statuses
