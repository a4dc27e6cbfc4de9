"""What a port leaves alone is in its verdict, unless its author has declared it."""

import json
from dataclasses import replace

import pytest
from _numpy_optimizers import phi

from gc_ref._conformance.catalogue.execution import training_loop
from gc_ref._conformance.catalogue.semantics import Semantics
from gc_ref.conformance import Report, check, numpy_port, operator_port


def conv_only(g):
    return phi(g) if g.ndim > 2 else g


def keeps_single(g):
    return g if g.ndim > 1 and g.size == g.shape[-1] else phi(g)


def report_on(centralize, **conventions):
    return check(operator_port(centralize, name="mine", conventions=conventions), max_examples=0)


@pytest.fixture(scope="module")
def inferred():
    return report_on(conv_only)


@pytest.fixture(scope="module")
def declared():
    return report_on(conv_only, scope="conv-only")


GCC = "as GCC: convolutions only; 8 of 15 weights are not centralized"


def test_convolutions_only_found_out(inferred):
    assert inferred.to_text().startswith(f"CONFORMS {GCC}. mine passes ")
    assert inferred.to_text(identify=True).startswith(f"CONFORMS {GCC}. mine passes ")
    assert inferred.to_markdown().startswith(f"## ✓ mine conforms {GCC} (")
    assert GCC in inferred.to_html()
    badge = json.loads(inferred.to_badge())
    assert badge["message"].startswith("conforms as GCC (")
    assert badge["color"] == "yellow"
    assert "of convolutions alone" in inferred.diagnosis[0]
    assert "--convention scope=all" in " ".join(inferred.notes)


def test_the_count_is_that_of_the_weights(inferred):
    assert inferred.scope == {"weights": 15, "left_alone": 8}
    again = Report.from_dict(json.loads(inferred.to_json()))
    assert again.to_text() == inferred.to_text()
    older = replace(inferred, scope={})  # as releases before this one wrote it
    assert older.to_text().startswith("CONFORMS as GCC: convolutions only. mine passes ")
    assert "scope" not in older.to_dict()


def test_convolutions_only_declared(declared):
    assert declared.to_text().startswith("CONFORMS as GCC: mine passes ")
    assert declared.to_markdown().startswith("## ✓ mine conforms as GCC: it passes ")
    assert json.loads(declared.to_badge())["color"] == "brightgreen"
    assert "--convention" not in " ".join(declared.notes)


def test_every_weight_declared():
    report = report_on(conv_only, scope="all")
    assert report.verdict == "deviates"
    assert "GCC" not in report.to_text().splitlines()[0]
    assert report.scope["left_alone"] == 0


def test_weights_with_one_input():
    found = report_on(keeps_single)
    head = (
        "CONFORMS but for weights with one input; 1 of 15 weights is not centralized. mine passes "
    )
    assert found.to_text().startswith(head)
    assert json.loads(found.to_badge())["color"] == "yellow"
    settled = report_on(keeps_single, fan_in_one="keep")
    assert settled.to_text().startswith("CONFORMS: mine passes ")
    assert json.loads(settled.to_badge())["color"] == "brightgreen"


def test_nothing_is_narrowed():
    found = report_on(phi)
    assert found.to_text().startswith("CONFORMS: mine passes ")
    assert json.loads(found.to_badge())["color"] == "brightgreen"


@pytest.mark.parametrize("wrong", [lambda g: g, lambda g: conv_only(g) / 2 if g.ndim > 2 else g])
def test_a_port_that_deviates_conforms_in_no_way(wrong):
    assert "GCC:" not in report_on(wrong).to_text().splitlines()[0]


def placed(algorithm, value, **conventions):
    run = training_loop(Semantics(algorithm=algorithm, conventions={"placement": value}), LAYOUT)
    port = numpy_port(run, name="mine", algorithm=algorithm, conventions=conventions)
    return check(port, max_examples=0)


LAYOUT = "output-last"
ELSEWHERE = "with Φ on the update (the paper: on the gradient)"


@pytest.mark.parametrize(("declared", "color"), [(False, "yellow"), (True, "brightgreen")])
def test_the_update_is_not_what_the_paper_centralizes_under_adam(declared, color):
    found = placed("adam", "update", **({"placement": "update"} if declared else {}))
    assert found.to_text().startswith(f"CONFORMS {ELSEWHERE}: mine passes ")
    assert found.to_markdown().startswith(f"## ✓ mine conforms {ELSEWHERE}: it passes ")
    assert ELSEWHERE in found.to_html()
    badge = json.loads(found.to_badge())
    assert badge["message"].startswith(f"conforms {ELSEWHERE} (")
    assert badge["color"] == color


@pytest.mark.parametrize(("algorithm", "value"), [("adam", "gradient"), ("sgdm", "update")])
def test_where_it_is_the_same_nothing_is_said(algorithm, value):
    declared = {"placement": value} if algorithm == "sgdm" else {}
    assert placed(algorithm, value, **declared).to_text().startswith("CONFORMS: mine passes ")
