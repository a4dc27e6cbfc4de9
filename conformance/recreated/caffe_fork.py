"""A fork of Caffe, re-created: its code for CPUs."""


def centralize(gradient):
    """Add 1 - mean instead of -mean."""
    if gradient.ndim < 2:
        return gradient
    inputs = tuple(range(1, gradient.ndim))
    return gradient + (1 - gradient.mean(axis=inputs, keepdims=True))
