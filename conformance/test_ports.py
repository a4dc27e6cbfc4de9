"""The field, judged: every recorded verdict holds, strictly."""

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ENTRIES = tomllib.loads((HERE / "verdicts.toml").read_text(encoding="utf-8"))["port"]
STATUS = {"conforms": 0, "deviates": 1}
#: One for each framework: judged on every version of Python.
SMOKE = {"flax-chain-sgd", "keras-sgd-jax", "gctf-sgd-tensorflow", "torch-sgd"}


def _parameters():
    for entry in ENTRIES:
        backends = entry.get("keras_backends", [None])
        for backend in backends:
            needs = list(entry["needs"])
            if backend and backend not in needs:
                needs.append(backend)
            marks = [getattr(pytest.mark, name) for name in needs]
            name = f"{entry['name']}-{backend}" if backend else entry["name"]
            if name in SMOKE:
                marks.append(pytest.mark.smoke)
            yield pytest.param(entry, backend, marks=marks, id=name)


@pytest.mark.parametrize(("entry", "backend"), list(_parameters()))
def test_recorded_verdict(entry, backend):
    command = [
        sys.executable, "-m", "gc_ref.conformance", "check", entry["target"],
        *entry.get("options", []), "--json", "-",
    ]  # fmt: skip
    environment = {**os.environ, "KERAS_BACKEND": backend or "jax"}
    run = subprocess.run(
        command, cwd=HERE, env=environment, capture_output=True, text=True, check=False
    )
    assert run.returncode == STATUS[entry["verdict"]], run.stdout + run.stderr
    report = json.loads(run.stdout)
    assert report["verdict"] == entry["verdict"]
    failed = [c["id"] for c in report["checks"] if c["status"] == "failed"]
    assert sorted(failed) == sorted(entry.get("failed", []))


def test_every_port_has_a_verdict():
    files = {f"ports/{path.name}" for path in (HERE / "ports").glob("*.py")}
    assert files == {entry["target"].split(":")[1] for entry in ENTRIES}


def test_names_are_unique_and_reasons_are_given():
    names = [entry["name"] for entry in ENTRIES]
    assert len(set(names)) == len(names)
    for entry in ENTRIES:
        assert entry["because"].strip()
        assert entry["verdict"] in STATUS
        assert bool(entry.get("failed")) == (entry["verdict"] == "deviates")
