"""tensorlogic-train (Rust), re-created with its default strategy, ``LayerWise``.

All its parameters are matrices. Here arrays of more dimensions are treated as matrices are.
"""


def centralize(gradient):
    """Subtract one mean of the whole array."""
    return gradient if gradient.ndim < 2 else gradient - gradient.mean()
