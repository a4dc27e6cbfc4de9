"""What the counterexample, worked by hand, says that the port did."""

import pytest

from gc_ref._conformance.findings.counterexample import Counterexample, Element, Neuron
from gc_ref._conformance.reports.worked_example import worked_example

GRADIENT = [10.0, 10.0, 8.0, 0.0]  # its mean is 7
WEIGHT = [-1.0, 0.0, 0.375, -0.5]
ITSELF, ERASED = "used the gradient itself, its mean not taken off", "whole gradient is erased"


def said(used, *, at=3, whole=True, gradient=GRADIENT):
    """Sentences of a first SGDM step (lr 0.5, momentum 0.5) along ``used``."""
    mean = sum(gradient) / len(gradient)
    expected = [w - 0.25 * (g - mean) for w, g in zip(WEIGHT, gradient, strict=True)]
    got = [w - 0.25 * u for w, u in zip(WEIGHT, used, strict=True)]
    element = Element(
        step=1, index=(2, 0, at // 2, at % 2), gradient=(tuple(gradient),), weight=WEIGHT[at],
        expected=expected[at], got=got[at], bound=1e-6,
    )  # fmt: skip
    neuron = Neuron(
        "sgdm", {"lr": 0.5, "momentum": 0.5, "weight_decay": 0.0},
        tuple(expected) if whole else (), tuple(got) if whole else (),
    )  # fmt: skip
    return worked("conv2d", (4, 1, 2, 2), (0,), element, neuron)


def worked(kind, shape, axes, element, neuron):
    shown = Counterexample("c", "float32", "w", kind, shape, axes, element, element, neuron)
    return " ".join(worked_example(shown))


def test_all_inputs_are_compared_before_the_port_is_said_to_have_done_anything():
    """At the last input the gradient is 0, so that both readings are the same there."""
    assert ERASED in said([0.0] * 4)
    assert ITSELF not in said([0.0] * 4)
    assert ITSELF in said(GRADIENT)
    assert ERASED not in said(GRADIENT)


@pytest.mark.parametrize("at", range(4))
def test_nothing_is_named_where_nothing_fits(at):
    text = said([10.0, 0.0, 4.0, 0.0], at=at)
    assert ITSELF not in text
    assert ERASED not in text
    assert "as if it were 10, 0, 4, 0, where it is 3, 3, 1, -7." in text


@pytest.mark.parametrize("used", [GRADIENT, [0.0] * 4])
def test_one_input_alone_tells_nothing(used):
    text = said(used, whole=False)
    assert "The port moved this weight as if Φ(g) were 0 there, where it is -7." in text
    assert ITSELF not in text
    assert ERASED not in text


def test_a_function_that_answers_0_erases_the_gradient():
    element = Element(1, (2, 0), ((1.0, 2.0, 6.0),), None, expected=3.0, got=0.0, bound=1e-6)

    def said_of(*got):
        neuron = Neuron("operator", {}, (-2.0, -1.0, 3.0), got)
        return worked("dense", (3, 1), (1,), element, neuron)

    assert ERASED in said_of(0.0, 0.0, 0.0)
    assert ERASED not in said_of(-2.0, -1.0, 0.0)
