"""Gradient transformations of optax that do what a semantics says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gc_ref._conformance.adapters.optax.port import optax_port
from gc_ref._conformance.catalogue.deviations import Form
from gc_ref._conformance.catalogue.parameters import kind_in, parameter_infos
from gc_ref._conformance.catalogue.semantics import Semantics, State, step
from gc_ref._conformance.ports.port import Port

__all__ = ["optimizer_port"]


def optimizer_port(form: Form, name: str) -> Port:
    """Make the port of a form of a deviation as an ``optax.GradientTransformation``."""

    def make(learning_rate: float, **hyper: Any) -> Any:
        return _transformation(form.semantics, {"lr": learning_rate, **hyper})

    # With the arguments of optax's own.
    factories: Mapping[str, Any] = {
        "sgd": lambda learning_rate, momentum=0.0: make(learning_rate, momentum=momentum),
        "sgd-with-switch": lambda learning_rate, momentum=0.0, use_gc=True: make(
            learning_rate, momentum=momentum
        ),
        "adam": lambda learning_rate, b1=0.9, b2=0.999, eps=1e-8: make(
            learning_rate, beta1=b1, beta2=b2, eps=eps
        ),
        "adamw": lambda learning_rate, b1=0.9, b2=0.999, eps=1e-8, weight_decay=1e-4: make(
            learning_rate, beta1=b1, beta2=b2, eps=eps, weight_decay=weight_decay
        ),
    }
    return optax_port(factories[form.optimizer], name=name, algorithm=form.semantics.algorithm)


def _transformation(semantics: Semantics, hyper: dict[str, Any]) -> Any:
    import jax
    import jax.numpy as jnp
    import optax

    def init(params: Any) -> Any:
        zeros = [list(State.of(p)) for p in jax.tree.leaves(params)]
        return jnp.zeros((), jnp.float32), zeros

    def update(updates: Any, state: Any, params: Any = None) -> Any:
        t, before = state[0] + 1, state[1]
        weights, structure = jax.tree.flatten(params)
        paths = [jax.tree_util.keystr(path) for path, _ in jax.tree.leaves_with_path(params)]
        gradients = jax.tree.leaves(updates)
        shapes = {i: tuple(w.shape) for i, w in enumerate(weights)}
        infos = parameter_infos(shapes, -1, kinds=dict(enumerate(map(kind_in, paths)))).values()
        flat = jnp.concatenate([g.ravel() for g in gradients])
        whole = jnp.mean(flat), jnp.sqrt(jnp.sum(flat * flat))
        after, moves = [], []
        shared: dict[Any, Any] = {}
        for w, g, kept, info in zip(weights, gradients, before, infos, strict=True):
            if semantics.mistake == "state-aliased":
                kept = shared.get(info.shape, kept)
            moved, now = step(jnp, semantics, w, g, State(*kept), t, hyper, info, *whole)
            shared[info.shape] = list(now)
            after.append(list(now))
            moves.append(moved - w)
        if semantics.mistake == "state-aliased":
            after = [shared[info.shape] for info in infos]
        return jax.tree.unflatten(structure, moves), (t, after)

    return optax.GradientTransformation(init, update)
