"""The operations on balls, and their units: each term that `gc_ref.bounds` documents, by hand."""

import math

import numpy as np
import pytest

from gc_ref import bounds
from gc_ref._bounds.balls import (
    Ball,
    Units,
    average,
    decayed,
    either,
    joined,
    moved,
    quotient,
    shrunk,
    squared,
    stored,
)

from . import _documented_bounds as documented
from ._documented_bounds import made


def ball(center, radius):
    return Ball(np.array([center]), np.array([radius]))


def radius_is(got, expected):
    return got.radius.tolist() == pytest.approx([expected], rel=2.0**-48, abs=0)


# The units of a step, far apart; u, a and h of the text are storage, state and hyper.
UNITS = Units(
    storage=2.0**-7,
    state=2.0**-9,
    hyper=2.0**-5,
    eta=2.0**-11,
    state_eta=2.0**-12,
    largest=2.0**60,
    state_largest=2.0**30,
    per_lr=4.0,
)


def G(count, unit):  # noqa: N802 - as in the text
    return float(documented.growth(count, unit))


U, A, H = UNITS.storage, UNITS.state, UNITS.hyper


class TestBalls:
    def test_average(self):
        got = average(ball(3.0, 0.5), ball(-2.0, 0.25), 0.75, -0.5, UNITS)
        assert got.center.tolist() == [0.75 * 3 + 0.5 * 2]
        old, new = 3.5, 2.25
        expected = 0.75 * 0.5 + 0.5 * 0.25
        expected += G(6, A) * (1.25 * old + 0.5 * new) + G(3, U) * 0.5 * new
        expected += 6 * H * 1.5 * (old + new) + 4 * UNITS.state_eta
        assert radius_is(got, expected)
        # A negative rate of decay is no convention, but its size is what counts.
        assert radius_is(average(ball(3.0, 0.5), ball(-2.0, 0.25), -0.75, 0.5, UNITS), expected)

    def test_squared(self):
        got = squared(ball(-3.0, 0.5), UNITS)
        assert got.center.tolist() == [9.0]
        # (3 + 1/2)² − 3² before any rounding.
        assert radius_is(got, 3.25 + G(2, A) * 3.5**2 + 2 * UNITS.state_eta)

    @pytest.mark.parametrize(("center", "finite"), [(2.0**15 - 1, True), (2.0**15 - 0.5, False)])
    def test_squares_that_may_overflow(self, center, finite):
        # With the radius 1/2 the second one reaches 2¹⁵, whose square is the largest number.
        assert np.isfinite(squared(ball(center, 0.5), UNITS).radius).all() == finite

    def test_decayed(self):
        got = decayed(ball(3.0, 0.5), ball(-2.0, 0.25), -0.5, UNITS)
        assert got.center.tolist() == [4.0]
        error = 0.5 + 0.5 * 0.25 + (G(3, U) + 2 * H) * 0.5 * 2.25
        assert radius_is(got, error + G(2, U) * (4 + error) + 4 * UNITS.eta)

    def test_joined(self):
        plain = decayed(ball(3.0, 0.5), ball(-2.0, 0.25), -0.5, UNITS)
        got = joined(ball(3.0, 0.5), ball(-2.0, 0.25), -0.5, UNITS)
        assert got.center.tolist() == [4.0]
        assert radius_is(got, plain.radius.item() + H * 0.5 * 2.25)

    def test_shrunk(self):
        got = shrunk(ball(-2.0, 0.25), 0.5, 0.5, UNITS)
        assert got.center.tolist() == [-1.5]
        error = 0.75 * 0.25 + (H * (1 + 4 * 0.25) + G(5, U) * 0.25) * 2.25
        assert radius_is(got, error + G(3, U) * (1.5 + error) + 4 * UNITS.eta)

    def test_shrunk_past_zero(self):
        got = shrunk(ball(-2.0, 0.25), 3.0, 0.5, UNITS)
        assert got.center.tolist() == [1.0]
        error = 0.5 * 0.25 + (H * (1 + 4 * 1.5) + G(5, U) * 1.5) * 2.25
        assert radius_is(got, error + G(3, U) * (1 + error) + 4 * UNITS.eta)

    def test_no_decay_is_no_arithmetic(self):
        value, w = ball(3.0, 0.5), ball(-2.0, 0.25)
        assert decayed(value, w, 0.0, UNITS) is value
        assert shrunk(w, 0.5, 0.0, UNITS) is w

    def test_moved(self):
        got = moved(ball(3.0, 0.5), ball(-2.0, 0.25), 0.5, UNITS)
        assert got.center.tolist() == [4.0]
        error = 0.5 + 0.5 * (0.25 + (G(4, U) + G(4, H)) * 2.25)
        assert radius_is(got, error + (U + A) * (4 + error) + 4 * UNITS.eta)

    def test_moved_against_the_gradient(self):
        got = moved(ball(3.0, 0.5), ball(-2.0, 0.25), -0.5, UNITS)
        assert got.center.tolist() == [2.0]
        error = 0.5 + 0.5 * (0.25 + (G(4, U) + G(4, H)) * 2.25)
        assert radius_is(got, error + (U + A) * (2 + error) + 4 * UNITS.eta)

    @pytest.mark.parametrize(("center", "finite"), [(2.0**59, True), (-(2.0**60), False)])
    def test_a_weight_that_may_overflow(self, center, finite):
        assert np.isfinite(moved(ball(center, 0.0), ball(0.0, 0.0), 0.5, UNITS).radius) == finite

    def test_the_largest_number_itself_decides_nothing(self):
        exact = Units(**vars(UNITS) | {"storage": 0.0, "state": 0.0, "hyper": 0.0, "eta": 0.0})
        for center, radius in ((2.0**60, math.inf), (2.0**60 - 2.0**8, 0.0)):
            got = moved(ball(center, 0.0), ball(0.0, 0.0), 0.5, exact)
            assert got.radius.tolist() == [radius]

    def test_stored(self):
        got = stored(ball(-2.0, 0.25), UNITS)
        assert got.center.tolist() == [-2.0]
        assert radius_is(got, 0.25 + U * 2.25 + UNITS.eta)

    @pytest.mark.parametrize(("radius", "expected"), [(0.5, 1.75), (4.0, 4.0)])
    def test_either(self, radius, expected):
        got = either(ball(3.0, radius), ball(2.0, 0.75))
        assert got.center.tolist() == [3.0]
        assert got.radius.tolist() == [expected]


class TestQuotient:
    """m̂/(√v̂ + ε) in interval arithmetic, with the slack G(16, a) + G(8, h)."""

    BETA1, BETA2, T, EPS = 0.5, 0.75, 2, 0.125

    def correction(self, beta):
        """1 − βᵗ from below, itself, and from above: βᵗ is off by G(2t + 8, h)."""
        power = beta**self.T
        error = G(2 * self.T + 8, self.UNITS.hyper) * power + 2 * self.UNITS.hyper * (1 - power)
        return 1 - power - error, 1 - power, 1 - power + error

    # Fine enough for the corrections to stay positive.
    UNITS = Units(
        storage=2.0**-12,
        state=2.0**-9,
        hyper=2.0**-10,
        eta=2.0**-11,
        state_eta=2.0**-13,
        largest=2.0**60,
        state_largest=2.0**30,
        per_lr=1.0,
    )

    def intervals(self, v, hat):
        """Greatest and least of 1/(1 − β1ᵗ)/(√v̂ + ε), or of its ε-hat form, and its value."""
        one, two = self.correction(self.BETA1), self.correction(self.BETA2)
        around = (G(1, self.UNITS.hyper) + self.UNITS.state) * self.EPS + self.UNITS.state_eta
        slack = G(16, self.UNITS.state) + G(8, self.UNITS.hyper)
        epsilons = self.EPS - around, self.EPS, self.EPS + around
        low, middle, high = (math.sqrt(max(x, 0.0)) for x in v)
        if hat:
            scales = [math.sqrt(c2) / c1 for c1, c2 in zip(reversed(one), two, strict=True)]
        else:
            scales = [1 / c for c in reversed(one)]
            low, middle, high = (
                root / math.sqrt(c)
                for root, c in zip((low, middle, high), reversed(two), strict=True)
            )
        most = (1 + slack) * scales[2] / (low + epsilons[0])
        least = (1 - slack) * scales[0] / (high + epsilons[2])
        return most, scales[1] / (middle + epsilons[1]), least

    def magnified(self, units):
        """η on m as the division magnifies it: by (1−β1ᵗ)/√(1−β2ᵗ), where that is above 1."""
        one, two = self.correction(self.BETA1), self.correction(self.BETA2)
        return 4 * units.state_eta * max(1, one[2] / math.sqrt(max(two[0], two[1] / 2)))

    @pytest.mark.parametrize("hat", [False, True])
    @pytest.mark.parametrize("m", [(3.0, 0.25), (-3.0, 0.25), (0.5, 2.0), (-0.5, 2.0)])
    @pytest.mark.parametrize("v", [(25.0, 24.0), (4.0, 0.5), (4.0, 8.0)])
    def test_is_the_interval(self, m, v, hat):
        got = quotient(
            ball(*m), ball(*v), self.T, self.BETA1, self.BETA2, self.EPS, hat, self.UNITS
        )
        most, value, least = self.intervals((v[0] - v[1], v[0], v[0] + v[1]), hat)
        reach = m[1] + self.magnified(self.UNITS)
        ends = [(m[0] + sign * reach) * x for sign in (1, -1) for x in (most, least)]
        center = m[0] * value
        assert got.center.tolist() == pytest.approx([center], rel=2.0**-45)
        radius = max(max(ends) - center, center - min(ends)) + 4 * self.UNITS.state_eta
        assert got.radius.tolist() == pytest.approx([radius], rel=2.0**-40)

    @pytest.mark.parametrize("m", [3.0, -3.0])
    def test_where_the_lower_end_is_further_away(self, m):
        # √(1 − β2ᵗ) is concave: where it is hardly known, and all else is, most is nearer.
        units = Units(**vars(self.UNITS) | {"state": 0.0, "state_eta": 2.0**-80})
        got = quotient(ball(m, 0.0), ball(4.0, 0.0), 1, 0.0, 0.9, 0.25, True, units)
        h = units.hyper
        around = h * 0.25
        error = G(10, h) * 0.9 + 2 * h * (1 - 0.9)
        most = (1 + G(8, h)) * math.sqrt(0.1 + error) / (1 - 2 * h) / (2.25 - around)
        least = (1 - G(8, h)) * math.sqrt(0.1 - error) / (1 + 2 * h) / (2.25 + around)
        value = math.sqrt(0.1) / 2.25
        assert value - least > most - value
        assert got.radius.tolist() == pytest.approx([3 * (value - least)], rel=2.0**-40)

    def test_what_is_not_a_number_decides_nothing(self):
        for m, v in ((math.nan, 4.0), (1.0, math.nan)):
            got = quotient(ball(m, 0.0), ball(v, 0.0), 2, 0.5, 0.75, 1.0, False, self.UNITS)
            assert got.radius.tolist() == [math.inf]

    def test_infinite_where_the_denominator_may_vanish(self):
        with np.errstate(divide="ignore"):
            zero = quotient(ball(1.0, 0.0), ball(0.0, 0.0), 1, 0.5, 0.5, 0.0, False, self.UNITS)
        assert zero.center.tolist() == [0.0]
        assert zero.radius.tolist() == [math.inf]

    def test_infinite_where_a_correction_may_vanish(self):
        # β1 = 1 − 2⁻¹¹ is 1 for all that is known with hyperparameters of 2⁻¹⁰.
        for hat in (False, True):
            with np.errstate(divide="ignore"):
                got = quotient(
                    ball(1.0, 0.0), ball(4.0, 0.0), 1, 1 - 2.0**-11, 0.5, 1.0, hat, self.UNITS
                )
            assert got.radius.tolist() == [math.inf]

    def test_a_slack_above_one_leaves_no_lower_end(self):
        coarse = Units(**vars(self.UNITS) | {"state": 0.25})
        got = quotient(ball(1.0, 0.0), ball(4.0, 0.0), 2, 0.5, 0.75, 1.0, False, coarse)
        slack = G(16, 0.25) + G(8, coarse.hyper)
        assert slack > 1
        one, two = self.correction(0.5), self.correction(0.75)
        top = 1.0 + 4 * coarse.state_eta * max(1, one[2] / math.sqrt(max(two[0], two[1] / 2)))
        around = (G(1, coarse.hyper) + coarse.state) * 1.0 + coarse.state_eta
        most = (1 + slack) / one[0] / (2 / math.sqrt(two[2]) + 1 - around)
        center = 1 / one[1] / (2 / math.sqrt(two[1]) + 1)
        radius = max(top * most - center, center) + 4 * coarse.state_eta
        assert got.radius.tolist() == pytest.approx([radius], rel=2**-40)


class TestUnits:
    def test_of_a_float_type(self):
        p = bounds.profile("float32", hyperparameters="float32")
        got = Units.of(p, 0.5)
        own, tiny = 2.0**-53, 2.0**-1074
        assert got == Units(
            storage=2.0**-24 + own,
            state=2.0**-24 + own,
            hyper=2.0**-24 + own,
            eta=2.0**-149 + tiny,
            state_eta=2 * (2.0**-149 + tiny),
            largest=p.largest,
            state_largest=p.accumulator_largest,
            per_lr=2.0,
        )

    def test_of_float64(self):
        # Its own smallest number, and that of the float64 that the center is computed in.
        got = Units.of(bounds.profile("float64"), 0.5)
        assert (got.eta, got.state_eta) == (2.0**-1073, 2.0**-1072)
        assert (got.storage, got.state, got.hyper) == (2.0**-52,) * 3

    def test_the_state_of_a_half_type_is_kept_in_the_accumulator(self):
        got = Units.of(bounds.profile("float16", flush_to_zero=True), 0.125)
        assert got.storage == 2.0**-11 + 2.0**-53
        assert got.state == 2.0**-24 + 2.0**-53
        assert got.state_eta == 8 * (3 * 2.0**-126 + 2.0**-1074)
        assert got.eta == 3 * 2.0**-14 + 2.0**-1074

    def test_the_state_of_other_types_is_no_finer_than_they_are(self):
        got = Units.of(bounds.profile("float32", accumulator="float64"), 4.0)
        assert got.state == 2.0**-24 + 2.0**-53
        assert got.state_eta == got.eta == 2.0**-149 + 2.0**-1074
        coarse = Units.of(bounds.profile("float32", accumulator="bfloat16"), 4.0)
        assert coarse.state == 2.0**-8 + 2.0**-53

    @pytest.mark.parametrize(("lr", "expected"), [(0.0, 1.0), (-0.25, 4.0), (1.0, 1.0), (8.0, 1.0)])
    def test_underflow_of_what_is_computed_times_lr(self, lr, expected):
        units = Units.of(made(), lr)
        assert units.per_lr == expected
        assert units.state_eta == (2.0**-12 + 2.0**-1074) * expected
        scaled = units.scaled(made())
        assert scaled == made(
            underflow=2.0**-11 * expected, accumulator_underflow=2.0**-12 * expected
        )
