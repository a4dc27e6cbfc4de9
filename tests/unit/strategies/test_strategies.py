"""Every regime is what its name says, in every dtype, and examples shrink well."""

import math

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import HealthCheck, find, given, settings

from gc_ref import exact
from gc_ref._layouts import KINDS, LAYOUTS, is_convolution
from gc_ref.conformance import output_axes
from gc_ref.strategies import (
    DTYPES,
    REGIMES,
    gradient_cases,
    gradients,
    hyperparameters,
    layers,
    training_cases,
)

#: Bits of precision, smallest normal number, largest number: IEEE 754 and bfloat16.
P = {"float16": 11, "bfloat16": 8, "float32": 24, "float64": 53}
NORMAL = {"float16": 2.0**-14, "bfloat16": 2.0**-126, "float32": 2.0**-126, "float64": 2.0**-1022}
LARGEST = {
    "float16": 65504.0,
    "bfloat16": 255 * 2.0**120,
    "float32": float(np.finfo("float32").max),
    "float64": float(np.finfo("float64").max),
}

few = settings(max_examples=30, suppress_health_check=[HealthCheck.too_slow])


def slices(case):
    """Rows of Fractions, one per output; independent of the code under test."""
    axes = [a % case.gradient.ndim for a in case.output_axis]
    rows = {}
    for place in np.ndindex(case.gradient.shape):
        key = tuple(place[a] for a in axes)
        rows.setdefault(key, []).append(exact.exactly(float(case.gradient[place])).fractions()[0])
    return list(rows.values())


def deviations(row):
    mean = sum(row) / len(row)
    return mean, [x - mean for x in row]


def ordinary(row, dtype):
    return all(abs(x) <= 4 for x in row)


def large_mean(row, dtype):
    mean, rest = deviations(row)
    return abs(mean) >= 16 * max(map(abs, rest))


def cancelling(row, dtype):
    return len(row) == 1 or abs(sum(row)) <= sum(map(abs, row)) * 2.0 ** (2 - P[dtype])


def wide_exponents(row, dtype):
    sizes = [abs(x) for x in row]
    spread = 19 if dtype == "float16" else 3 * P[dtype]
    return len(row) == 1 or max(sizes) >= min(sizes) * 2 ** (spread - 1) > 0


def subnormal(row, dtype):
    return 0 < max(map(abs, row)) < NORMAL[dtype]


def near_constant(row, dtype):
    apart = max(row) - min(row)
    units = apart / exact.ulp(min(map(abs, row)), dtype)
    return len(row) == 1 or 1 <= units <= 3


def constant(row, dtype):
    return len(set(row)) == 1 and row[0] != 0


def huge(row, dtype):
    reach = len(row) * max(map(abs, row)) / exact.exactly(LARGEST[dtype]).fractions()[0]
    return 1 / 64 <= reach <= 1 / 4


def tiny(row, dtype):
    return all(NORMAL[dtype] <= abs(x) < 128 * NORMAL[dtype] for x in row)


def spike(row, dtype):
    *others, largest = sorted(map(abs, row))
    return all(largest >= 8 * x for x in others)


def integers(row, dtype):
    n = len(row)
    return (
        all(x.denominator == 1 for x in row)
        and n & (n - 1) == 0
        and n * max(map(abs, row)) <= 2 ** (P[dtype] - 1)
    )


PROMISES = {
    f.__name__.replace("_", "-"): f
    for f in (
        ordinary, large_mean, cancelling, wide_exponents, subnormal, near_constant,
        constant, huge, tiny, spike, integers,
    )
}  # fmt: skip


def test_every_regime_has_its_promise_tested():
    assert list(PROMISES) == list(REGIMES)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("regime", REGIMES)
class TestRegimes:
    @few
    @given(data=st.data())
    def test_keep_their_promise(self, regime, dtype, data):
        case = data.draw(gradient_cases(regime=regime, dtype=dtype))
        assert (case.regime, case.dtype) == (regime, dtype)
        assert case.gradient.dtype == ("float32" if dtype == "bfloat16" else dtype)
        for row in slices(case):
            assert PROMISES[regime](row, dtype), row
            assert all(exact.round_to(x, dtype) == x for x in row)

    def test_are_rich(self, regime, dtype):
        """Not a few fixed arrays: full precision where the regime has room for it."""

        def full(g):
            significands = [abs(int(math.frexp(x)[0] * 2 ** P[dtype])) for x in g.ravel().tolist()]
            return len(set(significands)) > 1 and any(s % 2 for s in significands)

        options = {"output_axis": 0, "regime": regime, "dtype": dtype}
        if regime in ("integers", "subnormal"):  # few bits are what these are about
            find(gradients((2, 2), **options), lambda g: len(np.unique(g)) > 2 or P[dtype] == 8)
        else:
            find(gradients((2, 3), **options), full, settings=settings(max_examples=500))


def test_large_means_reach_the_last_bits():
    """Up to 2**(p−3) times the deviations."""
    near = find(
        gradients((1, 2), output_axis=0, regime="large-mean"),
        lambda g: 0 < abs(g[0, 0] - g[0, 1]) < abs(g).max() * 2.0**-20,
        settings=settings(max_examples=2000),
    )
    assert near[0, 0] != near[0, 1]


@few
@given(gradient_cases(regime="integers"))
def test_integers_are_exact_in_every_order_of_summation(case):
    """All partial sums, the mean and the differences are representable."""
    for row in slices(case):
        mean, rest = deviations(row)
        for order in (row, row[::-1], sorted(row), sorted(row, key=abs)):
            partial = 0
            for x in order:
                partial += x
                assert exact.round_to(partial, case.dtype) == partial
        assert exact.round_to(mean, case.dtype) == mean
        assert all(exact.round_to(x, case.dtype) == x for x in rest)


class TestLayers:
    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize("layout", LAYOUTS)
    @pytest.mark.parametrize("axes_rule", ["by-rank", "by-kind"])
    def test_of_every_kind_and_layout(self, kind, layout, axes_rule):
        @few
        @given(layers(kinds=[kind], layouts=[layout], axes_rule=axes_rule))
        def check(layer):
            assert (layer.kind, layer.layout) == (kind, layout)
            assert len(layer.shape) >= 2
            assert math.prod(layer.shape) <= 256
            assert 1 <= layer.fan_in <= 64
            axes = output_axes(kind, len(layer.shape), layout=layout, axes_rule=axes_rule)
            assert layer.output_axis == axes
            outputs = math.prod(layer.shape[a] for a in axes)
            assert layer.fan_in * outputs == math.prod(layer.shape)

        check()

    @pytest.mark.parametrize("fan_in", [1, 2, 3, 5, 7, 8, 9, 12, 16, 27, 64])
    def test_have_fans_of_all_sorts(self, fan_in):
        find(layers(), lambda x: x.fan_in == fan_in, settings=settings(max_examples=3000))

    @pytest.mark.parametrize("kind", KINDS)
    def test_have_windows_where_the_kind_has(self, kind):
        wide = settings(max_examples=300)
        if is_convolution(kind):
            find(layers(kinds=[kind]), lambda x: 2 in x.shape and len(x.shape) > 2, settings=wide)

    @few
    @given(layers(power_of_two=True))
    def test_of_powers_of_two(self, layer):
        assert math.log2(layer.fan_in).is_integer()

    def test_are_empty_only_where_asked(self):
        assert 0 in find(layers(zero_size=True), lambda x: 0 in x.shape).shape

    @few
    @given(data=st.data())
    def test_empty_ones_have_gradients_in_every_regime(self, data):
        layer = data.draw(layers(zero_size=True))
        shape, axis = layer.shape, layer.output_axis
        assert data.draw(gradients(shape, output_axis=axis)).shape == shape


class TestGradients:
    def test_take_any_regime_unless_told(self):
        options = {"output_axis": -1, "dtype": "float64"}
        assert find(gradients((4, 2), **options), lambda g: (g == 1e3).sum() == 0).shape == (4, 2)
        for promise in (huge, subnormal, constant):
            find(
                gradients((4, 2), **options),
                lambda g, p=promise: all(p(exact.exactly(c).fractions(), "float64") for c in g.T),
                settings=settings(max_examples=500),
            )

    def test_are_arrays_of_their_own(self):
        g = find(gradients((2, 2), output_axis=1), lambda g: True)
        assert g.flags.owndata
        assert g.flags.writeable
        assert g.flags.c_contiguous

    @pytest.mark.parametrize("axis", [0, -1, (0, 2), (2, 0)])
    def test_regimes_hold_over_any_output_axes(self, axis):
        g = find(
            gradients((2, 3, 2), output_axis=axis, regime="constant"),
            lambda g: len(np.unique(g)) > 1,
        )
        outer = {a % 3 for a in (axis if isinstance(axis, tuple) else (axis,))}
        inner = tuple({0, 1, 2} - outer)
        assert (np.ptp(g, axis=inner) == 0).all()

    def test_refuse_what_they_do_not_know(self):
        with pytest.raises(ValueError, match="unknown dtype 'int8'; use one of float16"):
            find(gradients((2, 2), output_axis=0, dtype="int8"), lambda g: True)
        with pytest.raises(ValueError, match="unknown regime 'odd'; use one of ordinary"):
            find(gradients((2, 2), output_axis=0, regime="odd"), lambda g: True)
        with pytest.raises(ValueError, match=r"fan-in of 2\*\*k.*not 3"):
            find(gradients((2, 3), output_axis=0, regime="integers"), lambda g: True)


class TestShrinking:
    """A counterexample should be as small as what it shows."""

    @pytest.mark.parametrize("dtype", DTYPES)
    def test_ends_at_one_number(self, dtype):
        case = find(gradient_cases(dtype=dtype), lambda case: True)
        assert case.kind == "dense"
        assert case.gradient.tolist() == [[0.0]]

    def test_of_a_wrong_operator_ends_at_two_inputs(self):
        def not_centered(case):  # what fails for the identity
            axes = tuple(i for i in range(case.gradient.ndim) if i not in case.output_axis)
            return case.gradient.size > 1 and (case.gradient.sum(axis=axes) != 0).any()

        case = find(gradient_cases(regime="ordinary"), not_centered)
        assert case.gradient.size == 2
        assert sorted(case.gradient.ravel().tolist()) == [0.0, 2.0**-5]

    def test_keeps_only_what_matters(self):
        g = find(
            gradients((2, 3), output_axis=0, regime="ordinary"),
            lambda g: g[1, 2] > 1,
            settings=settings(max_examples=2000),
        )
        assert np.count_nonzero(g) == 1
        assert 1 < g[1, 2] <= 33 / 32

    def test_of_training_runs_ends_at_one_step(self):
        case = find(training_cases(dtype="float32"), lambda case: True)
        assert [g.tolist() for g in case.gradients] == [[[0.0]]]
        assert case.weight.tolist() == [[0.0]]


class TestTrainingCases:
    @pytest.mark.parametrize("algorithm", ["sgdm", "adam"])
    @few
    @given(data=st.data())
    def test_fit_together(self, algorithm, data):
        case = data.draw(training_cases(algorithm=algorithm, min_steps=2, max_steps=4))
        assert 2 <= len(case.gradients) <= 4
        for array in (case.weight, *case.gradients):
            assert array.shape == case.weight.shape
            assert array.dtype == ("float32" if case.dtype == "bfloat16" else case.dtype)
        names = {"sgdm": {"lr", "momentum"}, "adam": {"lr", "beta1", "beta2", "eps"}}
        assert set(case.hyperparameters) == names[algorithm]

    @few
    @given(training_cases(regime="integers"))
    def test_take_a_regime_for_all_steps(self, case):
        for g in case.gradients:
            assert (g == np.round(g)).all()

    @few
    @given(training_cases(kinds=["conv2d"], layouts=["output-last"]))
    def test_take_the_options_of_layers(self, case):
        assert (case.kind, case.output_axis, case.weight.ndim) == ("conv2d", (3,), 4)


class TestHyperparameters:
    @given(st.sampled_from(["sgdm", "adam"]).flatmap(lambda a: hyperparameters(a, dyadic=True)))
    def test_dyadic_ones_are_exact_everywhere(self, chosen):
        for value in chosen.values():
            assert exact.round_to(value, "bfloat16") == value

    @given(st.sampled_from(["sgdm", "adam"]).flatmap(hyperparameters))
    def test_are_in_range(self, chosen):
        assert chosen["lr"] > 0
        assert all(0 <= chosen[k] < 1 for k in chosen.keys() & {"momentum", "beta1", "beta2"})
        assert chosen.get("eps", 1) > 0

    def test_typical_ones_come_too(self):
        assert find(hyperparameters("adam"), lambda h: h["beta2"] == 0.999)["beta2"] == 0.999
        assert find(hyperparameters("sgdm", dyadic=False), lambda h: True) == {
            "lr": 0.1,
            "momentum": 0.9,
        }

    def test_of_another_algorithm_are_refused(self):
        with pytest.raises(ValueError, match="unknown algorithm 'lion'; use sgdm or adam"):
            hyperparameters("lion")
