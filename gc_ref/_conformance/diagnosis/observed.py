"""What a port was seen to do in a case, parameter by parameter and step by step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from gc_ref._conformance.catalogue.execution import model_mean, model_norm
from gc_ref._conformance.catalogue.parameters import OUTPUT_AXIS, ParameterInfo, parameter_infos
from gc_ref._conformance.catalogue.semantics import Semantics
from gc_ref._conformance.ports.case import Array, Case, Trajectory

__all__ = ["ObservedParameter", "ObservedStep", "observe"]


@dataclass(frozen=True)
class ObservedStep:
    """One step of one parameter, in float64."""

    number: int
    before: Array
    gradient: Array
    after: Array  # of an operator, what it returned
    model_mean: float  # of the gradients of all parameters
    model_norm: float  # the same
    largest: float  # gradient up to this step: the state still carries its rounding


@dataclass(frozen=True)
class ObservedParameter:
    """One parameter, as the port trained it."""

    info: ParameterInfo
    steps: tuple[ObservedStep, ...]
    hyperparameters: Mapping[str, float]

    def settings(self, semantics: Semantics) -> dict[str, float]:
        """Hyperparameters that the port ran with, if it has this semantics."""
        return {**self.hyperparameters, **semantics.built_in}


def observe(
    case: Case, trajectory: Trajectory, layout: str, hyperparameters: Mapping[str, float]
) -> dict[str, ObservedParameter]:
    """Return each parameter as a port trained it, in the order in which its optimizer has them."""
    shapes = {p.name: p.shape for p in case.parameters}
    kinds = {p.name: p.kind for p in case.parameters}
    axis, groups = OUTPUT_AXIS[layout], trajectory.groups
    infos = parameter_infos(shapes, axis, groups=groups, bits=53, kinds=kinds)
    before = {p.name: p.value.astype(np.float64) for p in case.parameters}
    largest = dict.fromkeys(infos, 0.0)
    steps: dict[str, list[ObservedStep]] = {k: [] for k in infos}
    for number, gradients in enumerate(case.gradients, 1):
        mean, norm = float(model_mean(gradients)), float(model_norm(gradients))
        for k in infos:
            gradient = gradients[k].astype(np.float64)
            after = np.asarray(trajectory.steps[number - 1][k], dtype=np.float64)
            largest[k] = max(largest[k], float(np.abs(gradient).max(initial=0.0)))
            one = ObservedStep(number, before[k], gradient, after, mean, norm, largest[k])
            steps[k].append(one)
            before[k] = after
    return {
        k: ObservedParameter(info, tuple(steps[k]), hyperparameters) for k, info in infos.items()
    }
