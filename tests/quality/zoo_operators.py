"""The zoo's NumPy operators, on output-last gradients; bfloat16 through ml_dtypes."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from _correct_centralize import WAYS, Way, flushed

from gc_ref.conformance import Case, Port, Trajectory, operator_port

from . import operators
from .zoo_entry import DTYPES, NUMPY_DTYPES, Entry, has_bfloat16
from .zoo_sums import OTHER_WAYS, SUM_WAYS

Operator = Callable[[Any], Any]


def port_of(operator: Operator, name: str, *, bfloat16: bool = True, **options: Any) -> Port:
    """Port of a NumPy operator, driven in bfloat16 too where ml_dtypes is installed."""
    port = operator_port(operator, name=name, **options)
    if not (bfloat16 and has_bfloat16()):
        return port
    drive = port.run

    def run(case: Case) -> Trajectory:
        return in_bfloat16(operator, case) if case.dtype == "bfloat16" else drive(case)

    return replace(port, run=run, dtypes=DTYPES)


def in_bfloat16(operator: Operator, case: Case) -> Trajectory:
    """Drive an operator on arrays of ml_dtypes.bfloat16."""
    import ml_dtypes

    steps, dtypes = [], {}
    for gradients in case.gradients:
        answers = {
            p.name: operator(gradients[p.name].astype(ml_dtypes.bfloat16)) for p in case.parameters
        }
        dtypes = {k: str(v.dtype) for k, v in answers.items()}
        steps.append({k: v.astype(np.float32) for k, v in answers.items()})
    return Trajectory(tuple(steps), dtypes=dtypes)


def operator_of(way: Way, outputs: int = -1) -> Operator:
    """Operator on arrays of any shape out of a way on rows, sums in float32 or wider."""

    def operator(g: Any) -> Any:
        if g.ndim < 2:
            return g
        kept = g.dtype
        real = np.float32 if kept.itemsize < 4 else kept
        moved = np.moveaxis(g, outputs, 0)
        rows = np.ascontiguousarray(moved.reshape(len(moved), -1)).astype(real)

        def store(values: Any) -> Any:
            return values.astype(kept).astype(real)

        centered = np.moveaxis(way(rows, store).reshape(moved.shape), 0, outputs)
        return np.ascontiguousarray(centered).astype(kept)

    operator.__name__ = way.__name__
    return operator


def entry(name: str, operator: Operator, follows: Mapping[str, str] | None = None, **options: Any):
    """Entry of an operator that needs nothing but NumPy."""
    dtypes = DTYPES if options.get("bfloat16", True) else NUMPY_DTYPES
    make = functools.partial(port_of, operator, name, **options)
    return Entry(name, make, dtypes=dtypes, follows=follows or {})


def flushing() -> Port:
    """An operator that flushes subnormal numbers to zero; its adapter would say so."""
    return replace(port_of(operator_of(flushed), "flushed"), flush_to_zero=True)


def conv_only(g: Any) -> Any:
    return operators.plain(g) if g.ndim > 2 else g


def keeps_single_inputs(g: Any) -> Any:
    return g if g.ndim > 1 and g.size == g.shape[-1] else operators.plain(g)


#: Sums in the gradient's own dtype, on arrays of any rank. In half types the kit notes it.
NATIVE = operators.CORRECT
#: NumPy has no such product of ml_dtypes' arrays.
NO_BFLOAT16 = (operators.projection_matrix, operators.ones_matmul, operators.einsum)

ENTRIES = (
    *(
        entry(f"numpy: {way.__name__.replace('_', ' ')}", operator_of(way))
        for way in (*WAYS, *SUM_WAYS, *OTHER_WAYS)
    ),
    *(
        entry(f"numpy, native: {f.__name__.replace('_', ' ')}", f, bfloat16=f not in NO_BFLOAT16)
        for f in NATIVE
    ),
    Entry("numpy: flush to zero", flushing),
    entry(
        "numpy: output-first",
        operator_of(SUM_WAYS[2], outputs=0),
        {"layout": "output-first"},
        layout="output-first",
    ),
    entry("numpy: conv-only", conv_only, {"scope": "conv-only"}),
    entry("numpy: keeps single inputs", keeps_single_inputs, {"fan_in_one": "keep"}),
)
