"""Theorem 4.2: ‖Φ(∇L)‖₂ ≤ ‖∇L‖₂ and ‖P∇²L‖₂ ≤ ‖∇²L‖₂, and the P of Eq. 2 that it rests on.

The gradient's half is in test_eq_2.py, with the other laws of Φ.
"""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import gc_ref
from gc_ref import exact, laws
from gc_ref.strategies import gradients

DTYPES = ["float16", "float32", "float64"]


def exact_projection(m):
    """P column by column: the second witness's Φ of unit vectors."""
    unit = [[Fraction(int(i == j)) for j in range(m)] for i in range(m)]
    return exact.centralize(unit, output_axis=0)


@st.composite
def hessians(draw):
    """Symmetric matrices, in any regime."""
    m = draw(st.integers(1, 6))
    half = draw(gradients((m, m), output_axis=0, dtype="float32")).astype("float64")
    return half + half.T


class TestPOfEq2:
    @pytest.mark.parametrize("dtype", DTYPES)
    @given(m=st.integers(1, 12))
    @settings(max_examples=12)
    def test_of_the_array_witness(self, dtype, m):
        assert laws.projection_matrix(gc_ref.projection(m, dtype=dtype, xp=np)) <= 1

    @given(m=st.integers(1, 12))
    @settings(max_examples=12)
    def test_of_the_exact_witness(self, m):
        assert laws.projection_matrix(exact_projection(m)) == 0.0


class TestTheHessiansNormDoesNotGrow:
    @pytest.mark.parametrize("dtype", DTYPES)
    @given(hessian=hessians())
    @settings(max_examples=25)
    def test_by_the_array_witness(self, dtype, hessian):
        p = gc_ref.projection(len(hessian), dtype=dtype, xp=np)
        assert laws.contraction_hessian(p, hessian) <= 1

    @given(hessian=hessians())
    @settings(max_examples=25)
    def test_by_the_exact_witness(self, hessian):
        assert laws.contraction_hessian(exact_projection(len(hessian)), hessian) == 0.0
