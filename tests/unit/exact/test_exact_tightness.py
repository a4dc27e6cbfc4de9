"""`adam` promises enclosures within 2⁻²⁰⁰ of the steps taken, and exact ones where it can.

And `power` promises ends that are rounded outward once.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

from gc_ref.exact import adam, power

F = Fraction
DYADIC: Any = {"lr": 0.125, "beta1": 0.5, "beta2": 0.75, "eps": 1, "output_axis": 0}


def test_a_mean_of_three_directions_is_exact() -> None:
    # m̂/(√v̂ + 1) is 1/2, 3/4 and 0; their mean, 5/12, is no dyadic number.
    [step] = adam([[0, 0, 0]], [[[1, 3, 0]]], placement="update", **DYADIC)
    assert step.lower == step.upper
    assert step.lower.fractions() == [F(-1, 96), F(-1, 24), F(5, 96)]


def test_a_constant_gradient_cancels_its_bias_correction_to_the_last_of_many_digits() -> None:
    # m = ĝ(1 - βᵗ), with 265 digits after five steps: m̂ = ĝ, and √v̂ = |ĝ|.
    options = DYADIC | {"beta1": 1 - 2.0**-53, "beta2": 1 - 2.0**-53}
    steps = adam([[0, 0]], [[[1, 3]]] * 5, **options)
    for t, step in enumerate(steps, start=1):
        assert step.lower == step.upper
        assert step.lower.fractions() == [F(t, 16), F(-t, 16)]


def test_under_update_the_largest_step_of_the_slice_counts() -> None:
    # m̂/(√v̂ + ε) is known to be 0 for the third element; the mean that Φ takes off is not known.
    [step] = adam([[0, 0, 0]], [[[1, 3, 0]]], lr=0.1, placement="update", output_axis=0)
    lower, upper = step.lower.fractions(), step.upper.fractions()
    assert all(0 < high - low <= F(0.1) / 2**200 for low, high in zip(lower, upper, strict=True))


def test_weights_of_zero_do_not_shrink() -> None:
    options: Any = {"lr": 0.1, "weight_decay": 0.1, "decay": "decoupled", "output_axis": 0}
    [step] = adam([[0, 0]], [[[1, 3]]], **options)
    # m̂ = ĝ = ±1 and √v̂ = 1: nothing is left to be rounded but 1/(1 + ε).
    true = F(0.1) / (1 + F(1e-8))
    for sign, low, high in zip(
        (1, -1), step.lower.fractions(), step.upper.fractions(), strict=True
    ):
        assert low <= sign * true <= high
        assert high - low <= true / 2**200


def test_decay_alone_counts_as_a_step() -> None:
    # Each step makes the exact weight 110 digits longer; 10240 are tried at most.
    options: Any = {"lr": 0.1, "weight_decay": 0.1, "decay": "decoupled", "output_axis": 0}
    steps = adam([[1.0, 2.0]], [[[3.0, 3.0]]] * 100, **options)
    true = (1 - F(0.1) * F(0.1)) ** 100
    low, high = steps[-1].lower.fractions()[0], steps[-1].upper.fractions()[0]
    assert low <= true <= high
    assert high - low <= F(0.1) * F(0.1) / 2**200


@pytest.mark.parametrize("placement", ["gradient", "update"])
def test_the_largest_step_so_far_counts(placement: str) -> None:
    # Without memory a gradient of zeros makes no step: what was known before is still known.
    options: Any = {"lr": 0.1, "beta1": 0.0, "output_axis": 0, "placement": placement}
    first, second = adam([[0.0, 0.0]], [[[1.0, 4.0]], [[0.0, 0.0]]], **options)
    for k in (0, 1):
        assert first.lower.fractions()[k] == second.lower.fractions()[k]
        assert first.upper.fractions()[k] == second.upper.fractions()[k]
        assert first.lower.fractions()[k] < first.upper.fractions()[k]


def test_weights_that_no_float_holds_stay_what_they_are() -> None:
    weight = [[F(1, 7), F(2, 11), F(-5, 3)]]
    [step] = adam(weight, [[[1.0, 1.0, 1.0]]], lr=F(1, 5), output_axis=0)
    assert step.lower.fractions() == step.upper.fractions() == weight[0]


def shortened(x: Fraction, bits: int) -> tuple[Fraction, Fraction]:
    """The numbers of this many significant bits at or next to x, below and above."""
    unit = F(1)
    while x / unit >= 2**bits:
        unit *= 2
    while x / unit < 2 ** (bits - 1):
        unit /= 2
    return x // unit * unit, -(-x // unit) * unit


@pytest.mark.parametrize("bits", [1, 2, 8, 20])
def test_power_rounds_outward_once(bits: int) -> None:
    for top in (1, 255, 256, 257, 1001, 2**21, 2**21 + 1, 2**30 - 1, 3**40):
        for bottom in (1, 3, 7**9, 3**40, 2**19, 2**60):
            beta = F(top, bottom)
            odd = beta.denominator // (beta.denominator & -beta.denominator)
            if max(beta.numerator.bit_length(), odd.bit_length()) <= bits:
                assert power(beta, 1, bits=bits) == (beta, beta)
            else:
                assert power(beta, 1, bits=bits) == shortened(beta, bits)
