"""The reference itself as a port: what ``gc-ref check`` judges without a target."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import gc_ref
from gc_ref._conformance.adapters.numpy import numpy_port
from gc_ref._conformance.adapters.operator import operator_port
from gc_ref._conformance.ports.case import Array, Case
from gc_ref._conformance.ports.port import Port

__all__ = ["reference_port"]


def reference_port(
    algorithm: str | None, conventions: Mapping[str, str], options: tuple[str, ...]
) -> Port:
    """Return `gc_ref.sgdm_step`, `gc_ref.adam_step` or, without algorithm, `gc_ref.centralize`.

    Of the conventions it follows ``layout``; ``options`` are the words that make it again.
    """
    layout = conventions.get("layout", "output-last")
    axis = 0 if layout == "output-first" else -1
    common: dict[str, Any] = {"layout": layout, "conventions": conventions, "options": options}
    if algorithm is None:
        port = operator_port(
            lambda g: gc_ref.centralize(g, output_axis=axis), name="gc_ref.centralize", **common
        )
        return replace(port, by_command=True)
    if algorithm == "sgdm":
        run = _training_loop(gc_ref.sgdm_init, gc_ref.sgdm_step, ("lr", "momentum"), axis)
    else:
        names = ("lr", "beta1", "beta2", "eps")
        run = _training_loop(gc_ref.adam_init, gc_ref.adam_step, names, axis)
    port = numpy_port(run, name=f"gc_ref.{algorithm}_step", algorithm=algorithm, **common)
    return replace(port, by_command=True)


def _training_loop(
    init: Callable[..., Any], step: Callable[..., Any], names: tuple[str, ...], axis: int
) -> Callable[[Case], list[dict[str, Array]]]:
    def run(case: Case) -> list[dict[str, Array]]:
        weights = {p.name: p.value for p in case.parameters}
        states = {k: init(w) for k, w in weights.items()}
        hyper = {k: case.hyperparameters[k] for k in names}
        steps = []
        for gradients in case.gradients:
            for k in weights:
                weights[k], states[k] = step(
                    weights[k], gradients[k], states[k], output_axis=axis, **hyper
                )
            steps.append(dict(weights))
        return steps

    return run
