"""What rounding may do to an optimizer, measured on it; and which parameters show what was done."""

from dataclasses import replace

import numpy as np
import pytest
from _numpy_optimizers import identity, phi, rmsprop, sign_momentum, trainer

from gc_ref._conformance.catalogue.checks import CHECKS
from gc_ref._conformance.judging.base_decay import compare_with_decay
from gc_ref._conformance.judging.base_law import allowance, compared
from gc_ref._conformance.judging.base_law import phi as exact_phi
from gc_ref._conformance.judging.judge import Judge
from gc_ref._conformance.judging.matching import match
from gc_ref._conformance.judging.response import coupling, roundings
from gc_ref._conformance.judging.telling import telling
from gc_ref._conformance.running.judge_port import outcome_of
from gc_ref.conformance import check, numpy_port


def judge(run, base, **options):
    port = numpy_port(run, name="port", base=numpy_port(base, name="base"), **options)
    return Judge(port, seed=0, suite="quick", max_examples=0)


def outcome(trial, check_id):
    return outcome_of(trial, CHECKS[check_id])


def stepping(direction):
    return trainer(lambda w, g, state, h, t, name: w - h["lr"] * direction(g, h, t))


def normalized(g, h, t):
    return g / (np.sqrt((g * g).sum()) + g.dtype.type(1e-30))


def clipped(case):
    norm = np.sqrt(sum(float((g**2).sum()) for g in case.gradients[0].values()))
    gradients = tuple({k: g / g.dtype.type(norm) for k, g in s.items()} for s in case.gradients)
    return rmsprop(identity)(replace(case, gradients=gradients))


@pytest.mark.parametrize(
    ("base", "found"),
    [(rmsprop(identity), "none"), (stepping(normalized), "parameter"), (clipped, "tree")],
    ids=["none", "parameter", "tree"],
)
def test_what_an_element_acts_on_is_found_out(base, found):
    trial = judge(rmsprop(), base)
    assert coupling(trial, by_base=True) == found
    [p, *_] = trial.small.parameters
    alone = compared(trial, trial.small, p)
    assert len(alone.parameters) == (1 if found == "tree" else len(trial.small.parameters))


def test_the_answer_to_an_error_is_what_the_formula_says():
    """SGD moves by lr times an error of its gradient, at each step: by t lr τ at most."""
    trial = judge(stepping(lambda g, h, t: phi(g)), stepping(lambda g, h, t: g))
    case = trial.integers
    p = max(case.parameters, key=lambda p: p.value.size * (p.kind == "dense"))
    allowed = allowance(trial, case, p, "by-rank", "gradient")
    tau = sum(np.abs(g[p.name]).max() for g in case.gradients) * 2.0**-24 * 3 * 1024
    first, *_, last = (float(a.max()) for a in allowed)
    assert 0 < first < last < 4 * tau  # a bound, and no wild one


def test_a_sign_that_may_turn_is_granted_and_no_other():
    trial = judge(sign_momentum(), sign_momentum(identity))
    [p] = (p for p in trial.integers.parameters if p.layer == "dense_3")
    allowed = allowance(trial, trial.integers, p, "by-rank", "gradient")
    lr = trial.integers.hyperparameters["lr"]
    assert float(allowed[0].max()) < lr / 8  # |Φ(g)| is 1 at least: no sign turns


def test_roundings_add_up():
    steps = [np.array([1.0]), np.array([1.0]), np.array([np.nan])]
    first, second, third = roundings(np.array([0.0]), steps, 2.0**-24)
    assert 0 < first < second == third


def test_a_parameter_that_never_moves_or_is_not_finite_shows_nothing():
    def base(w, g, state, h, t, name):
        if name == "dense_1.kernel":
            return w
        return w * np.nan if name == "dense_2.kernel" else w - h["lr"] * g

    def port(w, g, state, h, t, name):
        return base(w, phi(g), state, h, t, name)

    trial = judge(trainer(port), trainer(base))
    shown = {p.name: telling(trial, p) is not None for p in trial.integers.parameters}
    assert {name for name, told in shown.items() if not told} == {
        "dense_1.kernel", "dense_2.kernel",
    }  # fmt: skip
    assert "2 more say nothing" in outcome(trial, "scope/every-weight").message
    assert "2 of 26 parameters show nothing" in outcome(trial, "step/base-law").message
    assert "of 18 weights; 2 more" in outcome(trial, "effect/on").message


@pytest.mark.parametrize("lost", [np.nan, np.inf])
def test_what_is_not_finite_inside_phi_is_handed_on(lost):
    grad = np.array([[1, lost, 2], [3, 4, 5]], np.float32)
    for dtype in ("float32", "bfloat16", "float16", "float64"):
        found = exact_phi(grad, (0,), dtype)
        assert not np.any(np.isfinite(found[0]))
        assert found[1].tolist() == [-1, 0, 1]


def test_a_port_that_decay_makes_nan_deviates():
    def base(w, g, state, h, t, name):
        return w - h["lr"] * (g + h.get("weight_decay", 0) * w)

    def lost(w, g, state, h, t, name):
        decay = h.get("weight_decay", 0) * w
        return w * np.nan if np.any(decay) else w - h["lr"] * phi(g + decay)

    trial = judge(trainer(lost), trainer(base), conventions={"placement": "decayed-gradient"})
    assert outcome(trial, "step/base-law").status == "failed"


def test_moves_that_are_lost_beside_the_weights_show_from_zero():
    def tiny(centralize):
        return stepping(lambda g, h, t: g.dtype.type(1e-12) * centralize(g))

    trial = judge(tiny(phi), tiny(identity))
    [p] = (p for p in trial.integers.parameters if p.name == "dense_1.kernel")
    case, same = telling(trial, p)
    assert not np.any(same.value)
    assert case.id == "integers-from-zero"
    assert outcome(judge(tiny(identity), tiny(identity)), "effect/on").status == "failed"


def test_where_nothing_moves_nothing_is_said():
    def resting(w, g, state, h, t, name):
        return w

    report = check(judge(trainer(resting), trainer(resting)).port, max_examples=0)
    found = {c.id: c.status for c in report.checks}
    assert report.verdict == "deviates"
    assert found["effect/on"] == found["scope/every-weight"] == "indeterminate"
    assert found["step/base-law"] == "indeterminate"


# ---- weight decay


def adamw(*, centralize=identity, inside=False, vectors=1.0, twice=False):
    def step(w, g, state, h, t, name):
        move = g / (np.abs(g) + 1)
        decay = h.get("weight_decay", 0) * w * (vectors if w.ndim < 2 else 1 + twice)
        move = centralize(move + decay) if inside else centralize(move) + decay
        return w - h["lr"] * move

    return trainer(step)


def sgd_on_update(w, g, state, h, t, name):
    return w - h["lr"] * phi(g + h.get("weight_decay", 0) * w)


@pytest.mark.parametrize(
    ("port", "right"),
    [
        (adamw(centralize=phi), True),
        (adamw(centralize=phi, inside=True), True),
        (adamw(centralize=phi, vectors=0.0), True),
        (adamw(centralize=phi, twice=True), False),
        (adamw(centralize=phi, vectors=-1.0), False),
    ],
    ids=["beside", "inside", "vectors-undecayed", "twice", "vectors-grow"],
)
def test_decay_where_phi_acts_on_the_update(port, right):
    trial = judge(port, adamw(), conventions={"placement": "update"})
    case = trial.decayed
    found = [
        match(trial, case, p, trial.specification.rule(p), trial.specification)
        for p in case.parameters
    ]
    assert all(m.within for m in found) == right


def test_vectors_that_decay_though_those_of_the_base_do_not():
    trial = judge(adamw(), adamw(vectors=0.0))
    [p, *_] = (p for p in trial.decayed.parameters if len(p.shape) < 2)
    held = compare_with_decay(trial, trial.decayed, p, "none", "gradient")
    assert all(c.within for c in held)
