"""Bounds of one centralization: no correct way exceeds them, wrong ones do."""

from fractions import Fraction

import numpy as np
import pytest
from _correct_centralize import (
    WAYS,
    eq2_in_order,
    flushed,
    running_ratio,
    shifted,
    stored_mean,
    twice_eq2,
)
from _hard_data import DTYPES, LIMITS, REGIMES, Format, bfloat16, draw, worst_ratio
from hypothesis import example, given, settings, target
from hypothesis import strategies as st

from gc_ref import bounds, exact

FAN_INS = (1, 2, 3, 8, 33)


def centralize_exactly(rows):
    """Eq. 1 in rational numbers, one output a row."""
    rows = [[Fraction(x) for x in row] for row in rows.astype(float).tolist()]
    return exact.exactly([[x - sum(row) / len(row) for x in row] for row in rows])


def ratio(got, g, profile):
    truth = centralize_exactly(g)
    return worst_ratio(got, truth, truth, bounds.centralize(g, output_axis=0, profile=profile))


@pytest.mark.parametrize("regime", REGIMES)
@pytest.mark.parametrize("name", DTYPES)
class TestNoCorrectWayExceedsTheBound:
    def test_any_way(self, name, regime):
        form, rng = Format(name), np.random.default_rng(1)
        for n in FAN_INS:
            g = draw(regime, rng, (2, n), form)
            truth = centralize_exactly(g)
            tau = bounds.centralize(g, output_axis=0, profile=bounds.profile(name))
            for way in WAYS:
                assert worst_ratio(way(g, form.store), truth, truth, tau) <= 1, (way, n)

    def test_flushing_subnormals_to_zero(self, name, regime):
        form, rng = Format(name), np.random.default_rng(2)
        for n in FAN_INS:
            g = draw(regime, rng, (2, n), form)
            profile = bounds.profile(name, flush_to_zero=True)
            assert ratio(flushed(g, form.store), g, profile) <= 1, n

    def test_the_bound_scales_with_the_data(self, name, regime):
        # Doubling the data doubles the error and its bound, but for underflow and overflow.
        g = draw(regime, np.random.default_rng(3), (4, 16), Format(name)).astype(float)
        profile = bounds.profile(name)
        tau = bounds.centralize(g, output_axis=0, profile=profile)
        doubled = bounds.centralize(2 * g, output_axis=0, profile=profile)
        assert np.all(doubled <= 2 * tau) or np.any(np.isinf(doubled))
        assert np.all(doubled >= tau)


@pytest.mark.parametrize("name", ["float16", "bfloat16"])
@pytest.mark.parametrize("regime", ["normal", "large-mean", "spike-first", "cancelling"])
def test_half_precision_sums_and_projections_with_a_half_accumulator(name, regime):
    form = Format(name)
    profile = bounds.profile(name, accumulator=name)
    g = draw(regime, np.random.default_rng(4), (4, 16), form)

    s = g[:, :1]
    for k in range(1, 16):
        s = form.store(s + g[:, k : k + 1])
    assert ratio(form.store(g - form.store(s / np.float32(16))), g, profile) <= 1

    e = form.store(np.full((16, 1), 0.25, np.float32))
    p = form.store(np.eye(16, dtype=np.float32) - form.store(e @ e.T))
    acc = np.zeros_like(g)
    for k in range(16):
        acc = form.store(acc + form.store(g[:, k : k + 1] * p[k]))
    assert ratio(acc, g, profile) <= 1


@pytest.mark.parametrize("name", ["float32", "float64"])
def test_shift_by_a_spike(name):
    # All others become −spike: the partial sums reach n·max|g|, not n·mean|g|.
    form, n = Format(name), 256
    g = np.zeros((40, n), form.accumulator)
    g[:, 0] = np.random.default_rng(9).uniform(1, 2, 40)
    assert ratio(shifted(g, form.store), g, bounds.profile(name)) <= 1


ADVERSARIES = {"Eq. 2": eq2_in_order, "twice Eq. 2": twice_eq2, "running": running_ratio}


@pytest.mark.parametrize("way", [pytest.param(w, id=i) for i, w in ADVERSARIES.items()])
@settings(max_examples=100)
@given(
    values=st.lists(st.floats(-1e4, 1e4, width=32, allow_subnormal=False), min_size=2, max_size=9)
)
@example(values=[1e4, 1.0, -1e4])
def test_search_for_data_that_exceed_the_bound_in_float32(way, values):
    g = np.array([values], np.float32)
    found = ratio(way(g, Format("float32").store), g, bounds.profile("float32"))
    target(found)
    assert found <= 1


@settings(max_examples=200)
@given(
    values=st.lists(st.floats(-100, 100, width=16, allow_subnormal=False), min_size=2, max_size=8)
)
def test_search_for_data_that_exceed_the_bound_in_float16(values):
    g = np.array([values], np.float32)
    found = ratio(stored_mean(g, Format("float16").store), g, bounds.profile("float16"))
    target(found)
    assert found <= 1


class TestWrongWaysExceedTheBound:
    @pytest.mark.parametrize("n", [2, 3, 7, 8, 16, 32, 48, 63, 64])
    @pytest.mark.parametrize("name", DTYPES)
    def test_divisor_one_too_small(self, name, n):
        form = Format(name)
        g = form.once(np.full((1, n), 1.9375))
        g[:, ::8] *= form.accumulator(1.0625)
        mean = g.astype(float).sum(axis=1, keepdims=True) / (n - 1)
        wrong = form.store((g - mean).astype(form.accumulator))
        at_least = {"float16": 8, "bfloat16": 1.2, "float32": 100, "float64": 100}[name]
        assert ratio(wrong, g, bounds.profile(name)) > at_least

    def test_mean_in_bfloat16_of_float32_data(self):
        g = draw("large-mean", np.random.default_rng(5), (8, 32), Format("float32"))
        wrong = g - bfloat16(g.mean(axis=1, keepdims=True))
        assert ratio(wrong, g, bounds.profile("float32")) > 10

    @pytest.mark.parametrize("name", DTYPES)
    def test_gradient_left_alone(self, name):
        g = draw("large-mean", np.random.default_rng(6), (4, 16), Format(name))
        assert ratio(g, g, bounds.profile(name)) > 50

    @pytest.mark.parametrize("name", DTYPES)
    def test_wrong_axis(self, name):
        g = draw("normal", np.random.default_rng(7), (8, 8), Format(name))
        wrong = Format(name).store(g - g.mean(axis=0, keepdims=True))
        assert ratio(wrong, g, bounds.profile(name)) > 20


class TestShapesAndSpecialValues:
    def test_slices_follow_output_axis(self):
        g = np.random.default_rng(8).standard_normal((2, 3, 4, 5))
        profile = bounds.profile("float32")
        tau = bounds.centralize(g, output_axis=(1, -1), profile=profile)
        moved = np.moveaxis(g, (1, 3), (0, 1)).reshape(15, 8)
        flat = bounds.centralize(moved, output_axis=0, profile=profile)
        expected = np.moveaxis(flat.reshape(3, 5, 2, 4), (0, 1), (1, 3))
        np.testing.assert_allclose(tau, expected, rtol=1e-12)

    @pytest.mark.parametrize(
        ("shape", "axis"),
        [((3, 4), None), ((4,), 0), ((), 0), ((3, 1), 0), ((0, 3), 1), ((3, 0), 0)],
    )
    def test_zero_where_nothing_can_be_rounded(self, shape, axis):
        tau = bounds.centralize(np.ones(shape), output_axis=axis, profile=bounds.profile("float16"))
        assert tau.shape == shape
        assert not tau.any()

    def test_zero_slices_and_the_exact_profile(self):
        g = [[0.0, 0.0], [1.0, 2.0]]
        tau = bounds.centralize(g, output_axis=0, profile=bounds.profile("float32"))
        assert tau[0].tolist() == [0, 0]
        assert (tau[1] > 0).all()
        assert not bounds.centralize(g, output_axis=0, profile=bounds.EXACT).any()

    def test_nan_inf_and_overflow_decide_nothing_in_their_slice_only(self):
        g = [[np.nan, 1.0], [np.inf, 1.0], [6e4, -6e4], [1.0, 2.0]]
        tau = bounds.centralize(g, output_axis=0, profile=bounds.profile("float16"))
        assert np.isinf(tau[0]).all()
        assert np.isinf(tau[1]).all()
        assert np.isfinite(tau[2:]).all()
        sums = bounds.centralize([[3e38, 3e38]], output_axis=0, profile=bounds.profile("float32"))
        assert np.isinf(sums).all()
        results = bounds.centralize(
            [[6e4, -6e4, -6e4]], output_axis=0, profile=bounds.profile("float16")
        )
        assert np.isinf(results[0, 0])

    @pytest.mark.parametrize("axis", [2, (0, -3)])
    def test_axis_out_of_range(self, axis):
        with pytest.raises(ValueError, match=r"out of range for shape \(2, 3\)"):
            bounds.centralize(np.ones((2, 3)), output_axis=axis, profile=bounds.profile("float32"))


class TestProfile:
    @pytest.mark.parametrize("name", DTYPES)
    def test_describes_the_format(self, name):
        bits, low, high = LIMITS[name]
        got = bounds.profile(name)
        assert got.unit_roundoff == 2.0**-bits
        assert got.underflow == 2.0**low
        assert Fraction(got.largest) == (1 - Fraction(1, 2**bits)) * Fraction(2) ** high
        assert got.accumulator == (2.0**-53 if name == "float64" else 2.0**-24)
        assert got.hyperparameters == 2.0**-53

    def test_unknown_dtype(self):
        with pytest.raises(ValueError, match="unknown dtype 'int8'"):
            bounds.profile("int8")
        with pytest.raises(ValueError, match="unknown dtype 'fp32'"):
            bounds.profile("float32", accumulator="fp32")
