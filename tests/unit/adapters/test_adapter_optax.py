"""The optax adapter: a Flax-shaped tree, jax.grad, update and apply_updates."""

import math
import warnings
from typing import Any, NamedTuple

import numpy as np
import pytest

from gc_ref._conformance.adapters.optax.tree import flatten, nest, paths
from gc_ref._layouts import FLAX_KINDS, KINDS, VECTOR_KINDS
from gc_ref.conformance import Case, Parameter, PortError, optax_port

from ._adapter_cases import same
from ._optax_probe import case_of, erase_means, parameters, stateless

optax = pytest.importorskip("optax")
jax = pytest.importorskip("jax")
jnp = pytest.importorskip("jax.numpy")
pytestmark = [pytest.mark.optax, pytest.mark.jax]


class TestTree:
    def test_as_flax_names_it(self):
        kinds = [FLAX_KINDS.get(kind, kind) for kind in KINDS]
        found = paths(parameters((*kinds, "scale", "scalar")), layout="output-last")
        assert found == {
            "dense_0.kernel": ("Dense_0", "kernel"),
            "dense_0.bias": ("Dense_0", "bias"),
            "conv1d_0.kernel": ("Conv_0", "kernel"),
            "conv2d_0.kernel": ("Conv_1", "kernel"),
            "conv3d_0.kernel": ("Conv_2", "kernel"),
            "depthwise-grouped_0.kernel": ("Conv_3", "kernel"),
            "transposed-direct_0.kernel": ("ConvTranspose_0", "kernel"),
            "embedding_0.kernel": ("Embed_0", "embedding"),
            "attention-in_0.kernel": ("MultiHeadDotProductAttention_0", "query", "kernel"),
            "attention-out_0.kernel": ("MultiHeadDotProductAttention_1", "out", "kernel"),
            "scale_0.scale": ("LayerNorm_0", "scale"),
            "scale_0.bias": ("LayerNorm_0", "bias"),
            "scalar_0.scalar": ("scalar_0", "scalar"),
        }

    def test_layers_that_flax_lacks_get_none_of_its_names(self):
        found = paths(parameters(("depthwise", "transposed")), layout="output-last")
        assert set(found.values()) == {("depthwise_0", "kernel"), ("transposed_0", "kernel")}

    @pytest.mark.smoke
    @pytest.mark.flax
    def test_flax_really_names_it_so(self):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import flax.linen as nn

        class Model(nn.Module):
            @nn.compact
            def __call__(self, x):
                x = nn.LayerNorm()(nn.Dense(6)(x))
                x = nn.Conv(4, (2,))(x)
                x = nn.ConvTranspose(4, (2,))(x)
                x = x + nn.Embed(3, 4)(jnp.zeros(x.shape[:-1], int))
                return nn.MultiHeadDotProductAttention(num_heads=2)(x)

        made = Model().init(jax.random.key(0), jnp.zeros((1, 5, 3)))["params"]
        kinds = ("dense", "scale", "conv1d", "transposed-direct", "embedding", "attention-in")
        for path in paths(parameters(kinds), layout="output-last").values():
            node = made
            for key in path:
                node = node[key]
            assert node.ndim >= 1
        assert "kernel" in made["MultiHeadDotProductAttention_0"]["out"]

    def test_output_first_names_weights(self):
        found = paths(parameters(("dense", "embedding", "scale")), layout="output-first")
        assert {path[-1] for path in found.values()} == {"weight", "bias"}

    def test_nest_and_flatten_are_inverse(self):
        where = paths(parameters((*KINDS, *VECTOR_KINDS)), layout="output-last")
        leaves = {name: i for i, name in enumerate(where)}
        assert flatten(nest(leaves, where), where) == leaves

    @pytest.mark.parametrize("drive", [[], ["eager"]])
    def test_the_optimizer_sees_it(self, drive):
        seen = []

        def factory(learning_rate):
            def update(updates, state, params):
                seen.append(jax.tree.map(jnp.shape, params))
                return jax.tree.map(lambda u: -learning_rate * u, updates), state

            return optax.GradientTransformation(lambda params: None, update)

        optax_port(factory).run(case_of(drive=drive))
        expected = {
            "Dense_0": {"kernel": (4, 2), "bias": (2,)},
            "Conv_0": {"kernel": (2, 4, 2)},
            "scalar_0": {"scalar": ()},
        }
        assert seen[-1] == expected


class TestGradient:
    @pytest.mark.parametrize("drive", [[], ["eager"]])
    @pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
    def test_is_exactly_the_one_of_the_case(self, dtype, drive):
        storage = np.float16 if dtype == "float16" else np.float32
        smallest = 2.0**-14 if dtype == "float16" else 2.0**-126
        hard = [math.nan, math.inf, -math.inf, 0.0, -0.0, 1.0, smallest, 256.0]
        owned = (Parameter("dense_0", "dense", np.zeros((2, 4), storage), "dense"),)
        gradient = np.asarray(hard, storage).reshape(2, 4)
        case = Case(
            "hard", owned, ({"dense_0.kernel": gradient},), {"lr": 1.0}, dtype, frozenset(drive)
        )
        # The step is the gradient itself: 0 + g.
        factory = stateless(lambda g: -g)
        trajectory = optax_port(factory).run(case)
        np.testing.assert_array_equal(trajectory.steps[0]["dense_0.kernel"], gradient)
        assert trajectory.dtypes == {"dense_0.kernel": dtype}

    @pytest.mark.parametrize("drive", [[], ["eager"]])
    def test_a_nan_stays_where_it_is(self, drive):
        case = case_of(drive=drive)
        case.gradients[0]["dense_0.kernel"][1, 1] = math.nan
        trajectory = optax_port(optax.sgd).run(case)
        wrong = {n for n, v in trajectory.steps[-1].items() if np.isnan(v).any()}
        assert wrong == {"dense_0.kernel"}
        assert np.argwhere(np.isnan(trajectory.steps[0]["dense_0.kernel"])).tolist() == [[1, 1]]


class TestTrajectory:
    @pytest.mark.parametrize("drive", [[], ["eager"], ["checkpoint"], ["twin"]])
    def test_sgd_with_momentum(self, drive):
        case = case_of(steps=3, drive=drive)
        trajectory = optax_port(optax.sgd).run(case)
        weights = {p.name: p.value for p in case.parameters}
        momenta = dict.fromkeys(weights, np.float32(0))
        for step, gradient in zip(trajectory.steps, case.gradients, strict=True):
            momenta = {n: np.float32(0.5) * m + gradient[n] for n, m in momenta.items()}
            weights = {n: w - np.float32(0.5) * momenta[n] for n, w in weights.items()}
            assert list(step) == list(weights)
            for name, value in weights.items():
                np.testing.assert_array_equal(step[name], value)

    def test_adam_at_its_first_step(self):
        case = case_of(steps=1)
        trajectory = optax_port(optax.adam).run(case)
        for p in case.parameters:
            g = case.gradients[0][p.name]
            np.testing.assert_allclose(
                trajectory.steps[0][p.name], p.value - 0.5 * g / (np.abs(g) + 1), rtol=1e-6
            )

    @pytest.mark.parametrize("drive", [["checkpoint"], ["twin"]])
    def test_adam_does_not_care_for_the_drive(self, drive):
        port = optax_port(optax.adam)
        assert drive[0] in port.drives
        assert same(port.run(case_of(steps=3)), port.run(case_of(steps=3, drive=drive)))

    def test_gc_erases_the_mean_of_each_output(self):
        case = case_of(parameters(("dense",)), steps=1)
        trajectory = optax_port(stateless(erase_means)).run(case)
        g = case.gradients[0]["dense_0.kernel"]
        moved = case.parameters[0].value - trajectory.steps[0]["dense_0.kernel"]
        np.testing.assert_array_equal(moved, 0.5 * (g - g.mean(0)))

    @pytest.mark.parametrize("drive", [[], ["checkpoint"]])
    def test_injected_hyperparameters(self, drive):
        port = optax_port(optax.inject_hyperparams(optax.sgd), name="injected")
        assert port.takes == {"lr", "momentum"}
        assert same(port.run(case_of(drive=drive)), optax_port(optax.sgd).run(case_of()))

    def test_a_random_key_in_the_state_is_restored(self):
        class Keyed(NamedTuple):
            key: Any

        def factory(learning_rate):
            def update(updates, state, params):
                key, now = jax.random.split(state.key)
                shift = jax.random.uniform(now)
                return jax.tree.map(lambda u: -learning_rate * u + shift, updates), Keyed(key)

            return optax.GradientTransformation(lambda params: Keyed(jax.random.key(0)), update)

        port = optax_port(factory)
        assert same(port.run(case_of(steps=3)), port.run(case_of(steps=3, drive=["checkpoint"])))

    @pytest.mark.parametrize("drive", [[], ["eager"], ["checkpoint"]])
    def test_plain_numbers_in_the_state(self, drive):
        def factory(learning_rate):
            def update(updates, state, params):
                count = state["count"] + 1
                return jax.tree.map(lambda u: -learning_rate * u / count, updates), {"count": count}

            return optax.GradientTransformation(lambda params: {"count": 0}, update)

        case = case_of(parameters(("scalar",)), drive=drive)
        first, second = optax_port(factory).run(case).steps
        g = case.gradients[1]["scalar_0.scalar"]
        assert second["scalar_0.scalar"] == first["scalar_0.scalar"] - 0.25 * g

    def test_recorded_arrays_are_writable_copies(self):
        step = optax_port(optax.sgd).run(case_of()).steps[0]
        assert all(value.flags.writeable for value in step.values())

    def test_output_first(self):
        owned = parameters(layout="output-first")
        port = optax_port(optax.sgd, layout="output-first")
        step = port.run(case_of(owned)).steps[0]
        assert {n: v.shape for n, v in step.items()} == {p.name: p.shape for p in owned}

    def test_state_in_the_closure_is_lost_with_a_checkpoint(self):
        def factory(learning_rate):
            calls = []

            def update(updates, state, params):
                calls.append(1)
                rate = learning_rate / len(calls)
                return jax.tree.map(lambda u: -rate * u, updates), state

            return optax.GradientTransformation(lambda params: None, update)

        port = optax_port(factory)
        plain = port.run(case_of(drive=["eager"]))
        assert not same(plain, port.run(case_of(drive=["eager", "checkpoint"])))

    def test_float64_where_jax_has_it(self):
        with jax.enable_x64(True):
            port = optax_port(optax.sgd)
            assert port.dtypes == ("float32", "float64")
            trajectory = port.run(case_of(parameters(dtype=np.float64), dtype="float64"))
        assert set(trajectory.dtypes.values()) == {"float64"}

    def test_float64_where_jax_has_it_not(self):
        port = optax_port(optax.sgd)
        assert port.dtypes == ("float32",)
        with pytest.raises(PortError, match="JAX_ENABLE_X64=1"):
            port.run(case_of(parameters(dtype=np.float64), dtype="float64"))
