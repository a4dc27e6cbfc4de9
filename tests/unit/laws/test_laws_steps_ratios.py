"""The ratios of the laws of a trajectory and of a matrix, worked out from their texts."""

import re
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from gc_ref import bounds, exact, laws
from gc_ref.laws import LawError

F = Fraction

W0 = np.array([[1.0, 2.0], [3.0, 4.0]])
W1 = W0 + np.array([[0.25, 0.5], [-0.125, 0.0]])  # the sums move by 3/4 and -1/8


class TestSteps:
    def test_each_slice_has_the_sum_of_its_own_bounds(self):
        bounds_ = [[[1, 2], [0.25, 0.25]]]
        options = {"output_axis": 0, "allowances": bounds_}
        assert laws.weight_constraint(W0, [W1], **options) == max(0.75 / 3, 0.125 / 0.5)
        options["allowances"] = [[[1, 2], [0.25, 0]]]
        assert laws.weight_constraint(W0, [W1], **options) == 0.125 / 0.25
        assert laws.theorem_4_1(W0, [W1], [7.0, 9.0], -4.0, **options) == 0.125 / 0.25

    def test_bounds_may_be_any_numbers(self):
        allowances = [[[F(1, 3), F(2, 3)], [F(1, 2), F(1, 2)]]]
        got = laws.weight_constraint(W0, [W1], output_axis=0, allowances=allowances)
        assert got == pytest.approx(0.75, rel=1e-15)

    def test_an_infinite_bound_excuses_its_own_slice_only(self):
        options = {"output_axis": 0, "allowances": [[[np.inf, 0], [0.25, 0.25]]]}
        assert laws.weight_constraint(W0, [W1], **options) == 0.25

    def test_whole_numbers_may_stand_in_integer_arrays(self):
        start = W0.astype(int)
        steps = [start + np.array([[1, -1], [2, -2]])]
        assert laws.weight_constraint(start, steps, output_axis=0) == 0.0
        assert laws.theorem_4_1(start, steps, [1, 2], 3, output_axis=0) == 0.0

    def test_the_messages(self):
        for check, options, id, statement in (
            (laws.weight_constraint, (), "step/constraint", "eᵀ(wᵗ − w⁰) = 0"),
            (
                laws.theorem_4_1,
                ([1.0, 2.0], 1.0),
                "step/theorem-4.1",
                "wᵗᵀx − wᵗᵀ(x + γ1) = −γ1ᵀw⁰",
            ),
        ):
            with pytest.raises(LawError) as caught:
                check(W0, [W0, W1], *options, output_axis=0)
            clause = laws.LAWS[id].clause
            start = f"{id} ({clause}): after step 2: {statement} fails at [0, :]: off by 0.75, "
            assert str(caught.value).startswith(start)
            assert (caught.value.law, caught.value.clause) == (id, clause)
            assert caught.value.ratio == np.inf


def asymmetric(n):
    return np.array([[0, 1, -1], [-1, 0, 1], [1, -1, 0]]) * n / 64


#: Symmetric, of zero trace, and zero on e: it makes P no projection, and changes nothing else.
SADDLE = np.array([[1, -2, 1], [-2, 1, 1], [1, 1, -2]]) / 64


class TestMatrices:
    #: Coarse, so that products of two roundings and underflow are seen.
    PROFILE = replace(bounds.profile("float32"), unit_roundoff=2.0**-6, underflow=2.0**-7)
    P = np.eye(3) - np.float32(1 / 3)

    def exact_rows(self, matrix):
        return [[F(x) for x in row] for row in matrix.tolist()]

    def errors(self, q):
        """D = 6u/M + 2u|Q| + 2η."""
        u, eta = F(self.PROFILE.unit_roundoff), F(self.PROFILE.underflow)
        return [[6 * u / len(q) + 2 * u * abs(x) + 2 * eta for x in row] for row in q]

    def four(self, matrix):
        """Worst ratio of each of the four equations."""
        q = self.exact_rows(matrix)
        d, n = self.errors(q), range(len(q))
        symmetric = [abs(q[i][j] - q[j][i]) / (d[i][j] + d[j][i]) for i in n for j in n]
        sums = [abs(sum(q[i][j] for i in n)) / sum(d[i][j] for i in n) for j in n]
        squares = []
        for i in n:
            for j in n:
                missed = sum(q[i][k] * q[k][j] for k in n) - q[i][j]
                allowed = d[i][j] + sum(
                    abs(q[i][k]) * d[k][j] + d[i][k] * abs(q[k][j]) + d[i][k] * d[k][j] for k in n
                )
                squares.append(abs(missed) / allowed)
        trace = abs(sum(q[i][i] for i in n) - (len(q) - 1)) / sum(d[i][i] for i in n)
        return [float(x) for x in (max(symmetric), max(sums), max(squares), trace)]

    @pytest.mark.parametrize(
        ("which", "error"),
        [
            (0, asymmetric(2)),
            (1, np.array([[0, 1, 0], [1, 0, 2], [0, 2, 0]]) / 64),
            (1, np.array([[3, 2, 1]] * 3) / 128),
            (2, SADDLE),
            (2, SADDLE + np.array([[0, 0, 0], [0, 0, 0], [0, 0, 1]]) / 4096),
            (3, np.eye(3) / 32 - 1 / 96),
        ],
    )
    def test_projection_matrix(self, which, error):
        for scale in (1, 0.5, -0.5):
            four = self.four(self.P + scale * error)
            assert four.index(max(four)) == which
            got = laws.projection_matrix(self.P + scale * error, profile=self.PROFILE)
            assert 0 < got == max(four) < 1

    def test_contraction_hessian(self):
        # H = diag(4, 0, 0): the first singular vector of PH is (1, 0, 0), up to its sign.
        p = np.eye(3) - 1 / 3
        q = p * (1 + 2.0**-20) / np.sqrt(2 / 3)  # so that ‖q e₁‖ is a little above 1
        hessian = np.diag([4.0, 0.0, 0.0])
        profile = bounds.profile("float16")
        rows = self.exact_rows(q)
        u, eta = F(profile.unit_roundoff), F(profile.underflow)
        f = [4 * row[0] for row in rows]
        d = [4 * (6 * u / 3 + 2 * u * abs(row[0]) + 2 * eta) for row in rows]
        allowed = 2 * sum(abs(x) * y for x, y in zip(f, d, strict=True))
        expected = float((sum(x * x for x in f) - 16) / allowed)
        got = laws.contraction_hessian(q, hessian, profile=profile)
        assert 0 < got == pytest.approx(expected, rel=1e-12)
        assert got < 1

    @pytest.mark.parametrize(
        ("check", "given", "id", "clause", "statement"),
        [
            (laws.projection_matrix, [np.eye(2)], "law/orthogonal", "Eq. 2", "eᵀP = 0"),
            (
                laws.projection_matrix,
                [[[0.5, -0.5], [0.5, 0.5]]],
                "law/orthogonal",
                "Eq. 2",
                "P = Pᵀ",
            ),
            (
                laws.projection_matrix,
                [[[0.25, -0.25], [-0.25, 0.25]]],
                "law/orthogonal",
                "Eq. 2",
                "P² = P",
            ),
            (
                laws.projection_matrix,
                [np.zeros((2, 2))],
                "law/orthogonal",
                "Eq. 2",
                "trace P = M − 1",
            ),
            (
                laws.contraction_hessian,
                [2 * np.eye(2), np.eye(2)],
                "law/contraction",
                "Theorem 4.2",
                "‖PHv‖ ≤ ‖Hv‖",
            ),
        ],
    )
    def test_the_messages(self, check, given, id, clause, statement):
        with pytest.raises(LawError, match=re.escape(f"{id} ({clause}): {statement} fails at [")):
            check(*given)

    def test_exact_matrices_are_exact_in_lists_too(self):
        third = [[F(2, 3) if i == j else F(-1, 3) for j in range(3)] for i in range(3)]
        assert laws.contraction_hessian(exact.exactly(third), np.diag([1.0, 2.0, 4.0])) == 0.0
