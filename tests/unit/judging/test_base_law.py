"""The base law: a port is its base optimizer fed with Φ(g), whatever the optimizer."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from _numpy_optimizers import identity, phi, rmsprop, sgdm, sign_momentum, trainer

from gc_ref._conformance.judging.base_law import base_couples, compare_arrays, compare_to_base
from gc_ref._conformance.judging.base_law import phi as exact_phi
from gc_ref._conformance.judging.judge import Judge
from gc_ref._conformance.judging.own_centering import base_centralizes
from gc_ref.conformance import check, numpy_port

BASE = numpy_port(rmsprop(identity), name="base")


def judged(run, base=BASE, **options):
    report = check(numpy_port(run, name="port", base=base, **options), max_examples=0)
    return report, {c.id: c for c in report.checks}


def status(run, base=BASE, **options):
    return judged(run, base, **options)[1]["step/base-law"].status


def test_exact_phi_is_rounded_once_to_the_dtype():
    g = np.array([[1.0], [0.0], [0.0]], np.float32)  # mean ⅓
    found = exact_phi(g, (1,), "float32")
    assert found.dtype == np.float32
    assert found.ravel().tolist() == [np.float32(2 / 3), np.float32(-1 / 3), np.float32(-1 / 3)]
    half = exact_phi(g, (1,), "bfloat16")
    assert half.ravel().tolist() == [171 / 256, -171 / 512, -171 / 512]  # 8 bits of ⅔ and ⅓
    assert exact_phi(g, None, "float32") is g


def rounded_once(g):
    """Φ(g) in float64, rounded to the dtype of g: what the exact witness gives as well."""
    return phi(g.astype(np.float64)).astype(g.dtype)


def test_a_port_that_is_built_on_its_base_agrees_bit_for_bit():
    report, found = judged(rmsprop(rounded_once))
    assert report.verdict == "conforms", report.to_text()
    law = found["step/base-law"]
    assert law.status == "passed"
    assert "bit for bit in float32" in law.message


def test_the_sign_of_an_average_needs_no_formula_either():
    base = numpy_port(sign_momentum(identity), name="base")
    assert status(sign_momentum(rounded_once), base) == "passed"
    assert status(sign_momentum(identity), base) == "failed"


def test_a_port_that_writes_its_base_anew_rounds_otherwise_and_passes():
    def rewritten(w, g, state, h, t, name):
        g = phi(g)
        state["v"] = state.get("v", 0) + (g * g - state.get("v", 0)) / 2
        return w - (h["lr"] * g) * (1 / (np.sqrt(state["v"]) + 1))

    law = judged(trainer(rewritten))[1]["step/base-law"]
    assert law.status == "passed"
    assert law.ratio is not None
    assert 0 < law.ratio < 1
    assert "bit for bit" not in law.message


def test_placement_on_the_update_is_seen():
    report, found = judged(rmsprop(on_update=True))
    assert report.verdict == "conforms", report.to_text()
    assert report.conventions["placement"] == {"value": "update", "source": "inferred"}
    assert found["step/constraint"].status == "passed"  # then it holds for any optimizer


def half_phi(g):
    return (g + phi(g)) / 2


def vectors_too(g):
    return g - g.mean(axis=tuple(range(g.ndim - 1)) or None, keepdims=True) if g.ndim else g


@pytest.mark.parametrize(
    "wrong",
    [
        rmsprop(identity),
        rmsprop(half_phi),
        rmsprop(vectors_too),
        rmsprop(lambda g: phi(g) if g.ndim != 3 else g),
        rmsprop(lr_power=2),
        sgdm(),  # the base was dropped
    ],
    ids=["identity", "half", "vectors", "misses-conv1d", "lr-twice", "base-dropped"],
)
def test_a_wrong_port_breaks_the_law(wrong):
    report, found = judged(wrong)
    law = found["step/base-law"]
    assert report.verdict == "deviates"
    assert law.status == "failed"
    assert law.ratio > 1
    assert law.counterexample["expected"] != law.counterexample["got"]
    assert "do not move as under the base optimizer" in law.message


def test_later_steps_count_too():
    def from_the_third_step(w, g, state, h, t, name):
        centralized = phi(g) if t > 2 else g
        return w - h["lr"] * centralized

    def first_two_steps(w, g, state, h, t, name):
        centralized = phi(g) if t < 3 else g
        return w - h["lr"] * centralized

    def plain(w, g, state, h, t, name):
        return w - h["lr"] * g

    base = numpy_port(trainer(plain), name="base")
    for wrong in (from_the_third_step, first_two_steps):
        assert status(trainer(wrong), base) == "failed"


def test_a_base_that_centralizes_by_itself_is_refused():
    report, found = judged(rmsprop(), numpy_port(rmsprop(), name="base"))
    assert report.verdict == "deviates"
    assert found["effect/off"].status == "failed"
    assert "centralizes by itself" in found["effect/off"].message


@pytest.mark.parametrize("seed", [0, 5])
@pytest.mark.parametrize("rate", [1e-8, 1.25e-8, 1e-7])
@pytest.mark.parametrize("direction", [lambda m: m / (np.abs(m).max(initial=0) + 1), np.sign])
def test_steps_of_about_the_spacing_of_the_weights_show_no_centralization(direction, rate, seed):
    """As of DAdaptation and Prodigy, which begin with a rate of 1e-6: rounding makes them alike."""

    def crawl(w, g, state, h, t, name):
        state["m"] = state.get("m", 0) + g
        return w - w.dtype.type(rate) * direction(state["m"])

    base = numpy_port(trainer(crawl), name="base")
    port = numpy_port(trainer(crawl), name="port", base=base)
    assert not base_centralizes(Judge(port, seed=seed, suite="quick", max_examples=0))


def by_global_norm(centralize):
    """Clipping by the norm of the whole model: one parameter acts on all others."""

    def run(case):
        weights = {p.name: np.array(p.value) for p in case.parameters}
        steps = []
        for gradients in case.gradients:
            fed = {k: centralize(g).astype(np.float64) for k, g in gradients.items()}
            norm = np.sqrt(sum(float((g * g).sum()) for g in fed.values()))
            lr = case.hyperparameters["lr"] / max(norm, 1.0)
            weights = {k: (w - lr * fed[k]).astype(w.dtype) for k, w in weights.items()}
            steps.append(weights)
        return steps

    return run


def test_a_base_that_couples_its_parameters():
    base = numpy_port(by_global_norm(identity), name="base")
    port = numpy_port(by_global_norm(phi), name="port", base=base)
    assert base_couples(Judge(port, seed=0, suite="quick", max_examples=0))
    plain = numpy_port(rmsprop(), name="port", base=BASE)
    assert not base_couples(Judge(plain, seed=0, suite="quick", max_examples=0))
    report = check(port, max_examples=0)
    found = {c.id: c for c in report.checks}
    assert report.verdict == "conforms", report.to_text()
    assert "couples its parameters" in found["step/base-law"].message
    for isolated in ("scope/slices-isolated", "scope/parameters-isolated"):
        assert found[isolated].status == "not-applicable"
        assert "couples" in found[isolated].message


def test_without_a_base_the_law_is_not_applicable_to_a_known_algorithm():
    [law] = [
        c
        for c in check(numpy_port(sgdm(), algorithm="sgdm"), max_examples=0).checks
        if c.id == "step/base-law"
    ]
    assert law.status == "not-applicable"
    assert "--base" in law.message


def test_compare_arrays():
    want = np.array([1.0, 2.0])
    tau = np.array([0.5, 0.25])
    found = compare_arrays(np.array([1.25, 2.125]), want, tau, "float32")
    assert (found.ratio, found.position, found.inexact) == (0.5, 0, 2)
    found = compare_arrays(np.array([1.0, 1.0]), want, tau, "float32")
    assert (found.ratio, found.position, found.got) == (4.0, 1, 1.0)
    assert found.expected == Fraction(2)
    assert found.ulps == 2.0**22  # float32 is spaced 2⁻²² at 2


def test_compare_arrays_and_nan():
    nan, tau = np.array([np.nan]), np.array([1.0])
    assert compare_arrays(nan, nan, tau, "float32").within  # the base has it there, too
    assert not compare_arrays(nan, np.array([1.0]), tau, "float32").within
    assert not compare_arrays(np.array([1.0]), nan, tau, "float32").within
    assert not compare_arrays(np.array([np.inf]), np.array([1.0]), tau, "float32").within
    assert compare_arrays(np.zeros(0), np.zeros(0), np.zeros(0), "float32").within


@pytest.mark.parametrize("fan_in", [64, 1024])
def test_gradients_that_are_small_beside_the_decay_inside_phi_accuse_no_right_port(fan_in):
    def descent(centralize):
        def step(w, g, state, h, t, name):
            return w - 16 * h["lr"] * centralize(g + h.get("weight_decay", 0) * w)

        return trainer(step)

    port = numpy_port(descent(phi), base=numpy_port(descent(identity)))
    trial = Judge(port, seed=0, suite="quick", max_examples=0)
    rng = np.random.default_rng(0)
    weight = (96 + rng.integers(0, 4, (fan_in, 3))).astype(np.float32)
    p = replace(trial.decayed.parameters[0], value=weight)
    gradients = tuple(
        {p.name: (rng.normal(size=weight.shape) * 2.0**-20).astype(np.float32)} for _ in range(2)
    )
    case = replace(trial.decayed, id="small", parameters=(p,), gradients=gradients)
    found = compare_to_base(trial, case, p, "by-rank", "decayed-gradient")
    assert all(c.within for c in found), [c.ratio for c in found]
    wrong = compare_to_base(trial, case, p, "by-rank", "gradient")
    assert not any(c.within for c in wrong)
