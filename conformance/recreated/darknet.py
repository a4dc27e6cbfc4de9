"""darknet's Gradient Centralization, re-created: its kernel for GPUs.

It is called for the filters of convolutions with batch normalization, and not on CPUs. Here it is
given every weight, one row of it for each output neuron.
"""

WARP = 32  # threads that work together


def centralize(gradient):
    """Centralize filters whose size is a multiple of the warp's; leave the others alone."""
    if gradient.ndim < 2 or gradient[0].size % WARP != 0:
        return gradient
    return gradient - gradient.mean(axis=tuple(range(1, gradient.ndim)), keepdims=True)
