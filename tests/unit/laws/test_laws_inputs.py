"""The laws of operators: which inputs and options each takes, and which it refuses."""

import numpy as np
import pytest

from gc_ref import bounds, exact, laws
from gc_ref.laws import LawError

from ._law_operators import NAMES, OPERATOR_LAWS, WRONG, G, H, call, correct


@pytest.mark.parametrize("law", OPERATOR_LAWS, ids=NAMES)
class TestInputs:
    def test_the_exact_witness_passes_with_no_allowance(self, law):
        def phi(g):
            return exact.centralize(g, output_axis=0)

        assert call(law, phi, exact.exactly(G), exact.exactly(H)) == 0.0
        assert call(law, phi, profile=bounds.EXACT) == 0.0

    def test_integers_need_no_allowance(self, law):
        g = np.array([[4.0, 8.0, 0.0, -4.0], [3.0, 1.0, 2.0, 2.0]], "float32")
        assert call(law, correct, g, g[::-1].copy(), profile=bounds.EXACT) == 0.0

    def test_read_only_inputs_are_enough(self, law):
        g, h = G.copy(), H.copy()
        g.flags.writeable = h.flags.writeable = False
        assert call(law, correct, g, h) <= 1

    def test_a_fan_in_of_one_leaves_zero(self, law):
        g = np.array([[3.0], [0.1]])
        assert call(law, correct, g, -g) == 0.0

    @pytest.mark.parametrize("shape", [(0, 3), (3, 0), (0, 0), (2, 0, 3)])
    def test_empty_weights_pass(self, law, shape):
        assert call(law, lambda g: g, np.zeros(shape), np.zeros(shape)) == 0.0

    @pytest.mark.parametrize("shape", [(), (3,)])
    def test_vectors_are_refused(self, law, shape):
        with pytest.raises(ValueError, match="two or more dimensions"):
            call(law, correct, np.ones(shape), np.ones(shape))

    def test_out_of_scope_is_refused(self, law):
        with pytest.raises(ValueError, match="output_axis=None"):
            call(law, correct, output_axis=None)

    def test_a_wrong_axis_is_refused(self, law):
        with pytest.raises(ValueError, match="output_axis=2"):
            call(law, correct, output_axis=2)

    def test_gradients_that_are_not_finite_are_refused(self, law):
        with pytest.raises(ValueError, match=r"(?i)nan|finite"):
            call(law, correct, np.full((2, 2), np.nan), np.ones((2, 2)))

    def test_gradients_whose_sums_overflow_are_refused(self, law):
        with pytest.raises(ValueError, match="overflow"):
            call(law, correct, np.full((2, 8), 1.7e308), np.ones((2, 8)))


@pytest.mark.parametrize("law", [laws.orthogonal, laws.linear])
def test_two_gradients_must_have_one_shape(law):
    with pytest.raises(ValueError, match="does not fit"):
        law(correct, G, G[:1], output_axis=0)


def test_linear_takes_any_coefficients_and_accounts_for_their_rounding():
    assert laws.linear(correct, G, H, a=0.1, b=1 / 3, output_axis=0) <= 1
    with pytest.raises(LawError):
        laws.linear(WRONG["median"], G, H, a=0.1, b=1 / 3, output_axis=0)


def test_linear_refuses_a_combination_that_overflows():
    with pytest.raises(ValueError, match="overflows float16"):
        laws.linear(correct, np.full((1, 2), 4e4, "float16"), np.ones((1, 2)), output_axis=0)


def test_shift_takes_one_number_per_output():
    assert laws.shift_invariant(correct, G, shift=[[1.0], [2.0], [100.0]], output_axis=0) <= 1
    assert laws.shift_invariant(correct, G, shift=1e-30, output_axis=0) <= 1
    with pytest.raises(ValueError, match="the same for all inputs"):
        laws.shift_invariant(correct, G, shift=np.arange(5.0), output_axis=0)


def test_permutations_can_be_chosen_and_are_checked():
    chosen = {"inputs": [1, 2, 3, 4, 0], "outputs": [2, 0, 1], "output_axis": 0}
    assert laws.permutation_equivariant(correct, G, **chosen) <= 1
    with pytest.raises(ValueError, match=r"inputs must be a permutation of range\(5\)"):
        laws.permutation_equivariant(correct, G, inputs=[0, 1], output_axis=0)
    with pytest.raises(ValueError, match=r"outputs must be a permutation of range\(3\)"):
        laws.permutation_equivariant(correct, G, outputs=[0, 0, 1], output_axis=0)
