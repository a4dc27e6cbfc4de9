"""Centering rules: the right one is Eq. 1, and what their fields say of the others is so."""

import numpy as np
import pytest

import gc_ref
from gc_ref._conformance.catalogue.centering import RULES, Gradient, Memory
from gc_ref._conformance.catalogue.parameters import ParameterInfo

SHAPE = (3, 2, 5, 4)
GRADIENT = np.random.default_rng(0).integers(-9, 10, SHAPE) + 25 / 8
INFO = {"axis": -1, "first_rank": 5, "bits": 53}
#: A rule that crosses where a weight has as many inputs at the far end as outputs.
SQUARE = {"broadcast": (4, 2, 5, 4)}


def applied(rule, gradient, amount=0.5, **more):
    info = ParameterInfo(gradient.shape, **{**INFO, **more})
    norm = np.sqrt((gradient * gradient).sum())
    memory = Memory(gradient[::-1], gradient.mean(), norm, weight=np.ones_like(gradient))
    return RULES[rule].apply(Gradient(np, gradient, info, amount, memory))


def test_the_right_rule_is_the_reference():
    assert np.array_equal(applied("mean", GRADIENT), gc_ref.centralize(GRADIENT, output_axis=-1))
    first = applied("mean", GRADIENT, axis=0)
    assert np.array_equal(first, gc_ref.centralize(GRADIENT, output_axis=0))


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_crosses_neurons_or_does_not(rule):
    gradient = np.resize(GRADIENT, SQUARE.get(rule, SHAPE))
    amount = 5 if rule == "rank" else 0.5
    changed = gradient.copy()
    changed[0, 0, 0, 1] = np.nan if rule == "nan-leak" else 1000.0
    before, after = applied(rule, gradient, amount), applied(rule, changed, amount)
    others = np.arange(4) != 1
    assert RULES[rule].crosses != np.array_equal(before[..., others], after[..., others])


@pytest.mark.parametrize("rule", [name for name, rule in RULES.items() if rule.fit])
def test_the_amount_of_a_rule_is_read_off(rule):
    fit = RULES[rule].fit
    gradient = GRADIENT.ravel() if fit.on_vectors else GRADIENT
    mean = gradient.mean(axis=(0, 1, 2) if gradient.ndim > 1 else 0, keepdims=True)
    norm = np.sqrt((gradient * gradient).sum())
    found = fit.estimate(gradient, mean, applied(rule, gradient, 0.375), norm)
    assert np.isfinite(found).any()
    assert np.allclose(found[np.isfinite(found)], 0.375)


def test_a_rule_without_axes_leaves_a_weight_as_it_is():
    matrix = GRADIENT[0, 0]
    assert np.array_equal(applied("window", matrix), matrix)
