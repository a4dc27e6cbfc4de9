"""Keras on whichever backend it has here, with layers and a case for the tests of its adapter."""

from __future__ import annotations

import warnings
from collections.abc import Mapping

import numpy as np
import pytest

from gc_ref._conformance.adapters.keras.port import select_backend
from gc_ref._conformance.ports.case import Array
from gc_ref._layouts import weight_shape
from gc_ref.conformance import Case, Parameter

select_backend()
with warnings.catch_warnings():  # Keras and its backends import with warnings of their own
    warnings.simplefilter("ignore")
    keras = pytest.importorskip("keras")

BACKEND = keras.backend.backend()


def parameters(kinds: tuple[str, ...], layout: str = "output-last") -> tuple[Parameter, ...]:
    found = []
    for kind in kinds:
        shape = weight_shape(kind, layout=layout, fan_in=4, fan_out=4)
        found.append(Parameter(f"{kind}_0", kind, np.zeros(shape, np.float32), kind))
    if "dense" in kinds:
        found.append(Parameter("dense_0", "bias", np.zeros(4, np.float32), "dense"))
    return tuple(found)


def case_of(
    kinds: tuple[str, ...] = ("dense",),
    *,
    steps: int = 1,
    values: tuple[float, ...] = (-3, -1, 0, 1, 2),
    layout: str = "output-last",
    **hyperparameters: float,
) -> Case:
    rng = np.random.default_rng(7)
    owned = parameters(kinds, layout)
    gradients = tuple(
        {p.name: rng.choice(values, p.shape).astype(np.float32) for p in owned}
        for _ in range(steps)
    )
    return Case("probe", owned, gradients, hyperparameters or {"lr": 1.0, "momentum": 0.0})


def same(a: Mapping[str, Array], b: Mapping[str, Array]) -> bool:
    return all(np.array_equal(a[name], b[name]) for name in a)
