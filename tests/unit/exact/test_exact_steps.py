"""`sgdm`: hand-worked steps, and Algorithm 1 in Fractions; what it shares with `adam`."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

from gc_ref.exact import ExactArray, adam, exactly, power, sgdm

from ._plain_matrices import DECAYS, PLACEMENTS, Matrix, each, entering, flat, matrices, phi

F = Fraction


def test_sgdm_by_hand() -> None:
    # Step 1: ĝ = (-1, 1), m = 0/2 + ĝ/2 = (-1/2, 1/2), w = (1, 2) - m/4 = (9/8, 15/8).
    # Step 2: ĝ = (2, -2), m = (-1/4 + 1, 1/4 - 1) = (3/4, -3/4), w = (15/16, 33/16).
    one, two = sgdm(
        [[1.0, 2.0]], [[[0.0, 2.0]], [[4.0, 0.0]]], lr=0.25, momentum=0.5, output_axis=0
    )
    assert one.fractions() == [F(9, 8), F(15, 8)]
    assert two.fractions() == [F(15, 16), F(33, 16)]
    assert one.shape == two.shape == (1, 2)


@pytest.mark.parametrize(
    ("options", "first", "second"),
    [
        # ĝ is (-1, 1) twice; the first element of m after each step:
        ({}, F(-1, 2), F(-3, 4)),
        ({"dampening": 0}, -1, F(-3, 2)),
        ({"dampening": 0.75}, F(-1, 4), F(-3, 8)),
        ({"first_momentum": "gradient"}, -1, -1),
        ({"first_momentum": "gradient", "dampening": 0.75}, -1, F(-3, 4)),
        ({"momentum": 0}, -1, -1),
    ],
)
def test_momentum_conventions_by_hand(options: Any, first: Any, second: Any) -> None:
    given = {"momentum": 0.5, **options}
    one, two = sgdm([[0, 0]], [[[1, 3]]] * 2, lr=1, output_axis=0, **given)
    assert one.fractions()[0] == -first
    assert two.fractions()[0] == -first - second


@pytest.mark.parametrize(
    ("placement", "decay", "expected"),
    [
        # w = (4, 0), g = (1, 3), λ = 1/2, lr = 1/2, plain SGD.
        ("gradient", "l2", (4 - F(1, 2), -F(1, 2))),  # Φ(g) + λw = (-1, 1) + (2, 0) = (1, 1)
        ("decayed-gradient", "l2", (4, 0)),  # Φ(3, 3) = (0, 0)
        ("update", "l2", (4, 0)),  # Φ is linear and there is no momentum: the same
        ("gradient", "decoupled", (3 + F(1, 2), -F(1, 2))),  # w - w/4 = (3, 0), then -(-1, 1)/2
        ("decayed-gradient", "decoupled", (3 + F(1, 2), -F(1, 2))),
        ("update", "decoupled", (3 + F(1, 2), -F(1, 2))),
        ("decayed-update", "decoupled", (4, 0)),  # Φ((1, 3) + (2, 0)) = (0, 0)
    ],
)
def test_decay_by_hand(placement: str, decay: str, expected: tuple[Any, Any]) -> None:
    [w] = sgdm(
        [[4, 0]],
        [[[1, 3]]],
        lr=0.5,
        momentum=0,
        weight_decay=0.5,
        output_axis=0,
        decay=decay,
        placement=placement,
    )
    assert tuple(w.fractions()) == expected


@pytest.mark.parametrize("placement", PLACEMENTS)
@pytest.mark.parametrize(("lam", "decay"), DECAYS)
@pytest.mark.parametrize("dampening", [None, 0, 0.3])
@pytest.mark.parametrize("first_momentum", ["zero", "gradient"])
def test_algorithm_1_in_fractions(
    placement: str, lam: float, decay: str, dampening: float | None, first_momentum: str
) -> None:
    weight, *grads = matrices(5, 6)
    got = sgdm(
        weight,
        grads,
        lr=0.1,
        momentum=0.9,
        dampening=dampening,
        first_momentum=first_momentum,
        weight_decay=lam,
        decay=decay,
        placement=placement,
        output_axis=0,
    )
    lr, beta, lamb = F(0.1), F(0.9), F(lam)
    fresh = 1 - (beta if dampening is None else F(dampening))
    w: Matrix = each(F, weight)
    m: Matrix = each(lambda _: F(0), weight)
    for step, g in enumerate(grads):
        h = entering(each(F, g), w, lamb, decay, placement)
        if step == 0 and first_momentum == "gradient":
            m = h
        else:
            m = each(lambda a, b: beta * a + fresh * b, m, h)
        direction = m
        if decay == "decoupled" and placement == "decayed-update":
            direction = each(lambda x, d: d + lamb * x, w, m)
        elif decay == "decoupled":
            w = each(lambda x: x - lr * lamb * x, w)
        direction = phi(direction) if placement.endswith("update") else m
        w = each(lambda x, d: x - lr * d, w, direction)
        assert got[step].fractions() == flat(w)


@pytest.mark.parametrize("lam", [0.0, 0.01])
def test_constraint(lam: float) -> None:
    """The mean of every neuron's weights stays put, with L2 decay only inside Φ."""

    def means(w: ExactArray) -> list[Fraction]:
        x = w.fractions()
        return [sum(x[:3]) / F(3), sum(x[3:]) / F(3)]

    weight, *grads = matrices(6, 8)
    start = means(exactly(weight))
    inside = sgdm(
        weight, grads, lr=0.1, weight_decay=lam, placement="decayed-gradient", output_axis=0
    )
    after = sgdm(weight, grads, lr=0.1, weight_decay=lam, placement="gradient", output_axis=0)
    assert all(means(w) == start for w in inside)
    assert (means(after[-1]) == start) == (lam == 0)


# --- both algorithms ---------------------------------------------------------


def test_vectors_and_scalars_are_not_centralized() -> None:
    for axis in (0, None):
        [w] = sgdm([1.0, 2.0], [[1.0, 3.0]], lr=1, momentum=0, output_axis=axis)
        assert w.fractions() == [0, -1]
    step = adam(
        0.5, [1.0], lr=0.125, beta1=0.5, beta2=0.75, eps=1, placement="update", output_axis=0
    )[0]
    assert step.lower == step.upper
    assert step.lower.fractions() == [F(7, 16)]


def test_empty_weights_and_no_steps() -> None:
    [w] = sgdm([[]], [[[]]], lr=1, output_axis=0)
    assert w.shape == (1, 0)
    [step] = adam([[]], [[[]]], lr=1, output_axis=0)
    assert step.lower.shape == (1, 0)
    assert sgdm([[1.0]], [], lr=1, output_axis=0) == []
    assert adam([[1.0]], [], lr=1, output_axis=0) == []


@pytest.mark.parametrize("algorithm", [sgdm, adam])
def test_errors_of_both(algorithm: Any) -> None:
    weight, grad = [[1.0, 2.0]], [[1.0, 3.0]]
    cases: list[tuple[Any, Any, dict[str, Any], str]] = [
        (weight, [grad, [[1.0], [2.0]]], {}, r"step 2 has shape \(2, 1\), the weight \(1, 2\)"),
        (weight, [grad], {"output_axis": 2}, r"out of range for shape \(1, 2\)"),
        (weight, [[[1.0, float("nan")]]], {}, r"element \[0, 1\] is nan"),
        (weight, [grad], {"placement": "last"}, "unknown placement 'last'; known: gradient, "),
        (weight, [grad], {"decay": "L2"}, "unknown decay 'L2'; known: l2, decoupled"),
        (weight, [grad], {"lr": float("inf")}, "lr is inf; it must be finite"),
        (weight, [grad], {"weight_decay": float("nan")}, "weight_decay is nan"),
    ]
    for w, grads, options, message in cases:
        with pytest.raises(ValueError, match=message):
            algorithm(w, grads, **{"lr": 0.1, "output_axis": 0, **options})
    with pytest.raises(TypeError, match="lr must be a real number, not str"):
        algorithm(weight, [grad], lr="0.1", output_axis=0)


def test_errors_of_each() -> None:
    weight, grads = [[1.0, 2.0]], [[[1.0, 3.0]]]
    with pytest.raises(ValueError, match="unknown first_momentum 'ema'; known: zero, gradient"):
        sgdm(weight, grads, lr=1, output_axis=0, first_momentum="ema")
    with pytest.raises(ValueError, match="unknown epsilon 'inside'; known: outside, hat"):
        adam(weight, grads, lr=1, output_axis=0, epsilon="inside")
    with pytest.raises(ValueError, match=r"beta2 must be in \[0, 1\), not 1.0"):
        adam(weight, grads, lr=1, output_axis=0, beta2=1)
    with pytest.raises(ValueError, match="eps must not be negative"):
        adam(weight, grads, lr=1, output_axis=0, eps=-1e-8)
    with pytest.raises(ValueError, match="beta >= 0 and t >= 0"):
        power(0.5, -1)
