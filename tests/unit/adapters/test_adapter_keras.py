"""The Keras adapter, on whichever backend Keras has here: layers, fit, drives, and hygiene."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from gc_ref._conformance.adapters.keras import model as _keras_model
from gc_ref._conformance.checks.hygiene import checkpoint, state_isolated
from gc_ref._conformance.checks.scope import every_weight
from gc_ref._conformance.judging.judge import Judge
from gc_ref._layouts import KINDS
from gc_ref.conformance import Case, keras_port

from ._keras_probe import BACKEND, case_of, keras, parameters, same

pytestmark = pytest.mark.keras
#: Kind of layer to its class in Keras, and the path of its weight in a new model.
REAL_LAYERS = {
    "dense": ("Dense", "dense/kernel"),
    "conv1d": ("Conv1D", "conv1d/kernel"),
    "conv2d": ("Conv2D", "conv2d/kernel"),
    "conv3d": ("Conv3D", "conv3d/kernel"),
    "depthwise": ("DepthwiseConv2D", "depthwise_conv2d/kernel"),
    "transposed": ("Conv2DTranspose", "conv2d_transpose/kernel"),
    "embedding": ("Embedding", "embedding/embeddings"),
    "attention-in": ("EinsumDense", "multi_head_attention/query/kernel"),
    "attention-out": ("EinsumDense", "multi_head_attention_1/attention_output/kernel"),
}


class Centralizing(keras.optimizers.SGD):  # type: ignore[misc, name-defined]
    """GC in the hook that every trainer of Keras 3 calls."""

    def apply(self, grads: Any, trainable_variables: Any = None) -> None:
        grads = [
            g - keras.ops.mean(g, axis=tuple(range(g.ndim - 1)), keepdims=True)
            if len(g.shape) > 1
            else g
            for g in grads
        ]
        super().apply(grads, trainable_variables)


class NeverCalled(keras.optimizers.SGD):  # type: ignore[misc, name-defined]
    """GC as the Keras code example of 2023 had it: no trainer calls this."""

    def get_gradients(self, loss: Any, params: Any) -> Any:
        raise AssertionError("nobody calls get_gradients")


class ThroughApplyGradients(keras.optimizers.SGD):  # type: ignore[misc, name-defined]
    """The trainers of JAX and PyTorch call ``apply``, not this."""

    def apply_gradients(self, grads_and_vars: Any) -> Any:
        return super().apply_gradients([(0 * g, v) for g, v in grads_and_vars])


def test_the_gradient_is_exactly_the_given_one() -> None:
    rng = np.random.default_rng(3)
    owned = parameters((*KINDS, "scale", "scalar"))
    gradient = {p.name: np.asarray(rng.normal(size=p.shape), np.float32) for p in owned}
    case = Case("probe", owned, (gradient,), {"lr": 1.0, "momentum": 0.0})
    (after,) = keras_port(keras.optimizers.SGD).run(case).steps
    assert list(after) == [p.name for p in owned]
    for name, value in after.items():
        assert value.dtype == np.float32
        assert np.array_equal(value, -gradient[name]), name


def test_weights_belong_to_real_layers() -> None:
    owned = parameters((*KINDS, "scale", "scalar"))
    model = _keras_model.build_model(keras, "output-last", _keras_model.structure(owned))
    owners = {id(v): layer for layer in model.layers for v in layer.trainable_weights}
    for p in owned:
        variable = model.probe_variables[p.name]
        layer = owners[id(variable)]
        assert tuple(variable.shape) == p.shape
        if p.kind in REAL_LAYERS:
            class_name, path = REAL_LAYERS[p.kind]
            assert type(layer) is getattr(keras.layers, class_name)
            assert variable.path == path
    assert owners[id(model.probe_variables["dense_0.bias"])].name == "dense"
    assert type(owners[id(model.probe_variables["scale_0.scale"])]).__name__ == "LayerNormalization"
    assert len(model.trainable_variables) == len(owned)


def test_layers_have_the_names_that_keras_gives() -> None:
    owned = tuple(
        replace(p, layer=f"{p.layer}{number}")
        for number in "ab"
        for p in parameters(("dense", "transposed", "scale"))
    )
    model = _keras_model.build_model(keras, "output-last", _keras_model.structure(owned))
    made = [p for p in owned if p.role in ("kernel", "scale")]
    names = [model.probe_variables[p.name].path.rpartition("/")[0] for p in made]
    keras.backend.clear_session()
    layers = keras.layers
    for name in names:
        kind = {"dense": layers.Dense, "conv2d": layers.Conv2DTranspose}.get(
            name.split("_")[0], layers.LayerNormalization
        )
        arguments = {layers.Dense: (3,), layers.Conv2DTranspose: (3, 2)}.get(kind, ())
        assert kind(*arguments).name == name
    assert len(set(names)) == 6


class ByPath(keras.optimizers.SGD):  # type: ignore[misc, name-defined]
    """GC over the true inputs of each layer, which it knows by the path of its weight."""

    def apply(self, grads: Any, trainable_variables: Any = None) -> None:
        variables = self._trainable_variables
        super().apply(
            [self.centralize(v.path, g) for v, g in zip(variables, grads, strict=True)],
            trainable_variables,
        )

    def centralize(self, path: str, g: Any) -> Any:
        if len(g.shape) < 2:
            return g
        inputs = {
            "multi_head_attention/query": (0,),
            "depthwise_conv2d": (0, 1),
            "conv2d_transpose": (0, 1, 3),
        }
        usual = tuple(range(len(g.shape) - 1))
        axes = next((axes for name, axes in inputs.items() if path.startswith(name)), usual)
        return g - keras.ops.mean(g, axis=axes, keepdims=True)


def test_a_port_that_knows_the_paths_of_keras() -> None:
    judge = Judge(keras_port(ByPath, algorithm="sgdm"), seed=0, suite="quick", max_examples=0)
    assert every_weight(judge).status == "passed"
    assert judge.specification.conventions.get("axes_rule") == "by-kind"


def test_output_first_weights() -> None:
    case = case_of(("dense", "conv2d", "depthwise"), layout="output-first")
    (after,) = keras_port(keras.optimizers.SGD, layout="output-first").run(case).steps
    assert same(after, {name: -g for name, g in case.gradients[0].items()})


def test_nan_stays_in_its_element() -> None:
    case = case_of(("dense", "conv2d"))
    case.gradients[0]["conv2d_0.kernel"][0, 1, 2, 3] = np.nan
    (after,) = keras_port(keras.optimizers.SGD).run(case).steps
    where = {name: np.argwhere(np.isnan(value)).tolist() for name, value in after.items()}
    assert where == {"dense_0.kernel": [], "conv2d_0.kernel": [[0, 1, 2, 3]], "dense_0.bias": []}


@pytest.mark.parametrize("drive", ["plain", "checkpoint", "twin", "eager", "fit-per-step"])
def test_integer_sgdm_is_bit_exact_in_every_drive(drive: str) -> None:
    calls: list[str] = []

    class Watched(keras.optimizers.SGD):  # type: ignore[misc, name-defined]
        def apply(self, grads: Any, trainable_variables: Any = None) -> None:
            calls.append("apply")
            super().apply(grads, trainable_variables)

    def factory(learning_rate: float, momentum: float) -> Any:
        calls.append("made")
        return Watched(learning_rate, momentum=momentum)

    port = keras_port(factory)
    if drive != "plain" and drive not in port.drives:
        assert (BACKEND, drive) == ("torch", "eager")
        pytest.skip("PyTorch is eager anyway")
    case = case_of(("dense", "conv1d"), steps=3, lr=0.125, momentum=0.5)
    calls.clear()
    steps = port.run(case.with_drive(drive)).steps
    for name, gradients in ((n, [g[n] for g in case.gradients]) for n in case.gradients[0]):
        weight = velocity = np.zeros(gradients[0].shape)
        for after, gradient in zip(steps, gradients, strict=True):
            velocity = 0.5 * velocity - 0.125 * gradient
            weight = weight + velocity
            assert np.array_equal(after[name], weight)
    assert calls.count("made") == (2 if drive in ("checkpoint", "twin") else 1)
    if drive == "eager" or (drive == "plain" and BACKEND == "torch"):
        assert calls.count("apply") == 3
    elif drive == "plain":
        assert calls.count("apply") == 1  # traced once


def test_integer_adam_is_bit_exact_at_the_first_step() -> None:
    # m = g/2, √v = |g|/2, lr √(1-β2)/(1-β1) = lr: with ε = ½ the step is lr g/(|g|+1).
    values = (0, 1, -1, 3, -3, 7, -7)
    case = case_of(("dense", "conv2d"), values=values, lr=0.125, beta1=0.5, beta2=0.75, eps=0.5)
    (after,) = keras_port(keras.optimizers.Adam).run(case).steps
    for name, gradient in case.gradients[0].items():
        assert np.array_equal(after[name], -0.125 * gradient / (np.abs(gradient) + 1.0))


def test_flush_to_zero_is_declared_truthfully() -> None:
    port = keras_port(keras.optimizers.SGD)
    case = case_of()
    tiny = {name: np.full_like(g, 1e-40) for name, g in case.gradients[0].items()}
    (after,) = port.run(Case("tiny", case.parameters, (tiny,), case.hyperparameters)).steps
    assert bool((after["dense_0.kernel"] == 0).all()) is port.flush_to_zero


def test_a_hook_that_is_never_called_has_no_effect() -> None:
    case = case_of(("dense", "conv2d"), steps=2)
    plain = keras_port(keras.optimizers.SGD).run(case).steps
    assert all(map(same, keras_port(NeverCalled).run(case).steps, plain))
    through = keras_port(ThroughApplyGradients).run(case).steps
    assert same(through[0], plain[0]) is (BACKEND != "tensorflow")


def test_gradient_centralization_has_its_effect() -> None:
    case = case_of(("dense", "conv2d"))
    (after,) = keras_port(Centralizing).run(case).steps
    for name, g in case.gradients[0].items():
        mean = g.mean(axis=tuple(range(g.ndim - 1)), keepdims=True) if g.ndim > 1 else 0
        assert np.array_equal(after[name], mean - g)


def test_state_that_a_checkpoint_loses_shows() -> None:
    class Amnesia(keras.optimizers.SGD):  # type: ignore[misc, name-defined]
        def load_own_variables(self, store: Any) -> None:
            pass

    case = case_of(steps=2, lr=1.0, momentum=0.5)
    port = keras_port(Amnesia)
    plain, restored = port.run(case).steps, port.run(case.with_drive("checkpoint")).steps
    assert same(plain[0], restored[0])
    assert not same(plain[1], restored[1])


class Averaging(keras.optimizers.SGD):  # type: ignore[misc, name-defined]
    """Has Keras put the average of the weights in their place at the end of each fit."""

    def __init__(self, learning_rate: float = 0.1, momentum: float = 0.0) -> None:
        super().__init__(learning_rate, momentum=momentum, use_ema=True, ema_momentum=0.5)


class Forgetful(Averaging):
    """Its momentum is not in its checkpoint."""

    def load_own_variables(self, store: Any) -> None:
        pass


def hygiene(optimizer: Callable[..., Any]) -> tuple[str, str]:
    judge = Judge(keras_port(optimizer), seed=0, suite="quick", max_examples=0)
    return state_isolated(judge).status, checkpoint(judge).status


def test_an_average_at_the_end_of_fit_is_no_shared_state() -> None:
    port, case = keras_port(Averaging), case_of(steps=3, lr=1.0, momentum=0.5)
    once, each = port.run(case).steps, port.run(case.with_drive("fit-per-step")).steps
    assert same(once[1], each[1])  # the average begins with the first weight
    assert not same(once[2], each[2])  # else this test shows nothing
    assert hygiene(Averaging) == ("passed", "passed")


def test_state_that_is_lost_is_found_beside_an_average() -> None:
    assert hygiene(Forgetful) == ("passed", "failed")


@pytest.mark.skipif(BACKEND == "jax", reason="its trainer lets no foreign variable change")
def test_state_that_is_shared_is_found_beside_an_average() -> None:
    count: list[Any] = []

    class Shared(Averaging):
        """Takes its step size from a count that all its instances share."""

        def __init__(self, learning_rate: float = 0.1, momentum: float = 0.0) -> None:
            super().__init__(learning_rate, momentum)
            count[:] = [keras.Variable(0.0, trainable=False)]

        def apply(self, grads: Any, trainable_variables: Any = None) -> None:
            count[0].assign(count[0] + 1.0)
            super().apply([g * count[0] for g in grads], trainable_variables)

    assert hygiene(Shared)[0] == "failed"


def test_hyperparameters_and_description() -> None:
    port = keras_port(
        keras.optimizers.Adam,
        settings={"epsilon": 0.25},
        algorithm="adam",
        target="keras:x.py:Adam",
        options=["--set", "epsilon=0.25"],
    )
    assert port.takes == {"lr", "beta1", "beta2", "weight_decay"}
    assert port.fixed == {"eps": 0.25}
    assert (port.name, port.kind, port.layout) == ("Adam", "keras", "output-last")
    assert (port.dtypes, port.per_run_cost) == (("float32",), "dear")
    assert port.environment["keras"] == keras.__version__
    assert port.environment["backend"].startswith(BACKEND)
    assert port.options == ("--set", "epsilon=0.25")
    assert port.off is None


def test_the_port_with_its_flag_off() -> None:
    class Flagged(Centralizing):
        def __init__(self, learning_rate: float = 0.1, use_gc: bool = True) -> None:
            super().__init__(learning_rate)
            self.use_gc = use_gc

        def apply(self, grads: Any, trainable_variables: Any = None) -> None:
            hook = Centralizing.apply if self.use_gc else keras.optimizers.SGD.apply
            hook(self, grads, trainable_variables)

    port = keras_port(Flagged)
    assert port.off is not None
    assert port.off.off is None
    assert keras_port(Flagged, settings={"use_gc": False}).off is None
    case = case_of(lr=1.0)
    (plain,) = keras_port(keras.optimizers.SGD).run(case).steps
    assert same(port.off.run(case).steps[0], plain)
    assert not same(port.run(case).steps[0], plain)
