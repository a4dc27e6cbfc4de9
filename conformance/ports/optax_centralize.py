"""optax.centralize(), chained before optimizers of optax.

It averages every axis but the first: right for weights that keep their outputs first,
wrong for Flax, whose kernels keep them last.
"""

import optax


def sgd(learning_rate, momentum=0.0):
    return optax.chain(optax.centralize(), optax.sgd(learning_rate, momentum))


def adam(learning_rate, b1=0.9, b2=0.999, eps=1e-8):
    return optax.chain(optax.centralize(), optax.adam(learning_rate, b1, b2, eps))


def adamw(learning_rate, b1=0.9, b2=0.999, eps=1e-8, weight_decay=1e-4):
    return optax.chain(
        optax.centralize(), optax.adamw(learning_rate, b1, b2, eps, weight_decay=weight_decay)
    )


def lion(learning_rate, b1=0.9, b2=0.99, weight_decay=1e-3):
    return optax.chain(
        optax.centralize(), optax.lion(learning_rate, b1, b2, weight_decay=weight_decay)
    )


def rmsprop(learning_rate, decay=0.9, eps=1e-8, momentum=0.0):
    return optax.chain(
        optax.centralize(), optax.rmsprop(learning_rate, decay, eps, momentum=momentum)
    )
