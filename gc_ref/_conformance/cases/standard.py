"""The cases that every port is given: exact-integer, hard-regime, decay and isolation cases.

The *integer* cases are the zero-tolerance class: fan-ins n are powers of two and
n max|g| stays below 2^(p-1), so that every sum of gradients is exact in every
order, with FMA and with flush-to-zero. There a wrong mean always shows.
The *bounded* cases have what integers cannot show: sums that cancel, a mean
far above the deviations, tiny and spiky gradients, odd fan-ins.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

import numpy as np

from gc_ref._conformance.cases.gradients import REGIMES, integers, repeated, rng_for, scaled
from gc_ref._conformance.cases.layers import (
    BOUNDED_LAYERS,
    FEW,
    INTEGER_LAYERS,
    LARGEST_LAYER,
    SCALED_LAYER,
    SIZED_LAYERS,
    UNAMBIGUOUS,
    Layer,
)
from gc_ref._conformance.ports.case import Array, Case, Parameter
from gc_ref._conformance.ports.storage import STORAGE, representable
from gc_ref._layouts import output_axes, weight_shape
from gc_ref._slices import from_rows, matrix_shape, slice_index

# In both tables lr, lr², lr (1 - momentum), 1 - momentum and 1 are five different numbers: else a
# port that applies lr twice, or never, moves as one that averages its momentum.
#: Hyperparameters whose steps are exact in binary arithmetic (Adam: at t = 1).
DYADIC: Mapping[str, Mapping[str, float]] = {
    "sgdm": {"lr": 0.25, "momentum": 0.5},
    "adam": {"lr": 0.125, "beta1": 0.5, "beta2": 0.75, "eps": 1.0},
}
#: Hyperparameters as people use them.
TYPICAL: Mapping[str, Mapping[str, float]] = {
    "sgdm": {"lr": 0.05, "momentum": 0.9},
    "adam": {"lr": 0.001, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8},
}


def parameters_of(
    layers: Iterable[Layer], layout: str, dtype: str, weight: Callable[[tuple[int, ...]], Array]
) -> tuple[Parameter, ...]:
    """Return the parameters of a model's layers; ``weight(shape)`` draws each value."""
    found: list[Parameter] = []
    for layer in layers:
        sizes = {"fan_in": layer.fan_in, "fan_out": layer.fan_out, "window": layer.window}
        shapes = {layer.kind: weight_shape(layer.kind, layout=layout, **sizes)}
        if layer.bias:
            shapes["bias"] = (layer.fan_out,)
        for kind, shape in shapes.items():
            value = np.array(weight(shape), dtype=STORAGE[dtype])
            found.append(Parameter(layer.name, kind, value, layer.kind))
    return tuple(found)


def _by_rank(parameter: Parameter, layout: str) -> tuple[int, ...] | None:
    return output_axes(parameter.kind, len(parameter.shape), layout=layout)


def integer_case(
    layout: str,
    *,
    seed: int,
    algorithm: str | None,
    dtype: str = "float32",
    steps: int = 3,
    operator: bool = False,
    eps: float | None = None,
    label: str = "integers",
    layers: Iterable[Layer] = INTEGER_LAYERS,
) -> Case:
    """Build the zero-tolerance case over all kinds of layers.

    Parameters
    ----------
    layout, seed, steps, layers
        Layout of the weights, seed of the run, number of training steps, and the model.
    algorithm : {"sgdm", "adam"} or None
        Whose dyadic hyperparameters; None gives both (a port takes those it knows).
    dtype : str
        For half types only the layers whose sums stay exact are kept.
    operator : bool
        Only layers whose output axis the array's rank tells.
    eps : float, optional
        Replaces the ε of the dyadic Adam (½ makes the hat form exact).
    label : str
        Id of the case.
    """
    rng = rng_for(seed, f"{label}/{layout}/{dtype}")
    parameters = parameters_of(
        layers, layout, dtype, lambda shape: rng.integers(-15, 17, size=shape) / 8.0
    )
    if operator:
        parameters = tuple(p for p in parameters if p.kind in UNAMBIGUOUS)

    def gradient(p: Parameter, step: int) -> Array:
        drawn = integers(rng, p.shape, _by_rank(p, layout), _smallest_mean(p, step))
        return drawn.astype(p.value.dtype)

    gradients = [{p.name: gradient(p, step) for p in parameters} for step in range(steps)]
    if dtype in ("float16", "bfloat16"):
        limit = {"float16": 2.0**10, "bfloat16": 2.0**7}[dtype]
        keep = {p.name for p in parameters if _sum_bound(p, gradients, layout) <= limit}
        parameters = tuple(p for p in parameters if p.name in keep)
        gradients = [{k: v for k, v in g.items() if k in keep} for g in gradients]
    hyper = _hyperparameters(DYADIC, algorithm)
    if eps is not None and "eps" in hyper:
        hyper["eps"] = eps
    return Case(label, parameters, tuple(gradients), hyper, dtype)


def _smallest_mean(p: Parameter, step: int) -> float:
    """Return a mean that from the second step on has more digits than a half type holds.

    Not of a large weight: there a correct port that sums otherwise (Welford) may round so much
    that Adam's bound decides nothing.
    """
    return 4097.0 if step and p.value.size <= 1024 else 3.0


def _sum_bound(p: Parameter, gradients: list[dict[str, Array]], layout: str) -> float:
    """Return n max|g| of a parameter."""
    axes = _by_rank(p, layout)
    fan_in = 1 if axes is None else matrix_shape(p.shape, axes)[1]
    return fan_in * max(float(np.abs(g[p.name]).max(initial=0)) for g in gradients)


def _hyperparameters(
    table: Mapping[str, Mapping[str, float]], algorithm: str | None
) -> dict[str, float]:
    chosen = table[algorithm] if algorithm else {**table["sgdm"], **table["adam"]}
    return {**chosen, "weight_decay": 0.0}


def bounded_case(
    layout: str,
    *,
    seed: int,
    algorithm: str | None,
    dtype: str = "float32",
    steps: int = 8,
    operator: bool = False,
    label: str = "bounded",
) -> Case:
    """Build the case of hard regimes and odd fan-ins, with hyperparameters as people use them.

    Weights start at zero, so that no step can hide in the rounding of a large weight.
    Parameters and result are as in `integer_case`.
    """
    rng = rng_for(seed, f"{label}/{layout}/{dtype}")
    parameters = parameters_of(BOUNDED_LAYERS, layout, dtype, np.zeros)
    if operator:
        parameters = tuple(p for p in parameters if p.kind in UNAMBIGUOUS)

    def gradient(p: Parameter, regime: str) -> Array:
        axes = _by_rank(p, layout)
        if axes is None:
            return representable(100.0 * rng.normal(size=p.shape) + 2.0, dtype)
        drawn = REGIMES[regime](rng, *matrix_shape(p.shape, axes))
        return representable(from_rows(drawn, p.shape, axes), dtype)

    # A parameter is in one regime at every step: Adam's second moment remembers the largest.
    regimes = list(zip(parameters, itertools.cycle(REGIMES), strict=False))
    gradients = tuple({p.name: gradient(p, regime) for p, regime in regimes} for _ in range(steps))
    return Case(label, parameters, gradients, _hyperparameters(TYPICAL, algorithm), dtype)


def sized_case(
    layout: str,
    *,
    seed: int,
    algorithm: str | None,
    steps: int = 1,
    eps: float | None = None,
    label: str = "sized",
    layers: Iterable[Layer] = (*SIZED_LAYERS, LARGEST_LAYER),
) -> Case:
    """Build the case of sizes as real models have them: integers, from weight 0.

    Sums are exact in every order, as in `integer_case`; the fan-ins are not all powers of two.
    Its sums are too long for half types. Parameters and result are as in `integer_case`.
    """
    rng = rng_for(seed, f"{label}/{layout}")
    parameters = parameters_of(layers, layout, "float32", np.zeros)
    gradients = tuple(
        {p.name: repeated(rng, p.shape, _by_rank(p, layout)).astype(np.float32) for p in parameters}
        for _ in range(steps)
    )
    hyper = _hyperparameters(DYADIC, algorithm)
    if eps is not None and "eps" in hyper:
        hyper["eps"] = eps
    return Case(label, parameters, gradients, hyper)


def scales_case(layout: str, *, seed: int, algorithm: str | None, operator: bool = False) -> Case:
    """Build the case of means on every scale from 1e-30 to 1e30: one step from weight 0.

    Where squares are taken, or may be, the scales are those whose squares float32 holds.
    """
    rng = rng_for(seed, f"scales/{layout}")
    [p] = parameters_of([SCALED_LAYER], layout, "float32", np.zeros)
    reach = 100 if operator or algorithm == "sgdm" else 40
    axes = _by_rank(p, layout)
    assert axes is not None
    outputs, fan_in = matrix_shape(p.shape, axes)
    drawn = scaled(rng, outputs, fan_in, range(-reach, reach + 1, reach // 10))
    gradient = {p.name: from_rows(drawn, p.shape, axes).astype(np.float32)}
    return Case("scales", (p,), (gradient,), _hyperparameters(TYPICAL, algorithm))


def rates_case(layout: str, *, seed: int, algorithm: str | None, eps: float | None = None) -> Case:
    """Build a case whose learning rate changes between steps, by powers of two.

    A port that took it down at the start goes on with the first one.
    """
    whole = integer_case(layout, seed=seed, algorithm=algorithm, eps=eps, steps=4, label="rates")
    few = part_of(whole, FEW, "rates")
    lr = few.hyperparameters["lr"]
    return replace(few, rates=(lr, lr / 4, lr * 2, lr / 2))


def part_of(case: Case, layers: Iterable[str], label: str) -> Case:
    """Return some layers of a case, as a case of its own."""
    chosen = set(layers)
    keep = tuple(p for p in case.parameters if p.layer in chosen)
    gradients = tuple({p.name: g[p.name] for p in keep} for g in case.gradients)
    return Case(label, keep, gradients, case.hyperparameters, case.dtype)


def long_case(layout: str, *, seed: int, algorithm: str | None, steps: int) -> Case:
    """Build a long run of two small weights and a bias: GC must be as good at its end.

    Parameters and result are as in `integer_case`.
    """
    layers = [layer for layer in INTEGER_LAYERS if layer.name in ("dense_1", "conv2d_2")]
    two = integer_case(
        layout, seed=seed, algorithm=algorithm, steps=steps, label="long", layers=layers
    )
    return replace(two, hyperparameters=_hyperparameters(TYPICAL, algorithm))


def decay_case(layout: str, *, seed: int, algorithm: str | None, eps: float | None = None) -> Case:
    """Build a case of integer gradients with a weight decay of ¼: shows where the decay enters."""
    whole = integer_case(layout, seed=seed, algorithm=algorithm, eps=eps, steps=2, label="decay")
    few = part_of(whole, FEW, "decay")
    return replace(few, hyperparameters={**few.hyperparameters, "weight_decay": 0.25})


def poisoned_case(case: Case, layout: str) -> tuple[Case, dict[str, Array], frozenset[str]]:
    """Change some slices and one whole parameter of a case: the rest must not notice.

    Returns
    -------
    case : Case
        With a NaN in the first slice of some weights, 1,000 times the gradient in the
        first slice of others, and another gradient for ``dense_2``.
    masks : dict
        Parameter name to a boolean array, True where the change may show.
    changed : frozenset of str
        Parameters that hold a NaN.
    """
    masks: dict[str, Array] = {}
    poisoned: set[str] = set()
    gradients = [dict(g) for g in case.gradients[:2]]
    for i, p in enumerate(q for q in case.parameters if q.kind in UNAMBIGUOUS):
        axes = _by_rank(p, layout)
        if axes is None or i % 3 == 2 or p.value.size > 512:
            continue
        if p.layer == "dense_2":
            masks[p.name] = np.ones(p.shape, dtype=bool)
            for g in gradients:
                g[p.name] = -8 * g[p.name]
            continue
        first = slice_index(0, None, p.shape, axes)
        masks[p.name] = np.zeros(p.shape, dtype=bool)
        masks[p.name][first] = True
        for g in gradients:
            g[p.name] = g[p.name].copy()
            if i % 2 == 0:
                poisoned.add(p.name)
                g[p.name][slice_index(0, 0, p.shape, axes)] = np.nan
            else:
                g[p.name][first] *= 1024
    changed = Case("isolation", case.parameters, tuple(gradients), case.hyperparameters, case.dtype)
    return changed, masks, frozenset(poisoned)
