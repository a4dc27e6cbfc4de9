"""Ports of optax that know the layers of Flax by name: their true outputs are what is right."""

import pytest

from gc_ref._conformance.checks.registry import RUNS
from gc_ref._conformance.running.judge_port import RunOptions
from gc_ref.conformance import optax_port

optax = pytest.importorskip("optax")
jax = pytest.importorskip("jax")
pytestmark = [pytest.mark.optax, pytest.mark.jax]

#: Axes over which Flax's layers sum their inputs, where it is not all but the last.
INPUTS = {"query": (0,)}


def by_name(inputs, **options):
    """SGD with GC that looks up a kernel's input axes by the names in its path."""

    def centralize(path, g):
        if g.ndim < 2:
            return g
        names = [key.key.partition("_")[0] for key in path]
        axes = next((inputs[n] for n in names if n in inputs), tuple(range(g.ndim - 1)))
        return g - g.mean(axes, keepdims=True)

    def factory(learning_rate, momentum):
        update = jax.tree_util.tree_map_with_path
        return optax.chain(
            optax.stateless(lambda g, params: update(centralize, g)),
            optax.sgd(learning_rate, momentum),
        )

    return optax_port(factory, algorithm="sgdm", **options)


def held(port):
    judge = RunOptions(max_examples=0).judge(port)
    return RUNS["scope/every-weight"](judge), judge.specification.conventions


def test_the_true_outputs_of_each_layer():
    outcome, conventions = held(by_name(INPUTS))
    assert outcome.status == "passed"
    assert conventions.get("axes_rule") == "by-kind"


def test_declared():
    outcome, _ = held(by_name(INPUTS, conventions={"axes_rule": "by-kind"}))
    assert outcome.status == "passed"


def test_one_rule_for_all():
    outcome, conventions = held(by_name({}))
    assert outcome.status == "passed"
    assert conventions.get("axes_rule") == "by-rank"


@pytest.mark.parametrize(
    ("layer", "axes", "kind"),
    [
        ("ConvTranspose", (0, 1, 3), "transposed convolution"),  # Keras's rule
        ("Embed", (1,), "embedding"),
    ],
)
def test_a_mean_over_outputs(layer, axes, kind):
    outcome, _ = held(by_name({**INPUTS, layer: axes}))
    assert outcome.status == "failed"
    assert kind in outcome.message


def test_depthwise_is_a_convolution_with_one_output_per_last_axis():
    """Keras keeps (window, channel, multiplier); a port must not take Flax's for that."""
    parameters = RunOptions().judge(by_name({})).integers.parameters
    shapes = {p.layer: p.shape for p in parameters}
    assert shapes["depthwise_0"] == (2, 2, 1, 4)
    assert shapes["transposed_0"] == (2, 2, 4, 2)
