"""The optimizers of the arms: plain, with the tutorial's mistake, and with true GC."""

import keras

import gc_ref

#: One rate for all arms of an optimizer, chosen by fits of the plain arm with other seeds.
BASES = {
    "RMSprop": (keras.optimizers.RMSprop, {"learning_rate": 3e-4}),
    "SGDM": (keras.optimizers.SGD, {"learning_rate": 0.02, "momentum": 0.9}),
    "Adam": (keras.optimizers.Adam, {"learning_rate": 3e-4}),
}


def centralized(gradient):
    """Φ(g): the outputs of Keras's kernels are on the last axis; biases pass."""
    return gc_ref.centralize(gradient, output_axis=-1)


def as_in_the_example(base):
    """Override ``get_gradients``, as the Keras example does. No method of Keras 3 calls it."""

    class Example(base):
        def get_gradients(self, loss, params):
            return [centralized(g) for g in super().get_gradients(loss, params)]

    return Example


def with_gc(base):
    """Override ``apply``, which every trainer calls."""

    class WithGC(base):
        def apply(self, grads, trainable_variables=None):
            return super().apply([centralized(g) for g in grads], trainable_variables)

    return WithGC


ARM_CLASSES = {"plain": lambda base: base, "example": as_in_the_example, "GC": with_gc}


def make_optimizer(optimizer, arm):
    """Make the optimizer of an arm; all arms of an optimizer have the same settings."""
    base, settings = BASES[optimizer]
    return ARM_CLASSES[arm](base)(**settings)
