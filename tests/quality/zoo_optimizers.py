"""The zoo's NumPy optimizers, on output-last weights: styles of writing, and conventions.

The styles are those of ``tests/unit/_correct_steps.py``: half types keep their state in
float32, as the contract asks, and round where weights and gradients are stored.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from _correct_centralize import Way
from _correct_steps import STYLES, Options, Style
from _correct_steps import Port as Written
from _hard_data import Format, Rows

from gc_ref._conformance.ports.case import Array
from gc_ref.conformance import Case, Parameter, Port, Trajectory, numpy_port

from . import optimizers
from .zoo_entry import DTYPES, Entry, has_bfloat16
from .zoo_sums import OTHER_WAYS, SUM_WAYS

#: What runs for each convention that is not the option of that name and value itself.
MEANING: Mapping[tuple[str, str], Options] = {
    ("momentum", "ema"): {"dampening": None},
    ("momentum", "heavy-ball"): {"dampening": 0},
    ("momentum", "velocity"): {"dampening": 0},
    ("decay", "none"): {"weight_decay": 0.0},
}


def untouched(g: Rows, store: Any) -> Rows:
    return g


def output_axes(p: Parameter, rule: str) -> tuple[int, ...]:
    """Axes that number the outputs of a weight: the last, or by the layer's true outputs."""
    if rule == "by-kind" and p.kind in ("depthwise", "attention-in"):
        return tuple(range(p.value.ndim - 2, p.value.ndim))  # each channel, each head, alone
    if rule == "by-kind" and p.kind == "transposed":
        return (p.value.ndim - 2,)
    return (p.value.ndim - 1,)


def as_rows(values: Array, axes: tuple[int, ...], real: Any) -> Rows:
    """Matrix with one output a row."""
    moved = np.moveaxis(values, axes, range(len(axes)))
    outputs = int(np.prod(moved.shape[: len(axes)]))
    return np.ascontiguousarray(moved.reshape(outputs, -1)).astype(real)


def from_rows(rows: Rows, like: Array, axes: tuple[int, ...]) -> Array:
    shape = np.moveaxis(like, axes, range(len(axes))).shape
    back = np.moveaxis(rows.reshape(shape), range(len(axes)), axes)
    return np.array(back, like.dtype, order="C")


class Optimizer:
    """One style of one algorithm under some conventions, as a function of a case."""

    def __init__(self, algorithm: str, style: Style, conventions: Mapping[str, str]) -> None:
        self.algorithm, self.style, self.conventions = algorithm, style, conventions

    def options(self, case: Case) -> dict[str, Any]:
        chosen = dict(case.hyperparameters)
        for field in ("placement", "first_momentum", "epsilon", "decay"):
            if self.conventions.get(field, "none") != "none":
                chosen[field] = self.conventions[field]
        conventions = {"momentum": "ema", "decay": "none", **self.conventions}
        for pair in conventions.items():
            chosen.update(MEANING.get(pair, {}))
        return chosen

    def __call__(self, case: Case) -> list[dict[str, Array]]:
        form, options = Format(case.dtype), self.options(case)
        found: list[dict[str, Array]] = [{} for _ in case.gradients]
        for p in case.parameters:
            vector = p.value.ndim < 2
            style = replace(self.style, phi=untouched) if vector else self.style
            axes = () if vector else output_axes(p, self.conventions.get("axes_rule", "by-rank"))
            w = as_rows(p.value, axes, form.accumulator)
            grads = [as_rows(g[p.name], axes, form.accumulator) for g in case.gradients]
            outs = getattr(Written(style, form, options), self.algorithm)(w, grads)
            for step, out in zip(found, outs, strict=True):
                step[p.name] = from_rows(out, p.value, axes)
        return found


def port_of(optimizer: Optimizer, name: str, dtypes: tuple[str, ...]) -> Port:
    """Port of it, driven in half types too; bfloat16 where ml_dtypes is installed."""
    declared = {"momentum": "velocity"} if "velocity" in optimizer.conventions.values() else {}
    port = numpy_port(
        optimizer, name=name, algorithm=optimizer.algorithm, conventions=declared
    )  # velocity and heavy-ball are the same at a constant lr: only its author knows
    drive = port.run

    def run(case: Case) -> Trajectory:
        trajectory = drive(case)
        return in_bfloat16(trajectory) if case.dtype == "bfloat16" else trajectory

    judged = tuple(d for d in dtypes if d != "bfloat16" or has_bfloat16())
    return replace(port, run=run, dtypes=judged)


def in_bfloat16(trajectory: Trajectory) -> Trajectory:
    """Turn bfloat16 values in float32 arrays into ml_dtypes' arrays; nothing may be lost."""
    import ml_dtypes

    steps = []
    for step in trajectory.steps:
        stored = {k: v.astype(ml_dtypes.bfloat16) for k, v in step.items()}
        assert all(np.array_equal(stored[k].astype(v.dtype), v) for k, v in step.items())
        steps.append(stored)
    dtypes = {k: str(v.dtype) for k, v in steps[-1].items()}
    back = tuple({k: v.astype(np.float32) for k, v in step.items()} for step in steps)
    return Trajectory(back, trajectory.notes, dtypes)


#: Each style under a choice of conventions: every value of 4.4 occurs, not every product.
SGDM: tuple[Mapping[str, str], ...] = (
    {"momentum": "ema", "first_momentum": "zero"},
    {"momentum": "heavy-ball"},
    {"momentum": "heavy-ball", "decay": "l2", "placement": "gradient"},
    {"momentum": "heavy-ball", "decay": "l2", "placement": "decayed-gradient"},
    {"momentum": "ema", "decay": "decoupled"},
    {"momentum": "velocity"},
    {"momentum": "heavy-ball", "decay": "none"},
    {"momentum": "ema", "first_momentum": "gradient"},
    {"momentum": "heavy-ball", "axes_rule": "by-kind"},
    {"momentum": "ema", "decay": "l2", "placement": "gradient"},
)
ADAM: tuple[Mapping[str, str], ...] = (
    {"epsilon": "outside"},
    {"epsilon": "hat"},
    {"epsilon": "outside", "decay": "l2", "placement": "gradient"},
    {"epsilon": "hat", "decay": "l2", "placement": "decayed-gradient"},
    {"epsilon": "outside", "decay": "decoupled"},
    {"epsilon": "outside", "decay": "decoupled", "placement": "update"},
    {"epsilon": "hat", "axes_rule": "by-kind"},
    {"epsilon": "outside", "decay": "l2", "placement": "update"},
    {"epsilon": "outside", "decay": "decoupled", "placement": "decayed-update"},
)
#: Further ways of Φ inside plain steps.
PHIS: tuple[Way, ...] = (SUM_WAYS[3], SUM_WAYS[5], SUM_WAYS[8], OTHER_WAYS[1], OTHER_WAYS[2])


def styled(algorithm: str, style: Style, conventions: Mapping[str, str]) -> Entry:
    shown = " ".join(conventions.values())
    name = f"numpy {algorithm}: {style.name}; {shown}"
    optimizer = Optimizer(algorithm, style, conventions)
    # In half types the kit's hard cases leave Adam more undecided elements than its budget
    # allows, as bounds must: tests/unit/bounds/test_bounds_steps.py holds these styles to them.
    dtypes = DTYPES if algorithm == "sgdm" else ("float32", "float64")
    make = functools.partial(port_of, optimizer, name, dtypes)
    return Entry(name, make, "optimizer", dtypes=dtypes, follows=conventions)


def plain(optimizer: optimizers.Optimizer) -> Entry:
    name = f"numpy, native: {optimizer.__name__.replace('_', ' ')}"
    make = functools.partial(numpy_port, optimizer, name=name, algorithm=optimizer.algorithm)
    return Entry(name, make, "optimizer", dtypes=("float32", "float64"))


# Momentum that is centralized late belongs to SGDM without decay alone (Adam is not linear).
ADAM_STYLES = tuple(s for s in STYLES if s.moment not in ("late", "velocity", "scaled"))
ENTRIES = (
    *(styled("sgdm", s, SGDM[k % len(SGDM)]) for k, s in enumerate(STYLES)),
    *(styled("adam", ADAM_STYLES[k % len(ADAM_STYLES)], c) for k, c in enumerate(ADAM)),
    *(
        styled(a, Style(f"Φ: {phi.__name__.replace('_', ' ')}", phi=phi), c)
        for phi, a, c in zip(
            PHIS,
            ("sgdm", "adam", "sgdm", "adam", "sgdm"),
            (SGDM[1], ADAM[1], SGDM[7], ADAM[4], SGDM[3]),
            strict=True,
        )
    ),
    *map(plain, optimizers.CORRECT),
)
