"""Is what a report says of a wrong port so? Sentences, numbers and programs against the port."""

import math
import re

import numpy as np
import pytest

from gc_ref._conformance.catalogue.deviations import FORMS
from gc_ref._conformance.replays.replay import LARGEST
from gc_ref._conformance.reports.arithmetic import arithmetic
from gc_ref._conformance.reports.worked_example import worked_example
from gc_ref._conformance.wrong_ports.make import make_port
from gc_ref.conformance import numpy_port, operator_port

from . import strange_ports
from .judging import check
from .strange_ports import FIRST_WRONG, OPERATORS, OPTIMIZERS, trained

PORTS = OPERATORS | OPTIMIZERS
REPORTS = {}


def report_on(what):
    if what not in REPORTS:
        name = what.__name__
        port = (
            operator_port(what, name=name)
            if what in OPERATORS
            else numpy_port(trained(what), name=name, algorithm="sgdm")
        )
        REPORTS[what] = check(port, max_examples=0)
    return REPORTS[what]


@pytest.fixture(params=PORTS, ids=lambda f: f.__name__)
def what(request):
    return request.param


def test_it_is_identified_and_the_sentence_is_about_it(what):
    report, (id, words) = report_on(what), PORTS[what]
    assert report.identified == ((id,) if id else ()), report.diagnosis
    said = " ".join(report.diagnosis)
    assert words in said
    # Published ports do something else, except TensorFlow's mean of the whole.
    assert (", as " in said) == (id in ("whole-tensor",) or "as it should be" in said)


def test_no_sentence_ends_before_it_has_said_what(what):
    for sentence in report_on(what).diagnosis:
        assert not re.search(r"(differs at|it fails|leaves alone)\s*$", sentence)


def test_what_is_said_to_be_right_does_not_fail(what):
    """Only a port whose plain layers pass on integers is said to be right there."""
    report = report_on(what)
    if "as it should be" in " ".join(report.diagnosis):
        assert "value/exact" not in {c.id for c in report.failures}


def test_the_counterexample_has_several_inputs_and_the_first_wrong_step(what):
    report = report_on(what)
    for found in report.failures:
        shown = found.counterexample
        if shown is None:
            continue
        assert len(shown.worst.gradient[0]) > 1 or shown.output_axis is None
        assert len(shown.worst.gradient) == shown.worst.step
        assert not abs(shown.worst.got - shown.worst.expected) <= shown.worst.bound
        if shown.case in ("integers", "long"):
            assert shown.worst.step >= FIRST_WRONG.get(what, 1)
    steps = {c.counterexample.worst.step for c in report.failures if c.counterexample}
    assert not steps or min(steps) == FIRST_WRONG.get(what, 1)


def test_text_worked_example_and_evidence_show_one_element(what):
    report = report_on(what)
    found = report.smallest
    if found is None:
        return
    shown = found.counterexample
    element = shown.easiest
    assert element == shown.worst
    assert report.to_dict()["evidence"]["counterexample"]["shown"] == shown.to_json()
    at = f"at index {element.index} after step {element.step}: expected {element.expected:.9g}"
    assert at in report.to_text()
    said = " ".join(worked_example(shown))
    if shown.neuron.got:
        assert element.got in shown.neuron.got
    if element.weight is not None:
        assert f"must be {element.expected:.9g}; the port has {element.got:.9g}" in said


def test_the_program_shows_the_same_element(what):
    """It holds the port itself to the number of the report."""
    report = report_on(what)
    shown = [c.counterexample for c in report.failures if c.counterexample]
    programs = [s for s in shown if s.replay and not s.replay.reason]
    too_large = all(math.prod(s.shape) > LARGEST for s in shown)
    assert programs or too_large or what in OPTIMIZERS
    for one in programs:
        text = one.replay.text
        assert f"index = {one.worst.index}" in text
        port = what if what in OPERATORS else trained(what)
        text = re.sub(
            r"^(port = \.\.\..*|from .*strange_ports.*|sys\.path.*)$", "", text, flags=re.M
        )
        scope = {"port": port, what.__name__: port, "strange_ports": strange_ports}
        with pytest.raises(AssertionError, match=re.escape(f"got {one.worst.got}")):
            exec(text, scope)


def test_the_arithmetic_gives_the_expected_number(what):
    """Each right side is what its left side comes to, as far as it is written out."""
    for found in report_on(what).failures:
        shown = found.counterexample
        if shown is None or not shown.neuron.algorithm:
            continue
        lines = arithmetic(shown)
        row = shown.worst.gradient[-1]
        assert lines or len(row) >= 64 or shown.neuron.hyperparameters.get("weight_decay")
        for line in lines:
            for equation in line.partition(": ")[2].split("; ") if ": " in line else [line]:
                *left, right = equation.split(" = ")[1:]
                # Φ leaves a vector as it is: nothing is worked out there.
                assert left or (equation.startswith("Φ(g)") and shown.output_axis is None)
                for one in left:
                    assert math.isclose(_value(one), float(right), rel_tol=1e-4, abs_tol=1e-4)
        if lines:
            assert float(lines[-1].rpartition(" = ")[2]) == pytest.approx(
                shown.worst.expected, rel=1e-5
            )


def _value(text):
    return eval(text.replace("×", "*"), {}, {"sqrt": np.sqrt})


def test_a_weight_left_alone_by_name_is_named_by_its_base_too():
    base = numpy_port(trained(strange_ports.nothing), name="base")
    port = numpy_port(trained(strange_ports.no_embedding), name="no-embedding", base=base)
    report = check(port, max_examples=0)
    assert report.identified == ("kind-gated",), report.diagnosis
    [said] = report.diagnosis
    assert "weights of the kind embedding are left alone" in said


@pytest.mark.torch
def test_state_that_is_lost_when_it_is_restored_is_said_to_be_lost():
    """What fails is the checkpoint, and nothing else is said to be wrong."""
    form = FORMS["state-lost"]
    report = check(make_port(form, "torch", name="lost"), max_examples=0)
    assert [c.id for c in report.failures] == ["hygiene/checkpoint"]
    assert report.identified == ("state-lost",)
    [said] = report.diagnosis
    assert said.startswith("restored after step 1, it goes on as a new optimizer would")
