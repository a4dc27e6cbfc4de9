"""The command that judges the field: what it compares, keeps, resumes and records."""

import json
import re
import shutil
import sys

import pytest
from field.judging import Outcome, differences
from field.records import HERE, REGISTRY, VERDICTS, Row, read, read_all, write
from run_field import main

ROWS = ("numpy-example", "numpy-example-wrong-axes")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Records of the NumPy rows alone, and what judging them has left."""
    folder = tmp_path_factory.mktemp("field")
    text = (HERE / VERDICTS).read_text(encoding="utf-8")
    head, *tables = re.split(r"^(?=\[\[)", text, flags=re.MULTILINE)
    (folder / VERDICTS).write_text(head + "".join(t for t in tables if '"numpy-' in t), "utf-8")
    assert main(words(folder), folder) == 0
    return folder


def words(folder, *more):
    return ["--python", sys.executable, "--output", str(folder / "out"), *more]


@pytest.fixture
def records(folder, tmp_path):
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    return tmp_path


def replaced(folder, old, new):
    path = folder / VERDICTS
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def test_reports_are_kept(folder):
    for name in ROWS:
        kept = json.loads((folder / "out" / "json" / f"{name}.json").read_text(encoding="utf-8"))
        assert kept["report"]["verdict"] == kept["verdict"]


def test_as_recorded(records, capsys):
    assert main(words(records, "--resume"), records) == 0
    shown = capsys.readouterr().out
    assert all(re.search(rf"^{name} .* as recorded$", shown, re.MULTILINE) for name in ROWS)
    assert shown.endswith("2 runs, as recorded\n")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('verdict = "conforms"', 'verdict = "deviates"', "conforms, recorded: deviates"),
        ('  "law/zero-mean",\n', "", "failed now: law/zero-mean"),
        ('"layout-swapped"', '"whole-tensor"', "no longer identified: whole-tensor"),
    ],
)
def test_a_difference_is_told(records, capsys, old, new, said):
    replaced(records, old, new)
    assert main(words(records, "--resume"), records) == 1
    shown = capsys.readouterr().out
    assert said in shown
    assert shown.endswith("2 runs, 1 not as recorded\n")


def test_resume_runs_nothing_again_but_what_changed(records, monkeypatch, capsys):
    def judged(row, *, python, backend):
        return Outcome(row.name, row.command, "undriven", said="again")

    monkeypatch.setattr("run_field.judge", judged)
    replaced(records, "numpy_examples.py:centralize_wrong_axes", "numpy_examples.py:other")
    assert main(words(records, "--resume"), records) == 1
    assert capsys.readouterr().out.count("DIFFERS: undriven, recorded: deviates") == 1


def test_record_writes_what_was_found_and_keeps_the_rest(records):
    write(read(records / VERDICTS))
    before = (records / VERDICTS).read_text(encoding="utf-8")
    replaced(records, 'verdict = "conforms"', 'verdict = "deviates"')
    replaced(records, '  "law/zero-mean",\n', "")
    assert main(words(records, "--resume", "--record"), records) == 0
    after = (records / VERDICTS).read_text(encoding="utf-8")
    origin = re.compile(r'^(date|gc_ref) = ".*"$', re.MULTILINE)  # of this run
    assert origin.sub("", after) == origin.sub("", before)


def test_the_date_is_that_of_a_whole_run(records):
    replaced(records, 'date = "', 'date = "2000-01-01 not ')
    assert main(words(records, "--resume", "--record", "--only", ROWS[0]), records) == 0
    assert read(records / VERDICTS).run["date"].startswith("2000")
    assert main(words(records, "--resume", "--record"), records) == 0
    assert re.fullmatch(r"20\d\d-\d\d-\d\d", read(records / VERDICTS).run["date"])


@pytest.mark.parametrize("name", [VERDICTS, REGISTRY])
def test_records_are_written_as_they_are_read(name, tmp_path):
    text = (HERE / name).read_text(encoding="utf-8")
    (tmp_path / name).write_text(text, encoding="utf-8")
    write(read(tmp_path / name))
    assert (tmp_path / name).read_text(encoding="utf-8") == text


@pytest.mark.parametrize(
    "wrong",
    [["--only", "nobody"], ["--jobs", "0"], ["--environment", "mars"], ["--only", "numpy*", "x"]],
)
def test_wrong_usage(wrong, folder, capsys):
    with pytest.raises(SystemExit) as ended:
        main(words(folder, *wrong), folder)
    assert ended.value.code == 2
    assert capsys.readouterr().err


def test_a_run_without_a_verdict_is_never_as_recorded():
    row = Row("x", "torch:x.py:X", verdict="conforms")
    assert differences(row, Outcome("x", [], "status 70")) == ["status 70, recorded: conforms"]


def test_every_row_is_read():
    assert len(read_all()[REGISTRY].rows) > 100
