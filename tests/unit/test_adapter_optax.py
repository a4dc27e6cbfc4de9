"""The optax adapter: a Flax-shaped tree, jax.grad, update, apply_updates, and what goes wrong."""

import gc
import math
import sys
import warnings
from typing import Any, NamedTuple

import numpy as np
import pytest

from gc_ref._layouts import KINDS, VECTOR_KINDS, weight_shape
from gc_ref.conformance._port import Case, Parameter, PortError, PortLoadError
from gc_ref.conformance.adapters import _optax_programs
from gc_ref.conformance.adapters._calls import quickly_compiled
from gc_ref.conformance.adapters._optax_tree import flatten, nest, paths
from gc_ref.conformance.adapters.optax import optax_port

optax = pytest.importorskip("optax")
jax = pytest.importorskip("jax")
jnp = pytest.importorskip("jax.numpy")
pytestmark = [pytest.mark.optax, pytest.mark.jax]

HYPER = {"lr": 0.5, "momentum": 0.5, "beta1": 0.5, "beta2": 0.75, "eps": 1.0}
SMALL = ("dense", "conv1d", "scalar")


def parameters(kinds=SMALL, layout="output-last", dtype=np.float32):
    rng = np.random.default_rng(3)
    found = []
    for kind in kinds:
        shape = weight_shape(kind, layout=layout, fan_in=4, fan_out=2)
        value = np.asarray(rng.integers(-8, 9, shape), dtype)
        found.append(Parameter(f"{kind}_0", kind, value, kind))
        if kind in ("dense", "scale"):
            bias = rng.integers(-8, 9, 2).astype(dtype)
            found.append(Parameter(f"{kind}_0", "bias", bias, kind))
    return tuple(found)


def case_of(owned=None, *, steps=2, hyper=HYPER, dtype="float32", drive=()):
    owned = parameters() if owned is None else owned
    rng = np.random.default_rng(5)
    gradients = tuple(
        {p.name: np.asarray(rng.integers(-6, 7, p.shape), p.value.dtype) for p in owned}
        for _ in range(steps)
    )
    return Case("probe", owned, gradients, hyper, dtype, frozenset(drive))


def same(a, b):
    return all(
        np.array_equal(x[name], y[name], equal_nan=True)
        for x, y in zip(a.steps, b.steps, strict=True)
        for name in x
    )


def stateless(update):
    """Make a factory with a learning rate out of ``update(gradient leaf) -> leaf``."""

    def factory(learning_rate):
        return optax.chain(
            optax.stateless(lambda updates, params: jax.tree.map(update, updates)),
            optax.scale(-learning_rate),
        )

    return factory


def plain_sgd(learning_rate):
    return optax.sgd(learning_rate)


def erase_means(g):
    return g - g.mean(tuple(range(g.ndim - 1)), keepdims=True) if g.ndim > 1 else g


class TestTree:
    def test_as_flax_names_it(self):
        found = paths(parameters((*KINDS, "scale", "scalar")), layout="output-last")
        assert found == {
            "dense_0.kernel": ("Dense_0", "kernel"),
            "dense_0.bias": ("Dense_0", "bias"),
            "conv1d_0.kernel": ("Conv_0", "kernel"),
            "conv2d_0.kernel": ("Conv_1", "kernel"),
            "conv3d_0.kernel": ("Conv_2", "kernel"),
            "depthwise_0.kernel": ("Conv_3", "kernel"),
            "transposed_0.kernel": ("ConvTranspose_0", "kernel"),
            "embedding_0.kernel": ("Embed_0", "embedding"),
            "attention-in_0.kernel": ("MultiHeadDotProductAttention_0", "query", "kernel"),
            "attention-out_0.kernel": ("MultiHeadDotProductAttention_1", "out", "kernel"),
            "scale_0.scale": ("LayerNorm_0", "scale"),
            "scale_0.bias": ("LayerNorm_0", "bias"),
            "scalar_0.scalar": ("scalar_0", "scalar"),
        }

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
        kinds = ("dense", "scale", "conv1d", "transposed", "embedding", "attention-in")
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
