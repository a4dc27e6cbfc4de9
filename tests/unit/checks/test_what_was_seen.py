"""What a check says of an optimizer is what it saw: not that the gradient was wrong."""

import pytest

from gc_ref._conformance.catalogue.deviations import FORMS
from gc_ref._conformance.running.judge_port import RunOptions, judge_port
from gc_ref._conformance.wrong_ports.make import make_port

ALL = "move neither as for the gradient less its mean over all inputs nor as for the gradient as"


def messages(id, *, operator=False):
    report = judge_port(
        make_port(FORMS[id], "numpy", operator=operator, name=id), RunOptions(max_examples=0)
    )
    return {c.id: c.message for c in report.with_status("failed")}


def test_of_a_second_moment_of_the_raw_gradient():
    """Its Φ is right, and what is read off its steps is not: no law has a number for that."""
    said = messages("second-moment-raw")
    assert ALL in said["scope/every-weight"]
    read = "with Φ read off its first step as Algorithm 2 has it: an element moves by lr or more"
    laws = [message for id, message in said.items() if id.startswith("law/")]
    assert laws
    assert all(read in message and "off by" not in message for message in laws)


@pytest.mark.parametrize("id", ["whole-tensor", "vectors-too"])
def test_of_an_optimizer_and_of_a_function(id):
    of_optimizer, of_function = messages(id), messages(id, operator=True)
    if id == "vectors-too":
        seen = of_optimizer["scope/vectors-untouched"], of_function["scope/vectors-untouched"]
        assert "do not move as for their own gradient" in seen[0]
        assert "do not get back their own gradient" in seen[1]
        return
    assert ALL in of_optimizer["scope/every-weight"]
    assert "are changed, but not to the gradient" in of_function["scope/every-weight"]
    assert "with Φ read off its first step as Algorithm 1" in of_optimizer["law/zero-mean"]
    assert "a sum of 0 over the inputs fails at" in of_optimizer["law/zero-mean"]
    assert "read off" not in of_function["law/zero-mean"]
