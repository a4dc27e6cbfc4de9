"""The zoo: ways of writing GC that are all correct, and that must never be accused.

``ZOO`` is a tuple of `Entry`; each makes its port when asked, and imports its framework
then. Operators, SGDM and Adam; orders of summation, forms of the mean, styles of stepping,
every convention of the contract; float16, bfloat16, float32 and float64.

    for entry in ZOO:
        if not entry.unavailable():
            assert check(entry.make(), max_examples=0).verdict == "conforms"
"""

from __future__ import annotations

from . import zoo_jax, zoo_operators, zoo_optimizers, zoo_torch
from .zoo_entry import DTYPES, Entry

__all__ = ["DTYPES", "ZOO", "Entry"]

ZOO: tuple[Entry, ...] = (
    *zoo_operators.ENTRIES,
    *zoo_optimizers.ENTRIES,
    *zoo_torch.ENTRIES,
    *zoo_jax.ENTRIES,
)
