"""Layers, a case and correct transformations for the tests of the optax adapter."""

import numpy as np
import pytest

from ._adapter_cases import drawn_case, drawn_parameters

optax = pytest.importorskip("optax")
jax = pytest.importorskip("jax")

HYPER = {"lr": 0.5, "momentum": 0.5, "beta1": 0.5, "beta2": 0.75, "eps": 1.0}
SMALL = ("dense", "conv1d", "scalar")
WITH_BIAS = ("dense", "scale")


def parameters(kinds=SMALL, layout="output-last", dtype=np.float32):
    """One weight of each kind, and biases."""
    return drawn_parameters(kinds, layout=layout, fan_out=2, with_bias=WITH_BIAS, dtype=dtype)


def case_of(owned=None, *, steps=2, hyper=HYPER, **options):
    """Case of these weights, or of the small ones."""
    owned = parameters() if owned is None else owned
    return drawn_case(owned, steps=steps, hyper=hyper, **options)


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
