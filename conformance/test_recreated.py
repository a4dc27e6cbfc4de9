"""The ports that we re-created: every recorded verdict holds, strictly."""

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROWS = tomllib.loads((HERE / "recreated.toml").read_text(encoding="utf-8"))["port"]
#: What they have in common, and no ports.
COMMON = {"authors_rule.py", "rectified.py"}


def _parameters():
    for row in ROWS:
        marks = [getattr(pytest.mark, name) for name in row.get("needs", [])]
        yield pytest.param(row, marks=marks, id=row["name"])


@pytest.mark.parametrize("row", list(_parameters()))
def test_recorded_verdict(row):
    command = [sys.executable, "-m", "gc_ref.conformance", "check", row["target"]]
    run = subprocess.run(
        [*command, *row.get("options", []), "--suite", "quick", "--seed", "0", "--json", "-"],
        cwd=HERE,
        env={**os.environ, "KERAS_BACKEND": "jax"},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert run.returncode in (0, 1), run.stdout + run.stderr
    report = json.loads(run.stdout)
    failed = sorted(c["id"] for c in report["checks"] if c["status"] == "failed")
    found = report["verdict"], failed, sorted(report["identified"])
    assert found == (row["verdict"], row.get("failed", []), row.get("identified", []))


def test_every_file_has_a_row():
    files = {path.name for path in (HERE / "recreated").glob("*.py")}
    named = {file for row in ROWS for file in re.findall(r"recreated/(\w+\.py)", row["target"])}
    assert files == named | COMMON
    assert not named & COMMON


def test_rows_are_whole():
    assert len({row["name"] for row in ROWS}) == len(ROWS) >= 20
    for row in ROWS:
        for member in ("package", "version", "framework", "layout", "origin", "because"):
            assert row[member].strip(), (row["name"], member)
        assert (row["verdict"] == "deviates") == bool(row.get("failed")) == bool(row.get("todo"))
