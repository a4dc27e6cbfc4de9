"""Two operators that need no framework: one is right, one averages the wrong axes."""


def centralize(gradient):
    """Right for weights whose last axis numbers the outputs (Eq. 1)."""
    if gradient.ndim < 2:
        return gradient
    inputs = tuple(range(gradient.ndim - 1))
    return gradient - gradient.mean(axis=inputs, keepdims=True)


def centralize_wrong_axes(gradient):
    """The rule for output-first weights, applied to output-last ones."""
    if gradient.ndim < 2:
        return gradient
    rest = tuple(range(1, gradient.ndim))
    return gradient - gradient.mean(axis=rest, keepdims=True)
