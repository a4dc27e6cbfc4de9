"""Files that the command writes, and gc-ref report, which reads them again."""

import json
import os
import stat

import _reports
import pytest
from reports._pages import Page

from gc_ref._conformance.cli.main import main
from gc_ref._conformance.reports.schema import schema_text
from gc_ref._conformance.writing import files as _files

PORT = """
from pathlib import Path


def plain(g):
    Path("was-run").touch()
    return g if g.ndim < 2 else g - g.mean(axis=tuple(range(g.ndim - 1)), keepdims=True)


def half(g):
    return g if g.ndim < 2 else (g + plain(g)) / 2
"""
ALL = ("json", "markdown", "html", "badge")


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    (tmp_path / "ports.py").write_text(PORT, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run(capfd):
    def call(*words):
        try:
            status = main(list(words))
        except SystemExit as error:
            status = error.code
        found = capfd.readouterr()
        return status, found.out, found.err

    return call


def judge(*words, target="plain"):
    return ("check", f"operator:ports.py:{target}", "--max-examples", "0", *words)


def refused(found, *words):
    status, out, err = found
    assert status == 2
    assert out == ""
    assert err.startswith("gc-ref: ")
    assert err.count("\n") == 1
    assert all(w in err for w in words), err


@pytest.mark.parametrize("option", ALL)
@pytest.mark.parametrize(
    ("path", "words"),
    [("missing/r", ["no directory"]), (".", ["directory"]), ("ports.py/r", ["no directory"]),
     ("nul\0", ["name"])],
)  # fmt: skip
def test_what_cannot_be_written_is_refused_before_the_run(run, here, option, path, words):
    refused(run(*judge(f"--{option}", path)), f"--{option}", *words)
    assert not (here / "was-run").exists()


@pytest.mark.parametrize("closed", ["folder", "folder/r.json"])
def test_what_may_not_be_written_is_refused_before_the_run(run, here, monkeypatch, closed):
    """The question is answered for it, as root may write anywhere."""
    (here / "folder").mkdir()
    (here / "folder" / "r.json").touch()
    access = os.access
    no = os.path.realpath(closed)
    monkeypatch.setattr(os, "access", lambda path, mode: path != no and access(path, mode))
    refused(run(*judge("--json", "folder/r.json")), "folder", "may not be written")
    assert not (here / "was-run").exists()


def test_only_one_goes_to_stdout(run, here):
    refused(run(*judge("--json", "-", "--html", "-")), "--json", "--html", "stdout")
    assert not (here / "was-run").exists()


def test_two_do_not_go_to_one_file(run, here):
    refused(run(*judge("--json", "r", "--markdown", "./r")), "--json", "--markdown", "same file")
    os.symlink("r", here / "link")
    refused(run(*judge("--json", "r", "--markdown", "link")), "same file")
    assert run(*judge("--json", os.devnull, "--markdown", os.devnull))[0] == 0


@pytest.mark.parametrize("option", ["--expected", "--accept", "--vectors"])
def test_what_is_read_is_not_written_over(run, here, option):
    (here / "kept").write_text("old", "utf-8")
    refused(run(*judge(option, "kept", "--json", "./kept")), option, "--json", "same file")
    assert (here / "kept").read_text("utf-8") == "old"
    assert not (here / "was-run").exists()


def test_a_report_that_is_rendered_is_not_written_over(run, here):
    assert run(*judge("--json", "r.json"))[0] == 0
    before = (here / "r.json").read_bytes()
    refused(run("report", "r.json", "--html", "r.json"), "FILE", "--html", "same file")
    assert (here / "r.json").read_bytes() == before


def test_all_of_them_at_once(run, here):
    words = [w for name in ALL for w in (f"--{name}", f"r.{name}")]
    status, out, err = run(*judge(*words, target="half"))
    assert (status, err) == (1, "")
    assert out.startswith("DEVIATES: half")
    report = json.loads((here / "r.json").read_text("utf-8"))
    assert (here / "r.markdown").read_text("utf-8").startswith("## ✗ half deviates")
    assert Page((here / "r.html").read_text("utf-8")).faults == []
    assert json.loads((here / "r.badge").read_text("utf-8"))["color"] == "red"
    assert report["verdict"] == "deviates"
    assert not list(here.glob(".gc-ref-*"))


@pytest.mark.parametrize("option", ALL)
def test_to_stdout_comes_alone(run, here, option):
    status, out, _ = run(*judge(f"--{option}", "-"))
    assert status == 0
    assert run(*judge(f"--{option}", "file"))[1].startswith("CONFORMS")
    assert (here / "file").read_text("utf-8") == out


def test_identify_writes_them_too(run, here):
    status, out, _ = run("identify", *judge("--markdown", "r.md")[1:])
    assert status == 0
    assert "It removes the mean" in out
    assert (here / "r.md").read_text("utf-8").startswith("## ✓ plain")


def test_the_badge_knows_how_many_checks_are_asked_for(run):
    status, out, _ = run(*judge("--badge", "-", "--min-checks", "99"))
    assert status == 4
    assert json.loads(out)["message"] == "only 19 checks ran"


def test_a_file_is_written_whole_or_not_at_all(here, monkeypatch):
    (here / "r").write_text("before", "utf-8")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(_files.os, "replace", full)
    with pytest.raises(OSError, match="No space"):
        _files.write_whole(str(here / "r"), b"after")
    assert (here / "r").read_text("utf-8") == "before"
    assert sorted(p.name for p in here.iterdir()) == ["ports.py", "r"]


def test_permissions_and_links_stay(here):
    (here / "r").write_text("before", "utf-8")
    (here / "r").chmod(0o640)
    os.symlink("r", here / "link")
    _files.write_whole(os.path.realpath(here / "link"), b"after")
    assert (here / "link").is_symlink()
    assert (here / "r").read_bytes() == b"after"
    assert stat.S_IMODE((here / "r").stat().st_mode) == 0o640
    before = os.umask(0o027)
    try:
        _files.write_whole(str(here / "new"), b"")
    finally:
        os.umask(before)
    assert stat.S_IMODE((here / "new").stat().st_mode) == 0o640


# ---- gc-ref report


@pytest.fixture
def files(here):
    names = ("plain", "swapped", "raises", "sgdm-idle", "based", "vectors")
    for name in names:
        (here / f"{name}.json").write_text(_reports.text(name), "utf-8")
    return [f"{name}.json" for name in names]


def test_one_report_becomes_what_check_would_have_written(run, here):
    words = [w for name in ALL for w in (f"--{name}", f"r.{name}")]
    assert run(*judge(*words, target="half"))[0] == 1
    assert run("report", "r.json", "--html", "again.html", "--markdown", "again.md") == (0, "", "")
    assert (here / "again.html").read_bytes() == (here / "r.html").read_bytes()
    assert (here / "again.md").read_bytes() == (here / "r.markdown").read_bytes()
    assert run("report", "r.json")[1] == (here / "r.markdown").read_text("utf-8")


def test_many_reports_become_one_table(run, here, files):
    status, out, err = run("report", *files)
    assert (status, err) == (0, "")
    assert out.startswith("## Gradient Centralization: 6 ports, 2 conform, 3 deviate, 1 could not")
    assert run("report", *files, "--html", "m.html") == (0, "", "")
    page = Page((here / "m.html").read_text("utf-8"))
    assert page.faults == []
    assert len(page.all("section")) == 6
    links = [a["attrs"]["href"] for a in page.all("a") if a["attrs"]["href"].startswith("#")]
    assert links == [f"#port-{i}" for i in range(6)]


def test_a_port_that_deviates_is_no_failure_of_the_report(run, files):
    assert run("report", "swapped.json")[0] == 0


def test_the_schema_is_printed(run):
    assert run("report", "--schema") == (0, schema_text(), "")
    refused(run("report", "--schema", "r.json"), "--schema")


BROKEN = [
    ("missing.json", None, ["missing.json", "No such file"]),
    ("empty.json", b"", ["empty.json", "no JSON"]),
    ("text.json", b"CONFORMS: plain", ["text.json", "no JSON"]),
    ("bytes.json", b"\xff\xfe\x00{", ["bytes.json", "no JSON"]),
    ("list.json", b"[]", ["list.json", "no port was judged"]),
    ("number.json", b"12", ["number.json", "no report"]),
    ("other.json", b'{"name": "package"}', ["other.json", "no report", "schema"]),
    ("next.json", b'{"schema": "gc-ref-report/2"}', ["next.json", "required"]),
    ("nan.json", b'{"schema": NaN}', ["nan.json", "NaN"]),
    ("deep.json", b"[" * 200_000, ["deep.json"]),
    ("digits.json", b'{"schema": ' + b"9" * 5000 + b"}", ["digits.json"]),
]


@pytest.mark.parametrize(("name", "data", "words"), BROKEN, ids=[b[0] for b in BROKEN])
def test_what_is_no_report_is_refused(run, here, name, data, words):
    if data is not None:
        (here / name).write_bytes(data)
    refused(run("report", name), *words)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_a_truncated_report_is_refused(run, here, share):
    whole = _reports.text("swapped").encode("utf-8")
    (here / "r.json").write_bytes(whole[: int(share * len(whole))])
    refused(run("report", "r.json"), "r.json", "no JSON")


def test_a_directory_is_refused(run, here):
    refused(run("report", "."), ".", "directory")


def test_a_wrong_field_is_named(run, here):
    report = _reports.report("swapped")
    report["checks"][4]["status"] = "great"
    (here / "r.json").write_text(json.dumps(report), "utf-8")
    refused(run("report", "r.json"), "r.json", "checks[4].status", "great")


def test_another_schema_is_named(run, here):
    report = _reports.report("swapped")
    report["schema"] = "gc-ref-report/2"
    (here / "r.json").write_text(json.dumps(report), "utf-8")
    refused(run("report", "r.json"), "gc-ref-report/2")


def test_a_huge_file_is_refused_unread(run, here):
    with open(here / "huge.json", "wb") as file:
        file.truncate(65 * 2**20)
    refused(run("report", "huge.json"), "huge.json", "64 MiB")


def test_the_same_port_twice_is_refused(run, here, files):
    (here / "copy.json").write_text(_reports.text("swapped"), "utf-8")
    refused(run("report", *files, "copy.json"), "swapped.json", "copy.json", "same port")
    refused(run("report", "plain.json", "plain.json"), "plain.json", "same port")


@pytest.mark.parametrize(
    ("field", "value", "label"),
    [("python", "3.99.0", "python 3.99.0"), ("numpy", "2.99.0", "numpy 2.99.0"),
     ("jax", "0.9", "jax 0.9"), ("arithmetic", "float64", "arithmetic float64"),
     ("seed", 1, "seed 1"), ("suite", "full", "suite full")],
)  # fmt: skip
def test_one_port_run_twice_is_labeled_by_what_differs(run, here, files, field, value, label):
    other = _reports.report("swapped")
    (other if field in other else other["environment"])[field] = value
    (here / "new.json").write_text(json.dumps(other), "utf-8")
    status, out, _ = run("report", "swapped.json", "new.json")
    assert status == 0
    assert "2 reports, 2 deviate" in out
    head = next(line for line in out.splitlines() if line.startswith("| check | "))
    old, new = head.strip("| ").split(" | ")[1:]
    assert new == f"swapped ({label})"
    assert old.startswith("swapped")
    assert old != new
    assert run("report", "swapped.json", "new.json", "--html", "page.html")[0] == 0
    assert f"swapped ({label})" in (here / "page.html").read_text("utf-8")


def test_ports_of_one_name_from_python_with_other_content_are_numbered(run, here, files):
    other = _reports.report("idle")
    other["port"]["name"] = "swapped"
    (here / "new.json").write_text(json.dumps(other), "utf-8")
    status, out, _ = run("report", "swapped.json", "new.json")
    assert status == 0
    assert "| check | swapped (1) | swapped (2) |" in out


def test_a_port_is_called_what_the_command_says(run, here, files):
    other = _reports.report("swapped")
    other["seed"] = 1
    (here / "new.json").write_text(json.dumps(other), "utf-8")
    status, out, _ = run("report", "old=swapped.json", "new version=new.json", "plain.json")
    assert status == 0
    assert "| check | old | new version | plain |" in out
    assert run("report", "mine=swapped.json")[1].startswith("## ✗ mine deviates: ")
    reports = [_reports.report(name) for name in ("plain", "swapped")]
    (here / "session.json").write_text(json.dumps(reports), "utf-8")
    assert "| check | both: swapped | both: plain |" in run("report", "both=session.json")[1]


def test_names_of_ports_and_files_are_told_apart(run, here, files):
    (here / "a=b.json").write_text(_reports.text("plain"), "utf-8")
    assert run("report", "a=b.json")[1].startswith("## ✓ plain ")
    assert run("report", "x=a=b.json")[1].startswith("## ✓ x ")
    refused(run("report", "x=missing.json"), "missing.json", "No such file")
    refused(run("report", "x=swapped.json", "--html", "swapped.json"), "same file")
    refused(run("report", "x=swapped.json", "y=swapped.json"), "same port")


def test_no_files_is_a_usage_error(run):
    refused(run("report"), "FILE")


def test_outputs_are_refused_first(run, files):
    refused(run("report", *files, "--html", "no/m.html"), "--html", "no directory")
    refused(run("report", *files, "--html", "-", "--markdown", "-"), "stdout")


def test_help_says_what_the_status_is(run):
    status, out, _ = run("report", "--help")
    assert status == 0
    assert "0 rendered, whatever the reports say" in out


def test_report_reads_the_list_of_a_pytest_session(run, here):
    reports = [_reports.report(name) for name in ("plain", "swapped")]
    (here / "session.json").write_text(json.dumps(reports), "utf-8")
    status, out, _ = run("report", "session.json")
    assert status == 0
    assert all(r["port"]["name"] in out for r in reports)
    (here / "session.json").write_text(json.dumps([reports[0], {"schema": "x"}]), "utf-8")
    refused(run("report", "session.json"), "session.json", "report 2")
    (here / "session.json").write_text("[]", "utf-8")
    refused(run("report", "session.json"), "no port was judged")
