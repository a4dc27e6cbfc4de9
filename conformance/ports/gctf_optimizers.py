"""gradient-centralization-tf 0.0.3 (gctf): sets ``get_gradients``, which ``fit`` never calls."""

from gctf.optimizers import adadelta, adagrad, adam, adamax, ftrl, nadam, rmsprop, sgd

__all__ = ["adadelta", "adagrad", "adam", "adamax", "ftrl", "nadam", "rmsprop", "sgd"]
