"""Eq. 2: Φ(∇W) = P ∇W with P = I − eeᵀ, P² = P = Pᵀ, eᵀP = 0.

Through both witnesses, in every regime, dtype and layout, with read-only inputs. The
exact witness is granted no rounding at all.
"""

import numpy as np
import pytest
from _witnesses import WITNESSES, held_to, pairs
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gc_ref import laws
from gc_ref.strategies import REGIMES

few = settings(max_examples=10, suppress_health_check=[HealthCheck.too_slow])

pytestmark = [
    pytest.mark.parametrize("witness", WITNESSES),
    pytest.mark.parametrize("regime", REGIMES),
]


def bounded(ratio, witness):
    return ratio == 0.0 if witness == "exact" else 0.0 <= ratio <= 1.0


class TestTheMeanOfWhatIsLeftIsZero:
    """eᵀP = 0."""

    @few
    @given(data=st.data())
    def test_for_every_output(self, witness, regime, data):
        case, _ = data.draw(pairs(regime))
        assert bounded(held_to(laws.zero_mean, witness, case), witness)


class TestPIsAProjection:
    """P² = P."""

    @few
    @given(data=st.data())
    def test_twice_is_once(self, witness, regime, data):
        case, _ = data.draw(pairs(regime))
        assert bounded(held_to(laws.idempotent, witness, case), witness)


class TestPIsSymmetric:
    """P = Pᵀ: what is removed is orthogonal to what is left."""

    @few
    @given(data=st.data())
    def test_on_pairs_of_gradients(self, witness, regime, data):
        case, other = data.draw(pairs(regime))
        assert bounded(held_to(laws.orthogonal, witness, case, other), witness)


class TestPIsAMatrix:
    """Φ is linear, and blind to what is along e."""

    # |a| + |b| ≤ 3: even the combination of two huge gradients can be summed.
    @few
    @given(data=st.data(), a=st.sampled_from([-2.0, 1.0, 0.1]), b=st.sampled_from([1.0, 0.0, -0.3]))
    def test_linear(self, witness, regime, data, a, b):
        case, other = data.draw(pairs(regime))
        assert bounded(held_to(laws.linear, witness, case, other, a=a, b=b), witness)

    @few
    @given(data=st.data())
    def test_a_constant_changes_nothing(self, witness, regime, data):
        case, _ = data.draw(pairs(regime))
        assert bounded(held_to(laws.shift_invariant, witness, case), witness)


class TestTheMeanIsOverAllInputsAlike:
    """Eq. 1: one mean per output, over all of its inputs; no input or output is special."""

    @few
    @given(data=st.data())
    def test_renumbering_commutes(self, witness, regime, data):
        case, _ = data.draw(pairs(regime))
        shape, axes = case.gradient.shape, case.output_axis
        outputs = int(np.prod([shape[a] for a in axes]))
        inputs = int(np.prod([n for i, n in enumerate(shape) if i not in axes]))
        chosen = {
            "inputs": data.draw(st.permutations(range(inputs))),
            "outputs": data.draw(st.permutations(range(outputs))),
        }
        ratio = held_to(laws.permutation_equivariant, witness, case, **chosen)
        assert bounded(ratio, witness)


class TestTheNormDoesNotGrow:
    """Theorem 4.2: ‖Φ(∇L)‖₂ ≤ ‖∇L‖₂."""

    @few
    @given(data=st.data())
    def test_of_any_gradient(self, witness, regime, data):
        case, _ = data.draw(pairs(regime))
        assert bounded(held_to(laws.contraction, witness, case), witness)
