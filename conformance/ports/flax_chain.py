"""A correct chain for Flax: the last axis of a kernel numbers its outputs."""

import jax
import jax.numpy as jnp
import optax


def centralize_output_last():
    """Subtract from each gradient its mean over all axes but the last."""

    def centralized(gradient):
        if gradient.ndim < 2:
            return gradient
        inputs = tuple(range(gradient.ndim - 1))
        return gradient - jnp.mean(gradient, axis=inputs, keepdims=True)

    return optax.stateless(lambda updates, params: jax.tree.map(centralized, updates))


def sgd(learning_rate, momentum=0.0):
    return optax.chain(centralize_output_last(), optax.sgd(learning_rate, momentum))


def adam(learning_rate, b1=0.9, b2=0.999, eps=1e-8):
    return optax.chain(centralize_output_last(), optax.adam(learning_rate, b1, b2, eps))


def adamw(learning_rate, b1=0.9, b2=0.999, eps=1e-8, weight_decay=1e-4):
    return optax.chain(
        centralize_output_last(),
        optax.adamw(learning_rate, b1, b2, eps, weight_decay=weight_decay),
    )
