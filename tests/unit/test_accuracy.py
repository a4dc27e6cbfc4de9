"""How near `centralize` comes to the exact value, measured against the second witness.

32-bit and smaller inputs: within 1 ulp, element by element, wherever the namespace has
float64, and however the slice cancels; and within the bounds of its docstring where Python
cannot look at the numbers, or there is no float64.
"""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import gc_ref._arrays
import gc_ref._centralize
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


@pytest.mark.parametrize("regime", [offset, huge_terms_cancel, element_near_the_mean])
@pytest.mark.parametrize("output_axis", [0, 1])
def test_in_blocks(regime, output_axis, monkeypatch):
    # Of one row, of several with one that is shorter, and of rows that share their means.
    monkeypatch.setattr(gc_ref._arrays, "_CPU_BLOCK", 20)
    for grad in hard_cases(regime, lambda a: a.astype("float32")):
        g = grad if output_axis else np.ascontiguousarray(grad.T)
        got = centralize(g, output_axis=output_axis)
        assert worst_ulps(got if output_axis else got.T, grad, "float32") <= 1


def test_what_cancels_in_a_later_block(monkeypatch):
    monkeypatch.setattr(gc_ref._arrays, "_CPU_BLOCK", 5)
    grad = np.float32([*[1e30] * 5, *[-1e30] * 4, 1, -1e30]).reshape(11, 1)
    assert centralize(grad, output_axis=1)[9, 0] == np.float32(10 / 11)


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


def stated(grad, bits, *, wide=53):
    """The bound of the docstring, but for ulps of the result: for each element, in Fractions."""
    n, columns = len(grad), [[Fraction(float(x)) for x in column] for column in grad.T]
    unit = Fraction(1, 2**wide)
    bounds = []
    for column in columns:
        mean, size = sum(column) / n, sum(map(abs, column)) / n
        if wide == 53 > bits:
            spread = sum(abs(x - mean) for x in column) / n
            bounds.append([(n + 3) * unit * (spread + n * unit * size)] * n)
        else:
            bounds.append([2 * unit * abs(x - mean) + (n + 2) * unit * size for x in column])
    return [bound for row in zip(*bounds, strict=True) for bound in row]


def worst_of_stated(got, grad, dtype, *, ulps=1, wide=53, floor=Fraction(0)):
    """Largest error in units of the docstring's bound."""
    bits = {"float16": 11, "bfloat16": 8, "float32": 24, "float64": 53}[dtype]
    truths = exact.centralize(grad, output_axis=-1).fractions()
    worst = Fraction(0)
    for value, true, bound in zip(got.flat, truths, stated(grad, bits, wide=wide), strict=True):
        if np.isinf(value):
            assert np.isinf(exact.round_to(true, dtype))
            continue
        allowed = bound + ulps * exact.ulp(true, dtype) + floor
        worst = max(worst, abs(Fraction(float(value)) - true) / allowed)
    return worst


@pytest.mark.jax
@pytest.mark.parametrize("regime", REGIMES)
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_jax(regime, dtype):
    import jax

    # XLA takes subnormal numbers for 0: on the way in, which moves the mean by less than the
    # smallest normal number, and on the way out. float16 has its subnormals in float32's range.
    floor = Fraction(0) if dtype == "float16" else 2 * Fraction(2) ** -126
    jitted = jax.jit(by_column)
    with jax.enable_x64(True):
        for grad in hard_cases(regime, lambda a: np.float64(a.astype(jax.numpy.dtype(dtype)))):
            array = jax.numpy.asarray(grad).astype(dtype)
            got = np.asarray(by_column(array), dtype="float64")
            assert worst_ulps(got, grad, dtype, floor=floor) <= 1
            got = np.asarray(jitted(array), dtype="float64")
            assert worst_of_stated(got, grad, dtype, floor=floor) <= 1


@pytest.mark.jax
@pytest.mark.parametrize("regime", [normal, nearly_constant, huge_terms_cancel, largest])
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_jax_without_float64(regime, dtype):
    import jax

    jitted, ulps = jax.jit(by_column), 0 if dtype == "float32" else 1
    for grad in hard_cases(regime, lambda a: np.float64(a.astype(jax.numpy.dtype(dtype)))):
        array = jax.numpy.asarray(grad.astype("float32")).astype(dtype)
        floor = 2 * len(grad) * Fraction(2) ** -126
        for function in (by_column, jitted):
            got = np.asarray(function(array), dtype="float64")
            assert worst_of_stated(got, grad, dtype, ulps=ulps, wide=24, floor=floor) <= 1


@pytest.mark.parametrize("regime", [normal, offset, nearly_constant, smallest])
def test_float64(regime):
    for grad in hard_cases(regime, lambda a: a):
        got = centralize(grad, output_axis=-1)
        assert worst_of_stated(got, grad, "float64", ulps=0, floor=Fraction(2) ** -1074) <= 1


@pytest.mark.torch
@pytest.mark.parametrize("regime", REGIMES)
def test_torch_where_a_derivative_is_recorded(regime):
    import torch

    for grad in hard_cases(regime, lambda a: a.astype("float32")):
        got = centralize(torch.tensor(grad, requires_grad=True), output_axis=-1)
        assert worst_of_stated(got.detach().numpy(), grad, "float32") <= 1


@pytest.mark.dask
@pytest.mark.parametrize("regime", REGIMES)
def test_dask(regime):
    import dask.array as da

    for grad in hard_cases(regime, lambda a: a.astype("float32")):
        got = centralize(da.from_array(grad, chunks=(100, 3)), output_axis=-1)
        with np.errstate(over="ignore"):
            assert worst_of_stated(got.compute(), grad, "float32") <= 1


def near_the_limit(rng, n, target):
    """A slice in which one element is off its mean by about `target` of the mean size."""
    values = (100 * rng.random() + rng.standard_normal(n)).astype("float32")
    mean = Fraction(0)
    for i in rng.integers(n, size=40):  # bring element 0 nearer and nearer to the mean
        total = sum(Fraction(float(x)) for x in values)
        mean = total / n
        off = float(n * (Fraction(float(values[0])) - mean))
        aim = off - n * target * float(abs(mean)) * rng.choice([-1, 1])
        values[i if i else 1] = np.float32(float(values[i if i else 1]) + aim)
    return values


@pytest.mark.parametrize("output_axis", [0, 1])
@pytest.mark.parametrize("n", [3, 64, 700, 2304])
def test_what_is_not_done_again_is_within_one_ulp(n, output_axis, monkeypatch):
    # One float64 sum, whatever the repair would do: where it is off, it must be suspected.
    rng = np.random.default_rng(n)
    slices = [near_the_limit(rng, n, rng.integers(1, 100) * 2.0**-40) for _ in range(12)]
    grad = np.stack(slices, axis=output_axis)
    monkeypatch.setattr(gc_ref._centralize, "_by_exact_sum", lambda g, axes, xp: g * np.nan)
    got = centralize(grad, output_axis=output_axis)
    got, grad = (x if output_axis else x.T for x in (got, grad))
    redone = np.isnan(got).any(axis=0)
    assert redone.any()
    kept = np.ascontiguousarray(got[:, ~redone])
    assert worst_ulps(kept, np.ascontiguousarray(grad[:, ~redone]), "float32") <= 1


@pytest.mark.parametrize("output_axis", [0, 1])
def test_climbing_to_where_a_float64_sum_is_worst(output_axis):
    # Each slice is changed a little at a time, and a change that makes the plain float64 mean
    # worse is kept: that leads to slices that cancel, and what is promised must hold there.
    rng = np.random.default_rng(9)
    grad = np.stack([huge_terms_cancel(rng, 9) for _ in range(8)], axis=1).astype("float32")
    worst = np.zeros(8)
    for _ in range(150):
        new, columns = grad.copy(), np.arange(8)
        rows = rng.integers(9, size=8)
        old = new[rows, columns]
        near = grad.mean(axis=0, dtype=float) * (1 + 2.0 ** -rng.integers(1, 24, 8))
        choices = [old * 2.0 ** rng.integers(-2, 3, 8), np.nextafter(old, 9), -old, near]
        new[rows, columns] = np.choose(rng.integers(4, size=8), choices)
        truth = exact.centralize(new, output_axis=-1).fractions()
        ulps = np.array([float(exact.ulp(true, "float32")) for true in truth]).reshape(9, 8)
        alone = new - new.mean(axis=0, dtype=float)
        g = new if output_axis else np.ascontiguousarray(new.T)
        got = centralize(g, output_axis=output_axis)
        true = np.array([float(true) for true in truth]).reshape(9, 8)
        off = abs((got if output_axis else got.T) - true) / ulps
        assert off.max() <= 1 + 2.0**-20  # of what the exact value is off as a float64
        height = (abs(alone - true) / ulps).max(axis=0)
        kept = height >= worst
        grad[:, kept], worst[kept] = new[:, kept], height[kept]
    assert (worst > 1).any()


def test_a_float64_sum_alone_is_not_within_one_ulp():
    # So the look for what cancelled is needed: [1e30, 1, -1e30] and its like, in every layout.
    grad = np.float32([[1e30, 1, -1e30], [3, 2, 1]])
    for g, output_axis in ((grad, 0), (grad.T, 1), (grad.reshape(2, 3, 1), (0, 2))):
        alone = np.float32(g - g.mean(axis=1 - (output_axis == 1), keepdims=True, dtype=float))
        got = centralize(g, output_axis=output_axis)
        assert np.float32(2 / 3) in got
        assert np.float32(2 / 3) not in alone


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


def test_a_slice_that_cancels_beside_one_of_zeros():
    grad = np.float32([[1e30, 1, -1e30], [0, 0, 0]])
    assert centralize(grad, output_axis=0)[0, 1] == np.float32(2 / 3)


def test_one_element_a_little_off_from_hundreds():
    grad = np.full((768, 1), 1 / 3, dtype="float32")
    grad[7] = np.nextafter(grad[7], 1)
    assert worst_ulps(centralize(grad, output_axis=1), grad, "float32") <= 1
    assert worst_ulps(np.float32(grad - grad.mean(axis=0, dtype=float)), grad, "float32") > 1


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
