"""The two witnesses share no arithmetic, and agree within rounding on Eq. 1 and both algorithms."""

import numpy as np
import pytest
from _witnesses import ARRAY_DTYPES, array_adam, array_sgdm, profile_of, rounded, worst_ratio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import gc_ref
from gc_ref import bounds, exact
from gc_ref.strategies import DTYPES, REGIMES, gradient_cases, training_cases

few = settings(max_examples=15, suppress_health_check=[HealthCheck.too_slow])
STEPS = {"min_steps": 20, "max_steps": 22, "max_size": 12}


@pytest.mark.parametrize("regime", REGIMES)
@pytest.mark.parametrize("dtype", DTYPES)
class TestOnEq1:
    @few
    @given(data=st.data())
    def test_every_element(self, regime, dtype, data):
        case = data.draw(gradient_cases(regime=regime, dtype=dtype, axes_rule="by-kind"))
        got = rounded(gc_ref.centralize(case.gradient, output_axis=case.output_axis), dtype)
        true = exact.centralize(case.gradient, output_axis=case.output_axis)
        options = {"output_axis": case.output_axis, "profile": bounds.profile(dtype)}
        tau = bounds.centralize(case.gradient, **options)
        assert np.isfinite(tau).all()
        assert worst_ratio(got, true, true, tau) <= 1
        if regime == "integers":
            assert worst_ratio(got, true, true, 0 * tau) == 0


@pytest.mark.parametrize("dtype", ARRAY_DTYPES)
class TestOnTwentySteps:
    @pytest.mark.parametrize("dampening", [None, 0.0], ids=["ema", "heavy-ball"])
    @settings(few, max_examples=20)
    @given(data=st.data())
    def test_of_sgdm(self, dtype, dampening, data):
        case = data.draw(training_cases(algorithm="sgdm", dtype=dtype, **STEPS))
        options = {"output_axis": case.output_axis, "dampening": dampening} | case.hyperparameters
        true = exact.sgdm(case.weight, case.gradients, **options)
        taus = bounds.sgdm(case.weight, case.gradients, profile=profile_of(case), **options)
        for w, x, tau in zip(array_sgdm(case, dampening=dampening), true, taus, strict=True):
            assert worst_ratio(w, x, x, tau) <= 1

    @settings(few, max_examples=20)
    @given(data=st.data())
    def test_of_adam(self, dtype, data):
        """Where the bound is infinite nothing is decided."""
        case = data.draw(training_cases(algorithm="adam", dtype=dtype, **STEPS))
        options = {"output_axis": case.output_axis} | case.hyperparameters
        true = exact.adam(case.weight, case.gradients, **options)
        taus = bounds.adam(case.weight, case.gradients, profile=profile_of(case), **options)
        for w, x, tau in zip(array_adam(case), true, taus, strict=True):
            assert worst_ratio(w, x.lower, x.upper, tau) <= 1


def test_adam_is_decided_on_ordinary_gradients():
    """The bound is finite, and less than a thousandth of a step, after 20 steps."""
    rng = np.random.default_rng(20)
    grads = tuple(rng.normal(size=(20, 3, 8)))
    taus = bounds.adam(
        np.zeros((3, 8)), grads, lr=0.01, output_axis=0, profile=bounds.profile("float32")
    )
    assert np.max(taus[-1]) < 1e-5
