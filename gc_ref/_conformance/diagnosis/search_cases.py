"""Cases that tell semantics apart: integers, without any tie between two means."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from gc_ref._conformance.cases.gradients import rng_for
from gc_ref._conformance.cases.layers import INTEGER_LAYERS, UNAMBIGUOUS, Layer
from gc_ref._conformance.cases.standard import parameters_of
from gc_ref._conformance.ports.case import Array, Case, Parameter
from gc_ref._layouts import output_axes
from gc_ref._slices import from_rows

__all__ = ["SearchCases"]

#: Two sets of hyperparameters: a learning rate that is applied twice, a momentum that is
#: averaged or not, a correction that is missing: no two of them look alike under both.
HYPER: Sequence[Mapping[str, float]] = (
    {"lr": 0.125, "momentum": 0.75, "beta1": 0.5, "beta2": 0.75, "eps": 1.0, "weight_decay": 0.0},
    {"lr": 0.0625, "momentum": 0.5, "beta1": 0.75, "beta2": 0.5, "eps": 2.0, "weight_decay": 0.0},
)
#: Steps (from 0) with large means: no period, lest a threshold look like a schedule.
HIGH = (1, 4)
#: Shapes of many fan-ins, outputs and sizes: a gate on any of them shows.
GATED_LAYERS = (
    *(
        Layer(f"dense_{i}", "dense", fan_in, fan_out)
        for i, (fan_in, fan_out) in enumerate((
            (2, 3), (3, 2), (4, 4), (5, 6), (6, 5), (7, 16), (8, 12), (10, 1), (12, 8), (15, 17),
            (16, 7), (16, 32), (20, 24), (24, 20), (31, 33), (32, 16), (33, 31), (48, 10), (60, 4),
            (64, 9), (100, 11), (120, 3), (128, 2), (250, 4), (256, 5), (500, 2), (512, 3),
            (1000, 2), (1024, 2),
        ))
    ),
    *(
        Layer(f"conv_{i}", kind, fan_in, fan_out, window)
        for i, (kind, fan_in, fan_out, window) in enumerate((
            ("conv1d", 3, 5, 3), ("conv1d", 8, 16, 2), ("conv1d", 16, 4, 1), ("conv2d", 3, 8, 3),
            ("conv2d", 16, 6, 1), ("conv2d", 8, 32, 2), ("conv3d", 2, 4, 2), ("conv3d", 4, 3, 2),
        ))
    ),
)  # fmt: skip
#: The first weight is no matrix.
CONVOLUTIONS_FIRST = (
    Layer("conv2d_0", "conv2d", 3, 4),
    Layer("conv3d_0", "conv3d", 2, 5),
    Layer("dense_0", "dense", 6, 5),
    Layer("dense_1", "dense", 8, 3, bias=True),
)


@dataclass(frozen=True)
class SearchCases:
    """The cases of the search for one port's semantics, each made when it is asked for."""

    layout: str
    seed: int
    eps: float = 1.0  # factor of ε

    @cached_property
    def telling(self) -> Case:
        """The case that semantics are tried on."""
        return self._make(_plain(INTEGER_LAYERS), 5, "telling")

    @cached_property
    def confirming(self) -> Case:
        """The same model with other gradients and other hyperparameters."""
        return self._make(_plain(INTEGER_LAYERS), 3, "confirming", HYPER[1])

    @cached_property
    def gates(self) -> Case:
        """Weights of many shapes."""
        return self._make(GATED_LAYERS, 1, "gates")

    @cached_property
    def convolutions(self) -> Case:
        """A model whose first weight is no matrix."""
        return self._make(CONVOLUTIONS_FIRST, 2, "convolutions")

    def _make(
        self, layers: Sequence[Layer], steps: int, label: str, hyper: Mapping[str, float] = HYPER[0]
    ) -> Case:
        rng = rng_for(self.seed, f"{label}/{self.layout}")
        parameters = parameters_of(
            layers, self.layout, "float32", lambda shape: rng.integers(9, 33, size=shape) / 8.0
        )
        gradients = tuple(
            {p.name: _gradient(rng, p, self.layout, step in HIGH) for p in parameters}
            for step in range(steps)
        )
        return Case(label, parameters, gradients, {**hyper, "eps": hyper["eps"] * self.eps})


def _plain(layers: Sequence[Layer]) -> list[Layer]:
    return [layer for layer in layers if layer.kind in UNAMBIGUOUS]


def _gradient(rng: np.random.Generator, p: Parameter, layout: str, high: bool) -> Array:
    """Skewed residuals about distinct means: no other average is near the mean."""
    axes = output_axes(p.kind, len(p.shape), layout=layout)
    if axes is None:
        return np.asarray(rng.integers(2, 12, size=p.shape), dtype=p.value.dtype)
    outputs = math.prod(p.shape[i] for i in axes)
    residual = rng.choice([11.0, 4.0, -1.0, -2.0, -5.0], size=(outputs, p.value.size // outputs))
    # From the second step on, means have more digits than a half type holds. The fraction
    # keeps them off the middle between two of its numbers, where roundings differ.
    mean = 25393 / 2048 + 3 * (rng.permutation(outputs) % 7) + (4097.0 if high else 0.0)
    mean *= rng.choice([-1.0, 1.0], size=outputs)
    return from_rows(residual + mean[:, None], p.shape, axes).astype(p.value.dtype)
