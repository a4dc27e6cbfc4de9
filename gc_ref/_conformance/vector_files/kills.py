"""Which known deviations a vector catches: every form of the catalogue is run on it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np

from gc_ref._conformance.cases.vectors import Vector, versions_up_to
from gc_ref._conformance.catalogue.deviations import FORMS, Form
from gc_ref._conformance.catalogue.parameters import OUTPUT_AXIS, ParameterInfo
from gc_ref._conformance.catalogue.semantics import Semantics, State, step
from gc_ref._conformance.ports.case import Array
from gc_ref._conformance.ports.storage import representable

#: Forms of the catalogue that no vector shows, and why.
NOT_SHOWN: Mapping[str, str] = {p.id: p.no_vector for p in FORMS.values() if p.no_vector}


def shown_forms(suite: str = "user") -> Iterator[tuple[str, Form]]:
    """Yield every form that a vector may show, under its id; those that a suite knew, or all."""
    known = None if suite == "user" else versions_up_to(suite)
    for id, form in FORMS.items():
        if id not in NOT_SHOWN and (known is None or form.since in known):
            yield id, form


def kills_of(vector: Vector) -> list[str]:
    """Ids of the forms that are out of the vector's bounds, in the catalogue's order."""
    return [id for id, form in shown_forms(vector.since) if worst(vector, form) > 1]


def worst(vector: Vector, form: Form) -> float:
    """Largest error of a form in units of the bound; 0 where it cannot be asked."""
    answers = answers_of(vector, form)
    if answers is None:
        return 0.0
    ratios = [0.0]
    for got, want, most in zip(answers, vector.expected, vector.bound, strict=True):
        for g, e, b in zip(got, want, most, strict=True):
            error = abs(g - e)
            if b < math.inf and error != 0:
                ratios.append(math.inf if b == 0 or math.isnan(error) else error / b)
    return max(ratios)


def answers_of(vector: Vector, form: Form) -> list[list[float]] | None:
    """Answers of a form to a vector; None for a form that is about other steps."""
    semantics = form.semantics
    if vector.algorithm == "operator":
        if not form.operator:
            return None
    elif semantics.mistake and semantics.algorithm != vector.algorithm:
        return None
    algorithm = semantics.algorithm if vector.algorithm == "operator" else vector.algorithm
    settled = replace(semantics, algorithm=algorithm, conventions=vector.conventions)
    with np.errstate(all="ignore"):
        return [np.asarray(a, np.float64).ravel().tolist() for a in _run(vector, settled)]


def _run(vector: Vector, semantics: Semantics) -> list[Array]:
    """Run a semantics in NumPy; half types in float32, each answer rounded once."""
    info = ParameterInfo(
        vector.shape, OUTPUT_AXIS[vector.layout], first_rank=max(2, len(vector.shape)),
        bits=53 if vector.dtype == "float64" else 24, kind=vector.kind,
    )  # fmt: skip
    wide = np.float64 if vector.dtype == "float64" else np.float32
    gradients = [g.astype(wide) for g in vector.gradients]
    if vector.algorithm == "operator":
        return [representable(semantics.phi(np, gradients[0], info), vector.dtype)]
    w = vector.weight.astype(wide)
    state, steps = State.of(w), []
    for t, g in enumerate(gradients, 1):
        w, state = step(np, semantics, w, g, state, t, vector.hyperparameters, info)
        w = representable(w, vector.dtype).astype(wide)
        steps.append(w)
    return steps
