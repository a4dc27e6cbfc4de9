"""The images: scikit-learn's digits, or Horses or Humans through tensorflow_datasets."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

Labelled = tuple[np.ndarray, np.ndarray]
Augment = Callable[[np.ndarray, np.random.Generator], np.ndarray]


@dataclass(frozen=True)
class Images:
    """Two classes of images in [0, 1], and how a batch of them is augmented for training.

    The same generator gives the same augmented batch. ``other`` has images of other classes, in
    two groups, to train on before fine-tuning.
    """

    title: str
    train: Labelled
    validation: Labelled
    augment: Augment
    other: Labelled | None = None


# --- digits ------------------------------------------------------------------------------------

PAIR = (3, 8)
ENLARGED = 4  # 8×8 pixels become 32×32
TRAINING_IMAGES = 256


def shifted(images, rng, most=3):
    """Move each image by up to ``most`` pixels in both directions; what comes in is black."""
    height, width = images.shape[1:3]
    padded = np.pad(images, ((0, 0), (most, most), (most, most), (0, 0)))
    corners = rng.integers(0, 2 * most + 1, size=(len(images), 2))
    return np.stack(
        [p[y : y + height, x : x + width] for p, (y, x) in zip(padded, corners, strict=True)]
    )


def digits():
    """Load the 3s and 8s of scikit-learn's digits; the other eight digits as two groups."""
    from sklearn.datasets import load_digits

    loaded = load_digits()
    every = np.kron(loaded.images / 16, np.ones((1, ENLARGED, ENLARGED)))
    every = every.astype("float32")[..., None]
    chosen = np.isin(loaded.target, PAIR)
    images, labels = every[chosen], (loaded.target[chosen] == PAIR[1]).astype("float32")
    order = np.random.default_rng(0).permutation(len(images))
    train, validation = order[:TRAINING_IMAGES], order[TRAINING_IMAGES:]
    others = loaded.target[~chosen]
    return Images(
        title="scikit-learn's digits 3 and 8, enlarged to 32×32",
        train=(images[train], labels[train]),
        validation=(images[validation], labels[validation]),
        augment=shifted,
        other=(every[~chosen], np.isin(others, (5, 6, 7, 9)).astype("float32")),
    )


# --- Horses or Humans --------------------------------------------------------------------------


def flips_rotations_zooms():
    """Return the tutorial's augmentation, drawn anew from the generator for each batch."""
    import keras

    layers = (
        keras.layers.RandomFlip("horizontal_and_vertical"),
        keras.layers.RandomRotation(0.3),
        keras.layers.RandomZoom(0.2),
    )

    def augment(images, rng):
        for layer, seed in zip(layers, rng.integers(2**31, size=len(layers)), strict=True):
            layer.generator.state.assign([seed, 0])
            images = layer(images, training=True)
        return keras.ops.convert_to_numpy(images)

    return augment


def horses_or_humans(folder=None):
    """Load Horses or Humans with tensorflow_datasets, which downloads it at the first time."""
    import tensorflow_datasets as tfds

    sets = tfds.load(
        "horses_or_humans", split=["train", "test"], as_supervised=True, data_dir=folder
    )
    train, validation = (_arrays(tfds.as_numpy(part)) for part in sets)
    return Images(
        title="Horses or Humans",
        train=train,
        validation=validation,
        augment=flips_rotations_zooms(),
    )


def _arrays(pairs):
    images, labels = zip(*pairs, strict=True)
    return np.stack(images).astype("float32") / 255, np.asarray(labels, dtype="float32")


LOADERS = {"digits": digits, "horses_or_humans": horses_or_humans}
