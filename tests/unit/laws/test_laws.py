"""Every law catches the wrong operators that it is for, and passes the correct ones."""

import math
from fractions import Fraction

import numpy as np
import pytest

from gc_ref import bounds, exact, laws
from gc_ref.laws import LAWS, LawError

from ._law_operators import NAMES, OPERATOR_LAWS, WRONG, G, call, correct

CAUGHT = {
    laws.zero_mean: [
        "identity", "whole-tensor", "wrong-axis", "half-the-mean", "median", "divisor-n-minus-1",
        "offset", "mean-added", "first-input-subtracted", "first-output-only", "float16-mean",
        "half-the-mean-of-rows-swapped",
    ],
    laws.idempotent: [
        "half-the-mean", "divisor-n-minus-1", "doubled", "mean-added", "rolled",
        "half-the-mean-of-rows-swapped",
    ],
    laws.orthogonal: [
        "zero", "whole-tensor", "wrong-axis", "half-the-mean", "median", "divisor-n-minus-1",
        "divided-by-std", "offset", "doubled", "mean-added", "first-input-subtracted", "rolled",
        "clipped", "half-the-mean-of-rows-swapped",
    ],
    laws.linear: ["median", "divided-by-std", "offset", "clipped"],
    laws.shift_invariant: [
        "identity", "whole-tensor", "wrong-axis", "half-the-mean", "divisor-n-minus-1",
        "mean-added", "first-output-only", "half-the-mean-of-rows-swapped",
    ],
    laws.permutation_equivariant: ["first-input-subtracted", "rolled", "first-output-only"],
    laws.contraction: ["doubled", "mean-added", "divided-by-std"],
}  # fmt: skip


@pytest.mark.parametrize(
    ("law", "wrong"), [(law, name) for law, names in CAUGHT.items() for name in names]
)
def test_each_law_catches(law, wrong):
    with pytest.raises(LawError) as caught:
        call(law, WRONG[wrong])
    error = caught.value
    assert error.ratio > 1
    assert LAWS[error.law].check is law
    assert LAWS[error.law].clause == error.clause
    assert error.index
    assert G[error.index].size


def test_every_wrong_operator_is_caught_by_the_two_laws_that_pin_the_operator_down():
    for phi in WRONG.values():
        with pytest.raises(LawError):
            max(call(laws.zero_mean, phi), call(laws.orthogonal, phi))


def test_the_worst_slice_is_named():
    g = np.array([[1.0, -1.0], [2.0, 3.0]])
    with pytest.raises(LawError, match=r"fails at \[1, :\]: off by 5, ") as caught:
        laws.zero_mean(WRONG["identity"], g, output_axis=0)
    assert caught.value.index == (1, slice(None))


def test_the_worst_element_is_named_in_the_array_as_it_is_laid_out():
    def wrong(g):  # one element of a (window, in, out) kernel is off
        out = g - g.mean(axis=(0, 1), keepdims=True)
        out[1, 2, 0] += 1
        return out

    g = np.arange(12.0).reshape(2, 3, 2)
    with pytest.raises(LawError) as caught:
        laws.orthogonal(wrong, g, g, output_axis=-1)
    assert caught.value.index[-1] == 0
    with pytest.raises(LawError) as caught:
        laws.permutation_equivariant(wrong, g, output_axis=2)
    assert caught.value.index in {(1, 2, 0), (0, 0, 0), (1, 2, 1), (0, 0, 1)}


@pytest.mark.parametrize("law", OPERATOR_LAWS, ids=NAMES)
@pytest.mark.parametrize(
    ("phi", "complaint"),
    [
        (lambda g: np.where(g == 2, np.nan, g), "nan came back"),
        (lambda g: np.where(g == 2, np.inf, g), "inf came back"),
        (lambda g: g[:, :2], "came back for shape"),
        (lambda g: g.T, "came back for shape"),
        (lambda g: g.sum(), "came back for shape"),
    ],
    ids=["nan", "inf", "cut", "transposed", "scalar"],
)
def test_a_broken_result_is_a_law_error(law, phi, complaint):
    with pytest.raises(LawError, match=complaint) as caught:
        call(law, phi)
    assert caught.value.ratio == math.inf


def test_a_result_too_large_for_a_second_pass_is_a_law_error():
    with pytest.raises(LawError, match="far too large"):
        call(laws.idempotent, lambda g: np.full_like(g, 1.7e308))


# Correct operators, in other orders and forms. None may fail.


def reversed_order(g):
    total = np.zeros(len(g), dtype=g.dtype)
    for column in g.T[::-1]:
        total = total + column
    return g - (total / g.dtype.type(g.shape[1]))[:, None]


def reciprocal(g):
    return g - g.sum(axis=1, keepdims=True) * g.dtype.type(1 / g.shape[1])


def scaled_first(g):
    return g - (g / g.dtype.type(g.shape[1])).sum(axis=1, keepdims=True)


def two_passes(g):
    return correct(correct(g))


def matrix_product(g):
    m = g.shape[1]
    e = np.ones((m, 1), dtype=g.dtype) / np.sqrt(g.dtype.type(m))
    return g @ (np.eye(m, dtype=g.dtype) - e @ e.T)


def welford(g):
    running = np.zeros((len(g), 1), dtype=g.dtype)
    for k in range(g.shape[1]):
        running = running + (g[:, k : k + 1] - running) / g.dtype.type(k + 1)
    return g - running


def correctly_rounded(g):
    rows = [[Fraction(float(x)) for x in row] for row in g]
    name = g.dtype.name
    return np.array(
        [[exact.round_to(x - sum(row) / len(row), name) for x in row] for row in rows], g.dtype
    )


FORMS = [correct, reversed_order, reciprocal, scaled_first, two_passes, matrix_product, welford]


@pytest.mark.parametrize("law", OPERATOR_LAWS, ids=NAMES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("form", [*FORMS, correctly_rounded], ids=lambda f: f.__name__)
@pytest.mark.parametrize("mean_to_deviation", [0.0, 100.0, 1e4])
def test_correct_operators_pass(law, dtype, form, mean_to_deviation):
    rng = np.random.default_rng(4)
    g, h = (mean_to_deviation + rng.normal(size=(2, 3, 11))).astype(dtype)
    assert 0 <= call(law, form, g, h) <= 1


@pytest.mark.parametrize("law", OPERATOR_LAWS, ids=NAMES)
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("form", FORMS, ids=lambda f: f.__name__)
def test_correct_operators_of_half_types_pass(law, dtype, form):
    def rounded(values):
        flat = [exact.round_to(float(x), dtype) for x in values.ravel()]
        storage = "float32" if dtype == "bfloat16" else dtype
        return np.array(flat, storage).reshape(values.shape)

    rng = np.random.default_rng(4)
    g, h = (rounded(1 + rng.normal(size=(3, 11))) for _ in "gh")
    profile = bounds.profile(dtype)
    ratio = call(law, lambda x: rounded(form(x.astype("float32"))), g, h, profile=profile)
    assert 0 <= ratio <= 1


@pytest.mark.parametrize("law", OPERATOR_LAWS, ids=NAMES)
def test_a_bfloat16_result_passes_only_as_bfloat16(law):
    """The profile decides what rounding may explain."""

    def half(g):
        values = correct(g.astype("float32"))
        flat = [exact.round_to(float(x), "bfloat16") for x in values.ravel()]
        return np.array(flat, "float32").reshape(g.shape)

    g = np.array([[1.0, 2.0, 4.0]], "float32")
    assert call(law, half, g, 2 * g, profile=bounds.profile("bfloat16")) <= 1
    if law in (laws.zero_mean, laws.orthogonal):
        with pytest.raises(LawError):
            call(law, half, g, 2 * g)


def test_the_ids_are_those_of_the_contract():
    assert list(LAWS) == [
        "law/zero-mean",
        "law/idempotent",
        "law/orthogonal",
        "law/linear",
        "law/shift-invariant",
        "law/permutation-equivariant",
        "law/contraction",
        "step/constraint",
        "step/theorem-4.1",
    ]


def test_residuals_that_no_float_holds_are_printed():
    huge = np.array([[1e308, 1e308]])
    with pytest.raises(LawError, match=r"off by about 2\*\*"):
        laws.contraction(lambda g: 0.5 * g + 0.9e308, 0.4 * huge, output_axis=0)
