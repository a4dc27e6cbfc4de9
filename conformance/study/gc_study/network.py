"""The tutorial's network, scaled to the images."""

import hashlib

import keras
import numpy as np

#: The tutorial's images have 300×300 pixels, and five convolutions without padding and five
#: poolings need 94. Smaller images are padded.
LEAST_UNPADDED = 94


def network(shape, filters, dropout=0.5):
    """Five Conv2D with max pooling, dropouts, Dense 512, Dense 1; 16 filters are the tutorial's."""
    layers = keras.layers
    padding = "valid" if min(shape[:2]) >= LEAST_UNPADDED else "same"

    def convolution(factor):
        return layers.Conv2D(factor * filters, 3, padding=padding, activation="relu")

    return keras.Sequential(
        [
            keras.Input(shape),
            convolution(1),
            layers.MaxPooling2D(),
            convolution(2),
            layers.Dropout(dropout),
            layers.MaxPooling2D(),
            convolution(4),
            layers.Dropout(dropout),
            layers.MaxPooling2D(),
            convolution(4),
            layers.MaxPooling2D(),
            convolution(4),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dropout(dropout),
            layers.Dense(512, activation="relu"),
            layers.Dense(1, activation="sigmoid"),
        ]
    )


def initial_weights(model, seed):
    """Draw Keras's default initial weights: Glorot's uniform kernels, and biases of zero."""
    rng = np.random.default_rng(seed)
    return [
        keras.ops.convert_to_numpy(
            keras.initializers.GlorotUniform(seed=int(rng.integers(2**31)))(weight.shape)
        )
        if len(weight.shape) > 1
        else np.zeros(weight.shape, dtype="float32")
        for weight in model.weights
    ]


def with_new_head(trained, fresh):
    """Take trained weights, but the last layer of fresh ones."""
    return [*trained[:-2], *fresh[-2:]]


def digest(weights):
    """Name these very bits."""
    return hashlib.sha256(b"".join(np.ascontiguousarray(w).tobytes() for w in weights)).hexdigest()
