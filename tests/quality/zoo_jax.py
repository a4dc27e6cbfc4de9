"""The zoo's JAX operators and optax optimizers, outputs last. XLA flushes subnormal numbers.

Every shape compiles once: ports are made once, and later seeds use what was compiled.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from gc_ref.conformance import Case, Port, Trajectory, operator_port, optax_port

from .zoo_entry import DTYPES, Entry

Operator = Callable[[Any], Any]


def rows_of(phi: Callable[[Any], Any]) -> Operator:
    """Operator on arrays of any rank out of a function of the matrix (inputs, outputs)."""

    def operator(g: Any) -> Any:
        return g if g.ndim < 2 else phi(g.reshape(-1, g.shape[-1])).reshape(g.shape)

    return operator


def jitted() -> Operator:
    import jax

    return jax.jit(rows_of(lambda m: m - m.mean(axis=0)))


def vmapped() -> Operator:
    import jax

    return jax.jit(rows_of(jax.vmap(lambda c: c - c.mean(), in_axes=1, out_axes=1)))


def by_einsum() -> Operator:
    import jax
    import jax.numpy as jnp

    return jax.jit(rows_of(lambda m: m - jnp.einsum("io->o", m) / len(m)))


def projection() -> Operator:
    """Eq. 2 with P in float32 at least."""
    import jax
    import jax.numpy as jnp

    def phi(m):
        kind = jnp.promote_types(m.dtype, jnp.float32)
        if len(m) > 2048:  # the matrix would take gigabytes
            return (m.astype(kind) - jnp.mean(m.astype(kind), axis=0)).astype(m.dtype)
        p = jnp.eye(len(m), dtype=kind) - jnp.asarray(1 / len(m), kind)
        product = jnp.matmul(p, m.astype(kind), precision="highest")
        return product.astype(m.dtype)

    return jax.jit(rows_of(phi))


def scanned() -> Operator:
    """A running mean (Welford's), one input at a time."""
    import jax
    import jax.numpy as jnp

    def phi(m):
        kind = jnp.promote_types(m.dtype, jnp.float32)
        wide = m.astype(kind)

        def add(mean, item):
            k, row = item
            return mean + (row - mean) / k, None

        numbers = jnp.arange(1, len(m) + 1, dtype=kind)
        mean, _ = jax.lax.scan(add, jnp.zeros(m.shape[1], kind), (numbers, wide))
        return (wide - mean).astype(m.dtype)

    return jax.jit(rows_of(phi))


def by_grad() -> Operator:
    """P g as the gradient of ½‖P g‖²: P is symmetric and idempotent."""
    import jax

    def half_norm(m):
        centered = m - m.mean(axis=0)
        return (centered * centered).sum() / 2

    return jax.jit(rows_of(jax.grad(half_norm)))


def port_of(make: Callable[[], Operator], name: str) -> Port:
    """Port of an operator, in float64 too: there JAX is told to keep 64 bits."""
    import jax

    port = operator_port(make(), framework="jax", name=name)
    drive = port.run

    def run(case: Case) -> Trajectory:
        with jax.enable_x64(case.dtype == "float64"):
            return drive(case)

    return replace(port, run=run, dtypes=DTYPES)


def chain(base: Callable[..., Any]) -> Any:
    import jax
    import optax

    def centralize(g):
        return g if g.ndim < 2 else g - g.mean(axis=tuple(range(g.ndim - 1)), keepdims=True)

    gc = optax.stateless(lambda updates, params: jax.tree.map(centralize, updates))
    return optax.chain(gc, base)


def sgd() -> Port:
    import optax

    def gc_sgd(learning_rate, momentum=0.9):
        return chain(optax.sgd(learning_rate, momentum))

    return optax_port(gc_sgd, algorithm="sgdm")


def ema() -> Port:
    import optax

    def gc_ema(learning_rate, momentum=0.9):
        average = optax.ema(momentum, debias=False)
        return chain(optax.chain(average, optax.scale(-learning_rate)))

    return optax_port(gc_ema, algorithm="sgdm")


def adam() -> Port:
    import optax

    def gc_adam(learning_rate, b1=0.9, b2=0.999, eps=1e-8):
        return chain(optax.adam(learning_rate, b1, b2, eps))

    return optax_port(gc_adam, algorithm="adam")


def adamw() -> Port:
    import optax

    def gc_adamw(learning_rate, b1=0.9, b2=0.999, eps=1e-8, weight_decay=0.0):
        return chain(optax.adamw(learning_rate, b1, b2, eps, weight_decay=weight_decay))

    return optax_port(gc_adamw, algorithm="adam")


OPERATORS = (jitted, vmapped, by_einsum, projection, scanned, by_grad)
OPTIMIZERS = (
    (sgd, {"momentum": "heavy-ball"}),
    (ema, {"momentum": "ema"}),
    (adam, {"epsilon": "outside"}),
    (adamw, {"decay": "decoupled"}),
)

ENTRIES = (
    *(
        Entry(
            name,
            functools.cache(functools.partial(port_of, make, name)),
            needs=("jax",),
            cost="dear",
        )
        for make in OPERATORS
        for name in [f"jax: {make.__name__.replace('_', ' ')}"]
    ),
    *(
        Entry(
            f"optax: {make.__name__}",
            functools.cache(make),
            "optimizer",
            needs=("jax", "optax"),
            dtypes=("float32",),
            follows=follows,
            cost="dear",
        )
        for make, follows in OPTIMIZERS
    ),
)
