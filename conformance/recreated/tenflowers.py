"""tenflowers-neural (Rust), re-created with its default configuration.

The averaged axes are dropped. The crate returns an error where what is left does not broadcast;
here such a gradient stays as it is.
"""

FEWEST = 4  # elements of an array that is centralized


def centralize(gradient):
    """Subtract one mean of a vector or matrix, and of other arrays one for each first index."""
    if gradient.size < FEWEST or gradient.ndim == 0:
        return gradient
    if gradient.ndim < 3:
        return gradient - gradient.mean()
    means = gradient.mean(axis=tuple(range(1, gradient.ndim)))
    if means.size not in (1, gradient.shape[-1]):
        return gradient
    return gradient - means  # along the last axis, though they belong to the first
