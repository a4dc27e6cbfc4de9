"""embiggen before 0.11, re-created: a method of the optimizer is replaced that nothing calls."""

import keras


def adam(learning_rate=1e-3, beta_1=0.9, beta_2=0.999, epsilon=1e-7):
    """Adam with another ``get_gradients``, which Keras calls no more."""
    optimizer = keras.optimizers.Adam(learning_rate, beta_1, beta_2, epsilon)
    optimizer.get_gradients = lambda loss, params: [
        g - keras.ops.mean(g, axis=tuple(range(g.ndim - 1)), keepdims=True) for g in loss(params)
    ]
    return optimizer
