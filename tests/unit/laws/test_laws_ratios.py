"""The ratios that laws return are those of their texts: residual over allowance, worst slice.

Residuals and allowances are worked out here from the text of each law, in rational numbers on
plain lists; τ comes from `gc_ref.bounds`. The operators are a little off, differently in each
slice and element, so that neither is zero.
"""

from fractions import Fraction

import numpy as np
import pytest

from gc_ref import bounds, exact, laws
from gc_ref.laws import LawError

F = Fraction

#: Numbers of float32, in float64 arrays.
G, H = np.array(
    [
        [[1, 2, 6, 0.5, 4.3], [0.25, 0.125, 0.5, 0.375, 1], [9, 7, 3, 2, 1.5]],
        [[5, 0.1, 1, 2.5, 3], [0.5, 1, 0.3, 0.75, 2], [1, 2, 4, 8, 0.7]],
    ],
    "float32",
).astype("float64")
#: Not that of the dtype of G, so that it matters whether it is heeded.
PROFILE = bounds.profile("float32")
NOISE = 2.0**-26 * np.array([[3, -1, 4, 1, -5], [9, 2, -6, 5, 3], [-5, 8, 9, 7, 9]])


def correct(g):
    return g - g.mean(axis=1, keepdims=True)


def noisy(g):
    """Φ, off by a few units of float32, and by other ones for other arguments."""
    return correct(g) + NOISE * np.sign(g[0, 0] - 1.5)


def rows(array):
    return [[F(x) for x in row] for row in np.asarray(array, dtype=float).tolist()]


def tau(array, profile=PROFILE):
    return rows(bounds.centralize(array, output_axis=0, profile=profile))


def mean(row):
    return sum(row) / len(row)


def total(*factors):
    """Sum over a slice of the product of the factors."""
    products = zip(*factors, strict=True)
    return sum((np.prod([F(1), *xs]) for xs in products), F(0))


def size(row):
    return [abs(x) for x in row]


def worst(pairs):
    return float(max(residual / allowance for residual, allowance in pairs))


def test_zero_mean():
    pairs = zip(rows(noisy(G)), tau(G), strict=True)
    expected = worst((abs(sum(f)), sum(t)) for f, t in pairs)
    got = laws.zero_mean(noisy, G, output_axis=0, profile=PROFILE)
    assert 0 < got == expected < 1


def test_exact_inputs_may_be_granted_rounding():
    def phi(g):
        return noisy(G) if isinstance(g, exact.ExactArray) else None

    got = laws.zero_mean(phi, exact.exactly(G), output_axis=0, profile=PROFILE)
    assert got == laws.zero_mean(noisy, G, output_axis=0, profile=PROFILE)


def test_exact_inputs_need_not_fit_a_float():
    g = exact.exactly([[10**400, 0], [1, -(10**400)]])

    def phi(g):
        return exact.centralize(g, output_axis=0)

    assert laws.zero_mean(phi, g, output_axis=0) == 0.0


def test_idempotent():
    once = noisy(G)
    twice = noisy(once)
    expected = worst(
        (abs(y - x), mean(t) + u)
        for f, ff, t, tt in zip(rows(once), rows(twice), tau(G), tau(once), strict=True)
        for x, y, u in zip(f, ff, tt, strict=True)
    )
    got = laws.idempotent(noisy, G, output_axis=0, profile=PROFILE)
    assert 0 < got == expected < 1


def three_of_orthogonal(phi):
    """Worst ratio of each of the three residuals."""
    slices = list(
        zip(*map(rows, (G, H, phi(G), phi(H))), tau(G), tau(H), strict=True),
    )
    symmetric = worst(
        (abs(total(f, h) - total(g, fh)), total(t, size(h)) + total(size(g), th))
        for g, h, f, fh, t, th in slices
    )
    orthogonal = worst(
        (
            abs(total([x - y for x, y in zip(g, f, strict=True)], f)),
            abs(mean(g)) * sum(t) + total(t, size(f)),
        )
        for g, _, f, _, t, _ in slices
    )
    removed = [([x - y for x, y in zip(g, f, strict=True)], t) for g, _, f, _, t, _ in slices]
    constant = worst(
        (abs(x - mean(r)), u + mean(t)) for r, t in removed for x, u in zip(r, t, strict=True)
    )
    return [symmetric, orthogonal, constant]


def off_by(per_slice):
    """Φ with a constant left in each slice, of one sign for G and the other for H."""
    constants = 2.0**-24 * np.array(per_slice)[:, None]
    return lambda g: correct(g) + constants * (1 if g[0, 0] == G[0, 0] else -1)


@pytest.mark.parametrize(
    ("which", "phi"),
    [
        (0, off_by([3, 0, 0])),
        (0, off_by([0, 0, 3])),
        (1, lambda g: correct(g) + 2.0**-24 * np.array([[3], [0], [0]])),
        (1, lambda g: correct(g) + 2.0**-24 * np.array([[0], [0], [4]])),
        (2, noisy),
    ],
)
def test_orthogonal(which, phi):
    three = three_of_orthogonal(phi)
    assert three.index(max(three)) == which
    got = laws.orthogonal(phi, G, H, output_axis=0, profile=PROFILE)
    assert 0 < got == max(three) < 1


def test_contraction():
    g = correct(G)  # as long as it may be already

    def phi(g):
        return g * np.array([[1 + 2.0**-24], [1 + 2.0**-23], [1.0]])

    pairs = zip(rows(g), rows(phi(g)), tau(g), strict=True)
    expected = worst((total(f, f) - total(x, x), 2 * total(t, size(f))) for x, f, t in pairs)
    got = laws.contraction(phi, g, output_axis=0, profile=PROFILE)
    assert 0 < got == expected < 1


@pytest.mark.parametrize("given", [{}, {"a": 0.3, "b": -0.7}])
def test_linear(given):
    a, b = given.get("a", -2.0), given.get("b", 1.0)  # the default: a + b = −1
    pairs = zip(rows(G), rows(H), strict=True)
    exactly = [[F(a) * x + F(b) * y for x, y in zip(g, h, strict=True)] for g, h in pairs]
    rounded = [[exact.round_to(x, "float32") for x in row] for row in exactly]
    combined = np.array(rounded, "float32")
    parts = rows(noisy(combined)), rows(noisy(G)), rows(noisy(H)), rows(combined), exactly
    taus = tau(combined), tau(G), tau(H)
    assert rows(combined) != exactly
    ratios = []
    for f, fg, fh, c, true, t, tg, th in zip(*parts, *taus, strict=True):
        slip = [x - y for x, y in zip(c, true, strict=True)]
        for i in range(len(f)):
            missed = f[i] - F(a) * fg[i] - F(b) * fh[i] - (slip[i] - mean(slip))
            ratios.append((abs(missed), t[i] + abs(F(a)) * tg[i] + abs(F(b)) * th[i]))
    got = laws.linear(noisy, G, H, output_axis=0, profile=PROFILE, **given)
    assert 0 < got == worst(ratios) < 1


#: The power of two at or just below the largest magnitude of each slice.
BELOW = [[4.0], [1.0], [8.0]]


@pytest.mark.parametrize("shift", [None, [[0.1], [0.2], [-100.0]]])
def test_shift_invariant(shift):
    offsets = BELOW if shift is None else shift
    exactly = [[x + F(c) for x in g] for g, [c] in zip(rows(G), offsets, strict=True)]
    shifted = np.array([[exact.round_to(x, "float32") for x in row] for row in exactly], "float32")
    ratios = []
    parts = rows(noisy(shifted)), rows(noisy(G)), rows(shifted), exactly, tau(shifted), tau(G)
    for f, fg, c, true, t, tg in zip(*parts, strict=True):
        slip = [x - y for x, y in zip(c, true, strict=True)]
        for i in range(len(f)):
            ratios.append((abs(f[i] - fg[i] - (slip[i] - mean(slip))), t[i] + tg[i]))
    got = laws.shift_invariant(noisy, G, shift=shift, output_axis=0, profile=PROFILE)
    assert 0 < got == worst(ratios) < 1


def test_the_shift_of_a_slice_of_zeros_is_zero():
    g = np.array([[0.0, 0.0], [0.0, -6.0], [2.0**-1074, 0.0]])
    seen = []

    def phi(x):
        seen.append(x)
        return np.zeros_like(x)

    with pytest.raises(LawError):  # of the second slice: zero is not its Φ ...
        laws.orthogonal(phi, g, g, output_axis=0)
    seen.clear()
    laws.shift_invariant(phi, g, output_axis=0)  # ... but does not change with a shift
    assert [x.tolist() for x in seen] == [
        g.tolist(),
        [[0.0, 0.0], [4.0, -2.0], [2.0**-1073, 2.0**-1074]],
    ]


@pytest.mark.parametrize("shift", [[0, 0, 0, 0, 1], [0, 1, 2, 3, 4]])
def test_a_shift_that_differs_in_one_input_is_refused(shift):
    with pytest.raises(ValueError, match="the same for all inputs"):
        laws.shift_invariant(correct, G, shift=shift, output_axis=0)


@pytest.mark.parametrize(
    ("inputs", "outputs"), [(None, None), ([1, 2, 3, 4, 0], None), (None, [2, 0, 1])]
)
def test_permutation_equivariant(inputs, outputs):
    columns, lines = inputs or [4, 3, 2, 1, 0], outputs or [2, 1, 0]
    renumbered = np.array([[G[i, j] for j in columns] for i in lines], "float32")
    left, again, t, u = rows(noisy(G)), rows(noisy(renumbered)), tau(G), tau(renumbered)
    expected = worst(
        (abs(again[x][y] - left[i][j]), t[i][j] + u[x][y])
        for x, i in enumerate(lines)
        for y, j in enumerate(columns)
    )
    got = laws.permutation_equivariant(
        noisy, G, inputs=inputs, outputs=outputs, output_axis=0, profile=PROFILE
    )
    assert 0 < got == expected < 1
