"""Each check of a port is a test: what it prints, how it is run again, and the reports."""

import dataclasses
import json

import pytest

from gc_ref._conformance.reports.schema import problem
from gc_ref._conformance.testing.session_report import session_reports
from gc_ref.conformance import CHECKS, check, operator_port, parametrize_with_checks

from ._plugin_files import ALL, FAILED, MODULE, SKIPPED, TEST


def first_axis(g):
    return g if g.ndim < 2 else g - g.mean(axis=0, keepdims=True)


UPDATE = """
from gc_ref._conformance.catalogue.execution import training_loop
from gc_ref._conformance.catalogue.semantics import Semantics
from gc_ref.conformance import numpy_port, parametrize_with_checks

on_update = Semantics(algorithm="adam", conventions={"placement": "update"})
adam = training_loop(on_update, "output-last")

@parametrize_with_checks([numpy_port(adam, name="adam", algorithm="adam", conventions=DECLARED)])
def test_gc(port, check):
    check(port)
"""


@pytest.mark.parametrize("declared", [{}, {"placement": "update"}])
def test_a_placement_that_nobody_declared_is_in_the_summary(project, plugin, declared):
    project.makepyfile(test_mine=UPDATE.replace("DECLARED", repr(declared)))
    result = project.runpytest_inprocess(*plugin, "--gc-ref-max-examples=0", "-k", "scope")
    lines = [x for x in result.outlines if x.startswith("gc-ref:")]
    said = "gc-ref: adam is judged with Φ on the update (the paper: on the gradient)"
    assert lines == ([] if declared else [said])


def test_each_check_is_a_test_with_its_id(run):
    result = run("right first_axis", "--collect-only", "-q")
    assert result.ret == 0
    lines = [x for x in result.outlines if "::" in x]
    assert lines == [
        f"test_mine.py::test_gc[{p}-{id}]" for p in ("right", "first_axis") for id in CHECKS
    ]


@pytest.mark.parametrize("words", [[], ["-n1"]])
def test_weights_that_are_left_alone_are_in_the_summary(run, words):
    if words:
        pytest.importorskip("xdist")
    result = run("right convolutions", "-k", "scope", *words)
    assert result.ret == 0
    lines = [x for x in result.outlines if x.startswith("gc-ref:")]
    scope = "convolutions only; 8 of 15 weights are not centralized"
    assert lines == [f"gc-ref: convolutions is judged as GCC: {scope}"]


def test_a_wrong_port_and_what_is_printed(run):
    result = run("first_axis")
    result.assert_outcomes(passed=ALL - SKIPPED - len(FAILED), skipped=SKIPPED, failed=len(FAILED))
    result.stdout.fnmatch_lines([
        "*test_gc[[]first_axis-scope/every-weight]*",
        "averages the first axis only: expected 1, got 0",
        "scope/every-weight  [[]Eq. 1; Scope] every weight in scope loses the mean*",
        "  gradient over the inputs of that output, step 1: [[]6, 4, 6, -4]",
        "  Φ(g) = 4 - 3 = 1",
        "  at index (0, 0, 1, 1) after step 1: expected 1, got 0, bound *",
        "  rerun: pytest 'test_mine.py::test_gc[[]first_axis-scope/every-weight]' "
        "--gc-ref-max-examples=0",
        "  Identified: averages the first axis only (`partial-axes`)",
        "  To mend: average over all inputs at once: axis=tuple(range(g.ndim - 1))",
        "  More: gc-ref explain partial-axes",
        "  replay, without gc-ref:",
        "    from my_gc import first_axis",
        "    assert abs(got - expected) <= bound, *",
    ])  # fmt: skip
    assert "port_check.py" not in result.stdout.str(), "no traceback of our own code"


def test_the_diagnosis_is_printed_where_it_costs_little():
    cheap = operator_port(first_axis)
    for port, known in ((cheap, True), (dataclasses.replace(cheap, per_run_cost="dear"), False)):
        tests = [p.values[1] for p in parametrize_with_checks(port).args[1]]
        value = next(t for t in tests if t.id == "value/exact")
        value.judged.configure(suite="quick", seed=0, max_examples=0)
        assert ("Identified: averages the first axis only" in _failure(value, port)) is known
        for id in CHECKS:
            value.judged.find(id)
        assert "Identified: averages the first axis only" in _failure(value, port), "all checks ran"


def _failure(test, port):
    """Return what pytest prints of a check that fails."""
    with pytest.raises(pytest.fail.Exception) as caught:
        test(port)
    return str(caught.value)


def test_the_rerun_command_runs_that_test_alone(project, plugin, run):
    line = next(x for x in run("first_axis").outlines if x.startswith("  rerun: pytest"))
    words = line.removeprefix("  rerun: pytest ").replace("'", "").split()
    result = project.runpytest_inprocess(*plugin, *words)
    result.assert_outcomes(failed=1)


def test_the_rerun_command_is_for_where_pytest_was_started(project, plugin, run, monkeypatch):
    run("first_axis", "-k", "value/exact")  # writes the files
    project.makefile(".ini", pytest="[pytest]")
    folder = project.mkdir("sub")
    monkeypatch.chdir(folder)
    quick = "--gc-ref-max-examples=0"
    result = project.runpytest_inprocess(*plugin, "../test_mine.py", "-k", "value/exact", quick)
    line = next(x for x in result.outlines if x.startswith("  rerun: pytest"))
    assert "'../test_mine.py::test_gc[first_axis-value/exact]'" in line
    words = line.removeprefix("  rerun: pytest ").replace("'", "").split()
    project.runpytest_inprocess(*plugin, *words).assert_outcomes(failed=1)


def test_under_xdist_a_port_can_be_kept_in_one_process(project, run):
    """With ``--dist loadgroup``; other tests are spread as they would be."""
    pytest.importorskip("xdist")
    project.makeconftest(
        """
        import os

        def pytest_runtest_setup(item):
            with open("processes.txt", "a") as file:
                file.write(f"{item.callspec.params['port'].name} {os.getpid()}\\n")
        """
    )
    result = run("right first_axis", "-n2", "--dist=loadgroup", "--gc-ref-json=reports.json")
    failed, passed = len(FAILED), 2 * (ALL - SKIPPED) - len(FAILED)
    result.assert_outcomes(passed=passed, skipped=2 * SKIPPED, failed=failed)
    lines = (project.path / "processes.txt").read_text("utf-8").splitlines()
    assert len(lines) == 2 * ALL
    assert len(set(lines)) == 2
    assert "@gc-ref" not in "".join(x for x in result.outlines if "rerun" in x)
    reports = json.loads((project.path / "reports.json").read_text("utf-8"))
    assert [r["port"]["name"] for r in reports] == ["first_axis", "right"]
    assert "@" not in json.dumps([c["rerun"] for r in reports for c in r["checks"]])


def test_the_line_of_the_short_summary_is_the_diagnosis(project, plugin, run, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    result = run("first_axis", "-k", "every-weight or orthogonal")
    words = [x.partition(" - ")[2] for x in result.outlines if x.startswith("FAILED ")]
    assert words[0] == "averages the first axis only: expected 1, got 0"
    assert words[1].startswith("averages the first axis only: conv1d_0.kernel ")
    assert "a constant removed part fails at" in words[1]


def test_some_of_the_checks(run):
    result = run("right first_axis", "-k", "first_axis-scope/every-weight", "--gc-ref-min-checks=2")
    assert result.ret == 1
    result.stdout.fnmatch_lines(["gc-ref: only 1 check said something of a port, *asks for 2"])
    result = run("right", "-k", "law/linear or value/exact")
    result.assert_outcomes(passed=2, deselected=ALL - 2)


def test_the_last_failed(project, plugin, run):
    run("first_axis")
    project.runpytest_inprocess(*plugin, "--gc-ref-max-examples=0")
    result = project.runpytest_inprocess(*plugin, "--gc-ref-max-examples=0", "--lf")
    result.assert_outcomes(failed=len(FAILED))


def test_a_port_that_cannot_be_driven(run):
    result = run("nothing")
    result.assert_outcomes(failed=ALL)
    result.stdout.fnmatch_lines(["  nothing returned NoneType for dense_0.kernel of shape*"])


def test_the_reports_are_those_of_check(project, run):
    run("right first_axis", "--gc-ref-json=reports.json")
    got = json.loads((project.path / "reports.json").read_text("utf-8"))
    space = {}
    exec(MODULE, space)
    for report, name in zip(got, ("first_axis", "right"), strict=True):
        want = check(operator_port(space[name], name=name), max_examples=0).to_dict()
        for entry in (*report["checks"], *want["checks"]):
            entry.pop("rerun")
            entry.pop("replay", None)
        assert report == want


@pytest.mark.parametrize("known", [None, {"value/exact": "later", "law/linear": "later"}])
def test_the_report_is_of_the_whole_port_whatever_was_selected(project, run, known):
    path = project.path / "reports.json"
    run("first_axis", "--gc-ref-json=reports.json", known=known)
    whole = path.read_text("utf-8")
    path.unlink()
    result = run("first_axis", "-k", "law/zero-mean", "--gc-ref-json=reports.json", known=known)
    result.assert_outcomes(passed=1, deselected=ALL - 1)
    assert path.read_text("utf-8") == whole
    (report,) = json.loads(whole)
    assert [c["id"] for c in report["checks"]] == list(CHECKS)
    assert (report["verdict"], report["identified"]) == ("deviates", ["partial-axes"])
    reruns = {c["id"]: c["rerun"] for c in report["checks"]}
    assert "test_gc[first_axis-value/exact]" in reruns["value/exact"]


def test_two_ports_of_one_name_are_two_reports(project, run):
    text = TEST.format(names=["right"], known=None)
    other = text.replace("getattr(my_gc, name)", "my_gc.first_axis, name='right'")
    project.makepyfile(test_other=other)
    run("right", "-k", "law/zero-mean", "--gc-ref-json=reports.json")
    reports = json.loads((project.path / "reports.json").read_text("utf-8"))
    assert [(r["port"]["name"], r["verdict"]) for r in reports] == [
        ("right", "conforms"), ("right", "deviates")
    ]  # fmt: skip


def test_a_port_whose_process_crashed_does_not_conform():
    mark = parametrize_with_checks(operator_port(first_axis))
    by_id = {p.values[1].id: p.values[1] for p in mark.args[1]}
    by_id["law/zero-mean"](mark.args[1][0].values[0])
    (report,) = session_reports([by_id["law/zero-mean"].entry()], [])
    assert [c["status"] for c in report["checks"]] == ["passed"]
    assert report["verdict"] == "error"
    assert problem(report) == ""
    assert f"{ALL - 1} of {ALL} checks missing" in report["notes"][0]
