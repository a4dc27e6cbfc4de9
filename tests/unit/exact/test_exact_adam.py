"""`adam` and `power`: Algorithm 2 worked by hand, by squaring and in decimals.

By squaring: √v̂ = lr·m̂/x - ε turns each question about a step x into an inequality of
rationals. In decimals: the same lines again, to 400 digits.
"""

from __future__ import annotations

import decimal
import time
from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from gc_ref.exact import Enclosure, adam, exactly, power

from ._plain_matrices import DECAYS, PLACEMENTS, Matrix, each, entering, flat, matrices, phi

F = Fraction


def dyadic(grad: Matrix, eps: float = 1, **options: Any) -> Enclosure:
    [step] = adam(
        each(lambda _: 0.5, grad),
        [grad],
        lr=0.125,
        beta1=0.5,
        beta2=0.75,
        eps=eps,
        output_axis=0,
        **options,
    )
    return step


@pytest.mark.parametrize(("epsilon", "eps"), [("outside", 1), ("hat", 0.5)])
def test_adam_is_exact_on_dyadic_data(epsilon: str, eps: float) -> None:
    # Both means are 2, so ĝ = (7, -7, 1, -1) and (0, 0, 3, -3).
    step = dyadic([[9, -5, 3, 1], [2, 2, 5, -1]], eps, epsilon=epsilon)
    assert step.lower == step.upper
    # m̂ = ĝ and √v̂ = |ĝ|: the step is ĝ/(|ĝ| + 1)/8, with 7/8, 1/2, 0 and 3/4 for |ĝ| = 7, 1,
    # 0 and 3. On the hat: √(1/4)/(1/2)·(ĝ/2)/(|ĝ|/2 + ε), the same for ε = 1/2.
    sizes = {7: F(7, 8), 1: F(1, 2), 0: F(0), 3: F(3, 4)}
    expected = [
        F(1, 2) - F(1, 8) * (sizes[abs(h)] if h >= 0 else -sizes[abs(h)])
        for h in (7, -7, 1, -1, 0, 0, 3, -3)
    ]
    assert step.lower.fractions() == expected


def test_adam_by_hand_with_decay() -> None:
    # w = 1/2 everywhere, λ = 2: λw = 1. Φ(g) = (-1, 1) gives ĝ = (0, 2); m̂/(√v̂+1) = (0, 2/3).
    with_raw_decay = adam(
        [[0.5, 0.5]],
        [[[1, 3]]],
        lr=0.125,
        beta1=0.5,
        beta2=0.75,
        eps=1,
        weight_decay=2,
        output_axis=0,
    )[0]
    assert with_raw_decay.lower.fractions()[0] == F(1, 2)
    assert contains(with_raw_decay, 1, F(1, 2) - F(1, 8) * F(2, 3))
    # Decoupled: w - w·2/8 = 3/8 first, then the step of ĝ = (-1, 1): ±(1/2)/8.
    step = dyadic([[1, 3]], weight_decay=2, decay="decoupled")
    assert step.lower == step.upper
    assert step.lower.fractions() == [F(3, 8) + F(1, 16), F(3, 8) - F(1, 16)]
    # Φ on the direction: g = (1, 3) gives (1/2, 3/4), centralized ±1/8.
    step = dyadic([[1, 3]], placement="update")
    assert step.lower == step.upper
    assert step.lower.fractions() == [F(1, 2) + F(1, 64), F(1, 2) - F(1, 64)]


def contains(step: Enclosure, index: int, value: Fraction) -> bool:
    return step.lower.fractions()[index] <= value <= step.upper.fractions()[index]


def moments(
    grads: Sequence[Sequence[Fraction]], beta1: Fraction, beta2: Fraction
) -> list[tuple[list[Fraction], list[Fraction]]]:
    """m̂ and v̂ of Algorithm 2 after each step, exact."""
    m = [F(0)] * len(grads[0])
    v = [F(0)] * len(grads[0])
    out = []
    for t, g in enumerate(grads, start=1):
        m = [beta1 * a + (1 - beta1) * b for a, b in zip(m, g, strict=True)]
        v = [beta2 * a + (1 - beta2) * b * b for a, b in zip(v, g, strict=True)]
        out.append(([a / (1 - beta1**t) for a in m], [a / (1 - beta2**t) for a in v]))
    return out


def encloses_step(
    low: Fraction, high: Fraction, size: Fraction, eps: Fraction, v: Fraction
) -> bool:
    """Whether low <= size/(√v + ε) <= high, decided by squaring; size > 0, low > 0.

    size/(√v+ε) >= low says √v <= size/low - ε, that is 0 <= size/low - ε and v <= its square.
    """
    top, bottom = size / low - eps, size / high - eps
    return top >= 0 and v <= top * top and (bottom <= 0 or v >= bottom * bottom)


@pytest.mark.parametrize("scale", [1.0, 2.0**-1060, 2.0**1000, 2.0**-30])
@pytest.mark.parametrize("eps", [1e-8, 1.0, 0.0])
def test_algorithm_2_by_squaring(scale: float, eps: float) -> None:
    """Each step lies between the enclosures around it, subnormal and huge gradients too."""
    grads = [each(lambda x: x * scale, g) for g in matrices(7, 4)]
    weight = each(lambda _: 0.0, grads[0])
    got = adam(weight, grads, lr=0.01, eps=eps, output_axis=0)
    centered = [flat(phi(each(F, g))) for g in grads]
    previous = Enclosure(exactly(weight), exactly(weight))
    for (m, v), step in zip(moments(centered, F(0.9), F(0.999)), got, strict=True):
        befores = zip(previous.lower.fractions(), previous.upper.fractions(), strict=True)
        afters = zip(step.lower.fractions(), step.upper.fractions(), strict=True)
        for mi, vi, before, after in zip(m, v, befores, afters, strict=True):
            low, high = before[0] - after[1], before[1] - after[0]
            if mi < 0:
                low, high = -high, -low
            assert 0 < low <= high
            assert high - low < high / 2**190  # two widths, and steps of unequal length
            assert encloses_step(low, high, F(0.01) * abs(mi), F(eps), vi)
        previous = step


def decimal_trajectory(
    weight: Matrix, grads: list[Matrix], lam: float, decay: str, placement: str, epsilon: str
) -> list[Matrix]:
    """Algorithm 2 line by line, lr = 0.01 and ε = 1e-8, in the current decimal context."""
    lr, b1, b2, eps, lamb = (Decimal(x) for x in (0.01, 0.9, 0.999, 1e-8, lam))
    w = each(Decimal, weight)
    m = v = each(lambda _: Decimal(0), weight)
    out = []
    for t, g in enumerate(grads, start=1):
        h = entering(each(Decimal, g), w, lamb, decay, placement)
        m = each(lambda a, b: b1 * a + (1 - b1) * b, m, h)
        v = each(lambda a, b: b2 * a + (1 - b2) * b * b, v, h)
        c1, c2 = 1 - b1**t, 1 - b2**t
        if epsilon == "outside":
            d = each(lambda a, b, c1=c1, c2=c2: a / c1 / ((b / c2).sqrt() + eps), m, v)
        else:
            d = each(lambda a, b, c1=c1, c2=c2: c2.sqrt() / c1 * a / (b.sqrt() + eps), m, v)
        if decay == "decoupled" and placement == "decayed-update":
            d = each(lambda x, y: y + lamb * x, w, d)
        elif decay == "decoupled":
            w = each(lambda x: x - lr * lamb * x, w)
        w = each(lambda x, y: x - lr * y, w, phi(d) if placement.endswith("update") else d)
        out.append(w)
    return out


@pytest.mark.parametrize("placement", PLACEMENTS)
@pytest.mark.parametrize(("lam", "decay"), DECAYS)
@pytest.mark.parametrize("epsilon", ["outside", "hat"])
@pytest.mark.parametrize("scale", [1.0, 1e-6])
def test_algorithm_2_in_decimals(
    placement: str, lam: float, decay: str, epsilon: str, scale: float
) -> None:
    """400 digits tell where in the enclosure, some 60 digits wide at most, the truth is."""
    weight, *grads = matrices(8, 6)
    grads = [each(lambda x: x * scale, g) for g in grads]
    options: Any = {"epsilon": epsilon, "weight_decay": lam, "decay": decay, "placement": placement}
    got = adam(weight, grads, lr=0.01, output_axis=0, **options)
    with decimal.localcontext(prec=400):
        expected = decimal_trajectory(weight, grads, lam, decay, placement, epsilon)
    slack = F(1, 10**350)
    for step, truth in zip(got, expected, strict=True):
        assert step.lower.denominator == step.upper.denominator
        assert step.lower.shape == step.upper.shape == (2, 3)
        ends = zip(step.lower.fractions(), step.upper.fractions(), strict=True)
        for (low, high), x in zip(ends, flat(truth), strict=True):
            assert low - slack <= F(x) <= high + slack
            assert high - low < F(1, 2**200)


def test_a_zero_gradient_moves_nothing() -> None:
    """v = 0 and 0/(0 + ε) = 0; a constant slice counts as zero (Eq. 1)."""
    for options in ({}, {"epsilon": "hat"}, {"placement": "decayed-gradient"}):
        steps = adam([[1.0, 2.0, 5.0]], [[[0.1] * 3]] * 3, lr=1, output_axis=0, **options)
        for step in steps:
            assert step.lower == step.upper
            assert step.lower.fractions() == [1, 2, 5]


@pytest.mark.parametrize("epsilon", ["outside", "hat"])
def test_zero_over_zero_is_an_error(epsilon: str) -> None:
    with pytest.raises(ZeroDivisionError, match="step 1: eps = 0, and v = 0 at element 2"):
        adam([[0, 0, 0]], [[[1, 3, 2]]], lr=1, eps=0, epsilon=epsilon, output_axis=0)


def test_a_long_trajectory_stays_cheap_and_tight() -> None:
    weight, *grads = matrices(9, 501, rows=2, columns=4)
    start = time.process_time()
    steps = adam(weight, grads, lr=1e-3, weight_decay=0.01, output_axis=0)
    assert time.process_time() - start < 10  # a tenth of a second or two, on an idle machine
    last = steps[-1]
    for low, high in zip(last.lower.numerators, last.upper.numerators, strict=True):
        assert (high - low) * 2**200 < last.lower.denominator * 1e-3
    assert len(steps) == 500


def test_a_second_moment_that_all_but_vanishes() -> None:
    """v = 2⁻⁵⁰⁰ of ĝ² after a zero gradient: the first units tried cannot tell it from 0."""
    options: Any = {"lr": 1, "beta1": 0.5, "beta2": 2.0**-500, "eps": 0, "output_axis": 0}
    _, step = adam([[0, 0]], [[[1, 4]], [[0, 0]]], **options)
    (_, (m, v)) = moments([[F(-3, 2), F(3, 2)], [F(0)] * 2], F(1, 2), F(2) ** -500)
    # The first step is 1 in size, exactly: m̂ = ĝ and √v̂ = |ĝ|.
    low, high = step.lower.fractions()[0] - 1, step.upper.fractions()[0] - 1
    assert encloses_step(low, high, -m[0], F(0), v[0])
    assert high - low < high / 2**200


def test_no_end_of_digits_is_an_error() -> None:
    """After twelve zero gradients v has shrunk by 2⁻¹²⁰⁰⁰, and ε = 0 does not help."""
    grads = [[[1, 4]]] + [[[0, 0]]] * 12
    with pytest.raises(ArithmeticError, match="no enclosure within 2"):
        adam([[0, 0]], grads, lr=1, beta2=2.0**-1000, eps=0, output_axis=0)


def significand_bits(x: Fraction) -> int:
    return (x.numerator // (x.numerator & -x.numerator)).bit_length()


@pytest.mark.parametrize("beta", [0.5, 0.75, 0.9, 0.999, 1 - 2.0**-53, F(1, 3), 0, 1])
def test_power_encloses(beta: Any) -> None:
    for t in (0, 1, 2, 3, 4, 5, 6, 31, 100, 161, 162, 300):
        low, high = power(beta, t)
        true = F(beta) ** t
        assert low <= true <= high
        assert high - low <= true / 2**240
        odd = true.denominator // (true.denominator & -true.denominator)
        if max(true.numerator.bit_length(), odd.bit_length()) <= 256:
            assert low == high
        else:
            assert low < true < high
            assert max(significand_bits(low), significand_bits(high)) <= 256
