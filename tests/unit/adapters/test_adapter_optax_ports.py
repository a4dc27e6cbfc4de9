"""Ports of optax: without a learning rate, with a switch, what they say, and what is refused."""

import gc
import sys
import warnings

import numpy as np
import pytest

from gc_ref.conformance import Case, Parameter, PortError, PortLoadError, optax_port

from ._adapter_cases import same
from ._optax_probe import case_of, erase_means, parameters, stateless

optax = pytest.importorskip("optax")
jax = pytest.importorskip("jax")
jnp = pytest.importorskip("jax.numpy")
pytestmark = [pytest.mark.optax, pytest.mark.jax]


class TestWithoutLearningRate:
    def test_is_followed_by_plain_sgd(self):
        port = optax_port(optax.identity)
        assert port.takes == {"lr"}
        assert "optax.scale(-lr)" in port.environment["learning rate"]
        hyper = {"lr": 0.5}
        expected = optax_port(optax.sgd).run(case_of(hyper=hyper))
        assert same(port.run(case_of(hyper=hyper)), expected)

    def test_optax_centralize_averages_all_axes_but_the_first(self):
        case = case_of(parameters(("dense",)), steps=1, hyper={"lr": 0.5})
        step = optax_port(optax.centralize).run(case).steps[0]
        g = case.gradients[0]["dense_0.kernel"]
        expected = case.parameters[0].value - 0.5 * (g - g.mean(1, keepdims=True))
        np.testing.assert_array_equal(step["dense_0.kernel"], expected)

    def test_one_that_has_a_learning_rate_inside(self):
        with pytest.raises(PortLoadError, match="its updates descend"):
            optax_port(lambda: optax.sgd(0.1))


class TestPort:
    def test_what_it_says_of_itself(self):
        base = optax_port(optax.sgd)
        port = optax_port(
            optax.sgd,
            name="mine",
            algorithm="sgdm",
            base=base,
            settings={"momentum": 0.75},
            conventions={"momentum": "heavy-ball"},
            target="optax:mine.py:make",
            options=["--seed", "1"],
        )
        assert (port.name, port.kind, port.layout) == ("mine", "optax", "output-last")
        assert (port.takes, port.fixed) == ({"lr"}, {"momentum": 0.75})
        assert (port.algorithm, port.base, port.off) == ("sgdm", base, None)
        assert dict(port.conventions) == {"momentum": "heavy-ball"}
        assert (port.target, port.options) == ("optax:mine.py:make", ("--seed", "1"))
        assert port.per_run_cost == "dear"
        assert {"optax", "jax", "numpy", "backend"} <= set(port.environment)

    @pytest.mark.parametrize("drive", [[], ["eager"]])
    def test_subnormal_numbers_are_flushed(self, drive):
        owned = (Parameter("dense_0", "dense", np.zeros((1, 2), np.float32), "dense"),)
        gradient = {"dense_0.kernel": np.full((1, 2), 2e-38, np.float32)}
        port = optax_port(optax.sgd)
        case = Case("tiny", owned, (gradient,), {"lr": 0.25}, drive=frozenset(drive))
        got = port.run(case).steps[0]["dense_0.kernel"]
        if jax.default_backend() == "cpu":
            assert port.flush_to_zero
            np.testing.assert_array_equal(got, 0)

    def test_the_switch(self):
        def factory(learning_rate, use_gc=True):
            return stateless(erase_means if use_gc else lambda g: g)(learning_rate)

        port = optax_port(factory)
        assert port.off is not None
        assert same(
            port.off.run(case_of(hyper={"lr": 0.5})),
            optax_port(optax.sgd).run(case_of(hyper={"lr": 0.5})),
        )
        assert not same(port.off.run(case_of()), port.run(case_of()))

    def test_other_hyperparameters_are_another_run(self):
        port = optax_port(optax.sgd)
        assert not same(port.run(case_of()), port.run(case_of(hyper={"lr": 0.25})))

    def test_prints_and_warnings_are_kept_apart(self, capsys):
        def factory(learning_rate):
            print("made")
            warnings.warn("made", stacklevel=1)
            return optax.sgd(learning_rate)

        optax_port(factory).run(case_of())
        assert capsys.readouterr().out == ""


class TestLoadErrors:
    def refuse(self, factory, match, **keywords):
        with pytest.raises(PortLoadError, match=match) as caught:
            optax_port(factory, **keywords)
        assert "\n" not in str(caught.value)

    def test_not_callable(self):
        self.refuse(optax.sgd(0.1), "not callable: give a factory")

    def test_returns_none(self):
        self.refuse(
            lambda learning_rate: None, "NoneType, which is no optax.GradientTransformation"
        )

    def test_raises(self):
        def factory(learning_rate):
            raise RuntimeError("no\nluck")

        self.refuse(factory, "factory could not be made: RuntimeError: no luck")

    def test_unknown_setting(self):
        self.refuse(optax.sgd, "sgd takes no argument 'use_gc'", settings={"use_gc": True})

    @pytest.mark.parametrize("module", ["jax", "optax"])
    def test_missing(self, monkeypatch, module):
        monkeypatch.setitem(sys.modules, module, None)
        self.refuse(lambda: None, "pip install optax")


@pytest.mark.parametrize("drive", [[], ["eager"]])
class TestRunErrors:
    def refuse(self, update, match, drive, init=lambda params: None):
        def broken(learning_rate):
            return optax.GradientTransformation(init, update)

        with pytest.raises(PortError, match=match) as caught:
            optax_port(broken).run(case_of(drive=drive))
        assert "\n" not in str(caught.value)

    def test_update_raises(self, drive):
        def update(updates, state, params):
            raise ValueError("bad\nstep")

        self.refuse(update, "^broken: case probe, step 1: ValueError: bad step$", drive)

    def test_update_raises_no_exception(self, drive):
        def update(updates, state, params):
            raise GeneratorExit

        self.refuse(update, "^broken: case probe, step 1: GeneratorExit$", drive)

    def test_update_is_async(self, drive):
        async def update(updates, state, params):
            return updates, state

        self.refuse(update, r"^broken: case probe, step 1: update\(\) is an async function", drive)
        gc.collect()

    def test_init_raises(self, drive):
        def init(params):
            raise ValueError("bad start")

        self.refuse(None.__class__, "case probe, init: ValueError: bad start", drive, init)

    def test_update_returns_no_pair(self, drive):
        self.refuse(lambda u, s, p: None, "update.. returned NoneType, expected the pair", drive)

    def test_no_updates(self, drive):
        self.refuse(lambda u, s, p: (None, s), "returned None for the updates", drive)

    def test_another_structure(self, drive):
        self.refuse(
            lambda u, s, p: (u["Dense_0"], s), "2 leaves .* not the structure .*4 leaves", drive
        )

    def test_another_shape(self, drive):
        def update(updates, state, params):
            return jax.tree.map(lambda u: jnp.stack([u, u]), updates), state

        self.refuse(update, r"dense_0.kernel of shape \(4, 2\) comes back with shape", drive)
