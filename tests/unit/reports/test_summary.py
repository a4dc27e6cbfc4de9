"""What a report says in a line."""

import math

import pytest

from gc_ref._conformance.reports.summary import headline, told_apart
from gc_ref.conformance import check, operator_port


@pytest.mark.parametrize(
    ("one", "other", "words"),
    [
        (1.375, 0.0, ("1.375", "0")),
        (-1.25, 0.799999952, ("-1.25", "about 0.8")),
        (1 / 3, 0.25, ("about 0.333", "0.25")),
        (1.0000001, 1.0, ("1.0000001", "1")),
        (1.00000011920929, 1.0, ("about 1.0000001", "1")),
        (1.0, math.nan, ("1", "nan")),
        (-0.0, math.inf, ("0", "inf")),
        (123456.0, 1e30, ("123456", "1e+30")),
        (1234567.0, 2.0, ("about 1.23e+06", "2")),
    ],
)
def test_a_number_is_exact_or_said_to_be_rounded(one, other, words):
    assert told_apart(one, other) == words


def of_the_outputs(g):
    return g if g.ndim < 2 else g - g.mean(axis=-1, keepdims=True)


def added(g):
    return g if g.ndim < 2 else g + g.mean(axis=tuple(range(g.ndim - 1)), keepdims=True)


@pytest.mark.parametrize(
    ("operator", "said"),
    [
        (of_the_outputs, "averages the output axis only"),
        (added, "-1 times the mean is removed"),
        (lambda g: g, "the gradient is left as it is"),
    ],
)
def test_the_headline_is_about_this_form_of_a_deviation(operator, said):
    report = check(operator_port(operator, name="port"), max_examples=0)
    assert headline(report) == f"port deviates: {said}"
