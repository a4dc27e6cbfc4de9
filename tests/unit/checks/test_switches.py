"""Switches of GC: one that makes no difference is found, whatever the optimizer does by itself."""

from dataclasses import replace

import numpy as np
import pytest
from _numpy_optimizers import identity, phi, rmsprop, sgdm, sign_momentum, trainer

from gc_ref._conformance.judging.judge import Judge
from gc_ref._conformance.running.judge_port import outcome_of
from gc_ref.conformance import CHECKS, check, numpy_port, optax_port, torch_port

MAKERS = pytest.mark.parametrize("make", [rmsprop, sign_momentum])


def output_first(g):
    """The rule for output-first weights, on weights that are not."""
    return g if g.ndim < 2 else g - g.mean(axis=tuple(range(1, g.ndim)), keepdims=True)


def many_dimensions(g):
    return phi(g) if g.ndim > 3 else g


def dead(optimizer, **options):
    """A port whose switch does nothing, held to itself with the switch off."""
    base = None if options.get("algorithm") else numpy_port(optimizer, name="base")
    port = numpy_port(optimizer, name="port", base=base, **options)
    return replace(port, off=port, switch="use_gc=False")


def tiny_steps(centralize=identity):
    """Steps that vanish in all weights but the smallest: as those of D-adaptation at first."""

    def step(w, g, state, h, t, name):
        del state, t, name
        return w - w.dtype.type(h["lr"] * 2e-9) * centralize(g)

    return trainer(step)


def outcomes(port, *ids):
    """What some checks find of a port, and its diagnosis."""
    judge = Judge(port, seed=0, suite="quick", max_examples=0)
    return {id: outcome_of(judge, CHECKS[id]) for id in ids}


@pytest.mark.parametrize(
    "optimizer",
    [
        rmsprop(),
        rmsprop(output_first),
        rmsprop(many_dimensions),
        sgdm(output_first),
        sign_momentum(many_dimensions),
    ],
    ids=["all", "other-axes", "by-rank", "sgdm-other-axes", "sign-by-rank"],
)
def test_one_that_makes_no_difference(optimizer):
    found = outcomes(dead(optimizer), "effect/on", "effect/off")
    off = found["effect/off"]
    assert off.status == "failed"
    assert "the switch makes no difference: with use_gc=False every parameter" in off.message
    assert "they lose a mean, on or off; name with --base" in off.message
    assert found["effect/on"].status == "passed"
    assert "plain optimizer" not in off.message


def cut(g):
    """Each neuron's gradient at a norm of 1: a mean that is added acts through it."""
    norm = np.sqrt((g * g).sum(axis=tuple(range(g.ndim - 1)), keepdims=True))
    return g / np.maximum(norm, g.dtype.type(1)) if g.ndim > 1 else g


def test_one_that_makes_no_difference_as_gc_is_always_on_behind_a_clipping():
    port = dead(rmsprop(lambda g: phi(cut(g))))
    found = outcomes(port, "effect/on", "effect/off", "scope/every-weight")
    assert found["effect/on"].status == "passed"
    assert "move alike for any gradient that is one constant" in found["effect/off"].message
    assert "they lose a mean, on or off; name with --base" in found["effect/off"].message
    assert "left alone" not in found["scope/every-weight"].message
    report = check(port, max_examples=0)
    assert report.identified == ("flag-ignored",)
    assert report.verdict == "deviates"


def test_a_base_that_clips_does_not_centralize():
    port = dead(rmsprop(cut))
    found = outcomes(port, "effect/on", "effect/off")
    assert found["effect/on"].status == "failed"
    assert found["effect/off"].status == "passed"


@pytest.mark.parametrize("make", [rmsprop, sign_momentum, tiny_steps])
def test_a_swallowed_one_of_an_optimizer_without_gc(make):
    found = outcomes(dead(make(identity)), "effect/on", "effect/off")
    assert found["effect/on"].status == "failed"
    assert found["effect/off"].status == "passed"
    assert "so it is with GC on: the switch makes no difference" in found["effect/off"].message


@MAKERS
def test_one_that_works(make):
    base = numpy_port(make(identity), name="base")
    port = replace(numpy_port(make(), name="port", base=base), off=base, switch="use_gc=False")
    off = outcomes(port, "effect/off")["effect/off"]
    assert off.status == "passed"
    assert off.message == "with use_gc=False the port is the plain optimizer"


@MAKERS
def test_one_that_a_port_does_not_have_is_not_judged(make):
    port = numpy_port(make(), base=numpy_port(make(identity)))
    off = outcomes(port, "effect/off")["effect/off"]
    assert off.status == "not-applicable"
    assert off.message == "the port has no switch that turns GC off"


def test_a_base_that_centralizes_over_other_axes():
    base = numpy_port(rmsprop(output_first), name="base")
    found = outcomes(
        numpy_port(rmsprop(), base=base), "effect/off", "scope/every-weight", "step/base-law"
    )
    assert "the base optimizer centralizes by itself" in found["effect/off"].message
    assert found["scope/every-weight"].status == "passed"  # nothing is held to that base
    assert found["step/base-law"].status == "passed"


def test_with_an_algorithm_too():
    report = check(dead(sgdm(output_first), algorithm="sgdm"), max_examples=0)
    [off] = [c for c in report.checks if c.id == "effect/off"]
    assert "the switch makes no difference" in off.message
    assert "--base" not in off.message
    assert not any("plain optimizer" in c.message for c in report.checks)
    assert report.identified == ("layout-swapped", "flag-ignored")


def always_centralizing():
    torch = pytest.importorskip("torch")

    class Always(torch.optim.RMSprop):
        """Centralizes weights of so many dimensions, whatever its switch says."""

        def __init__(self, params, lr=1e-2, eps=1e-8, use_gc=True, least=2, norm_gc=True):
            super().__init__(params, lr=lr, eps=eps)
            self.least = least

        def step(self, closure=None):
            for p in (p for group in self.param_groups for p in group["params"]):
                if p.grad is not None and p.grad.ndim >= self.least:
                    p.grad = p.grad - p.grad.mean(dim=tuple(range(1, p.ndim)), keepdim=True)
            return super().step(closure)

    return Always


@pytest.mark.parametrize("least", [2, 4])
def test_dead_in_torch(least):
    always = always_centralizing()
    base = torch_port(always, settings={"use_gc": False, "least": least})
    found = outcomes(torch_port(always, base=base, settings={"least": least}), "effect/off")
    assert "with use_gc=False every parameter moves" in found["effect/off"].message


def test_named_in_torch():
    assert torch_port(always_centralizing()).switch == "use_gc=False"
    assert torch_port(always_centralizing(), switch="norm_gc").switch == "norm_gc=False"


def test_dead_in_optax():
    optax = pytest.importorskip("optax")
    jax = pytest.importorskip("jax")

    def ranger(learning_rate, use_gc=True):
        del use_gc
        first = optax.stateless(lambda g, _: jax.tree.map(output_first, g))
        return optax.chain(first, optax.adam(learning_rate))

    base = optax_port(ranger, settings={"use_gc": False})
    found = outcomes(optax_port(ranger, base=base), "effect/on", "effect/off", "scope/every-weight")
    assert "with use_gc=False every parameter moves" in found["effect/off"].message
    assert found["effect/on"].status == "passed"
    assert found["scope/every-weight"].status == "failed"
