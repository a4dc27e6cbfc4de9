"""The laws hold each element of an answer, not sums alone."""

import numpy as np
import pytest
from _numpy_optimizers import adam, phi, sgdm

from gc_ref._conformance.checks.law import LAWS, law
from gc_ref._conformance.judging.judge import Judge
from gc_ref._conformance.judging.shared_results import Known
from gc_ref.conformance import numpy_port, operator_port

KNOWN = Known()


def judge_of(port):
    return Judge(port, seed=0, suite="quick", max_examples=0, known=KNOWN)


def outcome(port, name):
    return law(judge_of(port), name)


def off_by(error, known):
    """Eq. 1 with one element off, but not on the gradients of some cases.

    1/20,000 is twice the bound of that element, and less than that of a sum.
    """
    right = {g.tobytes() for case in known for step in case.gradients for g in step.values()}

    def centralize(g):
        answer = np.array(phi(g))
        if g.ndim > 1 and g.tobytes() not in right:
            answer.flat[-1] += error
        return answer

    return centralize


def off_elsewhere(error=5e-5):
    """A port that value/* finds no fault with."""
    judge = judge_of(operator_port(phi))
    return operator_port(off_by(error, (judge.integers, judge.bounded)))


@pytest.mark.parametrize("name", ["idempotent", "orthogonal", "linear", "permutation-equivariant"])
def test_one_element_that_is_off_in_an_answer_is_seen(name):
    found = outcome(off_elsewhere(), name)
    assert found.status == "failed"
    assert found.ratio > 1


def test_the_message_says_which_element():
    found = outcome(off_elsewhere(), "permutation-equivariant")
    assert "the law holds in sum, but Φ of a gradient that it asks for is" in found.message
    assert ", expected" in found.message


def test_a_port_that_is_wrong_on_the_first_gradient_breaks_the_laws_that_it_breaks():
    """One mean of the whole weight is linear, whatever else it is."""
    whole = operator_port(lambda g: g if g.ndim < 2 else g - g.mean())
    assert outcome(whole, "linear").status == "passed"
    assert outcome(whole, "zero-mean").status == "failed"


def test_one_element_that_an_optimizer_gets_wrong_is_seen():
    judge = judge_of(numpy_port(sgdm(), algorithm="sgdm"))
    known = (judge.integers, judge.bounded)
    port = numpy_port(sgdm(off_by(1e-3, known)), algorithm="sgdm")
    assert outcome(port, "linear").status == "failed"


@pytest.mark.parametrize("name", LAWS)
def test_a_right_port_passes(name):
    assert outcome(operator_port(phi), name).status == "passed"


@pytest.mark.parametrize(
    "port",
    [numpy_port(sgdm(), algorithm="sgdm"), numpy_port(adam(), algorithm="adam"),
     numpy_port(adam(hat=True), algorithm="adam")],
)  # fmt: skip
@pytest.mark.parametrize("name", ["zero-mean", "linear", "shift-invariant"])
def test_a_right_optimizer_passes(port, name):
    assert outcome(port, name).status == "passed"
