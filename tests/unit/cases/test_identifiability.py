"""No wrong port moves as a right one does, and no convention passes for another."""

from dataclasses import replace

import pytest

from gc_ref._conformance.catalogue.execution import training_loop
from gc_ref._conformance.catalogue.semantics import Semantics
from gc_ref.conformance import check, numpy_port

from .identifiability import given, readings, unexplained

SETTINGS = pytest.mark.parametrize(
    ("algorithm", "layout"), [("sgdm", "output-last"), ("adam", "output-first")]
)
#: A matrix and a kernel: what is done with Φ(g) is done to each weight alike.
FEW = ("dense_1", "conv2d_0")


def of_step(algorithm):
    """All conventions, and all that a wrong port may do with Φ(g) of one weight."""
    aliased = "state-aliased"  # shows in a model with two weights of one shape
    every = readings(algorithm)
    return [r for r in every if r.right or (r.of_step and r.semantics.mistake != aliased)]


@SETTINGS
def test_no_two_ways_to_step_look_alike_without_a_reason(algorithm, layout):
    every = of_step(algorithm)
    assert len(every) > 200
    assert not list(unexplained(every, given(layout, algorithm, layers=FEW), layout))


@SETTINGS
def test_no_two_ways_to_centralize_look_alike_without_a_reason(algorithm, layout):
    every = list(readings(algorithm))
    every = [r for r in every if r.semantics.conventions == every[0].semantics.conventions]
    assert len(every) > 50
    assert not list(unexplained(every, given(layout, algorithm), layout))


def test_where_lr_is_1_less_the_momentum_lr_applied_twice_looks_like_an_average():
    data = given("output-last", "sgdm", layers=FEW)
    half = {"lr": 0.5, "momentum": 0.5}
    data = [replace(case, hyperparameters=case.hyperparameters | half) for case in data]
    undecayed = {"decay": "none", "placement": "gradient"}.items()
    every = [r for r in of_step("sgdm") if undecayed <= r.semantics.conventions.items()]
    found = list(unexplained(every, data, "output-last"))
    assert "ema/zero/none/gradient  = heavy-ball/zero/none/gradient lr-twice" in found
    assert "heavy-ball/zero/none/gradient  = ema/zero/none/gradient lr never applied" in found


@pytest.mark.parametrize("wrong", [{"mistake": "lr-twice"}, {"built_in": {"lr": 1.0}}])
def test_lr_applied_twice_or_never_is_no_average(wrong):
    semantics = Semantics(conventions={"momentum": "heavy-ball"}, **wrong)
    run = training_loop(semantics, "output-last")
    assert check(numpy_port(run, algorithm="sgdm"), max_examples=0).verdict == "deviates"
