"""The laws of P as a matrix: Eq. 2's projection, and what it does to the Hessian (Theorem 4.2)."""

from fractions import Fraction

import numpy as np
import pytest

import gc_ref
from gc_ref import exact, laws
from gc_ref.laws import LawError


def plain_projection(m):
    return np.eye(m) - np.ones((m, m)) / m


class TestProjectionMatrix:
    @pytest.mark.parametrize("m", [1, 2, 3, 7, 8, 16])
    @pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
    def test_of_the_reference_passes(self, m, dtype):
        assert laws.projection_matrix(gc_ref.projection(m, dtype=dtype, xp=np)) <= 1

    @pytest.mark.parametrize("m", [2, 3, 7, 8, 32])
    def test_to_the_letter_passes(self, m):
        e = np.ones((m, 1)) / np.sqrt(m)
        assert laws.projection_matrix(np.eye(m) - e @ e.T) <= 1

    def test_exact_passes_with_no_allowance(self):
        rows = [[Fraction(2, 3) if i == j else Fraction(-1, 3) for j in range(3)] for i in range(3)]
        assert laws.projection_matrix(exact.exactly(rows)) == 0.0

    @pytest.mark.parametrize(
        ("matrix", "equation"),
        [
            (np.eye(3), "eᵀP = 0"),
            (np.zeros((3, 3)), "trace"),
            (np.ones((3, 3)) / 3, "eᵀP = 0"),
            (np.eye(3) - np.ones((3, 3)) / 2, "eᵀP = 0"),
            (np.eye(3) - 2 * np.ones((3, 3)) / 3, "eᵀP = 0"),
            (plain_projection(3) / 2, "P² = P"),
            (plain_projection(3).astype("float16").astype("float64"), "P² = P"),
            (np.eye(3) - np.array([[1, 0, 0]] * 3), "P = Pᵀ"),  # oblique
            (np.diag([1.0, 1.0, 0.0]), "eᵀP = 0"),
        ],
    )
    def test_wrong_ones_are_caught(self, matrix, equation):
        with pytest.raises(LawError, match=equation):
            laws.projection_matrix(matrix)

    def test_nan_is_a_law_error(self):
        with pytest.raises(LawError, match="nan"):
            laws.projection_matrix(np.full((2, 2), np.nan))

    @pytest.mark.parametrize("shape", [(2, 3), (2,), (0, 0)])
    def test_another_shape_is_refused(self, shape):
        with pytest.raises(ValueError, match="square"):
            laws.projection_matrix(np.zeros(shape))


class TestContractionOfTheHessian:
    @pytest.mark.parametrize("m", [1, 2, 5, 8])
    @pytest.mark.parametrize("scale", [1e-200, 1.0, 1e200])
    def test_correct_ones_pass(self, m, scale):
        half = np.random.default_rng(m).normal(size=(m, m)) * scale
        assert laws.contraction_hessian(plain_projection(m), half + half.T) <= 1

    @pytest.mark.parametrize(
        ("matrix", "steep"),  # a direction in which the loss curves, and the matrix stretches
        [
            (1.001 * plain_projection(4), [1.0, -1.0, 2.0, -2.0]),
            (2 * np.eye(4), [1.0, 0.0, 0.0, 0.0]),
            (np.ones((4, 4)) / 2, [1.0, 1.0, 1.0, 1.0]),
        ],
    )
    def test_a_growing_norm_is_caught(self, matrix, steep):
        hessian = np.outer(steep, steep)
        assert np.linalg.norm(matrix @ hessian, 2) > np.linalg.norm(hessian, 2)
        with pytest.raises(LawError, match=r"Theorem 4\.2"):
            laws.contraction_hessian(matrix, hessian)

    def test_shapes_must_fit(self):
        with pytest.raises(ValueError, match="Hessian"):
            laws.contraction_hessian(plain_projection(3), np.eye(2))
