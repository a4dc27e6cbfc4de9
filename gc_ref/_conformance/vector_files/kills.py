"""Which known deviations a vector catches: every form of the catalogue is run on it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from gc_ref import exact
from gc_ref._conformance.cases.vectors import Vector
from gc_ref._conformance.catalogue.centers import Slot
from gc_ref._conformance.catalogue.deviations import DEVIATIONS, Plant
from gc_ref._conformance.catalogue.semantics import Semantics, State, step
from gc_ref._conformance.ports.case import Array
from gc_ref._conformance.wrong_ports.numpy import OUTPUT_AXIS

__all__ = ["NOT_SHOWN", "answers_of", "forms", "kills_of", "worst"]

#: Forms of the catalogue that no vector shows, and why.
NOT_SHOWN: Mapping[str, str] = {
    "all-parameters": "a vector is one weight: one mean of the whole model is one of that weight",
    "first-shape-axes": "a vector is one weight, and that is the model's first",
    "partial/group": "a vector is one weight, and no part of a model is left out",
    "partial/last": "a vector is one weight: it has no order",
    "state-aliased": "a vector is one weight, with no other to share its state",
    "state-aliased/gradient": "a file has no buffers that are used again",
    "flag-ignored": "a file has no switch",
}


def forms() -> Iterator[tuple[str, Plant]]:
    """Yield every form of the catalogue that a vector may show, under its name."""
    for deviation in DEVIATIONS.values():
        for plant in deviation.plants:
            name = f"{deviation.id}/{plant.label}" if plant.label else deviation.id
            if name not in NOT_SHOWN:
                yield name, plant


def kills_of(vector: Vector) -> list[str]:
    """Names of the forms that are out of the vector's bounds, in the catalogue's order."""
    return [name for name, plant in forms() if worst(vector, plant) > 1]


def worst(vector: Vector, plant: Plant) -> float:
    """Largest error of a form in units of the bound; 0 where it cannot be asked."""
    answers = answers_of(vector, plant)
    if answers is None:
        return 0.0
    ratios = [0.0]
    for got, want, most in zip(answers, vector.expected, vector.bound, strict=True):
        for g, e, b in zip(got, want, most, strict=True):
            error = abs(g - e)
            if b < math.inf and error != 0:
                ratios.append(math.inf if b == 0 or math.isnan(error) else error / b)
    return max(ratios)


def answers_of(vector: Vector, plant: Plant) -> list[list[float]] | None:
    """Answers of a form to a vector; None for a form that is about other steps."""
    what = plant.what
    if vector.algorithm == "operator":
        if not plant.operator:
            return None
    elif what.mistake and what.algorithm != vector.algorithm:
        return None
    settled = Semantics(
        center=what.center, amount=what.amount, vectors=what.vectors, gate=what.gate,
        gate_number=what.gate_number, schedule=what.schedule,
        schedule_number=what.schedule_number, mistake=what.mistake,
        algorithm=what.algorithm if vector.algorithm == "operator" else vector.algorithm,
        conventions=vector.conventions,
    )  # fmt: skip
    with np.errstate(all="ignore"):
        return [np.asarray(a, np.float64).ravel().tolist() for a in _run(vector, settled)]


def _run(vector: Vector, what: Semantics) -> list[Array]:
    """Run a semantics in NumPy; half types in float32, each answer rounded once."""
    slot = Slot(
        vector.shape, OUTPUT_AXIS[vector.layout], first_rank=max(2, len(vector.shape)),
        bits=53 if vector.dtype == "float64" else 24,
    )  # fmt: skip
    store = _storage(vector.dtype)
    wide = np.float64 if vector.dtype == "float64" else np.float32
    gradients = [g.astype(wide) for g in vector.gradients]
    if vector.algorithm == "operator":
        return [store(what.phi(np, gradients[0], slot))]
    w = vector.weight.astype(wide)
    state, steps = State(0 * w, 0 * w, 0 * w), []
    for t, g in enumerate(gradients, 1):
        w, state = step(np, what, w, g, state, t, vector.hyperparameters, slot)
        w = store(w)
        steps.append(w)
    return steps


def _storage(dtype: str) -> Callable[[Any], Array]:
    """Return the function that rounds an array to a half type, in an array of float32."""
    if dtype not in ("float16", "bfloat16"):
        return np.asarray

    def store(values: Any) -> Array:
        flat = [exact.round_to(v, dtype) for v in np.asarray(values, np.float64).ravel().tolist()]
        return np.asarray(flat, np.float32).reshape(np.shape(values))

    return store
