"""How near `centralize` comes to the exact value, measured against the second witness.

32-bit and smaller inputs: within 1 ulp, element by element, wherever the namespace has
float64, and however the slice cancels.
"""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from gc_ref import centralize, exact

FAN_INS = (2, 3, 7, 64, 257)


def normal(rng, n):
    return rng.standard_normal(n)


def offset(rng, n):
    return 100 + rng.standard_normal(n)


def every_exponent(rng, n):
    return rng.standard_normal(n) * 2.0 ** rng.integers(-149, 127, n)


def huge_terms_cancel(rng, n):
    half = every_exponent(rng, n // 2)
    return np.concatenate([half, -half, [1.0] * (n % 2)])


def nearly_constant(rng, n):
    values = np.full(n, rng.standard_normal() * 2.0 ** rng.integers(-100, 120))
    values[rng.integers(n)] *= 1 + 2.0 ** -rng.integers(1, 24)
    return values


def element_near_the_mean(rng, n):
    # Pairs around c; the other elements are c itself, and one is a little off.
    values = np.full(n, np.float32(rng.standard_normal() * 2.0**80), dtype=np.float64)
    apart = rng.integers(1, 1000, (n - 1) // 2) * np.spacing(np.float32(values[0]))
    values[: len(apart)] += apart
    values[len(apart) : 2 * len(apart)] -= apart
    values[-1] += np.spacing(np.float32(values[0])) * rng.integers(0, 2)
    return values


def smallest(rng, n):
    return rng.integers(-3, 4, n) * 2.0**-149


def largest(rng, n):
    return np.where(rng.random(n) < 0.5, 1.0, -1.0) * 3.0e38


REGIMES = (
    normal,
    offset,
    every_exponent,
    huge_terms_cancel,
    nearly_constant,
    element_near_the_mean,
    smallest,
    largest,
)


def by_column(grad):
    # One function object, so that jax.jit compiles once for each shape and dtype.
    return centralize(grad, output_axis=-1)


def worst_ulps(got, grad, dtype, *, floor=Fraction(0)):
    """Largest error in ulps of the exact value; errors up to `floor` do not count."""
    worst = Fraction(0)
    for value, true in zip(
        got.flat, exact.centralize(grad, output_axis=-1).fractions(), strict=True
    ):
        if np.isinf(value):  # the true value must be beyond the largest number then
            assert np.isinf(exact.round_to(true, dtype))
            continue
        error = abs(Fraction(float(value)) - true)
        worst = max(worst, error / exact.ulp(true, dtype) if error > floor else Fraction(0))
    return worst


def hard_cases(regime, round_to_dtype):
    for fan_in in FAN_INS:
        rng = np.random.default_rng(fan_in)
        columns = [regime(rng, fan_in) for _ in range(4)]
        with np.errstate(over="ignore"):
            grad = round_to_dtype(np.stack(columns, axis=1))
        yield np.where(np.isfinite(grad), grad, np.sign(grad)).astype(grad.dtype)


@pytest.mark.parametrize("regime", REGIMES)
@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_numpy(regime, dtype):
    for grad in hard_cases(regime, lambda a: a.astype(dtype)):
        with np.errstate(over="ignore"):  # results beyond the largest number
            got = centralize(grad, output_axis=-1)
        assert worst_ulps(got, grad, dtype) <= 1


@pytest.mark.torch
@pytest.mark.parametrize("regime", REGIMES)
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_torch(regime, dtype):
    import torch

    for grad in hard_cases(
        regime, lambda a: torch.tensor(a).to(getattr(torch, dtype)).double().numpy()
    ):
        got = centralize(torch.tensor(grad).to(getattr(torch, dtype)), output_axis=-1)
        assert worst_ulps(got.double().numpy(), grad, dtype) <= 1


@pytest.mark.jax
@pytest.mark.parametrize("regime", REGIMES)
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_jax_jit(regime, dtype):
    import jax

    # XLA takes subnormal numbers for 0: on the way in, which moves the mean by less than the
    # smallest normal number, and on the way out. float16 has its subnormals in float32's range.
    floor = Fraction(0) if dtype == "float16" else 2 * Fraction(2) ** -126
    jitted = jax.jit(by_column)
    with jax.enable_x64(True):
        for grad in hard_cases(regime, lambda a: np.float64(a.astype(jax.numpy.dtype(dtype)))):
            got = np.asarray(jitted(jax.numpy.asarray(grad).astype(dtype)), dtype="float64")
            assert worst_ulps(got, grad, dtype, floor=floor) <= 1


@given(
    st.sampled_from(["float16", "float32"]).flatmap(
        lambda dtype: arrays(
            dtype,
            st.tuples(st.integers(1, 9), st.just(1)),
            elements=st.floats(width=int(dtype[5:]), allow_nan=False, allow_infinity=False),
        )
    )
)
def test_any_numbers(grad):
    with np.errstate(over="ignore"):
        got = centralize(grad, output_axis=-1)
    assert worst_ulps(got, grad, str(grad.dtype)) <= 1


def test_the_plain_mean_would_not_do():
    # float32 [1e30, 1, -1e30]: a float64 sum from left to right gives 0, and 1 instead of 2/3.
    grad = np.float32([[1e30], [1], [-1e30]])
    assert centralize(grad, output_axis=1)[1, 0] == np.float32(2 / 3)
    assert ((1e30 + 1) - 1e30) / 3 == 0.0


def test_what_one_float64_misses_of_the_sum():
    # n x₀ - S = -1, while S = 3·2¹⁰⁰ + 1 needs 102 bits.
    grad = np.float32([[2.0**100], [2.0**101], [1]])
    assert centralize(grad, output_axis=1)[0, 0] == np.float32(-1 / 3)
    # Here the part that cancels lies on both sides of 2⁷⁸, where two digits of S meet.
    grad = np.float32([[2.0**80 + 2.0**60], [2.0**81 + 2.0**61], [1]])
    assert centralize(grad, output_axis=1)[0, 0] == np.float32(-1 / 3)


def test_digits_that_cancel_across_a_power_of_two():
    # S = 2⁸⁶ + 2³³ - 2³³ + 2⁻¹⁰⁰. Digit by digit without a carry, it would come to stand as
    # (2⁸⁶ - 2³³) + 2³³, with the last term lost; it is all there is in 16 x₀ - S.
    high = [2.0**82] * 4 + [2.0**83] * 6
    grad = np.float32([*high, 2.0**33, *[-(2.0**31)] * 4, 2.0**-100]).reshape(16, 1)
    assert centralize(grad, output_axis=1)[0, 0] == -(2.0**-104)


def test_subnormal_numbers_beside_a_long_sum_that_cancels():
    # The partial sums of the largest pass 2⁵¹ units of 2⁻¹⁴⁵, where float64 keeps no 3·2⁻¹⁴⁹.
    tiny, large = 2.0**-149, (2 - 2.0**-23) * 2.0**-107
    column = [large] * 4097 + [3 * tiny] * 4093 + [-4096 * large, -large]
    grad = np.stack([np.float32(column)] * 2, axis=1)  # of two columns: NumPy adds row by row
    got = centralize(grad, output_axis=1)
    # The mean is 12279/8192 = 1.4989 units: 3 less that is 1.5011, and 2 is the nearest.
    assert (got[4097:-2] == np.float32(2 * tiny)).all()
