"""The counterexample convinces: several inputs, whole numbers, the first step that is wrong."""

import numpy as np
import pytest
from _reports import plain, swapped

from gc_ref.conformance import check, operator_port


def of_check(report, id):
    [found] = [c for c in report.checks if c.id == id]
    return found.counterexample


def whole(g):
    return g - g.mean()


def erased(g):
    return 0 * g if g.ndim > 1 else g


def single_inputs_doubled(g):
    """Wrong where a weight has one input, and nowhere else."""
    return 2 * g if g.ndim > 1 and g.size == g.shape[-1] else plain(g)


@pytest.mark.parametrize("wrong", [swapped, whole, erased])
def test_fuzzing_shows_several_inputs_in_whole_numbers(wrong):
    report = check(operator_port(wrong), max_examples=60)
    shown = of_check(report, "value/bounded")
    assert shown.case == "fuzz"
    if shown.output_axis is not None:
        assert len(shown.worst.gradient[0]) > 1
    assert all(g == round(g) for g in shown.worst.gradient[0])
    assert abs(shown.worst.got - shown.worst.expected) > shown.worst.bound


def test_a_port_that_is_wrong_on_single_inputs_alone_is_shown_there():
    report = check(operator_port(single_inputs_doubled), max_examples=60)
    assert report.verdict == "deviates"
    shown = of_check(report, "scope/every-weight")
    assert len(shown.worst.gradient[0]) == 1
    assert shown.worst.expected == 0 != shown.worst.got


@pytest.mark.parametrize("wrong", [swapped, erased, whole])
def test_the_element_shown_has_a_gradient_and_something_is_left_of_it(wrong):
    """Where the gradient is 0 or its mean, several mistakes look alike."""
    shown = of_check(check(operator_port(wrong), max_examples=0), "scope/every-weight")
    element, neuron = shown.worst, shown.neuron
    at = neuron.expected.index(element.expected)
    assert element.gradient[0][at] != 0
    assert element.expected != 0
    assert np.allclose(neuron.expected, np.subtract(element.gradient[0], np.mean(element.gradient)))
