"""The constraint eᵀ(wᵗ − w⁰) = 0, and Theorem 4.1: where they hold, and where they do not."""

import math
from fractions import Fraction

import numpy as np
import pytest
from _witnesses import ARRAY_DTYPES, array_adam, array_sgdm, profile_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gc_ref import bounds, exact, laws
from gc_ref.laws import LawError
from gc_ref.strategies import DTYPES, TrainingCase, training_cases

few = settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])

#: Momentum as in Algorithm 1, and as in the authors' code; L2 decay that enters Φ or none.
DAMPENING = pytest.mark.parametrize("dampening", [None, 0.0], ids=["ema", "heavy-ball"])
INSIDE = pytest.mark.parametrize("inside", [0.0, 0.125], ids=["no-decay", "decay-inside"])


def in_both(case, witness, dampening, inside):
    """Trajectory of one witness and its allowance."""
    options = {
        "dampening": dampening,
        "weight_decay": inside,
        "placement": "decayed-gradient",
        "output_axis": case.output_axis,
    } | case.hyperparameters
    if witness == "exact":
        return exact.sgdm(case.weight, case.gradients, **options), None
    allowances = bounds.sgdm(case.weight, case.gradients, profile=profile_of(case), **options)
    return array_sgdm(case, dampening=dampening, inside=inside), allowances


@DAMPENING
@INSIDE
@pytest.mark.parametrize(
    ("witness", "dtype"), [("array", d) for d in ARRAY_DTYPES] + [("exact", d) for d in DTYPES]
)
class TestSGDM:
    """With SGD or SGDM, and no weight decay or L2 decay inside Φ."""

    @few
    @given(data=st.data())
    def test_the_sum_of_an_outputs_weights_never_moves(
        self, witness, dtype, dampening, inside, data
    ):
        case = data.draw(training_cases(dtype=dtype, max_size=48))
        weights, allowances = in_both(case, witness, dampening, inside)
        options = {"output_axis": case.output_axis, "allowances": allowances}
        ratio = laws.weight_constraint(case.weight, weights, **options)
        assert ratio == 0.0 if witness == "exact" else ratio <= 1.0

    @few
    @given(data=st.data(), gamma=st.sampled_from([1.0, -3.5, 1000.0]))
    def test_a_constant_in_the_input_moves_the_output_as_at_the_start(
        self, witness, dtype, dampening, inside, data, gamma
    ):
        """Theorem 4.1, with the sign corrected."""
        case = data.draw(training_cases(dtype=dtype, max_size=48))
        weights, allowances = in_both(case, witness, dampening, inside)
        axes, shape = case.output_axis, case.weight.shape
        fan_in = math.prod(n for i, n in enumerate(shape) if i not in axes)
        x = np.array(data.draw(st.lists(st.integers(-8, 8), min_size=fan_in, max_size=fan_in)))
        options = {"output_axis": axes, "allowances": allowances}
        ratio = laws.theorem_4_1(case.weight, weights, x / 4, gamma, **options)
        assert ratio == 0.0 if witness == "exact" else ratio <= 1.0


def test_the_printed_sign_of_theorem_4_1_fails():
    """One output, w⁰ = (1, 2), one step of SGD; x = (3, 5), γ = 10. In plain fractions."""
    (w,) = exact.sgdm([[1, 2]], [[[4, 8]]], lr=0.5, momentum=0, output_axis=0)
    first, second = w.fractions()
    assert (first, second) == (2, 1)  # Φ(4, 8) = (−2, 2)
    left = (first * 3 + second * 5) - (first * 13 + second * 15)
    assert left == -10 * (1 + 2)
    assert left != 10 * (1 + 2)


# Φ(g) = (3, −1, −2): Adam's first step is −lr times its signs, whose sum is not 0.
ADAM = TrainingCase(
    "dense",
    "output-first",
    (0,),
    np.array([[1.0, 2.0, 3.0]]),
    (np.array([[5.0, 1.0, 0.0]]),),
    {"lr": 0.5, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8},
    "float64",
)


class TestAdam:
    """Element-wise scaling leaves the hyperplane: it must not hold."""

    def test_leaves_it_at_the_first_step_by_the_exact_witness(self):
        (weight,) = exact.adam(
            ADAM.weight, ADAM.gradients, output_axis=ADAM.output_axis, **ADAM.hyperparameters
        )
        drifts = [sum(end.fractions()) - 6 for end in (weight.lower, weight.upper)]
        assert all(abs(drift - Fraction(1, 2)) < 1e-7 for drift in drifts)  # lr, but for ε

    def test_leaves_it_at_the_first_step_by_the_array_witness(self):
        """Far above what rounding explains."""
        allowances = bounds.adam(
            ADAM.weight,
            ADAM.gradients,
            profile=profile_of(ADAM),
            output_axis=ADAM.output_axis,
            **ADAM.hyperparameters,
        )
        with pytest.raises(LawError, match=r"off by 0\.5,") as caught:
            laws.weight_constraint(
                ADAM.weight, array_adam(ADAM), output_axis=0, allowances=allowances
            )
        assert caught.value.ratio > 1e9

    def test_leaves_theorem_4_1_with_it(self):
        with pytest.raises(LawError):
            laws.theorem_4_1(ADAM.weight, array_adam(ADAM), np.ones(3), 1.0, output_axis=0)


class TestDecayAfterCentralization:
    """Weight decay that Φ does not see: it must not hold either."""

    @pytest.mark.parametrize("decay", ["l2", "decoupled"])
    @few
    @given(case=training_cases(dtype="float32", max_size=32))
    def test_the_sum_shrinks_with_the_decay(self, decay, case):
        """By SGD, to (1 − lr·λ)ᵗ of what it was: all that moves it is the decay."""
        lr, decayed = Fraction(case.hyperparameters["lr"]), Fraction(1, 8)
        weights = exact.sgdm(
            case.weight,
            case.gradients,
            lr=lr,
            momentum=0.0,
            weight_decay=decayed,
            decay=decay,
            placement="gradient",
            output_axis=None if case.weight.ndim < 2 else case.output_axis,
        )
        start = sum(exact.exactly(case.weight).fractions())
        for t, w in enumerate(weights, start=1):
            assert sum(w.fractions()) == start * (1 - lr * decayed) ** t

    @pytest.mark.parametrize("decay", ["l2", "decoupled"])
    def test_the_law_says_so(self, decay):
        weights = exact.sgdm(
            [[1, 2]], [[[4, 8]]] * 3, lr=0.5, weight_decay=0.5, decay=decay, output_axis=0
        )
        with pytest.raises(LawError, match="after step 1"):
            laws.weight_constraint(np.array([[1.0, 2.0]]), weights, output_axis=0)
