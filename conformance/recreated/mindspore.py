"""MindSpore's Gradient Centralization, re-created: as it is, and as it was at first."""


def centralize(gradient):
    """Leave alone what has a second dimension that is no multiple of 16."""
    if gradient.ndim < 2 or gradient.shape[1] % 16 != 0:
        return gradient
    return gradient - gradient.mean(axis=tuple(range(1, gradient.ndim)), keepdims=True)


def centralize_at_first(gradient):
    """Average over all axes but the last, though the outputs are on the first."""
    if gradient.ndim < 2:
        return gradient
    return gradient - gradient.mean(axis=tuple(range(gradient.ndim - 1)), keepdims=True)
