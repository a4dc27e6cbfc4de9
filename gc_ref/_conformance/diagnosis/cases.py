"""Cases that tell hypotheses about a port apart: integers, without any tie between two means."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from gc_ref._conformance.cases.gradients import rng_for
from gc_ref._conformance.cases.layers import INTEGER_LAYERS, UNAMBIGUOUS, Layer
from gc_ref._conformance.cases.standard import parameters_of
from gc_ref._conformance.ports.case import Array, Case, Parameter
from gc_ref._layouts import output_axes
from gc_ref._slices import from_rows

__all__ = ["convolutions_case", "gates_case", "telling_case"]

#: Two sets of hyperparameters: a learning rate that is applied twice, a momentum that is
#: averaged or not, a correction that is missing: no two of them look alike under both.
HYPER: Sequence[Mapping[str, float]] = (
    {"lr": 0.125, "momentum": 0.75, "beta1": 0.5, "beta2": 0.75, "eps": 1.0},
    {"lr": 0.0625, "momentum": 0.5, "beta1": 0.75, "beta2": 0.5, "eps": 2.0},
)
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


#: Steps (from 0) with large means: no period, lest a threshold look like a schedule.
HIGH = (1, 4)


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


def _case(
    layers: Sequence[Layer], layout: str, *, seed: int, steps: int, label: str, hyper: int = 0,
    eps: float = 1.0,
) -> Case:  # fmt: skip
    rng = rng_for(seed, f"{label}/{layout}")
    parameters = parameters_of(
        layers, layout, "float32", lambda shape: rng.integers(9, 33, size=shape) / 8.0
    )
    gradients = tuple(
        {p.name: _gradient(rng, p, layout, step in HIGH) for p in parameters}
        for step in range(steps)
    )
    chosen = {**HYPER[hyper], "weight_decay": 0.0}
    chosen["eps"] *= eps
    return Case(label, parameters, gradients, chosen)


def telling_case(layout: str, *, seed: int, again: bool = False, eps: float = 1.0) -> Case:
    """Build the case that hypotheses are tried on, or (``again``) the one that confirms them.

    Parameters
    ----------
    layout : {"output-first", "output-last"}
        Layout of the port.
    seed : int
        Seed of the run.
    again : bool
        Other gradients and other hyperparameters.
    eps : float
        Factor of ε.

    Returns
    -------
    Case
    """
    layers = [x for x in INTEGER_LAYERS if x.kind in UNAMBIGUOUS]
    label, steps = ("confirming", 3) if again else ("telling", 5)
    return _case(
        layers, layout, seed=seed, steps=steps, label=label, hyper=int(again), eps=eps
    )  # fmt: skip


def gates_case(layout: str, *, seed: int, eps: float = 1.0) -> Case:
    """Build a case of weights of many shapes; parameters as in `telling_case`."""
    return _case(GATED_LAYERS, layout, seed=seed, steps=1, label="gates", eps=eps)


def convolutions_case(layout: str, *, seed: int, eps: float = 1.0) -> Case:
    """Build a case whose first weight is no matrix; parameters as in `telling_case`."""
    layers = (
        Layer("conv2d_0", "conv2d", 3, 4), Layer("conv3d_0", "conv3d", 2, 5),
        Layer("dense_0", "dense", 6, 5), Layer("dense_1", "dense", 8, 3, bias=True),
    )  # fmt: skip
    return _case(layers, layout, seed=seed, steps=2, label="convolutions", eps=eps)
