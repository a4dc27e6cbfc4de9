"""Defaults of `sgdm` and `adam`, the names in their errors, and weights that are empty."""

from __future__ import annotations

from typing import Any

import pytest

from gc_ref.exact import adam, power, sgdm

from ._plain_matrices import PLACEMENTS, matrices

WEIGHT, *GRADS = matrices(11, 4)


@pytest.mark.parametrize(
    ("algorithm", "defaults"),
    [
        (sgdm, {"momentum": 0.9, "first_momentum": "zero"}),
        (adam, {"beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "epsilon": "outside"}),
    ],
)
def test_defaults(algorithm: Any, defaults: dict[str, Any]) -> None:
    defaults |= {"weight_decay": 0.0, "decay": "l2", "placement": "gradient"}
    got = algorithm(WEIGHT, GRADS, lr=0.1, output_axis=0)
    assert got == algorithm(WEIGHT, GRADS, lr=0.1, output_axis=0, **defaults)
    decayed = algorithm(WEIGHT, GRADS, lr=0.1, output_axis=0, weight_decay=0.5)
    assert decayed == algorithm(WEIGHT, GRADS, lr=0.1, output_axis=0, weight_decay=0.5, decay="l2")


@pytest.mark.parametrize(
    ("algorithm", "name"),
    [(sgdm, name) for name in ("lr", "momentum", "dampening", "weight_decay")]
    + [(adam, name) for name in ("lr", "beta1", "beta2", "eps", "weight_decay")],
)
def test_errors_name_the_hyperparameter(algorithm: Any, name: str) -> None:
    given = {"lr": 0.1, "output_axis": 0}
    with pytest.raises(ValueError, match=f"^{name} is inf; it must be finite$"):
        algorithm(WEIGHT, GRADS, **given | {name: float("inf")})
    with pytest.raises(TypeError, match=f"^{name} must be a real number, not str$"):
        algorithm(WEIGHT, GRADS, **given | {name: "0.1"})


@pytest.mark.parametrize("name", ["beta1", "beta2"])
@pytest.mark.parametrize("value", [1, -0.25])
def test_errors_name_the_rate_of_decay(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=rf"^{name} must be in \[0, 1\), not {float(value)}$"):
        adam(WEIGHT, GRADS, lr=0.1, output_axis=0, **{name: value})


def test_errors_of_power() -> None:
    with pytest.raises(ValueError, match=r"^beta is nan; it must be finite$"):
        power(float("nan"), 1)
    with pytest.raises(ValueError, match=r"needs beta >= 0 and t >= 0, not -0\.5 and 1"):
        power(-0.5, 1)
    with pytest.raises(ValueError, match=r"needs beta >= 0 and t >= 0, not 0\.5 and -1"):
        power(0.5, -1)


@pytest.mark.parametrize("placement", PLACEMENTS)
@pytest.mark.parametrize("shape", [(1, 0), (0, 1)])
def test_empty_weights(placement: str, shape: tuple[int, int]) -> None:
    empty: Any = [[] for _ in range(shape[0])]
    options: Any = {"lr": 1, "output_axis": 0, "placement": placement, "weight_decay": 0.5}
    assert sgdm(empty, [empty], **options)[0].fractions() == []
    assert adam(empty, [empty], **options)[0].upper.fractions() == []
