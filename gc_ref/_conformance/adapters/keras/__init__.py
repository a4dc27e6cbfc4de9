"""Keras optimizers, driven through `fit`."""
