"""The example programs, judged: the right versions conform, each planted mistake is caught."""

import json
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PORTS = Path(__file__).parent / "ports"
#: Checks that a mean over the wrong elements fails in any optimizer.
WRONG_MEAN = ["scope/every-weight", "value/bounded", "value/exact", "law/orthogonal"]
WHOLE_TENSOR = [
    *WRONG_MEAN, "law/contraction", "law/idempotent", "law/shift-invariant", "law/zero-mean",
    "scope/slices-isolated",
]  # fmt: skip
VECTORS_TOO = ["scope/vectors-untouched", "value/bounded", "value/exact"]
SGDM, ADAM = ["step/sgdm"], ["step/adam"]
IDENTIFIED = {
    "whole-tensor": "whole-tensor",
    "vectors-too": "vectors-too",
    "first-axis": "partial-axes",
}
UNFUZZED = ("--max-examples", "0")
SUMS = ["step/constraint", "step/theorem-4.1"]


@pytest.fixture(scope="session")
def gc_port(tmp_path_factory):
    """The C port, built as its first comment says."""
    folder = tmp_path_factory.mktemp("c") / "a folder"
    shutil.copytree(PORTS / "c", folder)
    [build] = [
        line.removeprefix(" *   ")
        for line in (folder / "gc_port.c").read_text(encoding="utf-8").splitlines()
        if line.startswith(" *   cc ")
    ]
    strict = ["-Wall", "-Wextra", "-Wpedantic", "-Werror"]
    subprocess.run([*shlex.split(build), *strict], cwd=folder, check=True)
    return folder / "gc_port"


def judge(command, *options):
    """Run ``gc-ref check exec:COMMAND`` and return its exit status and its report."""
    target = f"exec:{shlex.join(str(word) for word in command)}"
    words = [sys.executable, "-m", "gc_ref.conformance", "check", target, *options]
    done = subprocess.run(
        [*words, "--json", "-", "--timeout", "300"], capture_output=True, text=True, check=False
    )
    assert done.returncode in (0, 1), done.stdout + done.stderr
    report = json.loads(done.stdout)
    assert report["port"]["kind"] == "exec"
    return done.returncode, report


def with_status(report, status):
    return sorted(check["id"] for check in report["checks"] if check["status"] == status)


def values(report):
    return {field: entry["value"] for field, entry in report["conventions"].items()}


@pytest.mark.cc
@pytest.mark.parametrize(
    ("algorithm", "choice"),
    [("sgdm", {"momentum": "ema", "first_momentum": "zero"}), ("adam", {"epsilon": "outside"})],
)
def test_the_c_port_conforms(gc_port, algorithm, choice):
    status, report = judge([gc_port, algorithm])
    assert status == 0
    assert report["port"]["name"] == f"c-{algorithm}"
    assert {f"step/{algorithm}", "effect/off", "law/linear", "value/exact"} <= set(
        with_status(report, "passed")
    )
    assert values(report) | choice | {"layout": "output-first"} == values(report)


@pytest.mark.cc
@pytest.mark.parametrize(
    ("algorithm", "mistake", "failed"),
    [
        ("sgdm", "whole-tensor", [*WHOLE_TENSOR, *SGDM, *SUMS]),
        ("adam", "whole-tensor", [*WHOLE_TENSOR, *ADAM]),
        ("sgdm", "vectors-too", [*VECTORS_TOO, *SGDM]),
        ("adam", "vectors-too", [*VECTORS_TOO, *ADAM]),
    ],
)
def test_a_mistake_in_the_c_port_is_caught(gc_port, algorithm, mistake, failed):
    status, report = judge([gc_port, algorithm, "--mistake", mistake], *UNFUZZED)
    assert status == 1
    assert with_status(report, "failed") == sorted(failed)
    assert report["identified"] == [IDENTIFIED[mistake]]


@pytest.mark.smoke
@pytest.mark.cc
def test_the_c_port_is_its_own_base_without_gc(gc_port, tmp_path):
    """--base takes a program too: here one that never centralizes."""
    plain = tmp_path / "plain.sh"
    plain.write_text(
        f'#!/bin/sh\nsed -u \'s/"gc": true/"gc": false/\' | {shlex.quote(str(gc_port))} adam\n',
        encoding="utf-8",
    )
    plain.chmod(0o755)
    status, report = judge([gc_port, "adam"], "--base", f"exec:{shlex.quote(str(plain))}")
    assert status == 0
    assert "step/base-law" in with_status(report, "passed")


@pytest.mark.tfjs
@pytest.mark.parametrize(
    ("algorithm", "step", "choice"),
    [
        ("momentum", "step/sgdm", {"momentum": "heavy-ball"}),
        ("adam", "step/adam", {"epsilon": "outside"}),
    ],
)
def test_the_tfjs_port_conforms(algorithm, step, choice):
    status, report = judge(["node", PORTS / "tfjs" / "gc_port.js", algorithm])
    assert status == 0
    assert {step, "effect/off", "hygiene/state", "hygiene/checkpoint"} <= set(
        with_status(report, "passed")
    )
    assert values(report) | choice | {"layout": "output-last"} == values(report)
    assert {"tfjs", "node"} <= set(report["environment"])


@pytest.mark.tfjs
@pytest.mark.parametrize(
    ("algorithm", "mistake", "failed"),
    [
        ("momentum", "whole-tensor", [*WHOLE_TENSOR, *SGDM, *SUMS]),
        ("adam", "whole-tensor", [*WHOLE_TENSOR, *ADAM]),
        ("momentum", "first-axis", [*WRONG_MEAN, *SGDM]),
        ("adam", "first-axis", [*WRONG_MEAN, *ADAM]),
    ],
)
def test_a_mistake_in_the_tfjs_port_is_caught(algorithm, mistake, failed):
    status, report = judge(
        ["node", PORTS / "tfjs" / "gc_port.js", algorithm, "--mistake", mistake], *UNFUZZED
    )
    assert status == 1
    assert with_status(report, "failed") == sorted(failed)
    assert report["identified"] == [IDENTIFIED[mistake]]


@pytest.mark.smoke
@pytest.mark.node
def test_numbers_in_javascript():
    """What JavaScript writes, it reads again, and so does Python: the edges of float32."""
    texts = ["0x1.fffffep+127", "0x1p-149", "-0x0p+0", "0x1.8p+1", "-0x1.99999ap-4", "inf", "nan"]
    script = (
        "const { readNumber, writeNumber } = require(process.argv[1]);"
        "const back = JSON.parse(process.argv[2]).map(readNumber);"
        "console.log(JSON.stringify(back.map(writeNumber)));"
    )
    done = subprocess.run(
        ["node", "-e", script, str(PORTS / "tfjs" / "numbers.js"), json.dumps(texts)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    written = json.loads(done.stdout)
    assert written[5:] == ["inf", "nan"]
    assert written[2] == "-0x0p+0"
    assert [float.fromhex(w) for w in written[:5]] == [float.fromhex(t) for t in texts[:5]]


def test_versions_are_pinned():
    """package.json names one version, and the lock file fixes every package by its digest."""
    package = json.loads((PORTS / "tfjs" / "package.json").read_text(encoding="utf-8"))
    lock = json.loads((PORTS / "tfjs" / "package-lock.json").read_text(encoding="utf-8"))
    assert lock["packages"][""]["dependencies"] == package["dependencies"]
    for name, entry in lock["packages"].items():
        assert not name or entry["integrity"].startswith("sha512-")
    [version] = package["dependencies"].values()
    assert lock["packages"]["node_modules/@tensorflow/tfjs"]["version"] == version
