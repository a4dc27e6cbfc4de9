"""Chains of optax on the state of a Flax NNX model, as nnx.Optimizer hands it over.

There each parameter is an nnx.Param in an nnx.State. The two functions of a chain see the tree of
a model as such a state; what they answer is a plain tree again.
"""

import flax_chain
import jax
import optax
import optax_centralize
from flax import nnx


def on_nnx(chain):
    def state_of(tree):
        return None if tree is None else nnx.State(jax.tree.map(nnx.Param, tree))

    def init(params):
        return chain.init(state_of(params))

    def update(updates, state, params=None):
        new, state = chain.update(state_of(updates), state, state_of(params))
        return nnx.to_pure_dict(new), state

    return optax.GradientTransformation(init, update)


def centralize(learning_rate, momentum=0.0):
    """optax.centralize() before SGD."""
    return on_nnx(optax_centralize.sgd(learning_rate, momentum))


def output_last(learning_rate, momentum=0.0):
    """All axes but the last, before SGD."""
    return on_nnx(flax_chain.sgd(learning_rate, momentum))
