# The sum is divided by another number than the fan-in.

# %% numpy, optax: centralize
def centralize(g):
    if g.ndim < 2:
        return g
    inputs = tuple(range(g.ndim - 1))
    return g - g.sum(axis=inputs, keepdims=True) / g.shape[-1]


# %% torch: centralize
def centralize(g):
    if g.ndim < 2:
        return g
    inputs = tuple(range(1, g.ndim))
    return g - g.sum(dim=inputs, keepdim=True) / g.shape[0]


# %% keras: centralize
def centralize(g):
    if len(g.shape) < 2:
        return g
    inputs = tuple(range(len(g.shape) - 1))
    return g - ops.sum(g, axis=inputs, keepdims=True) / g.shape[-1]
