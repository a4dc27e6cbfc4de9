"""A port with neither algorithm nor base: what is said of it, and what is not."""

import numpy as np
import pytest
from _numpy_optimizers import identity, phi, rmsprop, trainer

from gc_ref.conformance import check, numpy_port


@pytest.fixture(scope="module")
def correct():
    return check(numpy_port(rmsprop()), max_examples=0)


def judged(run):
    report = check(numpy_port(run), max_examples=0)
    return report, {c.id: c for c in report.checks}


def failed(run):
    report, _ = judged(run)
    return {c.id for c in report.with_status("failed")}


def test_a_correct_port_conforms(correct):
    assert correct.verdict == "conforms", correct.to_text()
    assert {c.id for c in correct.with_status("passed")} >= {
        "effect/on", "scope/every-weight", "scope/vectors-untouched", "law/idempotent",
        "law/shift-invariant", "step/base-law",
    }  # fmt: skip


def test_what_could_not_be_checked_is_printed_with_what_would_help(correct):
    skipped = {c.id: c.message for c in correct.with_status("not-applicable")}
    assert set(skipped) >= {
        "value/exact", "value/bounded", "law/zero-mean", "law/linear", "law/orthogonal",
        "law/contraction", "law/permutation-equivariant", "step/sgdm", "step/adam",
        "step/constraint", "step/theorem-4.1",
    }  # fmt: skip
    assert "--algorithm" in skipped["law/zero-mean"]
    assert "--algorithm" in skipped["step/constraint"]
    text = " ".join(correct.to_text().split())
    for name, message in skipped.items():
        before, found, _ = text.partition(f" ({message})")
        assert found
        assert name in before.rpartition("; ")[2]


def test_nothing_is_said_of_conventions_that_nobody_saw(correct):
    assert dict(correct.conventions) == {"layout": {"value": "output-last", "source": "declared"}}
    assert not any("assumed" in note for note in correct.notes)


def test_gc_that_is_never_applied():
    report, found = judged(rmsprop(identity))
    assert report.verdict == "deviates"
    assert found["effect/on"].status == "failed"
    assert "GC has no effect" in found["effect/on"].message
    assert "none of the" in found["scope/every-weight"].message


def test_some_weights_only():
    def gated(g):
        return g if g.ndim == 3 else phi(g)

    _, found = judged(rmsprop(gated))
    assert found["effect/on"].status == "passed"
    assert found["scope/every-weight"].status == "failed"
    assert "conv1d" in found["scope/every-weight"].message


def test_convolutions_only_is_a_choice():
    report, found = judged(rmsprop(lambda g: phi(g) if g.ndim > 2 else g))
    assert found["scope/every-weight"].status == "passed"
    assert "GCC" in found["scope/every-weight"].message
    assert report.verdict == "conforms"


def swapped(g):
    return g if g.ndim < 2 else g - g.mean(axis=tuple(range(1, g.ndim)), keepdims=True)


def vectors_too(g):
    return g - g.mean(axis=tuple(range(g.ndim - 1)) or None, keepdims=True) if g.ndim else g


def vectors_erased(g):
    return phi(g) if g.ndim > 1 else 0 * g


@pytest.mark.parametrize(
    ("centralize", "check_id"),
    [
        (swapped, "scope/every-weight"),
        (vectors_too, "scope/vectors-untouched"),
        (vectors_erased, "scope/vectors-untouched"),
        (lambda g: (g + phi(g)) / 2, "law/shift-invariant"),
        (lambda g: phi(g) + 0 * g.sum() if g.ndim > 1 else g, "scope/slices-isolated"),
    ],
    ids=["swapped", "vectors-too", "vectors-erased", "half", "nan-leak"],
)
def test_a_wrong_port_is_caught(centralize, check_id):
    assert check_id in failed(rmsprop(centralize))


def over(axes):
    return lambda g: g if g.ndim < 2 else g - g.mean(axis=axes(g.ndim), keepdims=True)


SOME_AXES = {
    "the first": lambda n: (0,),
    "the channels": lambda n: (n - 2,),
    "the window": lambda n: tuple(range(n - 2)) or (0,),
    "all but one of the window": lambda n: tuple(i for i in range(n - 1) if i != 1) or (0,),
}


@pytest.mark.parametrize("axes", SOME_AXES.values(), ids=SOME_AXES)
def test_the_mean_over_some_input_axes_only(axes):
    """Such a port does not notice a shift of the whole mean either: it is blind to more."""
    _, found = judged(rmsprop(over(axes)))
    assert found["law/shift-invariant"].status == "passed"
    assert found["scope/every-weight"].status == "failed"
    assert "more than the mean over all inputs is removed" in found["scope/every-weight"].message


def test_who_moves_by_signs_alone_sees_a_ripple_too():
    def lion(w, g, state, h, t, name):
        m = state.setdefault(name, np.zeros_like(w))
        g = phi(g)
        move = np.sign(0.9 * m + 0.1 * g)
        state[name] = (0.99 * m + 0.01 * g).astype(w.dtype)
        return (w - h["lr"] * move).astype(w.dtype)

    for seed in range(4):
        report = check(numpy_port(trainer(lion)), max_examples=0, seed=seed)
        assert report.verdict == "conforms", report.to_text()


def test_a_learning_rate_that_enters_twice():
    _, found = judged(rmsprop(lr_power=2))
    assert found["step/base-law"].status == "failed"
    assert "the learning rate does not enter once" in found["step/base-law"].message


def test_a_learning_rate_that_does_not_enter():
    assert "step/base-law" in failed(rmsprop(lr_power=0))


def test_a_port_that_moves_matrices_otherwise_than_vectors_is_not_accused():
    """As AdamP, LAMB or Muon: the law that needs both is left out, and says so."""

    def by_shape(w, g, state, h, t, name):
        g = phi(g)
        if g.ndim > 1:
            g = g / (1 + np.abs(g).max())
        return w - h["lr"] * g / (np.abs(g) + 1)

    report, found = judged(trainer(by_shape))
    law = found["step/base-law"]
    assert law.status == "not-applicable"
    assert "--base" in law.message
    assert report.verdict in ("conforms", "deviates")
    assert found["scope/vectors-untouched"].status == "passed"


@pytest.mark.parametrize(
    "centralize",
    [
        lambda g: 2 * phi(g) if g.ndim > 1 else g,
        lambda g: phi(g) + g.dtype.type(1) if g.ndim > 1 else g,
    ],
    ids=["scaled", "offset"],
)
def test_what_only_a_base_can_show_is_said_to_be_unchecked(centralize):
    _, found = judged(rmsprop(centralize))
    assert found["step/base-law"].status == "not-applicable"
    assert "cannot be checked without --base or --algorithm" in found["step/base-law"].message
    base = numpy_port(rmsprop(identity))
    report = check(numpy_port(rmsprop(centralize), base=base), max_examples=0)
    assert "step/base-law" in {c.id for c in report.with_status("failed")}


def test_a_port_that_never_moves_is_not_free_of_means_but_idle():
    def idle(w, g, state, h, t, name):
        return w

    report, _ = judged(trainer(idle))
    assert report.verdict == "deviates"


def test_gc_until_the_second_step():
    def early(w, g, state, h, t, name):
        return w - h["lr"] * np.tanh(phi(g) if t < 3 else g)

    assert {"law/idempotent", "step/base-law"} <= failed(trainer(early))
