"""The laws of steps: the constraint on the weight's sums, and Theorem 4.1."""

import numpy as np
import pytest

from gc_ref import laws
from gc_ref.laws import LawError

W0 = np.array([[1.0, 2.0], [3.0, 4.0]])


def moved(*change):
    return W0 + np.array(change)


class TestWeightConstraint:
    def test_holds_where_sums_stay(self):
        steps = [moved([1, -1], [0, 0]), moved([2, -2], [0.5, -0.5])]
        assert laws.weight_constraint(W0, steps, output_axis=0) == 0.0

    def test_says_after_which_step_and_where_it_broke(self):
        steps = [W0, moved([0, 0], [0, 1e-9])]
        with pytest.raises(LawError, match="after step 2") as caught:
            laws.weight_constraint(W0, steps, output_axis=0)
        assert caught.value.index == (1, 1, slice(None))
        assert steps[caught.value.index[0]][caught.value.index[1:]].tolist() == [3.0, 4.0 + 1e-9]

    def test_allows_the_sum_of_the_bounds(self):
        steps = [moved([0.25, 0], [0, 0])]
        bound = [np.full((2, 2), 0.25)]
        assert laws.weight_constraint(W0, steps, output_axis=0, allowances=bound) == 0.5
        with pytest.raises(LawError):
            laws.weight_constraint(W0, steps, output_axis=0, allowances=[bound[0] / 4])

    def test_decides_nothing_where_a_bound_is_infinite(self):
        bound = np.array([[np.inf, 0.0], [0.0, 0.0]])
        steps = [moved([5, 0], [0, 0])]
        assert laws.weight_constraint(W0, steps, output_axis=0, allowances=[bound]) == 0.0
        with pytest.raises(LawError):
            laws.weight_constraint(W0, [W0 + 5], output_axis=0, allowances=[bound])

    def test_refuses_another_number_of_bounds(self):
        with pytest.raises(ValueError, match="0 allowances for 1 steps"):
            laws.weight_constraint(W0, [W0], output_axis=0, allowances=[])

    @pytest.mark.parametrize("bad", [np.full((2, 2), np.nan), np.ones((2, 3))])
    def test_broken_weights_are_law_errors(self, bad):
        with pytest.raises(LawError):
            laws.weight_constraint(W0, [bad], output_axis=0)


class TestTheorem41:
    X = np.array([3.0, 4.0])

    def test_holds_where_sums_stay(self):
        steps = [moved([1, -1], [0.5, -0.5])]
        assert laws.theorem_4_1(W0, steps, self.X, 10.0, output_axis=0) == 0.0

    def test_the_printed_sign_is_an_erratum(self):
        """By plain numbers: w⁰ itself, w = (1, 2), x = (3, 4), γ = 10."""
        before, after = 1 * 3 + 2 * 4, 1 * 13 + 2 * 14
        assert before - after == -10 * (1 + 2)
        assert before - after != +10 * (1 + 2)

    def test_catches_a_sum_that_moved(self):
        with pytest.raises(LawError, match="off by 10,"):
            laws.theorem_4_1(W0, [moved([1, 0], [0, 0])], self.X, 10.0, output_axis=0)

    def test_allows_gamma_times_the_bounds(self):
        steps, bound = [moved([0.25, 0], [0, 0])], [np.full((2, 2), 0.25)]
        for gamma in (10.0, -0.5):
            options = {"output_axis": 0, "allowances": bound}
            assert laws.theorem_4_1(W0, steps, self.X, gamma, **options) == 0.5

    def test_refuses_an_input_of_another_length(self):
        with pytest.raises(ValueError, match="fan-in is 2"):
            laws.theorem_4_1(W0, [W0], [1.0], 1.0, output_axis=0)
