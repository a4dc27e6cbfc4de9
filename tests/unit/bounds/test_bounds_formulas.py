"""The bounds are those that `gc_ref.bounds` documents: no looser, and no tighter.

The other tests of bounds show that correct ports stay within them. Here the roundoffs are far
apart and coarse, so that each term of the text counts, and none may be missing or added.
"""

import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from gc_ref import bounds
from gc_ref._bounds.balls import Ball, growth
from gc_ref._bounds.centralize import project

from . import _documented_bounds as documented
from ._documented_bounds import made

# What is computed in float64 is rounded too: the code allows itself this much more.
SLACK = 1 + 2.0**-40

PROFILES = {
    "all": made(),
    "dtype": made(accumulator=0.0, underflow=0.0, accumulator_underflow=0.0),
    "accumulator": made(unit_roundoff=0.0, underflow=0.0, accumulator_underflow=0.0),
    "underflow": made(unit_roundoff=0.0, accumulator=0.0, accumulator_underflow=0.0),
    "sums": made(unit_roundoff=0.0, accumulator=0.0, underflow=0.0),
    "coarse": made(unit_roundoff=0.25, accumulator=0.125),
}
SLICES = [
    [5.0, -3.0],
    [1.0, 2.0, -7.0],
    [100.0, 101.0, 99.0, 100.0],
    [0.0, 0.0, 0.0, 0.0, 64.0],
    [-1.0, 1.0, -1.0, 1.0, 0.0, 0.0, 3.0, -3.0],
]


def holds(got, expected):
    """Whether each number is the expected one, or above it by float64's own roundings."""
    pairs = zip(np.ravel(got).tolist(), expected, strict=True)
    return all(want <= Fraction(x) <= want * Fraction(SLACK) for x, want in pairs)


class TestCentralize:
    @pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES)
    @pytest.mark.parametrize("row", SLICES, ids=len)
    def test_each_term_of_the_text(self, row, profile):
        got = bounds.centralize([row], output_axis=0, profile=profile)
        assert holds(got, documented.tau(row, profile))

    @pytest.mark.parametrize("name", ["float16", "bfloat16", "float32", "float64"])
    @pytest.mark.parametrize("row", SLICES, ids=len)
    def test_real_formats(self, row, name):
        profile = bounds.profile(name)
        got = bounds.centralize([row], output_axis=0, profile=profile)
        assert holds(got, documented.tau(row, profile))

    def test_float64s_own_roundings_are_in_the_magnitudes(self):
        # The mean is 0, for all that float64 knows, and sums of equal numbers are exact: here
        # it shows in the last bits how far off mean and deviations may be.
        row, profile = [1.0, -1.0] * 32, replace(PROFILES["dtype"], unit_roundoff=0.25)
        got = bounds.centralize([row], output_axis=0, profile=profile)
        expected = documented.tau(row, profile)[0] * (1 + Fraction(64 + 64, 2**52))
        np.testing.assert_allclose(got, float(expected), rtol=2.0**-49)

    @pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES)
    def test_never_below_the_text(self, profile):
        rng = np.random.default_rng(1)
        for n in (2, 4, 8):
            rows = rng.integers(-999, 999, (20, n)) * 8.0  # with means that float64 holds
            got = bounds.centralize(rows, output_axis=0, profile=profile)
            for row, tau in zip(rows.tolist(), got, strict=True):
                assert holds(tau, documented.tau(row, profile))

    @pytest.mark.parametrize("dtype", ["float16", "float32", "int32"])
    def test_computed_in_float64_whatever_comes_in(self, dtype):
        rows = np.array([[1, 2, -7], [100, 1, 1]], dtype=dtype)
        for axis in (0, -2):
            got = bounds.centralize(rows, output_axis=axis, profile=made())
            expected = bounds.centralize(rows.tolist(), output_axis=0, profile=made())
            assert got.dtype == expected.dtype == np.float64
            assert got.tolist() == expected.tolist()

    def test_each_slice_by_itself(self):
        profile = made()
        rows = [[1.0, 2.0, -7.0], [0.0, 0.0, 0.0], [100.0, 1.0, 1.0]]
        expected = [documented.tau(row, profile) for row in rows]
        expected[1] = [Fraction(0)] * 3  # arithmetic on zeros is exact
        for got in (
            bounds.centralize(rows, output_axis=0, profile=profile),
            bounds.centralize(np.transpose(rows), output_axis=-1, profile=profile).T,
        ):
            assert holds(got, [tau for row in expected for tau in row])

    def test_sums_that_may_overflow(self):
        # A sum of n differences of two elements may reach 2n·max|g|: here 8, or 12.
        for row, most in (([2.0, -2.0], 8.0), ([2.0, 1.0, 0.0], 12.0)):
            for largest, fits in ((most, False), (most * 1.01, True)):
                profile = made(accumulator_largest=largest)
                tau = bounds.centralize([row], output_axis=0, profile=profile)
                assert np.isfinite(tau).all() == fits
                assert np.isinf(tau).all() != fits

    def test_results_that_may_overflow_element_by_element(self):
        row, exactly = [12.0, 0.0, 0.0, 0.0], [9.0, 3.0, 3.0, 3.0]  # |g − m| for m = 3
        reach = [x + float(t) for x, t in zip(exactly, documented.tau(row, made()), strict=True)]
        for largest in (reach[0] * 0.99, reach[0] * 1.01):
            tau = bounds.centralize([row], output_axis=0, profile=made(largest=largest))
            assert np.isinf(tau).tolist() == [[r >= largest for r in reach]]
        assert reach[1] < reach[0] * 0.99


class TestProjectionOfWhatIsNotKnownExactly:
    @pytest.mark.parametrize("row", SLICES, ids=len)
    def test_the_radii_join_every_magnitude(self, row):
        profile, n = made(), len(row)
        radii = [0.5 / (i + 1) for i in range(n)]
        value = Ball(np.array([row]), np.array([radii]))
        got = project(value, (1,), profile)
        rounding = documented.tau(row, profile, radii)
        spread = sum(map(Fraction, radii)) / n
        assert holds(got.radius, [r + spread + x for r, x in zip(radii, rounding, strict=True)])
        center = [x - math.fsum(row) / n for x in row]
        assert np.allclose(got.center, [center], rtol=0, atol=2.0**-40)

    @pytest.mark.parametrize("row", SLICES, ids=len)
    def test_the_center_is_off_by_float64s_own_rounding(self, row):
        # No arithmetic but float64's own: G(n + 4, 2⁻⁵³)·mean|g| + 2⁻⁵³|g − m|, underflow apart.
        nothing = made(unit_roundoff=0.0, accumulator=0.0, underflow=0.0, accumulator_underflow=0.0)
        got = project(Ball(np.array([row]), np.zeros((1, len(row)))), (1,), nothing)
        g = list(map(Fraction, row))
        m = sum(g) / len(g)
        own = documented.growth(len(g) + 4, 2.0**-53) * documented.average(list(map(abs, g)))
        expected = [float(own + abs(x - m) / 2**53) for x in g]
        np.testing.assert_allclose(got.radius, [expected], rtol=1e-9)

    def test_float64s_own_underflow(self):
        tiny = 5e-324
        nothing = made(unit_roundoff=0.0, accumulator=0.0, underflow=0.0, accumulator_underflow=0.0)
        got = project(Ball(np.array([[tiny, 0.0]]), np.zeros((1, 2))), (1,), nothing)
        assert (got.radius >= tiny).all()
        assert (got.radius <= 4 * tiny).all()

    def test_nothing_is_left_of_a_fan_in_of_one(self):
        got = project(Ball(np.array([[3.0], [-2.0]]), np.ones((2, 1))), (1,), made())
        assert got.center.tolist() == got.radius.tolist() == [[0.0], [0.0]]

    def test_empty_and_out_of_scope_come_back(self):
        empty = Ball(np.zeros((0, 3)), np.zeros((0, 3)))
        assert project(empty, (1,), made()) is empty
        vector = Ball(np.ones(3), np.ones(3))
        assert project(vector, None, made()) is vector


class TestGrowth:
    @pytest.mark.parametrize("count", [0, 1, 5, 60])
    @pytest.mark.parametrize("unit", [0.0, 2.0**-53, 2.0**-8, 0.5])
    def test_is_that_of_the_text(self, count, unit):
        expected = float(documented.growth(count, unit))
        assert growth(count, unit) == pytest.approx(expected, rel=2.0**-48, abs=0)


class TestProfiles:
    @pytest.mark.parametrize("flush", [False, True])
    def test_underflow_is_that_of_the_coarsest_type_in_use(self, flush):
        tiny = {"float16": 2.0**-24, "bfloat16": 2.0**-133, "float32": 2.0**-149}
        if flush:  # both operands and the result may be flushed
            tiny = {"float16": 3 * 2.0**-14, "bfloat16": 3 * 2.0**-126, "float32": 3 * 2.0**-126}
        half = bounds.profile("bfloat16", flush_to_zero=flush)
        assert half.underflow == tiny["bfloat16"]
        assert half.accumulator_underflow == tiny["float32"]
        sums = bounds.profile("float32", accumulator="float16", flush_to_zero=flush)
        assert sums.underflow == sums.accumulator_underflow == tiny["float16"]
        hyper = bounds.profile("float32", hyperparameters="float16", flush_to_zero=flush)
        assert hyper.underflow == tiny["float16"]
        assert hyper.accumulator_underflow == tiny["float32"]

    def test_largest_numbers(self):
        got = bounds.profile("float16")
        assert (got.largest, got.accumulator_largest) == (65504.0, float(np.finfo("float32").max))

    def test_names_say_what_is_granted_beyond_the_default(self):
        assert bounds.profile("float16").name == "float16"
        everything = bounds.profile(
            "float16", accumulator="float16", hyperparameters="float32", flush_to_zero=True
        )
        assert everything.name == "float16 (sums float16, hyperparameters float32, flush to zero)"
        assert everything.dtype == "float16"
        assert everything.hyperparameters == 2.0**-24
        assert bounds.profile("float32", flush_to_zero=True).name == "float32 (flush to zero)"
