"""The parts of the search: amounts, patterns of steps, and the cases that it runs."""

import numpy as np
import pytest

from gc_ref._conformance.catalogue.centering import RULES
from gc_ref._conformance.catalogue.execution import operator_of, training_loop
from gc_ref._conformance.catalogue.semantics import Semantics
from gc_ref._conformance.diagnosis.amounts import fitted_amount
from gc_ref._conformance.diagnosis.observed import observe
from gc_ref._conformance.diagnosis.search_cases import SearchCases
from gc_ref._conformance.diagnosis.step_patterns import step_pattern
from gc_ref._conformance.ports.case import Trajectory

CASES = SearchCases("output-last", seed=0)


def observed(semantics):
    """What the port of a semantics does in the case that semantics are tried on."""
    if semantics.algorithm == "operator":
        phi = operator_of(semantics, "output-last")
        steps = [{k: phi(g) for k, g in step.items()} for step in CASES.telling.gradients]
    else:
        steps = training_loop(semantics, "output-last")(CASES.telling)
    trajectory = Trajectory(tuple(steps))
    return observe(CASES.telling, trajectory, "output-last", CASES.telling.hyperparameters)


@pytest.mark.parametrize(
    "optimizer",
    [
        Semantics(algorithm="operator"),
        Semantics(conventions={"momentum": "heavy-ball"}),
        Semantics(algorithm="adam", conventions={"epsilon": "hat"}),
        Semantics(algorithm="adam", mistake="second-moment-raw"),
        Semantics(mistake="lr-twice", conventions={"momentum": "ema"}),
    ],
    ids=lambda s: "-".join([s.algorithm, s.mistake, *s.conventions.values()]),
)
@pytest.mark.parametrize(("rule", "amount"), [("partial", 0.25), ("offset", -2.0), ("scaled", 1.5)])
def test_amounts_are_fitted_to_the_first_step(optimizer, rule, amount):
    semantics = Semantics(
        centering=rule, amount=amount, algorithm=optimizer.algorithm, mistake=optimizer.mistake,
        conventions=optimizer.conventions,
    )  # fmt: skip
    found = observed(semantics).values()
    assert fitted_amount(RULES[rule].fit, found, optimizer) == amount


def test_an_amount_that_is_right_is_none():
    found = observed(Semantics(algorithm="operator")).values()
    for rule in ("partial", "offset", "scaled"):
        assert fitted_amount(RULES[rule].fit, found, Semantics(algorithm="operator")) is None


def test_the_pattern_of_a_port_that_centralizes_now_and_then():
    semantics = Semantics(schedule="skips-every", schedule_number=2)
    found = observed(semantics)
    assert step_pattern(found["dense_2.kernel"], Semantics()) == (True, False, True, False, True)
    assert step_pattern(found["dense_5.kernel"], Semantics()) in [
        (False,) * 5,
        (True, False) * 2 + (True,),
    ]
    assert step_pattern(found["dense_1.bias"], Semantics()) == (None,) * 5
    assert step_pattern(found["dense_2.kernel"], Semantics(centering="whole")) is None


def test_cases_come_out_the_same_again_and_differ_by_seed():
    again, other = SearchCases("output-last", 0), SearchCases("output-last", 1)
    assert CASES.telling.digest == again.telling.digest != other.telling.digest
    assert CASES.confirming.hyperparameters["eps"] == 2.0
    assert SearchCases("output-last", 0, eps=0.5).confirming.hyperparameters["eps"] == 1.0
    assert np.ndim(CASES.convolutions.parameters[0].value) == 4
