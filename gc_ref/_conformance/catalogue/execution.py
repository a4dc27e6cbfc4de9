"""Run a semantics: as a training loop in NumPy, or as a bare function of a gradient."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from array_api_compat import array_namespace, is_numpy_array

from gc_ref._conformance.catalogue.parameters import OUTPUT_AXIS, ParameterInfo, parameter_infos
from gc_ref._conformance.catalogue.semantics import Semantics, State, step
from gc_ref._conformance.ports.case import Array, Case

__all__ = ["model_mean", "model_norm", "operator_of", "training_loop"]


def model_mean(gradients: Mapping[str, Any]) -> Any:
    """Mean over all elements of all gradients, in the dtype they have."""
    flat = np.concatenate([np.ravel(g) for g in gradients.values()])
    return flat.mean(dtype=flat.dtype)


def model_norm(gradients: Mapping[str, Any]) -> Any:
    """Euclidean norm of all elements of all gradients, in the dtype they have."""
    flat = np.concatenate([np.ravel(g) for g in gradients.values()])
    return np.sqrt((flat * flat).sum(dtype=flat.dtype))


def training_loop(
    semantics: Semantics, layout: str, bits: int = 24
) -> Callable[[Case], list[dict[str, Array]]]:
    """Return a NumPy training loop ``run(case)`` that does what a semantics says.

    Examples
    --------
    >>> from gc_ref._conformance.ports.case import Parameter
    >>> weight = Parameter("dense_0", "dense", np.zeros((2, 1), np.float32), "dense")
    >>> gradient = {weight.name: np.array([[1.0], [3.0]], np.float32)}
    >>> case = Case("one-step", (weight,), (gradient,), {"lr": 1.0})
    >>> training_loop(Semantics(), "output-last")(case)[0][weight.name].tolist()
    [[1.0], [-1.0]]
    """

    def run(case: Case) -> list[dict[str, Array]]:
        weights = {p.name: p.value for p in case.parameters}
        hyper = case.hyperparameters
        shapes = {p.name: p.shape for p in case.parameters}
        kinds = {p.name: p.kind for p in case.parameters}
        infos = parameter_infos(shapes, OUTPUT_AXIS[layout], bits=bits, kinds=kinds)
        states: dict[Any, State] = {}
        steps = []
        for t, gradients in enumerate(case.gradients, 1):
            total = model_mean(gradients) if semantics.centering == "model" else 0.0
            norm = model_norm(gradients) if semantics.centering == "clipped-model-norm" else 1.0
            for name, parameter in infos.items():
                w = weights[name]
                key: Any = parameter.shape if semantics.mistake == "state-aliased" else name
                state = states.get(key) or State.of(w)
                weights[name], states[key] = step(
                    np, semantics, w, gradients[name], state, t, hyper, parameter, total, norm
                )
            steps.append(dict(weights))
        return steps

    return run


def operator_of(semantics: Semantics, layout: str) -> Callable[[Any], Any]:
    """Return the bare function of a semantics, on arrays of any namespace.

    Examples
    --------
    >>> operator_of(Semantics(centering="whole"), "output-last")(np.array([[1.0, 2.0], [3.0, 6.0]]))
    array([[-2., -1.],
           [ 0.,  3.]])
    """

    def centralize(g: Any) -> Any:
        xp = np if is_numpy_array(g) or isinstance(g, np.generic) else array_namespace(g)
        bits = {"float16": 11, "bfloat16": 8, "float64": 53}.get(str(g.dtype).split(".")[-1], 24)
        return semantics.phi(xp, g, ParameterInfo(tuple(g.shape), OUTPUT_AXIS[layout], bits=bits))

    return centralize
