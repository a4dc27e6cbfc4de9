"""The report as data: JSON holds all of it, and what is made of it needs no judge."""

import subprocess
import sys

import _reports
import pytest

from gc_ref._conformance.reports.model import ReportData
from gc_ref._conformance.reports.report import Report
from gc_ref._conformance.reports.schema import problem
from gc_ref.conformance import check, operator_port

FAILED = ["scope/every-weight", "value/exact", "value/bounded", "law/orthogonal"]
KNOWN = {
    "some failures are known": FAILED[:2],
    "all failures are known": FAILED,
    "some do not fail": [*FAILED, "law/linear", "step/adam"],
}


def first_axis(g):
    return g if g.ndim < 2 else g - g.mean(axis=0, keepdims=True)


@pytest.fixture(scope="module", params=[None, *KNOWN])
def report(request):
    known = KNOWN.get(request.param)
    expected = known and dict.fromkeys(known, "later")
    return check(operator_port(first_axis), max_examples=0, expected=expected)


@pytest.mark.parametrize("name", _reports.NAMES, ids=lambda n: n[:9])
def test_what_json_holds_is_read_and_written_again(name):
    assert _reports.data(name).to_dict() == _reports.report(name)


def test_known_failures_are_read_and_written_again(report):
    found = report.to_dict()
    assert problem(found) == ""
    assert Report.from_dict(found).to_dict() == found


def test_a_report_read_from_json_is_rendered_as_the_report_itself(report):
    again = Report.from_dict(report.to_dict())
    assert again.to_text() == report.to_text()
    assert again.to_text(identify=True) == report.to_text(identify=True)
    assert again.to_markdown() == report.to_markdown()
    assert again.to_html() == report.to_html()
    assert again.to_badge() == report.to_badge()


def test_a_check_that_did_not_apply_counts_in_no_format():
    listed = dict.fromkeys(KNOWN["some do not fail"], "later")
    report = check(operator_port(first_axis), max_examples=0, expected=listed)
    assert report.checks_run == 19
    assert Report.from_dict(report.to_dict()).checks_run == 19
    assert "(2 of 19 checks)" in report.to_badge()


def test_the_smallest_counterexample_has_its_whole_neuron(report):
    found = report.to_dict()["evidence"]["counterexample"]
    smallest = report.smallest
    if smallest is None:  # all that fails is known: the neuron is of a known failure
        assert found["check"] in FAILED
        assert "The smallest counterexample" not in report.to_markdown()
    else:
        assert found["check"] == smallest.id
        assert found["got"] == list(smallest.counterexample.neuron.got)


def test_a_report_without_any_run_follows_the_schema():
    port = {"name": "mine", "kind": "numpy", "target": None}
    environment = {"gc_ref": "1", "python": "3", "numpy": "2"}
    report = Report(port, "quick", 0, {}, (), (), (), environment)
    assert problem(report.to_dict()) == ""
    assert Report.from_dict(report.to_dict()) == report


def test_a_judgment_that_ended_early_does_not_conform():
    data = _reports.data("plain")
    cut = ReportData.from_dict(data.to_dict() | {"complete": False})
    assert (data.verdict, cut.verdict) == ("conforms", "error")
    assert cut.to_dict()["complete"] is False
    assert "complete" not in data.to_dict()


def test_which_of_several_explanations_holds_is_not_named():
    """Of the weights tried, those of more than 512 inputs are those of more than 1,000 elements."""

    def large_are_left(g):
        return g if g.size > 1000 and g.ndim == 2 and g.shape[0] > 512 else _reports.plain(g)

    report = check(operator_port(large_are_left, name="large"), max_examples=0)
    assert report.ambiguous
    assert report.to_dict()["ambiguous"]
    failed = f"large deviates: {len(report.failures)} of 19 checks failed"
    markdown, page = report.to_markdown(), report.to_html()
    assert markdown.startswith(f"## ✗ {failed}\n")
    assert f"<h1>{failed}</h1>" in page
    assert "on every case tried:\n- " in markdown
    assert "on every case tried:</p>" in page
    assert not _reports.data("swapped").ambiguous


@pytest.mark.parametrize("module", ["report", "model", "html.page", "markdown", "schema"])
def test_nothing_of_a_judge_is_loaded(module):
    code = f"import sys, gc_ref._conformance.reports.{module}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    rooms = {m.split(".")[2] for m in done.stdout.split() if m.startswith("gc_ref._conformance.")}
    allowed = {"cases", "catalogue", "findings", "ports", "reports", "writing"}
    assert rooms <= allowed, rooms - allowed
    assert not {"torch", "jax", "keras", "jinja2", "jsonschema", "matplotlib", "tomlkit"} & set(
        done.stdout.split()
    )
