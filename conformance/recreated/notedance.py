"""Ranger of NoteDance, for Keras, re-created."""

import math

import keras
from keras import ops


class Ranger(keras.optimizers.Optimizer):
    """Centralizes always, and over all axes but the first."""

    def __init__(
        self,
        learning_rate=1e-3,
        beta1=0.95,
        beta2=0.999,
        epsilon=1e-5,
        alpha=0.5,
        k=6,
        use_gc=True,
        gc_conv_only=False,
        **more,
    ):
        super().__init__(learning_rate, **more)
        self.beta1, self.beta2, self.epsilon = beta1, beta2, epsilon
        self.alpha, self.k, self.use_gc = alpha, k, use_gc
        self.more_than = 3 if gc_conv_only else 1

    def build(self, variables):
        if self.built:
            return
        super().build(variables)
        self.first, self.second, self.slow = (
            [self.add_variable_from_reference(v, name=name) for v in variables]
            for name in ("exp_avg", "exp_avg_sq", "slow_buffer")
        )
        for slow, variable in zip(self.slow, variables, strict=True):
            slow.assign(ops.copy(variable))

    def update_step(self, gradient, variable, learning_rate):
        i = self._get_variable_index(variable)
        rate, t = (ops.cast(x, variable.dtype) for x in (learning_rate, self.iterations + 1))
        if len(gradient.shape) > self.more_than:
            others = tuple(range(1, len(gradient.shape)))
            gradient = gradient - ops.mean(gradient, axis=others, keepdims=True)
        self.first[i].assign(self.beta1 * self.first[i] + (1 - self.beta1) * gradient)
        self.second[i].assign(self.beta2 * self.second[i] + (1 - self.beta2) * gradient**2)
        self.assign(variable, variable - rate * self.direction(i, t))
        slow = ops.convert_to_tensor(self.slow[i])
        moved = slow + self.alpha * (variable - slow)
        self.slow[i].assign(ops.where(t % self.k == 0, moved, slow))
        self.assign(variable, ops.where(t % self.k == 0, moved, ops.convert_to_tensor(variable)))

    def direction(self, i, t):
        """Return the direction of RAdam's step."""
        longest = 2 / (1 - self.beta2) - 1
        power = self.beta2**t
        length = longest - 2 * t * power / (1 - power)
        trust = (length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length)
        first = ops.convert_to_tensor(self.first[i])
        root = ops.sqrt(self.second[i]) + self.epsilon
        trusted = ops.sqrt(ops.maximum((1 - power) * trust, 0)) * first / root
        return ops.where(length > 5, trusted, first) / (1 - self.beta1**t)


class RangerWithoutGC(Ranger):
    """What ``use_gc=False`` promises: the base that Ranger is held to."""

    def __init__(self, learning_rate=1e-3, beta1=0.95, beta2=0.999, epsilon=1e-5):
        super().__init__(learning_rate, beta1, beta2, epsilon)
        self.more_than = math.inf
