"""A law that fails in a user's test: no frame of ours, and what the operator was called with."""

import numpy as np
import pytest

from gc_ref import laws
from gc_ref.laws import LawError

G = np.array([[1.0, 2.0, 6.0], [0.0, 3.0, 3.0]])
H = np.array([[5.0, 0.0, 1.0], [2.0, 2.0, 2.0]])
NAN = np.full((2, 3), np.nan)


def same(g):
    return g


def correct(g):
    return g - g.mean(axis=1, keepdims=True)


FAILURES = {
    "zero_mean": lambda: laws.zero_mean(same, G, output_axis=0),
    "idempotent": lambda: laws.idempotent(lambda g: 2 * correct(g), G, output_axis=0),
    "orthogonal": lambda: laws.orthogonal(lambda g: 2 * correct(g), G, H, output_axis=0),
    "linear": lambda: laws.linear(lambda g: correct(g) + 1, G, H, output_axis=0),
    "shift_invariant": lambda: laws.shift_invariant(same, G, output_axis=0),
    "permutation_equivariant": lambda: laws.permutation_equivariant(
        lambda g: g - g[:, :1], G, output_axis=0
    ),
    "contraction": lambda: laws.contraction(lambda g: 2 * g, G, output_axis=0),
    "projection_matrix": lambda: laws.projection_matrix(np.eye(2)),
    "contraction_hessian": lambda: laws.contraction_hessian(2 * np.eye(2), np.eye(2)),
    "weight_constraint": lambda: laws.weight_constraint(G, [G + 1], output_axis=0),
    "theorem_4_1": lambda: laws.theorem_4_1(G, [G + 1], np.ones(3), 2.0, output_axis=0),
    "another shape": lambda: laws.zero_mean(np.ravel, G, output_axis=0),
    "far too large": lambda: laws.idempotent(lambda g: 0 * g + 1.7e308, G, output_axis=0),
}
MISUSES = {
    "rank": lambda: laws.zero_mean(correct, G[0], output_axis=0),
    "NaN": lambda: laws.zero_mean(correct, NAN, output_axis=0),
    "shapes": lambda: laws.orthogonal(correct, G, H[:1], output_axis=0),
    "overflow": lambda: laws.linear(
        correct, G.astype("float16"), G.astype("float16"), a=6e4, output_axis=0
    ),
    "no square": lambda: laws.projection_matrix(G),
    "allowances": lambda: laws.weight_constraint(G, [G], output_axis=0, allowances=[]),
}


def frames_shown(caught):
    """The files of the frames that pytest prints."""
    return {str(entry.path) for entry in caught.traceback.filter(caught)}


@pytest.mark.parametrize("fail", FAILURES.values(), ids=list(FAILURES))
def test_no_frame_of_ours_is_shown(fail):
    with pytest.raises(LawError) as caught:
        fail()
    assert frames_shown(caught) == {__file__}


@pytest.mark.parametrize("fail", MISUSES.values(), ids=list(MISUSES))
def test_nor_is_one_where_a_law_is_misused(fail):
    with pytest.raises(ValueError, match=r".") as caught:
        fail()
    assert frames_shown(caught) == {__file__}


def test_where_the_operator_raises_only_its_own_frames_are_shown():
    def broken(g):
        raise RuntimeError("no luck")

    with pytest.raises(RuntimeError) as caught:
        laws.zero_mean(broken, G, output_axis=0)
    assert [entry.name for entry in caught.traceback.filter(caught)][1:] == ["broken"]
    assert frames_shown(caught) == {__file__}


SHOWN = "[[1.0, 2.0, 6.0], [0.0, 3.0, 3.0]], float64"
CALLS = {
    "zero_mean": {"g": SHOWN},
    "idempotent": {"g": SHOWN, "Φ(g)": "[[-4.0, -2.0, 6.0], [-4.0, 2.0, 2.0]], float64"},
    "orthogonal": {"g": SHOWN, "h": "[[5.0, 0.0, 1.0], [2.0, 2.0, 2.0]], float64"},
    "permutation_equivariant": {
        "g": SHOWN, "renumbered g": "[[3.0, 3.0, 0.0], [6.0, 2.0, 1.0]], float64",
    },
}  # fmt: skip


@pytest.mark.parametrize("name", CALLS)
def test_what_the_operator_was_called_with_is_said(name):
    with pytest.raises(LawError) as caught:
        FAILURES[name]()
    error = caught.value
    assert list(error.inputs) == list(CALLS[name])
    assert error.inputs["g"] is G
    assert error.__notes__ == [f"called with {k} = {v}" for k, v in CALLS[name].items()]


def test_the_combination_and_the_shift_are_said():
    with pytest.raises(LawError) as caught:
        FAILURES["linear"]()
    assert list(caught.value.inputs)[:2] == ["g", "h"]
    (words,) = [name for name in caught.value.inputs if "·" in name]
    a, b = (float(part.partition("·")[0]) for part in words.split(" + "))
    assert caught.value.inputs[words].tolist() == (a * G + b * H).tolist()
    with pytest.raises(LawError) as caught:
        FAILURES["shift_invariant"]()
    shift = caught.value.inputs["g + c"] - G
    assert all(len(set(row)) == 1 and row[0] for row in shift.tolist())


def test_a_long_array_is_told_by_its_shape():
    with pytest.raises(LawError) as caught:
        laws.zero_mean(same, np.ones((4, 9), dtype="float32"), output_axis=0)
    assert caught.value.__notes__ == ["called with g = an array of shape (4, 9), float32"]


def test_a_law_without_an_operator_names_no_calls():
    with pytest.raises(LawError) as caught:
        FAILURES["weight_constraint"]()
    assert caught.value.inputs == {}
    assert not hasattr(caught.value, "__notes__")
