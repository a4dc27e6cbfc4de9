"""Correct optimizers for Keras 3: ``apply`` is the one method that every trainer calls."""

import keras
from keras import ops


def centralized(gradient):
    """Subtract the mean over all axes but the last, which numbers the outputs in Keras."""
    if gradient is None or len(gradient.shape) < 2:
        return gradient
    inputs = tuple(range(len(gradient.shape) - 1))
    return gradient - ops.mean(gradient, axis=inputs, keepdims=True)


class RMSprop(keras.optimizers.RMSprop):
    def apply(self, grads, trainable_variables=None):
        return super().apply([centralized(g) for g in grads], trainable_variables)


class Adam(keras.optimizers.Adam):
    def apply(self, grads, trainable_variables=None):
        return super().apply([centralized(g) for g in grads], trainable_variables)


class SGD(keras.optimizers.SGD):
    def apply(self, grads, trainable_variables=None):
        return super().apply([centralized(g) for g in grads], trainable_variables)
