"""optax.centralize(), chained before SGD and Adam.

It averages every axis but the first: right for weights that keep their outputs first,
wrong for Flax, whose kernels keep them last.
"""

import optax


def sgd(learning_rate, momentum=0.0):
    return optax.chain(optax.centralize(), optax.sgd(learning_rate, momentum))


def adam(learning_rate, b1=0.9, b2=0.999, eps=1e-8):
    return optax.chain(optax.centralize(), optax.adam(learning_rate, b1, b2, eps))
