"""Which known deviations fail a vector: every form of the catalogue is run on it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np

from gc_ref._conformance.cases.vectors import Vector
from gc_ref._conformance.catalogue.centers import Slot
from gc_ref._conformance.catalogue.deviations import DEVIATIONS, Plant
from gc_ref._conformance.catalogue.semantics import Semantics, State, step
from gc_ref._conformance.ports.case import Array
from gc_ref._conformance.ports.storage import representable
from gc_ref._conformance.wrong_ports.numpy import OUTPUT_AXIS

#: Forms of the catalogue that no vector can show, and why.
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
    """Return the names of the forms that the vector catches, in the catalogue's order."""
    return [name for name, plant in forms() if worst(vector, plant) > 1]


def worst(vector: Vector, plant: Plant) -> float:
    """Return the largest error of a form in units of the bound, or 0 if it has no answers."""
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
    """Return the answers of a form to a vector; None for a form that is about other steps."""
    what = plant.what
    if vector.algorithm == "operator":
        if not plant.operator:
            return None
    elif what.mistake and what.algorithm != vector.algorithm:
        return None
    stepless = vector.algorithm == "operator"
    algorithm = what.algorithm if stepless else vector.algorithm
    what = replace(what, algorithm=algorithm, conventions=vector.conventions)
    with np.errstate(all="ignore"):
        return [np.asarray(a, np.float64).ravel().tolist() for a in _run(vector, what)]


def _run(vector: Vector, what: Semantics) -> list[Array]:
    """Run a semantics in NumPy; half types in float32, each answer rounded once."""
    wide, bits = (np.float64, 53) if vector.dtype == "float64" else (np.float32, 24)
    rank = max(2, len(vector.shape))
    slot = Slot(vector.shape, OUTPUT_AXIS[vector.layout], first_rank=rank, bits=bits)
    gradients = [g.astype(wide) for g in vector.gradients]
    if vector.algorithm == "operator":
        return [representable(what.phi(np, gradients[0], slot), vector.dtype)]
    w = vector.weight.astype(wide)
    state, steps = State(0 * w, 0 * w, 0 * w), []
    for t, g in enumerate(gradients, 1):
        w, state = step(np, what, w, g, state, t, vector.hyperparameters, slot)
        w = representable(w, vector.dtype).astype(wide)
        steps.append(w)
    return steps
