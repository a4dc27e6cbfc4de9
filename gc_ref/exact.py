"""The second witness: Eq. 1, Algorithm 1 and Algorithm 2 in exact scalar arithmetic.

Written from the paper, independently of the array code, in plain Python: rational
numbers throughout, and enclosures between two rational numbers where Algorithm 2 takes
a square root. It imports the standard library only. Expected values come from here.

Examples
--------
How far is a float32 step from the exact one, in units in the last place?

>>> [exact] = sgdm([[1.0, 2.0]], [[[0.25, 0.75]]], lr=0.1, output_axis=0)
>>> got, true = round_to(1.0025, "float32"), exact.fractions()[0]
>>> float(abs(got - true) / ulp(true, "float32")) < 0.5
True
"""

from __future__ import annotations

from gc_ref._exact.arrays import Enclosure, ExactArray, centralize, exactly
from gc_ref._exact.intervals import power
from gc_ref._exact.optimizers import adam, sgdm
from gc_ref._exact.rounding import round_to, ulp

__all__ = [
    "Enclosure",
    "ExactArray",
    "adam",
    "centralize",
    "exactly",
    "power",
    "round_to",
    "sgdm",
    "ulp",
]
