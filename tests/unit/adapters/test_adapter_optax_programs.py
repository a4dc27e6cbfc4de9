"""The programs of the optax adapter: each run traces the port anew, and compiles what is new."""

from typing import Any, NamedTuple

import numpy as np
import pytest

from gc_ref._conformance.adapters.keras.training import quickly_compiled
from gc_ref._conformance.adapters.optax import programs as _optax_programs
from gc_ref.conformance import optax_port

from ._adapter_cases import same
from ._optax_probe import case_of, plain_sgd

optax = pytest.importorskip("optax")
jax = pytest.importorskip("jax")
jnp = pytest.importorskip("jax.numpy")
pytestmark = [pytest.mark.optax, pytest.mark.jax]


class TestPrograms:
    """A run traces the port anew, and compiles what no run before it has compiled."""

    @pytest.fixture
    def compiled(self, monkeypatch):
        found = []
        original = _optax_programs._compile

        def record(lowered):
            found.append(lowered)
            return original(lowered)

        monkeypatch.setattr(_optax_programs, "_compile", record)
        return found

    def test_the_same_program_is_compiled_once(self, compiled):
        port = optax_port(lambda learning_rate: optax.adam(learning_rate), name="adam")
        first = port.run(case_of())
        assert len(compiled) == 2  # init and step
        for drive in ([], ["twin"], ["checkpoint"]):
            assert same(port.run(case_of(drive=drive)), first)
        assert len(compiled) == 2
        port.run(case_of(hyper={"lr": 0.25}))
        assert len(compiled) == 3

    def test_every_run_traces(self):
        calls = []

        def factory(learning_rate):
            def update(updates, state, params):
                calls.append(1)
                rate = learning_rate / len(calls)
                return jax.tree.map(lambda u: -rate * u, updates), state

            return optax.GradientTransformation(lambda params: None, update)

        port = optax_port(factory)
        first = port.run(case_of())
        assert len(calls) == 1
        assert not same(port.run(case_of()), first)
        assert len(calls) == 2

    def test_constants_tell_programs_apart(self):
        made = []

        def factory(learning_rate):
            made.append(1)
            scale = jnp.full(64, float(len(made))).at[3].set(0.5)

            def update(updates, state, params):
                return jax.tree.map(lambda u: -learning_rate * u * scale[0], updates), state

            return optax.GradientTransformation(lambda params: None, update)

        port = optax_port(factory)
        assert not same(port.run(case_of()), port.run(case_of()))

    def test_callbacks_are_never_shared(self, compiled):
        made = []

        def factory(learning_rate):
            made.append(1)
            rate = -learning_rate * len(made)

            def update(updates, state, params):
                def scaled(u):
                    return jax.pure_callback(lambda v: np.asarray(v) * np.float32(rate), u, u)

                return jax.tree.map(scaled, updates), state

            return optax.GradientTransformation(lambda params: None, update)

        port = optax_port(factory)
        assert not same(port.run(case_of()), port.run(case_of()))
        assert len(compiled) == 3  # the init of both, and two steps

    @pytest.mark.parametrize("before", [False, True])
    def test_the_setting_of_jax_is_given_back(self, before):
        name = "jax_disable_most_optimizations"
        found = jax.config.values[name]
        jax.config.update(name, before)
        try:
            with pytest.raises(ValueError, match="inside"), quickly_compiled():  # noqa: PT012
                assert jax.config.values[name] is True
                raise ValueError("inside")
            assert jax.config.values[name] is before
        finally:
            jax.config.update(name, found)

    def test_a_state_of_a_class_of_its_own(self, compiled):
        def factory(learning_rate):
            class State(NamedTuple):
                count: Any

            def update(updates, state, params):
                assert isinstance(state, State)
                return jax.tree.map(lambda u: -learning_rate * u, updates), State(state.count + 1)

            return optax.GradientTransformation(lambda params: State(jnp.zeros(())), update)

        port = optax_port(factory)
        assert same(port.run(case_of(steps=3)), port.run(case_of(steps=3)))
        assert len(compiled) == 4

    def test_a_state_that_changes_its_type(self):
        def factory(learning_rate):
            def update(updates, state, params):
                return jax.tree.map(lambda u: -learning_rate * u, updates), state + jnp.float32(1)

            return optax.GradientTransformation(lambda params: 0, update)

        assert same(
            optax_port(factory).run(case_of(steps=3)), optax_port(plain_sgd).run(case_of(steps=3))
        )

    def test_an_init_that_cannot_be_traced(self):
        def factory(learning_rate):
            def update(updates, state, params):
                return jax.tree.map(lambda u: -learning_rate * u * state["scale"], updates), state

            def init(params):
                return {"scale": 1.0 if float(params["Dense_0"]["bias"][0]) < 100 else 2.0}

            return optax.GradientTransformation(init, update)

        assert same(optax_port(factory).run(case_of()), optax_port(plain_sgd).run(case_of()))

    def test_an_init_that_keeps_the_parameters(self):
        def factory(learning_rate):
            kept = []

            def update(updates, state, params):
                return jax.tree.map(
                    lambda u, k: -learning_rate * u + 0 * k, updates, kept[-1]
                ), state

            return optax.GradientTransformation(kept.append, update)

        assert same(optax_port(factory).run(case_of()), optax_port(plain_sgd).run(case_of()))
