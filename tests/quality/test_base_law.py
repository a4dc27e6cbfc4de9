"""Rounding accuses no port that is held to its base, or to nothing; what is wrong is caught."""

import numpy as np
import pytest

from gc_ref.conformance import numpy_port

from .judging import check


def by_rows(function):
    """Make an operator on weights of any shape, outputs last, of one on (outputs, inputs)."""

    def operator(g):
        if g.ndim < 2:
            return g
        return function(g.reshape(-1, g.shape[-1]).T).T.reshape(g.shape)

    operator.__name__ = function.__name__
    return operator


@by_rows
def plain(rows):
    return rows - rows.mean(axis=1, keepdims=True)


@by_rows
def equation_2(rows):
    n = rows.shape[1]
    e = np.ones(n, rows.dtype) / np.sqrt(rows.dtype.type(n))
    return rows - (rows @ e)[:, None] * e


@by_rows
def welford(rows):
    mean = rows[:, 0]
    for k in range(1, rows.shape[1]):
        mean = mean + (rows[:, k] - mean) / rows.dtype.type(k + 1)
    return rows - mean[:, None]


@by_rows
def a_thousandth_left(rows):
    return rows - rows.mean(axis=1, keepdims=True) * rows.dtype.type(0.999)


@by_rows
def half_precision_mean(rows):
    return rows - rows.mean(axis=1, keepdims=True).astype(np.float16).astype(rows.dtype)


@by_rows
def means_below_one_kept(rows):
    mean = rows.mean(axis=1, keepdims=True)
    return rows - np.where(np.abs(mean) < 1, 0 * mean, mean)


def sgd(g, state, lr):
    state["m"] = g.dtype.type(0.5) * state.get("m", 0) + g
    return lr * state["m"]


def rmsprop(g, state, lr):
    half = g.dtype.type(0.5)
    state["v"] = half * state.get("v", 0) + half * g * g
    return lr * g / (np.sqrt(state["v"]) + g.dtype.type(1e-8))


def cancelling(g, state, lr):
    """As MSVAG: what is left of v - m², magnified, decides how far a weight moves."""
    half = g.dtype.type(0.5)
    state["m"] = half * state.get("m", 0) + half * g
    state["v"] = half * state.get("v", 0) + half * g * g
    state["t"] = state.get("t", 0) + 1
    share = 1 - g.dtype.type(0.5) ** state["t"]
    m, v = state["m"] / share, state["v"] / share
    spread = np.maximum((v - m * m) * g.dtype.type(1e4), 0)
    return lr * m * m * m / (m * m + spread + g.dtype.type(1e-30))


def normalized(g, state, lr):
    """Couples the elements of a parameter: a step of length lr."""
    return lr * g / (np.sqrt((g * g).sum()) + g.dtype.type(1e-30))


def clipped(gradients):
    """Couples the whole tree: clips by the global norm."""
    norm = np.sqrt(sum(float((g.astype(np.float64) ** 2).sum()) for g in gradients.values()))
    return {k: (g / max(norm, 1.0)).astype(g.dtype) for k, g in gradients.items()}


def trained(direction, centralize=None, *, couple=None, every=1):
    """Make ``run(case)``: weights less the direction of Φ(g), centralized every so many steps."""

    def run(case):
        weights = {p.name: np.array(p.value) for p in case.parameters}
        states = {name: {} for name in weights}
        steps = []
        for number, gradients in enumerate(case.gradients):
            seen = dict(gradients)
            if centralize and number % every == 0:
                seen = {name: centralize(g) for name, g in seen.items()}
            if couple:
                seen = couple(seen)
            for name, g in seen.items():
                lr = g.dtype.type(case.hyperparameters["lr"])
                weights[name] = np.asarray(weights[name] - direction(g, states[name], lr), g.dtype)
            steps.append(dict(weights))
        return steps

    return run


def report(direction, centralize, *, with_base=True, couple=None, every=1):
    base = numpy_port(trained(direction, couple=couple), name="base") if with_base else None
    port = trained(direction, centralize, couple=couple, every=every)
    return check(numpy_port(port, name="port", base=base), max_examples=0)


BASES = {"sgd": sgd, "rmsprop": rmsprop, "cancelling": cancelling, "normalized": normalized}


@pytest.mark.parametrize("base", BASES.values(), ids=BASES)
@pytest.mark.parametrize("centralize", [equation_2, welford])
def test_a_rounding_of_phi_accuses_nobody(base, centralize):
    found = report(base, centralize)
    assert found.verdict == "conforms", found.to_text()


def test_nor_where_no_base_is_named():
    found = report(rmsprop, welford, with_base=False)
    assert found.verdict == "conforms", found.to_text()


@pytest.mark.parametrize("base", [cancelling, normalized])
def test_a_mean_that_is_left_is_caught(base):
    assert report(base, a_thousandth_left).verdict == "deviates"


def test_a_mean_in_half_precision_is_caught_where_no_base_is_named():
    assert report(rmsprop, half_precision_mean, with_base=False).verdict == "deviates"


def test_every_second_step_only():
    assert report(cancelling, plain, every=2).verdict == "deviates"


def unless(centralize, left_alone):
    return lambda g: g if left_alone(g) else centralize(g)


@pytest.mark.parametrize(
    ("centralize", "scope", "fan_in_one"),
    [
        (unless(plain, lambda g: g.ndim < 3), "conv-only", None),
        (unless(plain, lambda g: g.ndim > 1 and g[..., 0].size == 1), "all", "keep"),
    ],
    ids=["conv-only", "keep"],
)
def test_a_clip_by_the_global_norm_hides_no_convention(centralize, scope, fan_in_one):
    found = report(sgd, centralize, couple=clipped)
    assert found.verdict == "conforms", found.to_text()
    assert found.conventions["scope"]["value"] == scope
    if fan_in_one:
        assert found.conventions["fan_in_one"]["value"] == fan_in_one
    [law] = (c for c in found.checks if c.id == "step/base-law")
    assert "couples its parameters" in law.message


def test_a_clip_by_the_global_norm_hides_no_mistake():
    found = report(sgd, means_below_one_kept, couple=clipped)
    assert "step/base-law" in {c.id for c in found.with_status("failed")}
    swallowed = report(sgd, None, couple=clipped)
    assert {c.id for c in swallowed.with_status("failed")} >= {"effect/on", "scope/every-weight"}
    [vectors] = (c for c in swallowed.checks if c.id == "scope/vectors-untouched")
    assert vectors.status == "passed"
