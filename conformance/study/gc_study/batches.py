"""The batches of a fit: they follow from a seed alone, so that paired fits get the same."""

import keras
import numpy as np


class Batches(keras.utils.PyDataset):
    """Shuffled and augmented anew in each epoch."""

    def __init__(self, labelled, augment, size, seed):
        super().__init__()
        self.images, self.labels = labelled
        self.augment = augment
        self.size = size
        self.seed = seed
        self.epoch = 0

    def __len__(self):
        return -(-len(self.images) // self.size)

    def __getitem__(self, number):
        order = np.random.default_rng([*self.seed, self.epoch]).permutation(len(self.images))
        chosen = order[number * self.size : (number + 1) * self.size]
        rng = np.random.default_rng([*self.seed, self.epoch, number])
        return self.augment(self.images[chosen], rng), self.labels[chosen]

    def on_epoch_end(self):
        self.epoch += 1
