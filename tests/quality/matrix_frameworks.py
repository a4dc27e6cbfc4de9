"""Every optimizer of every framework, and how each is wrapped in a way of writing Φ.

The optimizers are those that the framework itself lists, so that a new one is taken in. One that
cannot be driven stays in the list, with the reason.
"""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gc_ref.conformance import Port, keras_port, numpy_port, optax_port, torch_port

from .matrix_exceptions import EXCUSED, REFUSING_SOME, SETTINGS, made_otherwise
from .matrix_variants import Arrays, Variant, counting

Factory = Callable[..., Any]


@dataclass(frozen=True)
class Framework:
    """A library of optimizers.

    Attributes
    ----------
    needs : tuple of str
        Modules without which there is nothing to judge.
    optimizers : callable
        Name of each optimizer to its factory.
    wrap : callable
        ``wrap(factory, variant)``: the same optimizer fed with Φ(g).
    port : callable
        Adapter of the kit: makes a port of a factory.
    algorithms : mapping
        Optimizers that have a formula in the paper, and which.
    settings : mapping
        Constructor arguments without which an optimizer is no base, or cannot be made.
    excused : mapping
        Optimizers that cannot be driven, and why; one that can be is a mistake in this list.
    refusing_some : sequence of str
        Optimizers that refuse vectors or some convolutions.
    prepare : callable
        Called before the framework is imported.
    float64 : callable
        ``float64(on)`` lets the framework compute in float64, where it does so only if told.
    """

    needs: tuple[str, ...]
    optimizers: Callable[[], dict[str, Factory]]
    wrap: Callable[[Factory, Variant], Factory]
    port: Callable[..., Port]
    algorithms: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    excused: Mapping[str, str] = field(default_factory=dict)
    refusing_some: Sequence[str] = ()
    prepare: Callable[[], object] = tuple
    float64: Callable[[bool], object] = bool


# ---- PyTorch


def _torch_arrays() -> Arrays:
    import torch
    from array_api_compat import torch as xp

    def cast(x: Any, dtype: Any) -> Any:
        if isinstance(x, int):
            return x
        return x.to(getattr(torch, dtype) if isinstance(dtype, str) else dtype)

    return Arrays(xp, "output-first", cast, lambda x, i, axis: x.select(axis, i), counting)


def _wrap_torch(optimizer: Factory, variant: Variant) -> Factory:
    """Give an optimizer, or what a factory makes, a ``step`` that centralizes first."""
    if inspect.isclass(optimizer):
        return _centralizing_torch(optimizer, variant)

    @functools.wraps(optimizer)
    def make(*arguments: Any, **named: Any) -> Any:
        made = optimizer(*arguments, **named)
        made.__class__ = _centralizing_torch(type(made), variant)
        return made

    return make


def _centralizing_torch(optimizer: Any, variant: Variant) -> Any:
    """Subclass that replaces each ``p.grad`` by Φ of it before the optimizer sees it."""
    import torch

    arrays = _torch_arrays()

    class Centralizing(optimizer):  # type: ignore[misc]
        def _centralize(self) -> None:
            if not (variant.second_steps or self._gc_steps % 2):
                return
            with torch.no_grad():
                for group in self.param_groups:
                    for p in group["params"]:
                        if p.grad is not None:
                            p.grad = variant.phi(arrays, p.grad)

        @functools.wraps(optimizer.step)
        def step(self, *arguments: Any, **named: Any) -> Any:
            self._gc_steps = getattr(self, "_gc_steps", 0) + 1
            self._centralize()
            closures = [x for x in (*arguments, *named.values()) if callable(x)]
            if not closures:
                return super().step(*arguments, **named)

            def closure() -> Any:  # the gradients that it makes are centralized too
                loss = closures[0]()
                self._centralize()
                return loss

            return super().step(closure)

    Centralizing.__name__ = Centralizing.__qualname__ = f"GC{optimizer.__name__}"
    return Centralizing


def _torch_optimizers() -> dict[str, Factory]:
    import torch

    return _classes(torch.optim, torch.optim.Optimizer)


def _classes(module: Any, base: type) -> dict[str, Factory]:
    """Return the public classes of a module that derive from ``base``."""
    return {
        name: value
        for name, value in sorted(vars(module).items())
        if inspect.isclass(value)
        and issubclass(value, base)
        and value is not base
        and not name.startswith("_")
    }


def _pytorch_optimizer_optimizers() -> dict[str, Factory]:
    import pytorch_optimizer
    import torch

    mine = _classes(pytorch_optimizer, torch.optim.Optimizer)
    mine = {n: c for n, c in mine.items() if c.__module__.startswith("pytorch_optimizer")}
    return mine | made_otherwise("pytorch_optimizer")


# ---- optax


def _jax_arrays() -> Arrays:
    import jax
    import jax.numpy as jnp

    loop = functools.partial(jax.lax.fori_loop, 0)
    return Arrays(jnp, "output-last", jnp.asarray, jnp.take, loop)


def _float64_in_jax(on: bool) -> None:
    import jax

    jax.config.update("jax_enable_x64", on)


def _wrap_optax(alias: Factory, variant: Variant) -> Factory:
    """Chain of a transformation that centralizes, and the optimizer."""
    import jax
    import jax.numpy as jnp
    import optax

    arrays = _jax_arrays()
    phi = functools.partial(variant.phi, arrays)

    def every_step(updates: Any, state: Any, params: Any = None) -> Any:
        return jax.tree.map(phi, updates), state

    def odd_steps(updates: Any, state: Any, params: Any = None) -> Any:
        def chosen(g: Any) -> Any:
            return jnp.where(state % 2 == 0, phi(g), g)

        return jax.tree.map(chosen, updates), state + 1

    @functools.wraps(alias)
    def chained(*arguments: Any, **named: Any) -> Any:
        if variant.second_steps:
            centralize = optax.GradientTransformation(lambda _: optax.EmptyState(), every_step)
        else:
            start = functools.partial(jnp.zeros, (), jnp.int32)
            centralize = optax.GradientTransformation(lambda _: start(), odd_steps)
        return optax.chain(centralize, alias(*arguments, **named))

    chained.__name__ = f"gc_{alias.__name__}"
    return chained


def _optax_optimizers() -> dict[str, Factory]:
    """Aliases of optax, and the optimizers of its contrib: what takes a rate or a base."""
    import optax
    import optax.contrib

    found = {
        name: value
        for name, value in vars(optax).items()
        if inspect.isfunction(value) and value.__module__ == "optax._src.alias"
    }
    for name, value in vars(optax.contrib).items():
        if not inspect.isfunction(value) or name.startswith("scale_by_"):
            continue  # a part of an optimizer
        if {"learning_rate", "base_optimizer", "optimizer"} & set(
            inspect.signature(value).parameters
        ):
            found[f"contrib.{name}"] = value
    return dict(sorted((found | made_otherwise("optax")).items()))


# ---- Keras


def _keras_arrays() -> Arrays:
    from keras import ops

    def loop(count: int, body: Any, start: Any) -> Any:
        return ops.fori_loop(0, count, body, start)

    return Arrays(ops, "output-last", ops.cast, lambda x, i, axis: ops.take(x, i, axis=axis), loop)


def _wrap_keras(optimizer: Any, variant: Variant) -> Any:
    """Subclass whose ``apply``, which every trainer calls, sees centralized gradients."""
    from keras import ops

    arrays = _keras_arrays()

    class Centralizing(optimizer):  # type: ignore[misc]
        def apply(self, grads: Any, trainable_variables: Any = None) -> Any:
            centralized = [g if g is None else self._centralize(g) for g in grads]
            return super().apply(centralized, trainable_variables)

        def _centralize(self, g: Any) -> Any:
            done = variant.phi(arrays, g)
            if variant.second_steps:
                return done
            return ops.where(ops.convert_to_tensor(self.iterations) % 2 == 0, done, g)

    Centralizing.__name__ = Centralizing.__qualname__ = f"GC{optimizer.__name__}"
    return Centralizing


def _keras_optimizers() -> dict[str, Factory]:
    import keras

    return _classes(keras.optimizers, keras.optimizers.Optimizer)


# ---- NumPy: small optimizers, so that a part of the matrix needs no framework


def _numpy_arrays() -> Arrays:
    def cast(x: Any, dtype: Any) -> Any:
        return np.asarray(x, dtype)

    return Arrays(np, "output-last", cast, np.take, counting)


def _sgd(w: Any, g: Any, s: dict[str, Any], h: Mapping[str, Any], t: int) -> Any:
    s["m"] = h["momentum"] * s.get("m", 0) + g
    return h["lr"] * s["m"]


def _adam(w: Any, g: Any, s: dict[str, Any], h: Mapping[str, Any], t: int) -> Any:
    one = w.dtype.type(1)
    s["m"] = h["beta1"] * s.get("m", 0) + (one - h["beta1"]) * g
    s["v"] = h["beta2"] * s.get("v", 0) + (one - h["beta2"]) * g * g
    first, second = s["m"] / (one - h["beta1"] ** t), s["v"] / (one - h["beta2"] ** t)
    return h["lr"] * first / (np.sqrt(second) + h["eps"])


def _rmsprop(w: Any, g: Any, s: dict[str, Any], h: Mapping[str, Any], t: int) -> Any:
    s["v"] = h["beta2"] * s.get("v", 0) + (w.dtype.type(1) - h["beta2"]) * g * g
    return h["lr"] * g / (np.sqrt(s["v"]) + h["eps"])


def _adagrad(w: Any, g: Any, s: dict[str, Any], h: Mapping[str, Any], t: int) -> Any:
    s["v"] = s.get("v", 0) + g * g
    return h["lr"] * g / (np.sqrt(s["v"]) + h["eps"])


def _lion(w: Any, g: Any, s: dict[str, Any], h: Mapping[str, Any], t: int) -> Any:
    before, one = s.get("m", np.zeros_like(w)), w.dtype.type(1)
    s["m"] = h["beta2"] * before + (one - h["beta2"]) * g
    return h["lr"] * np.sign(h["beta1"] * before + (one - h["beta1"]) * g)


def _numpy_factory(rule: Callable[..., Any], *, clip: bool = False) -> Factory:
    """Make ``run(case, phi)`` of a rule that answers what is subtracted from the weight."""

    def run(case: Any, phi: Callable[[Any, int], Any] = lambda g, t: g) -> Any:
        weights = {p.name: p.value.copy() for p in case.parameters}
        states: dict[str, dict[str, Any]] = {name: {} for name in weights}
        steps = []
        for t, raw in enumerate(case.gradients, 1):
            grads = {name: phi(g, t) for name, g in raw.items()}
            if clip:
                norm = np.sqrt(sum(np.sum(np.square(g, dtype=np.float64)) for g in grads.values()))
                grads = {n: (g / max(norm, 1.0)).astype(g.dtype) for n, g in grads.items()}
            for name, w in weights.items():
                h = {key: w.dtype.type(value) for key, value in case.hyperparameters.items()}
                h = {"momentum": w.dtype.type(0), **h}
                weights[name] = (w - rule(w, grads[name], states[name], h, t)).astype(w.dtype)
            steps.append(dict(weights))
        return steps

    return run


def _wrap_numpy(run: Factory, variant: Variant) -> Factory:
    arrays = _numpy_arrays()

    def phi(g: Any, t: int) -> Any:
        return variant.phi(arrays, g) if variant.second_steps or t % 2 else g

    return functools.partial(run, phi=phi)


NUMPY_OPTIMIZERS = {
    "SGD": _numpy_factory(_sgd),
    "Adam": _numpy_factory(_adam),
    "RMSprop": _numpy_factory(_rmsprop),
    "Adagrad": _numpy_factory(_adagrad),
    "Lion": _numpy_factory(_lion),
    "ClippedSGD": _numpy_factory(_sgd, clip=True),
}


def _backend(name: str) -> Callable[[], None]:
    def prepare() -> None:
        os.environ["KERAS_BACKEND"] = name

    return prepare


def _keras_on(backend: str) -> Framework:
    return Framework(
        needs=("keras", backend),
        optimizers=_keras_optimizers,
        wrap=_wrap_keras,
        port=keras_port,
        algorithms={"SGD": "sgdm", "Adam": "adam", "AdamW": "adam"},
        excused=EXCUSED["keras"],
        prepare=_backend(backend),
        float64=_float64_in_jax if backend == "jax" else bool,
    )


FRAMEWORKS = {
    "numpy": Framework(
        (),
        lambda: dict(NUMPY_OPTIMIZERS),
        _wrap_numpy,
        numpy_port,
        algorithms={"SGD": "sgdm", "Adam": "adam"},
    ),
    "torch": Framework(
        ("torch",),
        _torch_optimizers,
        _wrap_torch,
        torch_port,
        algorithms={"SGD": "sgdm", "Adam": "adam", "AdamW": "adam"},
        excused=EXCUSED["torch"],
        refusing_some=REFUSING_SOME["torch"],
    ),
    "pytorch_optimizer": Framework(
        ("torch", "pytorch_optimizer"),
        _pytorch_optimizer_optimizers,
        _wrap_torch,
        torch_port,
        settings=SETTINGS["pytorch_optimizer"],
        excused=EXCUSED["pytorch_optimizer"],
        refusing_some=REFUSING_SOME["pytorch_optimizer"],
    ),
    "optax": Framework(
        ("jax", "optax"),
        _optax_optimizers,
        _wrap_optax,
        optax_port,
        algorithms={"sgd": "sgdm", "adam": "adam", "adamw": "adam"},
        excused=EXCUSED["optax"],
        float64=_float64_in_jax,
    ),
    **{f"keras-{name}": _keras_on(name) for name in ("jax", "torch", "tensorflow")},
}
