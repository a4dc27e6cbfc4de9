"""The field, judged: every recorded verdict holds, strictly."""

import re
import sys

import pytest
from field.environments import names, requirements
from field.judging import differences, judge, run_name
from field.records import FILES, HERE, ORDINARY, RECREATED, REGISTRY, VERDICTS, read_all

RECORDS = read_all()
ROWS = [row for records in RECORDS.values() for row in records.rows]
#: One for each framework: judged on every version of Python.
SMOKE = {"flax-chain-sgd", "keras-sgd-jax", "gctf-sgd-tensorflow", "torch-sgd"}


def _parameters():
    for row in ROWS:
        for backend in (row.keras_backends or ("",)) * row.ci:
            name = run_name(row, backend)
            needs = {*row.needs, backend} - {""}
            marks = [getattr(pytest.mark, need) for need in sorted(needs)]
            if name in SMOKE:
                marks.append(pytest.mark.smoke)
            yield pytest.param(row, backend, marks=marks, id=name)


@pytest.mark.parametrize(("row", "backend"), list(_parameters()))
def test_recorded_verdict(row, backend):
    outcome = judge(row, python=sys.executable, backend=backend)
    said = differences(row, outcome)
    assert not said, (said, outcome.said, outcome.report and outcome.report["checks"])


@pytest.mark.parametrize(
    ("folder", "shared"), [("ports", set()), ("recreated", {"authors_rule.py", "rectified.py"})]
)
def test_every_file_has_a_row(folder, shared):
    files = {path.name for path in (HERE / folder).glob("*.py")}
    named = {file for row in ROWS for file in re.findall(rf"{folder}/(\w+\.py)", row.target)}
    assert files == named | shared
    assert not named & shared


def test_what_ci_judges_installs_in_its_environment():
    assert {row.environment for row in ROWS if row.ci} == {ORDINARY}
    assert {id.values[0].name for id in _parameters()} == {row.name for row in ROWS if row.ci}


@pytest.mark.parametrize("name", FILES)
def test_records_are_whole(name):
    records = RECORDS[name]
    assert len({row.name for row in ROWS}) == len(ROWS)
    for row in records.rows:
        assert row.verdict in ("conforms", "deviates", "undriven"), row.name
        assert bool(row.failed) == (row.verdict == "deviates"), row.name
        assert row.because.strip(), row.name
        assert bool(row.todo.strip()) == (row.verdict == "deviates") or row.verdict == "undriven"
        assert row.package, row.name
        assert row.version, row.name
        assert row.framework, row.name
        assert row.layout in ("output-first", "output-last"), row.name
        assert row.environment in names(), row.name
        assert bool(row.origin) == (name == RECREATED), row.name
    for entry in records.undriven:
        assert entry["package"], name
        assert entry["why"], name
    if records.run or name != RECREATED:
        assert set(records.run) == {"date", "gc_ref", "suite", "seed"}


def test_versions_are_those_of_the_environment():
    """A row names the version that its environment installs."""
    for row in RECORDS[VERDICTS].rows + RECORDS[REGISTRY].rows:
        pins = {}
        for path in (*requirements(row.environment), HERE / "requirements.txt"):
            text = path.read_text(encoding="utf-8")
            pins |= re.findall(r"^([\w-]+)==(\S+)$", text, re.MULTILINE)
        if row.package in pins:
            assert pins[row.package] == row.version, row.name
        elif row.version.split()[-1] not in ("C99", "2", "TensorFlow.js"):
            assert row.version.split()[-1] in pins.values(), row.name


@pytest.mark.torch
@pytest.mark.pytorch_optimizer
def test_the_registry_is_all_of_the_packages_list():
    from pytorch_optimizer import get_supported_optimizers

    named = [row.name.removeprefix("registry-") for row in RECORDS[REGISTRY].rows]
    assert named == get_supported_optimizers()
