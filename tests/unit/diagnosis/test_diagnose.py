"""The diagnosis as a whole, of ports whose checks have failed or passed."""

from dataclasses import replace
from types import SimpleNamespace

import _numpy_optimizers as steps
import numpy as np
import pytest
from _reports import plain, sgdm, swapped

from gc_ref._conformance.catalogue.deviations import DEVIATIONS, Form
from gc_ref._conformance.catalogue.execution import training_loop
from gc_ref._conformance.catalogue.semantics import Semantics
from gc_ref._conformance.diagnosis.diagnose import (
    RAW_BASE,
    SEVERAL,
    UNKNOWN,
    UNKNOWN_BASE,
    diagnose,
)
from gc_ref._conformance.judging.judge import Judge
from gc_ref._conformance.wrong_ports.make import make_port
from gc_ref.conformance import numpy_port, operator_port, optax_port


def diagnosed(port, *failed, status="failed"):
    judge = Judge(port, seed=0, suite="quick", max_examples=0)
    return diagnose(judge, [SimpleNamespace(id=id, status=status, message="") for id in failed])


def wide_left_alone(g):
    """Of the weights tried, those of more than 512 inputs are those of more than 1,000 elements."""
    return g if g.size > 1000 and g.ndim == 2 and g.shape[0] > 512 else plain(g)


def lower_median_of_convolutions(g):
    """As torch.median has it: of two in the middle the smaller."""
    if g.ndim < 4:
        return g
    rows = np.sort(g.reshape(-1, g.shape[-1]), axis=0)
    return g - rows[(len(rows) - 1) // 2]


def clipped(g):
    return np.clip(plain(g), -5, 5).astype(g.dtype)


@pytest.mark.parametrize(
    ("operator", "identified", "ambiguous"),
    [
        (swapped, ("layout-swapped",), False),
        (wide_left_alone, ("shape-gated",), True),
        (lower_median_of_convolutions, ("not-the-mean", "rank-gated"), False),
        (clipped, (), False),
    ],
)
def test_a_field_says_that_several_semantics_explain_a_port(operator, identified, ambiguous):
    found = diagnosed(operator_port(operator), "value/exact")
    assert found.identified == identified
    assert found.ambiguous is ambiguous
    assert (found.words[0] == SEVERAL) is ambiguous
    assert len(found.words) > 2 or not ambiguous


def test_what_conforms_is_described():
    found = diagnosed(operator_port(plain))
    assert "the outputs on the last axis" in found.words[0]
    assert (found.identified, found.ambiguous) == ((), False)


def test_what_conforms_and_could_not_be_held_to_a_base_is_not_said_to_remove_the_mean():
    """A median ignores the mean of a gradient, too."""

    def step(w, g, state, h, t, name):
        if g.ndim > 1:
            g = g - np.median(g, axis=tuple(range(g.ndim - 1)), keepdims=True)
        state["v"] = state.get("v", 0) + abs(g)
        return w - h["lr"] * g / (1 + state["v"])

    judge = Judge(numpy_port(steps.trainer(step)), seed=0, suite="quick", max_examples=0)
    law = SimpleNamespace(id="step/base-law", status="not-applicable", message="")
    assert judge.specification.mode == "unknown"
    assert diagnose(judge, [law]).words[0].startswith("does not notice the mean")
    law.status = "passed"
    assert diagnose(judge, [law]).words[0].startswith("removes the mean")


@pytest.mark.parametrize("id", ["value/exact", "hygiene/shape"])
def test_a_port_that_could_not_be_judged_is_not_diagnosed(id):
    status = "error" if id == "value/exact" else "failed"
    assert diagnosed(operator_port(plain), id, status=status).words == ()


def test_right_but_for_a_failure_that_no_semantics_explains():
    [words] = diagnosed(operator_port(plain), "law/linear").words
    assert words.startswith(UNKNOWN)
    assert words.endswith("it fails law/linear")


def test_against_its_base_nothing_explains_a_port():
    base = numpy_port(sgdm(lambda g: g), name="base")
    port = numpy_port(sgdm(clipped), name="clipped", base=base)
    assert diagnosed(port, "step/base-law").words == (UNKNOWN_BASE,)


@pytest.mark.parametrize(("operator", "id"), [(swapped, "layout-swapped"), (abs, "")])
def test_against_its_base_a_known_deviation_is_named(operator, id):
    base = numpy_port(sgdm(lambda g: g), name="base")
    found = diagnosed(numpy_port(sgdm(operator), name="port", base=base), "step/base-law")
    assert found.identified == ((id,) if id else ())


def small_steps(centralize):
    """Steps far below the weights: another Φ changes little beside those."""

    def step(w, g, state, h, t, name):
        del state, t, name
        return w - w.dtype.type(h["lr"] * 2e-6) * centralize(g)

    return steps.trainer(step)


@pytest.mark.parametrize(
    ("operator", "identified"), [(swapped, ("layout-swapped",)), (steps.identity, ("not-applied",))]
)
def test_steps_that_are_small_beside_the_weights_name_nothing_else(operator, identified):
    port = numpy_port(small_steps(operator), base=numpy_port(small_steps(steps.identity)))
    assert diagnosed(port, "step/base-law").identified == identified


def test_a_port_that_is_its_base_is_compared_with_it_and_not_said_to_leave_the_gradient():
    base = numpy_port(steps.rmsprop(lambda g: g / 2), name="base")
    found = diagnosed(numpy_port(steps.rmsprop(lambda g: g / 2), base=base), "step/base-law")
    assert found.identified == ("not-applied",)
    assert found.words[0].startswith(RAW_BASE)


def cut_to_norm(g, w):
    del w
    return g / np.maximum(np.sqrt((g * g).sum()), g.dtype.type(1))


def cut_adaptively(g, w):
    """The weights' norms, as published code takes them of one to five dimensions."""
    axes = None if g.ndim < 2 else (0,) if g.ndim == 3 else tuple(range(g.ndim - 1))
    norm, most = (np.sqrt((x * x).sum(axis=axes, keepdims=g.ndim > 1)) for x in (g, w))
    most = np.maximum(most, 1e-3) / 100
    return np.where(norm > most, g * most / np.maximum(norm, 1e-6), g).astype(g.dtype)


@pytest.mark.parametrize(
    ("cut", "base_clips"), [(cut_to_norm, True), (cut_to_norm, False), (cut_adaptively, False)]
)
def test_against_its_base_a_clipping_before_phi_is_named(cut, base_clips):
    """Where the base clips too, only the order of the two is another."""

    def clipping(centralize, clips):
        def step(w, g, state, h, t, name):
            del t, name
            g = centralize(cut(g, w) if clips else g)
            state["v"] = state.get("v", 0) + abs(g)
            return np.asarray(w - h["lr"] * g / (1 + state["v"]), w.dtype)

        return steps.trainer(step)

    base = numpy_port(clipping(steps.identity, base_clips), name="base")
    port = numpy_port(clipping(steps.phi, True), base=base)
    assert diagnosed(port, "step/base-law").identified == ("clipped-first",)


@pytest.mark.parametrize("placement", ["decayed-update", "update"])
def test_a_distorted_decay_is_named_inside_of_phi_too(placement):
    conventions = {"decay": "decoupled", "placement": placement}
    semantics = Semantics(mistake="decay-distorted", algorithm="adam", conventions=conventions)
    found = diagnosed(make_port(Form("", semantics), "numpy", name="port"), "step/adam")
    assert found.identified == ("decay-distorted",)
    assert ("inside of Φ" in found.words[0]) is (placement == "decayed-update")


def rectified(*, in_place, on_update=True, centralize=steps.phi, scale=1):
    """RAdam in short: the direction is the moment itself, and from step 8 on another array."""

    def step(w, g, state, h, t, name):
        del name
        m = state["m"] = (state.get("m", 0) + g) / 2
        v = state["v"] = (3 * state.get("v", 0) + g * g) / 4
        found = m if t < 8 else m / (np.sqrt(v) + 1)
        if on_update and g.ndim > 1:
            found = scale * centralize(found)
            if in_place and t < 8:
                state["m"] = found
        return np.asarray(w - h["lr"] * found, w.dtype)

    return steps.trainer(step)


@pytest.mark.parametrize(
    ("options", "identified"),
    [
        ({"in_place": True}, ("moment-centralized",)),
        ({"in_place": False, "scale": 2}, ()),  # Φ of the update, wrong otherwise
        ({"in_place": False, "scale": 0.5}, ()),
        ({"in_place": True, "centralize": lambda g: g / 2}, ()),
    ],
)
def test_against_its_base_a_moment_that_is_centralized_in_place_is_named(options, identified):
    base = numpy_port(rectified(in_place=False, on_update=False), name="base")
    port = numpy_port(rectified(**options), base=base)
    assert diagnosed(port, "step/base-law").identified == identified


def test_what_a_check_shows_is_named_though_the_search_breaks_off():
    def run(case):
        if case.id == "telling":
            raise ValueError("not this one")
        return steps.sgdm()(case)

    port = numpy_port(run, algorithm="sgdm")
    port = replace(port, off=numpy_port(run), switch="use_gc=False")
    found = diagnosed(port, "effect/off")
    assert found.identified == ("flag-ignored",)
    assert "not this one" in found.words[-1]


DECAYED = steps.sgdm(decayed=lambda g, decay: steps.phi(g + decay))


@pytest.mark.parametrize(
    ("declared", "said"),
    [
        ({"placement": "gradient"}, "without that, placement = decayed-gradient is inferred: "),
        ({"placement": "decayed-gradient", "momentum": "heavy-ball"}, "momentum = ema is inferred"),
    ],
)
def test_what_was_declared_wrongly_is_told(declared, said):
    port = numpy_port(DECAYED, algorithm="sgdm", conventions=declared)
    first, *others = diagnosed(port, "step/sgdm").words
    assert first == "no known semantics with what was declared reproduces this port"
    assert [said in words for words in others] == [True]


def test_an_algorithm_that_was_declared_wrongly_is_told():
    words = diagnosed(numpy_port(steps.sgdm(), algorithm="adam"), "step/adam").words
    assert words[1:] == (
        "it was held to Algorithm 2 (Adam); without that, Algorithm 1 (SGDM) is inferred",
    )


def test_right_declarations_explain_no_failure():
    port = numpy_port(DECAYED, algorithm="sgdm", conventions={"placement": "decayed-gradient"})
    [words] = diagnosed(port, "law/linear").words
    assert words.startswith(UNKNOWN)


class Beta(float):
    """A beta whose power is taken in float32, as optax does, and 1 - beta^t with it."""

    def __pow__(self, t):
        return np.float32(self) ** np.float32(t)


def constants_of_its_own(semantics):
    """Adam that lets nobody choose its constants."""
    constants = {"beta1": Beta(0.9), "beta2": Beta(0.999), "eps": 1e-8, "weight_decay": 0.0}
    train = training_loop(replace(semantics, algorithm="adam", conventions={}), "output-last")

    def run(case):
        chosen = {"lr": case.hyperparameters["lr"], **constants}
        return train(replace(case, hyperparameters=chosen))

    port = numpy_port(run, name="adam", algorithm="adam")
    return replace(port, takes=frozenset({"lr"}))


@pytest.mark.parametrize(
    "id", ["not-applied", "layout-swapped", "whole-tensor", "vectors-too", "second-moment-raw"]
)
def test_adam_with_constants_of_its_own_is_named(id):
    """With beta2 = 0.999 the rounding of 1 - beta2 in float32 is thousands of roundings."""
    found = diagnosed(constants_of_its_own(DEVIATIONS[id].forms[0].semantics), "value/exact")
    assert found.identified == (id,)


@pytest.mark.optax
@pytest.mark.parametrize(("centralized", "id"), [(False, "not-applied"), (True, "layout-swapped")])
def test_optax_with_its_own_constants_is_named(centralized, id):
    import optax

    def adam(learning_rate):
        first = optax.centralize() if centralized else optax.identity()
        return optax.chain(first, optax.adam(learning_rate))

    assert diagnosed(optax_port(adam, algorithm="adam"), "value/exact").identified == (id,)


def test_what_hides_the_size_of_phi_is_told_of_a_port_without_a_name():
    port = constants_of_its_own(Semantics())

    def run(case):
        seen = port.run(case)
        return replace(seen, steps=[{k: 1.5 * w for k, w in step.items()} for step in seen.steps])

    found = diagnosed(replace(port, run=run), "value/exact")
    assert found.identified == ()
    assert "gc-ref cannot choose beta1, beta2, eps of this port" in found.words[-1]
