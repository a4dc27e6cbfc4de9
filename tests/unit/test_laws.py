"""Every law catches the wrong operators that it is for, and passes the correct ones."""

import math
from fractions import Fraction

import numpy as np
import pytest

import gc_ref
from gc_ref import bounds, exact, laws
from gc_ref.laws import LAWS, LawError

G = np.array(
    [[1.0, 2.0, 6.0, -0.5, 4.3], [0.25, 0.125, 0.5, 0.375, 0.0], [9.0, 7.0, 3.0, 2.0, 1.5]]
)
H = np.array([[5.0, 0.0, 1.0, 2.5, -3.0], [0.5, 1.0, -0.25, 0.75, 2.0], [1.0, -2.0, 4.0, 8.0, 0.5]])


def mean(g, axis=1):
    return g.mean(axis=axis, keepdims=True)


def correct(g):
    return g - mean(g)


WRONG = {
    "identity": lambda g: g,
    "zero": lambda g: 0 * g,
    "whole-tensor": lambda g: g - g.mean(),
    "wrong-axis": lambda g: g - mean(g, 0),
    "half-the-mean": lambda g: g - mean(g) / 2,
    "median": lambda g: g - np.median(g, axis=1, keepdims=True),
    "divisor-n-minus-1": lambda g: g - g.sum(axis=1, keepdims=True) / (g.shape[1] - 1),
    "divided-by-std": lambda g: correct(g) / g.std(axis=1, keepdims=True),
    "offset": lambda g: correct(g) + 1e-3,
    "doubled": lambda g: 2 * correct(g),
    "mean-added": lambda g: g + mean(g),
    "first-input-subtracted": lambda g: g - g[:, :1],
    "rolled": lambda g: np.roll(correct(g), 1, axis=1),
    "first-output-only": lambda g: np.concatenate([correct(g)[:1], g[1:]]),
    "float16-mean": lambda g: g - mean(g.astype(np.float16)),
    "clipped": lambda g: np.clip(correct(g), -1, 1),
    "half-the-mean-of-rows-swapped": lambda g: g - mean(g)[::-1],
}


def call(law, phi, g=G, h=H, **options):
    """Call an operator law with as many gradients as it takes."""
    grads = (g, h) if law in (laws.linear, laws.orthogonal) else (g,)
    return law(phi, *grads, **{"output_axis": 0} | options)


OPERATOR_LAWS = [law.check for id, law in LAWS.items() if id.startswith("law/")]
NAMES = [id for id in LAWS if id.startswith("law/")]

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


@pytest.mark.parametrize("law", OPERATOR_LAWS, ids=NAMES)
class TestInputs:
    def test_the_exact_witness_passes_with_no_allowance(self, law):
        def phi(g):
            return exact.centralize(g, output_axis=0)

        assert call(law, phi, exact.exactly(G), exact.exactly(H)) == 0.0
        assert call(law, phi, profile=bounds.EXACT) == 0.0

    def test_integers_need_no_allowance(self, law):
        g = np.array([[4.0, 8.0, 0.0, -4.0], [3.0, 1.0, 2.0, 2.0]], "float32")
        assert call(law, correct, g, g[::-1].copy(), profile=bounds.EXACT) == 0.0

    def test_read_only_inputs_are_enough(self, law):
        g, h = G.copy(), H.copy()
        g.flags.writeable = h.flags.writeable = False
        assert call(law, correct, g, h) <= 1

    def test_a_fan_in_of_one_leaves_zero(self, law):
        g = np.array([[3.0], [0.1]])
        assert call(law, correct, g, -g) == 0.0

    @pytest.mark.parametrize("shape", [(0, 3), (3, 0), (0, 0), (2, 0, 3)])
    def test_empty_weights_pass(self, law, shape):
        assert call(law, lambda g: g, np.zeros(shape), np.zeros(shape)) == 0.0

    @pytest.mark.parametrize("shape", [(), (3,)])
    def test_vectors_are_refused(self, law, shape):
        with pytest.raises(ValueError, match="two or more dimensions"):
            call(law, correct, np.ones(shape), np.ones(shape))

    def test_out_of_scope_is_refused(self, law):
        with pytest.raises(ValueError, match="output_axis=None"):
            call(law, correct, output_axis=None)

    def test_a_wrong_axis_is_refused(self, law):
        with pytest.raises(ValueError, match="output_axis=2"):
            call(law, correct, output_axis=2)

    def test_gradients_that_are_not_finite_are_refused(self, law):
        with pytest.raises(ValueError, match=r"(?i)nan|finite"):
            call(law, correct, np.full((2, 2), np.nan), np.ones((2, 2)))

    def test_gradients_whose_sums_overflow_are_refused(self, law):
        with pytest.raises(ValueError, match="overflow"):
            call(law, correct, np.full((2, 8), 1.7e308), np.ones((2, 8)))


@pytest.mark.parametrize("law", [laws.orthogonal, laws.linear])
def test_two_gradients_must_have_one_shape(law):
    with pytest.raises(ValueError, match="does not fit"):
        law(correct, G, G[:1], output_axis=0)


def test_linear_takes_any_coefficients_and_accounts_for_their_rounding():
    assert laws.linear(correct, G, H, a=0.1, b=1 / 3, output_axis=0) <= 1
    with pytest.raises(LawError):
        laws.linear(WRONG["median"], G, H, a=0.1, b=1 / 3, output_axis=0)


def test_linear_refuses_a_combination_that_overflows():
    with pytest.raises(ValueError, match="overflows float16"):
        laws.linear(correct, np.full((1, 2), 4e4, "float16"), np.ones((1, 2)), output_axis=0)


def test_shift_takes_one_number_per_output():
    assert laws.shift_invariant(correct, G, shift=[[1.0], [2.0], [100.0]], output_axis=0) <= 1
    assert laws.shift_invariant(correct, G, shift=1e-30, output_axis=0) <= 1
    with pytest.raises(ValueError, match="the same for all inputs"):
        laws.shift_invariant(correct, G, shift=np.arange(5.0), output_axis=0)


def test_permutations_can_be_chosen_and_are_checked():
    chosen = {"inputs": [1, 2, 3, 4, 0], "outputs": [2, 0, 1], "output_axis": 0}
    assert laws.permutation_equivariant(correct, G, **chosen) <= 1
    with pytest.raises(ValueError, match=r"inputs must be a permutation of range\(5\)"):
        laws.permutation_equivariant(correct, G, inputs=[0, 1], output_axis=0)
    with pytest.raises(ValueError, match=r"outputs must be a permutation of range\(3\)"):
        laws.permutation_equivariant(correct, G, outputs=[0, 0, 1], output_axis=0)


def plain_projection(m):
    return np.eye(m) - np.ones((m, m)) / m


class TestProjectionMatrix:
    @pytest.mark.parametrize("m", [1, 2, 3, 7, 8, 16])
    @pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
    def test_of_the_reference_passes(self, m, dtype):
        assert laws.projection_matrix(gc_ref.projection(m, dtype=dtype, xp=np)) <= 1

    @pytest.mark.parametrize("m", [2, 3, 7, 8, 32])
    def test_to_the_letter_passes(self, m):
        e = np.ones((m, 1)) / np.sqrt(m)
        assert laws.projection_matrix(np.eye(m) - e @ e.T) <= 1

    def test_exact_passes_with_no_allowance(self):
        rows = [[Fraction(2, 3) if i == j else Fraction(-1, 3) for j in range(3)] for i in range(3)]
        assert laws.projection_matrix(exact.exactly(rows)) == 0.0

    @pytest.mark.parametrize(
        ("matrix", "equation"),
        [
            (np.eye(3), "eᵀP = 0"),
            (np.zeros((3, 3)), "trace"),
            (np.ones((3, 3)) / 3, "eᵀP = 0"),
            (np.eye(3) - np.ones((3, 3)) / 2, "eᵀP = 0"),
            (np.eye(3) - 2 * np.ones((3, 3)) / 3, "eᵀP = 0"),
            (plain_projection(3) / 2, "P² = P"),
            (plain_projection(3).astype("float16").astype("float64"), "P² = P"),
            (np.eye(3) - np.array([[1, 0, 0]] * 3), "P = Pᵀ"),  # oblique
            (np.diag([1.0, 1.0, 0.0]), "eᵀP = 0"),
        ],
    )
    def test_wrong_ones_are_caught(self, matrix, equation):
        with pytest.raises(LawError, match=equation):
            laws.projection_matrix(matrix)

    def test_nan_is_a_law_error(self):
        with pytest.raises(LawError, match="nan"):
            laws.projection_matrix(np.full((2, 2), np.nan))

    @pytest.mark.parametrize("shape", [(2, 3), (2,), (0, 0)])
    def test_another_shape_is_refused(self, shape):
        with pytest.raises(ValueError, match="square"):
            laws.projection_matrix(np.zeros(shape))


class TestContractionOfTheHessian:
    @pytest.mark.parametrize("m", [1, 2, 5, 8])
    @pytest.mark.parametrize("scale", [1e-200, 1.0, 1e200])
    def test_correct_ones_pass(self, m, scale):
        half = np.random.default_rng(m).normal(size=(m, m)) * scale
        assert laws.contraction_hessian(plain_projection(m), half + half.T) <= 1

    @pytest.mark.parametrize(
        ("matrix", "steep"),  # a direction in which the loss curves, and the matrix stretches
        [
            (1.001 * plain_projection(4), [1.0, -1.0, 2.0, -2.0]),
            (2 * np.eye(4), [1.0, 0.0, 0.0, 0.0]),
            (np.ones((4, 4)) / 2, [1.0, 1.0, 1.0, 1.0]),
        ],
    )
    def test_a_growing_norm_is_caught(self, matrix, steep):
        hessian = np.outer(steep, steep)
        assert np.linalg.norm(matrix @ hessian, 2) > np.linalg.norm(hessian, 2)
        with pytest.raises(LawError, match=r"Theorem 4\.2"):
            laws.contraction_hessian(matrix, hessian)

    def test_shapes_must_fit(self):
        with pytest.raises(ValueError, match="Hessian"):
            laws.contraction_hessian(plain_projection(3), np.eye(2))


W0 = np.array([[1.0, 2.0], [3.0, 4.0]])


def moved(*change):
    return W0 + np.array(change)


class TestWeightConstraint:
    def test_holds_where_sums_stay(self):
        steps = [moved([1, -1], [0, 0]), moved([2, -2], [0.5, -0.5])]
        assert laws.weight_constraint(W0, steps, output_axis=0) == 0.0

    def test_says_after_which_step_and_where_it_broke(self):
        steps = [W0, moved([0, 0], [0, 1e-9])]
        with pytest.raises(LawError, match="after step 2") as caught:
            laws.weight_constraint(W0, steps, output_axis=0)
        assert caught.value.index == (1, 1, slice(None))
        assert steps[caught.value.index[0]][caught.value.index[1:]].tolist() == [3.0, 4.0 + 1e-9]

    def test_allows_the_sum_of_the_bounds(self):
        steps = [moved([0.25, 0], [0, 0])]
        bound = [np.full((2, 2), 0.25)]
        assert laws.weight_constraint(W0, steps, output_axis=0, allowances=bound) == 0.5
        with pytest.raises(LawError):
            laws.weight_constraint(W0, steps, output_axis=0, allowances=[bound[0] / 4])

    def test_decides_nothing_where_a_bound_is_infinite(self):
        bound = np.array([[np.inf, 0.0], [0.0, 0.0]])
        steps = [moved([5, 0], [0, 0])]
        assert laws.weight_constraint(W0, steps, output_axis=0, allowances=[bound]) == 0.0
        with pytest.raises(LawError):
            laws.weight_constraint(W0, [W0 + 5], output_axis=0, allowances=[bound])

    def test_refuses_another_number_of_bounds(self):
        with pytest.raises(ValueError, match="0 allowances for 1 steps"):
            laws.weight_constraint(W0, [W0], output_axis=0, allowances=[])

    @pytest.mark.parametrize("bad", [np.full((2, 2), np.nan), np.ones((2, 3))])
    def test_broken_weights_are_law_errors(self, bad):
        with pytest.raises(LawError):
            laws.weight_constraint(W0, [bad], output_axis=0)


class TestTheorem41:
    X = np.array([3.0, 4.0])

    def test_holds_where_sums_stay(self):
        steps = [moved([1, -1], [0.5, -0.5])]
        assert laws.theorem_4_1(W0, steps, self.X, 10.0, output_axis=0) == 0.0

    def test_the_printed_sign_is_an_erratum(self):
        """By plain numbers: w⁰ itself, w = (1, 2), x = (3, 4), γ = 10."""
        before, after = 1 * 3 + 2 * 4, 1 * 13 + 2 * 14
        assert before - after == -10 * (1 + 2)
        assert before - after != +10 * (1 + 2)

    def test_catches_a_sum_that_moved(self):
        with pytest.raises(LawError, match="off by 10,"):
            laws.theorem_4_1(W0, [moved([1, 0], [0, 0])], self.X, 10.0, output_axis=0)

    def test_allows_gamma_times_the_bounds(self):
        steps, bound = [moved([0.25, 0], [0, 0])], [np.full((2, 2), 0.25)]
        for gamma in (10.0, -0.5):
            options = {"output_axis": 0, "allowances": bound}
            assert laws.theorem_4_1(W0, steps, self.X, gamma, **options) == 0.5

    def test_refuses_an_input_of_another_length(self):
        with pytest.raises(ValueError, match="fan-in is 2"):
            laws.theorem_4_1(W0, [W0], [1.0], 1.0, output_axis=0)


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
