"""gradient-centralization-tf 0.0.3 (gctf): sets ``get_gradients``, which ``fit`` never calls."""

from gctf.optimizers import adam, rmsprop, sgd

__all__ = ["adam", "rmsprop", "sgd"]
