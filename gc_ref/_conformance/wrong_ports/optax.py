"""Gradient transformations of optax that do what a semantics says."""

from __future__ import annotations

from typing import Any

from gc_ref._conformance.adapters.optax.port import optax_port
from gc_ref._conformance.catalogue.centers import Slot, places
from gc_ref._conformance.catalogue.deviations import Plant
from gc_ref._conformance.catalogue.semantics import State, step
from gc_ref._conformance.ports.port import Port

__all__ = ["optax_plant"]


def optax_plant(plant: Plant, name: str) -> Port:
    """Make the port of a plant as a factory of ``optax.GradientTransformation``."""
    if plant.what.algorithm == "adam":
        maker: Any = _adamw if plant.what.conventions.get("decay") else _adam
    else:
        maker = _sgdm_with_flag if plant.how == "flag-ignored" else _sgdm
    return optax_port(maker(plant), name=name, algorithm=plant.what.algorithm)


def _sgdm(plant: Plant) -> Any:
    def sgdm(learning_rate: float, momentum: float = 0.0) -> Any:
        return _transformation(plant, {"lr": learning_rate, "momentum": momentum})

    return sgdm


def _sgdm_with_flag(plant: Plant) -> Any:
    def sgdm(learning_rate: float, momentum: float = 0.0, use_gc: bool = True) -> Any:
        return _transformation(plant, {"lr": learning_rate, "momentum": momentum})

    return sgdm


def _adam(plant: Plant) -> Any:
    def adam(learning_rate: float, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8) -> Any:
        hyper = {"lr": learning_rate, "beta1": b1, "beta2": b2, "eps": eps}
        return _transformation(plant, hyper)

    return adam


def _adamw(plant: Plant) -> Any:
    def adamw(
        learning_rate: float, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8,
        weight_decay: float = 1e-4,
    ) -> Any:  # fmt: skip
        hyper = {"lr": learning_rate, "beta1": b1, "beta2": b2, "eps": eps}
        return _transformation(plant, {**hyper, "weight_decay": weight_decay})

    return adamw


def _transformation(plant: Plant, hyper: dict[str, Any]) -> Any:
    import jax
    import jax.numpy as jnp
    import optax

    what = plant.what

    def init(params: Any) -> Any:
        zeros = [[jnp.zeros_like(p) for _ in range(3)] for p in jax.tree.leaves(params)]
        return jnp.zeros((), jnp.float32), zeros

    def update(updates: Any, state: Any, params: Any = None) -> Any:
        count, before = state
        t = count + 1
        weights, structure = jax.tree.flatten(params)
        gradients = jax.tree.leaves(updates)
        numbers = places([w.ndim for w in weights])
        first = next((w.ndim for w in weights if w.ndim > 1), 2)
        flat = jnp.concatenate([g.ravel() for g in gradients])
        after, moves = [], []
        shared: dict[Any, Any] = {}
        for i, (w, g, kept) in enumerate(zip(weights, gradients, before, strict=True)):
            index, count = numbers[i]
            half = int(i >= len(weights) // 2)
            slot = Slot(tuple(w.shape), -1, index, count, first, group=half)
            if what.mistake == "state-aliased":
                kept = shared.get(w.shape, kept)
            moved, now = step(
                jnp, what, w, g, State(*kept), t, hyper, slot, jnp.mean(flat)
            )  # fmt: skip
            shared[w.shape] = list(now)
            after.append(list(now))
            moves.append(moved - w)
        if what.mistake == "state-aliased":
            after = [shared[w.shape] for w in weights]
        return jax.tree.unflatten(structure, moves), (t, after)

    return optax.GradientTransformation(init, update)
