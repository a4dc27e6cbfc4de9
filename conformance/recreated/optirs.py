"""optirs-core (Rust), re-created."""


def centralize(gradient):
    """Subtract one mean of the whole array, whatever its number of dimensions."""
    if gradient.size == 0:
        return gradient
    return gradient - gradient.mean()
