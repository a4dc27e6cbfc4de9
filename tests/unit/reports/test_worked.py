"""What the counterexample, worked by hand, says that the port did."""

import pytest

from gc_ref._conformance.reports.worked import worked

GRADIENT = [10.0, 10.0, 8.0, 0.0]  # its mean is 7
WEIGHT = [-1.0, 0.0, 0.375, -0.5]
ITSELF, ERASED = "used the gradient itself, its mean not taken off", "whole gradient is erased"


def said(used, *, at=3, whole=True, gradient=GRADIENT):
    """Sentences of a first SGDM step (lr 0.5, momentum 0.5) along ``used``."""
    mean = sum(gradient) / len(gradient)
    expected = [w - 0.25 * (g - mean) for w, g in zip(WEIGHT, gradient, strict=True)]
    got = [w - 0.25 * u for w, u in zip(WEIGHT, used, strict=True)]
    shown = {
        "kind": "conv2d", "shape": [4, 1, 2, 2], "parameter": "w", "output_axis": [0], "step": 1,
        "index": [2, 0, at // 2, at % 2], "gradient": [gradient], "weight": WEIGHT[at],
        "expected": expected[at], "got": got[at], "bound": 1e-6,
    }  # fmt: skip
    neuron = {
        "algorithm": "sgdm", "expected": expected if whole else [], "got": got if whole else [],
        "hyperparameters": {"lr": 0.5, "momentum": 0.5, "weight_decay": 0.0},
    }  # fmt: skip
    return " ".join(worked(shown, neuron))


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
    assert "as if 3, 3, 1, -7 were 10, 0, 4, 0" in text


@pytest.mark.parametrize("used", [GRADIENT, [0.0] * 4])
def test_one_input_alone_tells_nothing(used):
    text = said(used, whole=False)
    assert "The port moved as if -7 were 0." in text
    assert ITSELF not in text
    assert ERASED not in text


def test_a_function_that_answers_0_erases_the_gradient():
    shown = {
        "kind": "dense", "shape": [3, 1], "parameter": "w", "output_axis": [1], "step": 1,
        "index": [2, 0], "gradient": [[1.0, 2.0, 6.0]], "weight": None,
        "expected": 3.0, "got": 0.0, "bound": 1e-6,
    }  # fmt: skip
    neuron = {"algorithm": "operator", "hyperparameters": {}, "expected": [-2.0, -1.0, 3.0]}
    assert ERASED in " ".join(worked(shown, {**neuron, "got": [0.0, 0.0, 0.0]}))
    assert ERASED not in " ".join(worked(shown, {**neuron, "got": [-2.0, -1.0, 0.0]}))
