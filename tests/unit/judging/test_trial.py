"""A trial: a port runs each case once, and cases are told apart by what is in them."""

from dataclasses import replace

import numpy as np
import pytest
from _numpy_optimizers import identity, rmsprop, sgdm

from gc_ref._conformance.cases.standard import integer_case
from gc_ref._conformance.judging.shared_results import Known, kept
from gc_ref._conformance.judging.trial import WRITES_GRADIENT, Trial
from gc_ref._conformance.ports.case import Trajectory
from gc_ref.conformance import numpy_port


def counted():
    """A trial of a port, and the ids of the cases that the port has run."""
    port, ran = numpy_port(sgdm(), algorithm="sgdm"), []

    def run(case):
        ran.append(case.id)
        return port.run(case)

    return Trial(replace(port, run=run), seed=0, suite="quick"), ran


def case(seed=0):
    return integer_case("output-last", seed=seed, algorithm="sgdm", steps=1)


def test_cases_of_equal_content_are_equal():
    assert case() == case()
    assert hash(case()) == hash(case())
    assert case() != case(seed=1)
    assert case() != case().with_drive("twin")
    assert case() != replace(case(), id="other")
    assert case().parameters == case().parameters
    assert case().parameters[0] != case(seed=1).parameters[0]
    assert case() != "integers"


@pytest.mark.parametrize("change", ["gradient", "weight", "lr"])
def test_a_small_change_of_content_makes_another_case(change):
    one, other = case(), case()
    if change == "gradient":
        other.gradients[0][other.parameters[-1].name].flat[-1] += 1
    elif change == "weight":
        other.parameters[-1].value.flat[-1] += 1
    else:
        other = replace(other, hyperparameters={**other.hyperparameters, "lr": 0.125})
    assert one != other


def test_a_case_that_is_made_again_is_not_run_again():
    trial, ran = counted()
    first = trial.run(case())
    assert trial.has_run(case())
    assert trial.run(case()) is first
    assert ran == ["integers"]
    trial.run_again(case())
    assert not trial.has_run(case().with_drive("twin"))
    assert len(ran) == 2


def test_the_base_runs_for_itself_and_a_stranger_does_not():
    base = numpy_port(rmsprop(identity), name="base")
    trial = Trial(numpy_port(rmsprop(), base=base), seed=0, suite="quick")
    one, other = trial.run(case()), trial.run(case(), port=base)
    assert any(np.any(one.steps[0][k] != other.steps[0][k]) for k in one.steps[0])
    with pytest.raises(ValueError, match="stranger is neither the port on trial"):
        trial.run(case(), port=numpy_port(sgdm(), name="stranger"))


def test_what_was_noticed_is_noted_once_also_afresh():
    trial, _ = counted()
    answered = trial.run(case())
    noisy = Trajectory(answered.steps, ("was slow",), writes_gradient=True)
    trial = Trial(replace(trial.port, run=lambda case: noisy), seed=0, suite="quick")
    trial.run(case())
    trial.afresh().run(case())
    assert list(trial.notes) == ["was slow", WRITES_GRADIENT]
    assert trial.writes_gradient


def test_a_trial_afresh_runs_again():
    trial, ran = counted()
    trial.run(case())
    fresh = trial.afresh()
    assert not fresh.has_run(case())
    fresh.run(case())
    assert len(ran) == 2


def test_results_are_kept_with_their_keeper():
    calls = []

    @kept
    def size(known, case, *, factor=1):
        calls.append(factor)
        return factor * len(case.parameters)

    one, other = Known(), Known()
    assert size(one, case()) == size(one, case()) == len(case().parameters)
    assert size(one, case(), factor=2) == 2 * size(other, case())
    assert calls == [1, 2, 1]
