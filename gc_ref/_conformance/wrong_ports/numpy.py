"""Runnable ports of a point of the space of semantics, in NumPy and as bare functions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from gc_ref._conformance.adapters.numpy import numpy_port
from gc_ref._conformance.adapters.operator import operator_port
from gc_ref._conformance.catalogue.centers import Slot, places
from gc_ref._conformance.catalogue.deviations import Plant
from gc_ref._conformance.catalogue.semantics import Semantics, State, step
from gc_ref._conformance.ports.case import Array, Case, Parameter
from gc_ref._conformance.ports.port import Port

__all__ = ["FRAMEWORKS", "make_plant", "operator_of", "slots_of", "trainer"]

FRAMEWORKS = ("numpy", "torch", "jax", "keras")
OUTPUT_AXIS = {"output-first": 0, "output-last": -1}


def slots_of(
    parameters: Iterable[Parameter],
    layout: str,
    bits: int = 24,
    groups: Sequence[Sequence[str]] = (),
) -> dict[str, Slot]:
    """Return what rules may know of each parameter of a model.

    ``groups`` are the names in the order in which the optimizer has them.
    """
    listed = list(parameters)
    halves = [[p.name for p in part] for part in (listed[: len(listed) // 2],
                                                  listed[len(listed) // 2 :])]  # fmt: skip
    shapes = {p.name: p.shape for p in listed}
    order = [(k, number) for number, names in enumerate(groups or halves) for k in names]
    first = next((len(shapes[k]) for k, _ in order if len(shapes[k]) > 1), 2)
    numbers = places([len(shapes[k]) for k, _ in order])
    return {
        k: Slot(shapes[k], OUTPUT_AXIS[layout], i, count, first, bits, group)
        for (k, group), (i, count) in zip(order, numbers, strict=True)
    }


def model_mean(gradients: Mapping[str, Any]) -> Any:
    """Mean over all elements of all gradients, in the dtype they have."""
    flat = np.concatenate([np.ravel(g) for g in gradients.values()])
    return flat.mean(dtype=flat.dtype)


def trainer(
    what: Semantics, layout: str, bits: int = 24
) -> Callable[[Case], list[dict[str, Array]]]:
    """Return a NumPy training loop ``run(case)`` that does what a semantics says."""

    def run(case: Case) -> list[dict[str, Array]]:
        slots = slots_of(case.parameters, layout, bits)
        weights = {p.name: p.value for p in case.parameters}
        states: dict[Any, State] = {}
        steps = []
        for t, gradients in enumerate(case.gradients, 1):
            total = model_mean(gradients) if what.center == "model" else 0.0
            for name, slot in slots.items():
                w = weights[name]
                key: Any = slot.shape if what.mistake == "state-aliased" else name
                state = states.get(key) or State(0 * w, 0 * w, 0 * w)
                weights[name], states[key] = step(
                    np, what, w, gradients[name], state, t, case.hyperparameters, slot, total
                )
            steps.append(dict(weights))
        return steps

    return run


def operator_of(what: Semantics, layout: str) -> Callable[[Any], Any]:
    """Return the bare function of a semantics, on arrays of any namespace."""
    from array_api_compat import array_namespace, is_numpy_array

    def centralize(g: Any) -> Any:
        xp = np if is_numpy_array(g) or isinstance(g, np.generic) else array_namespace(g)
        bits = {"float16": 11, "bfloat16": 8, "float64": 53}.get(str(g.dtype).split(".")[-1], 24)
        slot = Slot(tuple(g.shape), OUTPUT_AXIS[layout], bits=bits)
        return what.phi(xp, g, slot)

    return centralize


def make_plant(plant: Plant, framework: str, *, operator: bool = False, name: str = "") -> Port:
    """Make the port of a plant.

    Parameters
    ----------
    plant : Plant
        The wrong (or right) port to be made.
    framework : {"numpy", "torch", "jax", "keras"}
        Its framework; the import is made here.
    operator : bool
        As a bare function of the gradient, not an optimizer.
    name : str
        Name of the port.

    Returns
    -------
    Port

    Raises
    ------
    ImportError
        If the framework is not installed.
    """
    what = plant.what
    if operator:
        layout = "output-first" if framework == "torch" else "output-last"
        return operator_port(operator_of(what, layout), framework=framework, name=name)
    if framework == "numpy":
        port = numpy_port(trainer(what, "output-last"), name=name, algorithm=what.algorithm)
        return replace(port, off=port) if plant.how == "flag-ignored" else port
    if framework == "torch":
        from gc_ref._conformance.wrong_ports.torch import torch_plant

        return torch_plant(plant, name)
    if framework == "jax":
        from gc_ref._conformance.wrong_ports.optax import optax_plant

        return optax_plant(plant, name)
    from gc_ref._conformance.wrong_ports.keras import keras_plant

    return keras_plant(plant, name)
