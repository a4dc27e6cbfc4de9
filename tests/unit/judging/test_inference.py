"""Conventions are inferred from what a port does, and requirements never are."""

import re
from dataclasses import replace

import numpy as np
import pytest
from _numpy_optimizers import adam, identity, phi, rmsprop, sgdm

from gc_ref._conformance.judging.judge import Judge
from gc_ref._conformance.judging.scope_inference import rules_followed
from gc_ref.conformance import check, numpy_port, operator_port


def judge(run, **options):
    return Judge(numpy_port(run, **options), seed=0, suite="quick", max_examples=0)


def values(run, **options):
    return judge(run, **options).specification.conventions.values


def said(specification, field):
    return specification.conventions.values.get(field)


@pytest.mark.parametrize(
    ("run", "momentum", "first"),
    [
        (sgdm(), "ema", "zero"),
        (sgdm(first="gradient"), "ema", "gradient"),
        (sgdm(dampening=0), "heavy-ball", None),  # m = g at first, either way
    ],
)
def test_forms_of_momentum(run, momentum, first):
    specification = judge(run, algorithm="sgdm").specification
    assert specification.mode == "sgdm"
    assert (said(specification, "momentum"), said(specification, "first_momentum")) == (
        momentum,
        first,
    )
    assert specification.conventions.sources["momentum"] == "inferred"


@pytest.mark.parametrize(
    ("run", "epsilon", "placement"),
    [
        (adam(), "outside", "gradient"),
        (adam(hat=True), "hat", "gradient"),
        (adam(on_update=True), "outside", "update"),
        (adam(hat=True, on_update=True), "hat", "update"),
    ],
)
def test_forms_of_adam(run, epsilon, placement):
    specification = judge(run, algorithm="adam").specification
    assert specification.mode == "adam"
    assert (said(specification, "epsilon"), said(specification, "placement")) == (
        epsilon,
        placement,
    )
    assert said(specification, "momentum") is None


@pytest.mark.parametrize(
    ("run", "decay", "placement"),
    [
        (sgdm(), "none", None),
        (sgdm(decoupled=True), "decoupled", None),
        (sgdm(decayed=lambda g, d: phi(g) + d), "l2", "gradient"),
        (sgdm(decayed=lambda g, d: phi(g + d)), "l2", "decayed-gradient"),
    ],
)
def test_where_sgdm_decays(run, decay, placement):
    specification = judge(run, algorithm="sgdm").specification
    assert (said(specification, "decay"), said(specification, "placement")) == (decay, placement)


@pytest.mark.parametrize(
    ("run", "decay", "placement"),
    [
        (adam(), "none", "gradient"),
        (adam(decoupled=True), "decoupled", "gradient"),
        (adam(l2="after"), "l2", "gradient"),
        (adam(l2="before"), "l2", "decayed-gradient"),
        (adam(l2="before", on_update=True), "l2", "update"),
    ],
)
def test_where_adam_decays(run, decay, placement):
    specification = judge(run, algorithm="adam").specification
    assert (said(specification, "decay"), said(specification, "placement")) == (decay, placement)


def test_what_cannot_be_told_apart_is_said():
    remarks = " ".join(judge(sgdm(dampening=0), algorithm="sgdm").specification.remarks)
    assert "heavy-ball and velocity are the same" in remarks
    inside = sgdm(decayed=lambda g, d: phi(g + d))
    assert "are the same under SGDM" in " ".join(
        judge(inside, algorithm="sgdm").specification.remarks
    )


@pytest.mark.parametrize(
    ("run", "mode", "form", "words"),
    [
        (sgdm(dampening=0), "sgdm", ("momentum", "heavy-ball"), "assumed Algorithm 1 (SGDM)"),
        (adam(hat=True), "adam", ("epsilon", "hat"), "assumed Algorithm 2 (Adam)"),
    ],
)
def test_what_was_assumed_is_said(run, mode, form, words):
    specification = judge(run).specification
    assert specification.mode == mode
    assert said(specification, form[0]) == form[1]
    assert any(r.startswith(words) for r in specification.remarks)
    assert not any("assumed" in r for r in judge(run, algorithm=mode).specification.remarks)


def test_hyperparameters_that_an_algorithm_needs_and_nobody_can_choose_are_named():
    port = numpy_port(adam(), algorithm="adam")
    poor = replace(port, takes=frozenset({"lr", "beta1"}), fixed={"beta2": 0.5})
    specification = Judge(poor, seed=0, suite="quick", max_examples=0).specification
    assert "assumed eps = 1e-08" in " ".join(specification.remarks)
    assert "beta" not in " ".join(specification.remarks)


def conv_only(g):
    return phi(g) if g.ndim > 2 else g


def keeps_single(g):
    return g if g.ndim > 1 and g.size == g.shape[-1] else phi(g)


@pytest.mark.parametrize(
    ("centralize", "want"),
    [
        (phi, {"scope": "all", "fan_in_one": "erase", "axes_rule": "by-rank"}),
        (keeps_single, {"scope": "all", "fan_in_one": "keep", "axes_rule": "by-rank"}),
        (conv_only, {"scope": "conv-only", "axes_rule": "by-rank"}),
    ],
)
@pytest.mark.parametrize(("maker", "algorithm"), [(sgdm, "sgdm"), (adam, "adam")])
def test_scope(maker, algorithm, centralize, want):
    found = values(maker(centralize), algorithm=algorithm)
    assert {k: found[k] for k in ("scope", "fan_in_one", "axes_rule") if k in found} == want


def test_what_is_out_of_scope_is_not_counted_among_what_is_held():
    report = check(numpy_port(sgdm(conv_only), algorithm="sgdm"), max_examples=0)
    [entry] = [c for c in report.checks if c.id == "scope/every-weight"]
    held, beside = map(int, re.findall(r"(\d+) (?:weights|out of scope)", entry.message))
    model = judge(sgdm(conv_only)).integers.parameters
    assert entry.status == "passed"
    assert held + beside == sum(p.value.ndim > 1 for p in model)
    assert held == sum(p.value.ndim > 2 for p in model)


@pytest.mark.parametrize(
    ("centralize", "want"),
    [
        (phi, {"layout": "output-last", "scope": "all", "fan_in_one": "erase"}),
        (keeps_single, {"layout": "output-last", "scope": "all", "fan_in_one": "keep"}),
    ],
)
def test_scope_of_an_operator(centralize, want):
    port = operator_port(centralize)
    specification = Judge(port, seed=0, suite="quick", max_examples=0).specification
    assert specification.mode == "operator"
    assert dict(specification.conventions.values) == want


def by_kind(case):
    """Φ over the true inputs of depthwise, embedding, transposed and attention weights."""
    outputs = {"depthwise": (2, 3), "embedding": (1,), "transposed": (2,), "attention-in": (1, 2)}
    axes = {p.name: outputs.get(p.kind, (len(p.shape) - 1,)) for p in case.parameters}
    weights = {p.name: np.array(p.value) for p in case.parameters}
    momenta = dict.fromkeys(weights, 0)
    steps = []
    for gradients in case.gradients:
        for k, w in weights.items():
            g = gradients[k]
            if g.ndim > 1:
                inputs = tuple(i for i in range(g.ndim) if i not in axes[k])
                g = g - g.mean(axis=inputs, keepdims=True)
            momenta[k] = w.dtype.type(case.hyperparameters["momentum"]) * momenta[k] + g
            weights[k] = np.asarray(w - w.dtype.type(case.hyperparameters["lr"]) * momenta[k])
        steps.append(dict(weights))
    return steps


def test_the_true_outputs_of_each_kind():
    assert values(by_kind, algorithm="sgdm")["axes_rule"] == "by-kind"


def test_rules_followed_by_each_weight():
    odd = sgdm(lambda g: g if g.ndim == 3 else phi(g) if g.ndim != 5 else 3 * g)
    one = judge(odd, algorithm="sgdm")
    found = rules_followed(one, one.specification)
    assert found["dense_1.kernel"] == "by-rank"
    assert found["conv1d_0.kernel"] == "none"
    assert found["conv3d_0.kernel"] is None
    assert "dense_1.bias" not in found


def test_the_layout_is_never_inferred():
    """The mistake that the kit is there to find: the mean over axis 0's complement."""

    def output_first(g):
        return g if g.ndim < 2 else g - g.mean(axis=tuple(range(1, g.ndim)), keepdims=True)

    for layout in ("output-last", "output-first"):
        found = values(sgdm(output_first), algorithm="sgdm", layout=layout)
        assert found["layout"] == layout


@pytest.mark.parametrize("centralize", [identity, lambda g: phi(g) + g.dtype.type(g.ndim > 1)])
def test_a_requirement_is_never_inferred_away(centralize):
    specification = judge(sgdm(centralize), algorithm="sgdm").specification
    assert said(specification, "scope") == "all"


@pytest.mark.parametrize(
    ("run", "declared"),
    [
        (sgdm(dampening=0), {"momentum": "ema"}),
        (sgdm(), {"momentum": "velocity"}),
        (sgdm(conv_only), {"scope": "all"}),
        (sgdm(), {"decay": "decoupled"}),
    ],
)
def test_what_is_declared_stays_though_the_port_does_otherwise(run, declared):
    specification = judge(run, algorithm="sgdm", conventions=declared).specification
    [(field, value)] = declared.items()
    assert said(specification, field) == value
    assert specification.conventions.sources[field] == "declared"


def test_velocity_is_taken_for_what_it_is_where_it_is_declared():
    one = judge(sgdm(dampening=0), algorithm="sgdm", conventions={"momentum": "velocity"})
    assert said(one.specification, "momentum") == "velocity"
    assert set(rules_followed(one, one.specification).values()) == {"by-rank"}


def test_an_optimizer_without_a_formula_is_unknown():
    specification = judge(rmsprop()).specification
    assert specification.mode == "unknown"
    assert dict(specification.conventions.values) == {"layout": "output-last"}


def test_a_first_step_without_bias_correction_is_held_to_adam():
    def uncorrected(case):
        weights = {p.name: np.array(p.value) for p in case.parameters}
        m, v = dict.fromkeys(weights, 0), dict.fromkeys(weights, 0)
        steps = []
        for gradients in case.gradients:
            for k, w in weights.items():
                h = {n: w.dtype.type(x) for n, x in case.hyperparameters.items()}
                g = phi(gradients[k])
                m[k] = h["beta1"] * m[k] + (1 - h["beta1"]) * g
                v[k] = h["beta2"] * v[k] + (1 - h["beta2"]) * g * g
                weights[k] = np.asarray(w - h["lr"] * m[k] / (np.sqrt(v[k]) + h["eps"]))
            steps.append(dict(weights))
        return steps

    specification = judge(uncorrected).specification
    assert specification.mode == "adam"
    assert any("without its bias correction" in r for r in specification.remarks)
