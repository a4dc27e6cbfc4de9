"""Nothing is inferred that explains nothing: it is not settled, and the nearest is shown."""

import numpy as np
import pytest
from _numpy_optimizers import adam, identity, phi, sgdm, trainer

from gc_ref._conformance.judging.judge import Judge
from gc_ref._conformance.judging.scope_inference import rules_followed
from gc_ref._conformance.judging.shared_results import Known
from gc_ref.conformance import keras_port, numpy_port, operator_port, torch_port

KNOWN = Known()


def specification(port):
    return Judge(port, seed=0, suite="quick", max_examples=0, known=KNOWN).specification


def output_first(g):
    return g if g.ndim < 2 else g - g.mean(axis=tuple(range(1, g.ndim)), keepdims=True)


def median(g):
    return g if g.ndim < 2 else g - np.median(g, axis=tuple(range(g.ndim - 1)), keepdims=True)


def twice(g):
    return 2 * phi(g) if g.ndim > 1 else g


WRONG = pytest.mark.parametrize("wrong", [output_first, median, twice])


def settled(port):
    found = specification(port).conventions.to_json()
    return {field: entry["value"] for field, entry in found.items() if field != "layout"}


@WRONG
def test_what_vectors_tell_is_settled_and_nothing_else(wrong):
    found = settled(numpy_port(sgdm(wrong, dampening=0), algorithm="sgdm"))
    assert found["momentum"] == "heavy-ball"
    assert "axes_rule" not in found
    found = settled(numpy_port(adam(wrong, hat=True), algorithm="adam"))
    assert found["epsilon"] == "hat"
    assert "placement" not in found


@WRONG
@pytest.mark.parametrize(
    ("run", "decay"),
    [
        (lambda c: sgdm(c), "none"),
        (lambda c: sgdm(c, decoupled=True), "decoupled"),
        (lambda c: sgdm(decayed=lambda g, d: c(g) + d), "l2"),
    ],
    ids=["none", "decoupled", "l2"],
)
def test_vectors_tell_how_a_port_decays(wrong, run, decay):
    assert settled(numpy_port(run(wrong), algorithm="sgdm"))["decay"] == decay


def test_a_decay_that_no_reading_explains():
    def step(w, g, state, h, t, name):
        del state, t, name
        decay = h["lr"] * h["weight_decay"] ** 2 * w if g.ndim > 1 else 0
        return w - h["lr"] * output_first(g) * (1 - h["momentum"]) - decay

    held_to = specification(numpy_port(trainer(step), algorithm="sgdm"))
    assert "decay" not in held_to.conventions.to_json()
    [said] = [r for r in held_to.remarks if r.startswith("not settled")]
    assert f"decay (nearest: {held_to.conventions.values['decay']})" in said


def test_a_wrong_sgd_of_keras_decays_as_keras_does():
    keras = pytest.importorskip("keras")

    class Swapped(keras.optimizers.SGD):
        def apply(self, grads, variables=None):
            axes = [tuple(range(1, len(g.shape))) for g in grads]
            pairs = zip(grads, axes, strict=True)
            super().apply(
                [g - keras.ops.mean(g, a, keepdims=True) if a else g for g, a in pairs], variables
            )

    found = settled(keras_port(Swapped, algorithm="sgdm"))
    assert found["decay"] == "decoupled"
    assert "placement" not in found
    assert "axes_rule" not in found


def test_a_wrong_sgd_of_torch():
    torch = pytest.importorskip("torch")

    class Swapped(torch.optim.SGD):
        def step(self, closure=None):
            for p in (p for group in self.param_groups for p in group["params"]):
                p.grad = p.grad - p.grad.mean(0, keepdim=True) if p.ndim > 1 else p.grad
            return super().step(closure)

    found = settled(torch_port(Swapped, algorithm="sgdm"))
    assert found["decay"] == "l2"
    assert "placement" not in found


def test_what_is_never_applied_settles_no_scope():
    for port in (operator_port(identity), numpy_port(sgdm(identity), algorithm="sgdm")):
        assert not {"scope", "fan_in_one", "axes_rule"} & set(settled(port))


def test_convolutions_only_though_what_is_done_to_them_is_wrong():
    """The scope and the diagnosis agree: a median by rank is a median of convolutions."""
    found = settled(operator_port(lambda g: median(g) if g.ndim > 2 else g))
    assert found["scope"] == "conv-only"


def test_one_kind_by_chance_is_no_rule_by_kind():
    def swapped(g):
        return g - g.mean(axis=0, keepdims=True) if g.ndim > 1 else g

    port = numpy_port(sgdm(swapped), algorithm="sgdm", layout="output-first")
    one = Judge(port, seed=0, suite="quick", max_examples=0)
    assert "by-kind" in rules_followed(one, one.specification).values()  # the embedding
    assert one.specification.conventions.nearest["axes_rule"] == "by-rank"


def test_weights_with_one_input_tell_nothing():
    """Whatever is wrong with the rest, Φ = 0 leaves them alone."""
    found = settled(numpy_port(adam(lambda g: 2 * phi(g), hat=True), algorithm="adam"))
    assert not {"epsilon", "placement"} & set(found)
