"""What laws hand to the operator, what they take back, and what their errors say."""

from fractions import Fraction

import numpy as np
import pytest

from gc_ref import bounds, exact, laws
from gc_ref.laws import LawError

G = np.array([[1.0, 2.0, 6.0, 0.5, 4.3], [0.25, 0.125, 0.5, 0.375, 1.0], [9.0, 7.0, 3.0, 2.5, 1.5]])
H = np.array([[5.0, 0.1, 1.0, 2.5, 3.0], [0.5, 1.0, 0.3, 0.75, 2.0], [1.0, 2.0, 4.0, 8.0, 0.7]])


def correct(g):
    return g - g.mean(axis=1, keepdims=True)


class TestWhatTheOperatorIsCalledWith:
    @pytest.mark.parametrize(
        ("dtype", "profile", "expected"),
        [
            ("float16", None, "float16"),
            ("float32", None, "float32"),
            ("float64", None, "float64"),
            ("float32", "bfloat16", "float32"),
            ("float64", "float32", "float32"),
            ("float32", "exact", "float32"),
        ],
    )
    @pytest.mark.parametrize("axis", [0, -1, -3, (0, 2)])
    def test_arrays_of_the_dtype_in_c_order(self, dtype, profile, expected, axis):
        seen = []

        def phi(g):
            seen.append(g)
            return np.zeros_like(g)

        g = np.arange(24.0).reshape(2, 3, 4).astype(dtype)
        if profile:
            profile = bounds.EXACT if profile == "exact" else bounds.profile(profile)
        laws.linear(phi, g, g, output_axis=axis, profile=profile)
        laws.permutation_equivariant(phi, g, output_axis=axis, profile=profile)
        given, formed = seen[0], [seen[2], seen[4]]
        assert given is g
        for made in formed:
            assert made.dtype == expected
            assert made.shape == g.shape
            assert made.flags.c_contiguous
        assert formed[0].tolist() == (-g).tolist()
        if axis == 0:
            assert formed[1].tolist() == g[::-1, ::-1, ::-1].tolist()


STATEMENTS = [
    (laws.zero_mean, [G], lambda g: g, "a sum of 0 over the inputs"),
    (laws.idempotent, [G], lambda g: 2 * correct(g), "Φ(Φ(g)) = Φ(g)"),
    (laws.orthogonal, [G, H], lambda g: g * [1, 1, 1, 1, 2] * (g[0, 0] > 1), "⟨Φg, h⟩ = ⟨g, Φh⟩"),
    (laws.orthogonal, [G, H], lambda g: 2 * correct(g), "⟨g − Φg, Φg⟩ = 0"),
    (laws.orthogonal, [G, H], lambda g: 0 * g, "a constant removed part"),
    (laws.linear, [G, H], lambda g: correct(g) + 1, "Φ(ag + bh) = aΦ(g) + bΦ(h)"),
    (laws.shift_invariant, [G], lambda g: g, "Φ(g + c) = Φ(g)"),
    (
        laws.permutation_equivariant,
        [G],
        lambda g: g - g[:, :1],
        "Φ(renumbered g) = renumbered Φ(g)",
    ),
    (laws.contraction, [G], lambda g: 2 * g, "‖Φ(g)‖ ≤ ‖g‖"),
]


@pytest.mark.parametrize(("law", "grads", "phi", "statement"), STATEMENTS)
def test_the_message_names_the_law_its_clause_and_the_statement(law, grads, phi, statement):
    [(id, listed)] = [(id, entry) for id, entry in laws.LAWS.items() if entry.check is law]
    with pytest.raises(LawError) as caught:
        law(phi, *grads, output_axis=0)
    error = caught.value
    assert str(error).startswith(f"{id} ({listed.clause}): {statement} fails at [")
    assert (error.law, error.clause) == (id, listed.clause)
    assert str(error) == f"{id} ({listed.clause}): {error.message}"


def test_exact_inputs_do_not_change_the_message():
    with pytest.raises(LawError, match=r"^law/zero-mean \(Eq\. 2\): a sum of 0") as caught:
        laws.zero_mean(lambda g: g, exact.exactly(G), output_axis=0)
    assert (caught.value.law, caught.value.clause) == ("law/zero-mean", "Eq. 2")


class TestDecimals:
    def test_numbers_below_one(self):
        with pytest.raises(LawError, match=r"off by 0\.5, rounding explains at most 0 "):
            laws.zero_mean(
                lambda g: g, np.array([[0.25, 0.25]]), output_axis=0, profile=bounds.EXACT
            )

    def test_numbers_that_no_float_holds(self):
        # ‖2g‖² − ‖g‖² = 3·2⁻²⁰⁰⁰ and 3·2²⁰⁰⁰ for one input of 2⁻¹⁰⁰⁰ or 2¹⁰⁰⁰.
        for exponent in (-1000, 1000):
            g = np.array([[2.0**exponent, 0.0]])
            with pytest.raises(LawError, match=rf"off by about 2\*\*{2 * exponent + 1}, "):
                laws.contraction(lambda g: 2 * g, g, output_axis=0, profile=bounds.EXACT)


class TestResultsInFractions:
    def test_are_taken_as_they_are(self):
        def phi(g):
            rows = [[Fraction(x) for x in row] for row in np.asarray(g, dtype=object).tolist()]
            return np.array([[x - sum(row) / len(row) for x in row] for row in rows], dtype=object)

        g = np.array([[1.0, 2.0, 4.0]])  # thirds, which no float holds
        assert laws.zero_mean(phi, g, output_axis=0, profile=bounds.EXACT) == 0.0
        assert laws.idempotent(phi, g, output_axis=0, profile=bounds.EXACT) == 0.0

    @pytest.mark.parametrize("dtype", [object, np.float64])
    def test_may_be_granted_rounding_too(self, dtype):
        def phi(g):
            rows = [[Fraction(x) for x in row] for row in np.asarray(g, dtype=object).tolist()]
            return np.array([[x - sum(row) / len(row) for x in row] for row in rows], dtype=object)

        g = np.array([[Fraction(1), Fraction(2), Fraction(4)]], dtype=dtype)
        granted = bounds.profile("float64")
        assert laws.idempotent(phi, g, output_axis=0, profile=granted) == 0.0
        with pytest.raises(LawError, match="law/idempotent"):
            laws.idempotent(lambda g: phi(g) + g / 2, g, output_axis=0, profile=granted)

    def test_may_be_larger_than_any_float(self):
        def phi(g):
            return np.array([[Fraction(10) ** 400, Fraction(0)]], dtype=object)

        with pytest.raises(LawError, match=r"off by about 2\*\*"):
            laws.zero_mean(phi, np.ones((1, 2)), output_axis=0)


class TestIndices:
    def test_one_number_that_is_not_finite(self):
        def phi(g):
            out = correct(g)
            out[1, 3] = np.nan
            return out

        with pytest.raises(LawError, match=r"nan came back at \[1, 3\]") as caught:
            laws.zero_mean(phi, G, output_axis=0)
        assert caught.value.index == (1, 3)

    def test_the_first_of_equally_bad_slices(self):
        with pytest.raises(LawError) as caught:
            laws.zero_mean(lambda g: g, np.array([[1.0, 1.0]] * 3), output_axis=0)
        assert caught.value.index == (0, slice(None))
