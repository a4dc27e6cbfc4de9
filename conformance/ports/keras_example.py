"""The mistake of the Keras code example as it stood on 2023-07-25, re-created.

Its optimizer overrides ``get_gradients``, a method of the first Keras optimizers that
``fit`` has not called since TensorFlow 2: the model trains with plain RMSprop.
"""

import keras
from keras import ops


class GCRMSprop(keras.optimizers.RMSprop):
    def get_gradients(self, loss, params):
        """Nobody calls this."""
        gradients = super().get_gradients(loss, params)
        return [
            g - ops.mean(g, axis=tuple(range(len(g.shape) - 1)), keepdims=True)
            if len(g.shape) > 1
            else g
            for g in gradients
        ]
