"""Expected values and allowances: comparison by hand-made enclosures, steps worked by hand."""

import math
from fractions import Fraction

import numpy as np
import pytest

from gc_ref import bounds
from gc_ref._conformance.cases.comparison import Expected, compare
from gc_ref._conformance.cases.exact_steps import axes_in_scope, expected_steps
from gc_ref._conformance.findings.outcome import float_ulp
from gc_ref._conformance.ports.conventions import Conventions
from gc_ref.conformance import Case, Parameter
from gc_ref.exact import ExactArray, exactly


def expected(values, tau, upper=None):
    low = exactly(values)
    return Expected(low, low if upper is None else exactly(upper), np.asarray(tau, dtype=float))


def test_the_worst_element_is_the_one_of_the_largest_ratio():
    want = expected([1.0, 2.0, 3.0], [0.5, 0.125, 1.0])
    found = compare(np.array([1.25, 2.125, 2.5]), want, "float32")
    assert found.ratio == 1.0  # of 0.25/0.5, 0.125/0.125 and 0.5/1
    assert found.position == 1
    assert (found.got, found.expected, found.tau) == (2.125, 2, 0.125)
    assert found.inexact == 3
    assert found.within


def test_beyond_the_bound():
    found = compare(np.array([1.0, 2.25]), expected([1.0, 2.0], [0.125, 0.125]), "float32")
    assert found.ratio == 2.0
    assert not found.within
    assert found.inexact == 1


def test_ulps_are_those_of_the_expected_value_in_the_dtype_of_the_answer():
    want = expected([4.0], [1.0])
    got = np.array([4.0 + 2**-20])
    assert compare(got, want, "float32").ulps == 2.0  # float32 near 4 is spaced 2⁻²¹
    assert compare(got, want, "float64").ulps == 2.0**30  # float64 near 4: 2⁻⁵⁰
    assert compare(got, want, "float16").ulps == 2.0**-12  # float16 near 4: 2⁻⁸
    assert compare(got, want, "bfloat16").ulps == 2.0**-15  # bfloat16 near 4: 2⁻⁵


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("tau", [0.0, 1.0])
def test_a_number_that_is_not_finite_is_never_within(value, tau):
    found = compare(np.array([1.0, value]), expected([1.0, 2.0], [1.0, tau]), "float32")
    assert not found.within
    assert found.position == 1


def test_without_allowance_any_error_is_infinitely_far():
    want = expected([1.0, 2.0], [0.0, 0.0])
    assert compare(np.array([1.0, 2.0]), want, "float32").ratio == 0.0
    found = compare(np.array([1.0, math.nextafter(2.0, 3.0)]), want, "float64")
    assert found.ratio == math.inf
    assert found.ulps == 1.0


def test_inside_an_enclosure_there_is_no_error():
    third = ExactArray((1,), [1], 3)
    want = Expected(ExactArray((1,), [333], 1000), ExactArray((1,), [334], 1000), np.array([0.01]))
    assert compare(np.array([1 / 3]), want, "float64").ratio == 0.0
    outside = compare(np.array([0.5]), want, "float64")  # 0.166 above the upper end
    assert outside.ratio == pytest.approx(16.6, rel=1e-12)
    below = compare(np.array([0.25]), want, "float64")  # 0.083 below the lower end
    assert below.ratio == pytest.approx(8.3, rel=1e-12)
    assert outside.expected == Fraction(667, 2000)
    # A value is not within 1/3 just because it is the nearest float to it.
    assert compare(np.array([1 / 3]), Expected(third, third, np.zeros(1)), "float64").inexact == 1


def test_an_error_too_small_for_a_float_is_still_an_error():
    tiny = ExactArray((1,), [1], 2**2000)
    found = compare(np.array([0.0]), Expected(tiny, tiny, np.zeros(1)), "float64")
    assert found.ratio == math.inf
    assert found.inexact == 1


def test_an_error_too_large_for_a_float_is_infinite():
    huge = ExactArray((1,), [2**1030], 1)
    assert compare(np.array([0.0]), Expected(huge, huge, np.ones(1)), "float64").ratio == math.inf


def test_useless_elements_are_counted_and_not_judged():
    want = expected([1.0, 2.0], [0.5, 0.5])
    found = compare(np.array([1.25, 99.0]), want, "float32", useless=np.array([False, True]))
    assert (found.ratio, found.undecided, found.inexact) == (0.5, 1, 1)
    nothing = compare(np.array([9.0, 9.0]), want, "float32", useless=np.array([True, True]))
    assert (nothing.ratio, nothing.undecided) == (0.0, 2)


def test_an_empty_array_is_within():
    want = Expected(exactly(np.zeros((0, 2))), exactly(np.zeros((0, 2))), np.zeros((0, 2)))
    assert compare(np.zeros((0, 2)), want, "float32").within


def test_an_answer_of_another_size_is_refused():
    with pytest.raises(ValueError, match="3 values for 2 expected"):
        compare(np.zeros(3), expected([1.0, 2.0], [0.0, 0.0]), "float32")


def by_definition(got, want):
    """Error over allowance of each element, in rationals."""
    for i, value in enumerate(np.asarray(got, dtype=float).tolist()):
        if not math.isfinite(value):
            yield math.inf, True
            continue
        low = Fraction(want.lower.numerators[i], want.lower.denominator)
        high = Fraction(want.upper.numerators[i], want.upper.denominator)
        error = max(low - Fraction(value), Fraction(value) - high, Fraction(0))
        tau = float(want.tau[i])
        yield (float(error / Fraction(tau)) if tau else math.inf if error else 0.0), error > 0


@pytest.mark.parametrize("seed", range(200))
def test_the_worst_element_by_definition(seed):
    rng = np.random.default_rng(seed)
    size, denominator = int(rng.integers(1, 9)), int(rng.choice([1, 3, 1024, 10**25, 7 * 2**70]))
    numerators = [int(n) * (denominator // 3 + 1) for n in rng.integers(-50, 50, size=size)]
    low = ExactArray((size,), numerators, denominator)
    wide = [n + int(rng.integers(0, 3)) for n in numerators]
    high = low if seed % 2 else ExactArray((size,), wide, denominator)
    tau = np.abs(rng.normal(size=size)) * 10.0 ** rng.integers(-18, 1, size=size)
    tau[rng.random(size) < 0.2] = 0.0
    want = Expected(low, high, tau)
    exactly_right = np.array([n / denominator for n in numerators])
    got = {
        0: exactly_right,
        1: np.nextafter(exactly_right, rng.choice([-np.inf, np.inf], size=size)),
        2: exactly_right + rng.normal(size=size) * 10.0 ** rng.integers(-17, 0),
        3: exactly_right.astype(np.float32),
        4: np.where(rng.random(size) < 0.3, rng.choice([np.nan, np.inf, 1e200]), exactly_right),
    }[seed % 5]
    found = compare(got, want, "float32")
    ratios, wrong = zip(*by_definition(got, want), strict=True)
    assert found.ratio == pytest.approx(max(ratios), rel=1e-12)
    assert ratios[found.position] == pytest.approx(max(ratios), rel=1e-12)
    assert found.inexact == sum(wrong)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("value", [1.0, 1.5, -3.0, 0.1, 1000.0, 2.0**-10, 6.1e-5, 0.0, 1e-7])
def test_float_ulp_is_numpys_spacing(dtype, value):
    rounded = np.dtype(dtype).type(value)
    assert float_ulp(Fraction(float(rounded)), dtype) == abs(float(np.spacing(rounded)))


def test_float_ulp_of_bfloat16():
    assert float_ulp(Fraction(1), "bfloat16") == 2.0**-7
    assert float_ulp(Fraction(255, 256), "bfloat16") == 2.0**-8
    assert float_ulp(Fraction(0), "bfloat16") == 2.0**-133  # its smallest subnormal


def weight(kind, shape):
    return Parameter("layer_0", kind, np.zeros(shape, np.float32), kind)


@pytest.mark.parametrize(
    ("kind", "shape", "values", "axes"),
    [
        ("dense", (4, 3), {}, (1,)),
        ("dense", (4, 3), {"layout": "output-first"}, (0,)),
        ("dense", (4, 3), {"scope": "conv-only"}, None),
        ("conv2d", (2, 2, 4, 3), {"scope": "conv-only"}, (3,)),
        ("dense", (1, 3), {}, (1,)),
        ("dense", (1, 3), {"fan_in_one": "keep"}, None),
        ("dense", (1, 3), {"layout": "output-first", "fan_in_one": "keep"}, (0,)),
        ("depthwise", (2, 2, 4, 1), {}, (3,)),
        ("depthwise", (2, 2, 4, 1), {"axes_rule": "by-kind"}, (2, 3)),
        ("depthwise", (1, 1, 4, 1), {"axes_rule": "by-kind", "fan_in_one": "keep"}, None),
        ("bias", (3,), {}, None),
        ("scalar", (), {}, None),
    ],
)
def test_axes_in_scope(kind, shape, values, axes):
    values = {"layout": "output-last", **values}
    declared = Conventions(values, dict.fromkeys(values, "declared"))
    assert axes_in_scope(weight(kind, shape), declared) == axes


def test_a_rule_can_be_given_beside_the_conventions():
    declared = Conventions({"layout": "output-last"}, {"layout": "declared"})
    p = weight("depthwise", (2, 2, 4, 1))
    assert axes_in_scope(p, declared, rule="by-kind") == (2, 3)


# One neuron of two inputs, w = (1, 2), gradients (3, 1) and then (0, 4):
# Φ(g) = (1, -1) and (-2, 2).
W = Parameter("dense_0", "dense", np.array([[1.0], [2.0]], np.float32), "dense")
TWO_STEPS = Case(
    "hand",
    (W,),
    tuple({W.name: np.array(g, np.float32).reshape(2, 1)} for g in ([3, 1], [0, 4])),
)


def steps(algorithm, conventions, hyper, axes=(1,), case=TWO_STEPS, **options):
    found = expected_steps(
        case, W, axes, algorithm=algorithm, conventions=conventions, hyperparameters=hyper,
        profile=bounds.profile("float32"), **options,
    )  # fmt: skip
    for e in found:
        assert e.tau.shape == (2, 1)
        assert np.all(e.tau >= 0)
    return found


def values(found):
    for e in found:
        assert e.lower == e.upper
    return [e.lower.fractions() for e in found]


HALF = {"lr": 0.5, "momentum": 0.5, "weight_decay": 0.0}


def test_operator():
    assert values(steps("operator", {}, {})) == [[1, -1], [-2, 2]]


def test_operator_out_of_scope():
    found = steps("operator", {}, {}, axes=None)
    assert values(found) == [[3, 1], [0, 4]]
    assert all(not e.tau.any() for e in found)


@pytest.mark.parametrize(
    ("conventions", "hyper", "want"),
    [
        # m = (½, -½), then ¼ - 1 = -¾ and ¾; w moves by -m/2.
        ({"momentum": "ema"}, HALF, [("3/4", "9/4"), ("9/8", "15/8")]),
        # m = (1, -1) first, then ½ - 1 = -½ and ½.
        ({"first_momentum": "gradient"}, HALF, [("1/2", "5/2"), ("3/4", "9/4")]),
        # m = (1, -1), then ½ - 2 = -3/2 and 3/2.
        ({"momentum": "heavy-ball"}, HALF, [("1/2", "5/2"), ("5/4", "7/4")]),
        ({"momentum": "velocity"}, HALF, [("1/2", "5/2"), ("5/4", "7/4")]),
        # No momentum: w - Φ(g)/2.
        ({}, {"lr": 0.5}, [("1/2", "5/2"), ("3/2", "3/2")]),
    ],
)
def test_sgdm(conventions, hyper, want):
    assert values(steps("sgdm", conventions, hyper)) == [[Fraction(x) for x in s] for s in want]


DECAY = {"lr": 0.5, "momentum": 0.0, "weight_decay": 0.5}


@pytest.mark.parametrize(
    ("conventions", "want"),
    [
        # g + w/2 = (7/2, 2): Φ(g) + w/2 = (3/2, 0).
        ({"decay": "l2", "placement": "gradient"}, ("1/4", "2")),
        # Φ(7/2, 2) = (¾, -¾).
        ({"decay": "l2", "placement": "decayed-gradient"}, ("5/8", "19/8")),
        ({"decay": "l2", "placement": "update"}, ("5/8", "19/8")),
        # w - ½·½·w = (¾, 3/2), then less Φ(g)/2.
        ({"decay": "decoupled"}, ("1/4", "2")),
        ({"decay": "none"}, ("1/2", "5/2")),
        ({}, ("1/2", "5/2")),
    ],
)
def test_weight_decay(conventions, want):
    [only] = values(steps("sgdm", conventions, DECAY, steps=1))
    assert only == [Fraction(x) for x in want]


def test_only_the_first_steps():
    assert len(steps("sgdm", {}, HALF, steps=1)) == 1


ADAM = {"lr": 0.125, "beta1": 0.5, "beta2": 0.75, "eps": 1.0}


@pytest.mark.parametrize(
    ("epsilon", "eps", "moves"),
    [
        # m̂ = ĝ, √v̂ = |ĝ|: a step of ⅛·1/(1 + 1) = 1/16.
        ("outside", 1.0, "1/16"),
        # √(1-β2) = ½, m = ĝ/2, √v = |ĝ|/2: ½/½·½/(½ + ½) = ½, again 1/16.
        ("hat", 0.5, "1/16"),
        # the same form with ε = 1: ½/(½ + 1) = ⅓.
        ("hat", 1.0, "1/24"),
    ],
)
def test_adams_first_step(epsilon, eps, moves):
    hyper = {**ADAM, "eps": eps}
    [only] = steps("adam", {"epsilon": epsilon}, hyper, steps=1)
    step = Fraction(moves)
    for i, want in enumerate((1 - step, 2 + step)):
        low, high = only.lower.fractions()[i], only.upper.fractions()[i]
        assert low <= want <= high
        assert high - low < Fraction(1, 2**190)


def test_adams_update_is_centralized_after_the_scaling():
    """g = (3, 1): directions ¾ and ½, whose mean is ⅝: Φ gives ±⅛."""
    [only] = steps("adam", {"placement": "update"}, ADAM, steps=1)
    for i, want in enumerate((1 - Fraction(1, 64), 2 + Fraction(1, 64))):
        assert only.lower.fractions()[i] <= want <= only.upper.fractions()[i]


def test_allowances_grow_along_the_trajectory_and_stay_small():
    first, second = steps("sgdm", {"momentum": "ema"}, {"lr": 0.1, "momentum": 0.9})
    assert np.all(second.tau >= first.tau)
    assert np.all(second.tau < 1e-5)  # a few dozen units of 6e-8 at weights of about 2
