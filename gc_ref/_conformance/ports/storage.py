"""How cases hold the numbers of each dtype in NumPy arrays."""

from __future__ import annotations

import numpy as np

from gc_ref import exact
from gc_ref._conformance.ports.case import Array

#: NumPy has no bfloat16: float32 arrays hold its values.
STORAGE = {"float16": "float16", "bfloat16": "float32", "float32": "float32", "float64": "float64"}


def representable(values: Array, dtype: str) -> Array:
    """Round numbers to a dtype, once, in an array of its storage."""
    values = np.asarray(values, dtype=np.float64)
    if dtype == "bfloat16":
        rounded = [exact.round_to(v, dtype) for v in values.ravel().tolist()]
        values = np.reshape(rounded, values.shape)
    return values.astype(STORAGE[dtype])
