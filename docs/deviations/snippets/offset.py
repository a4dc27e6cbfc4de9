# A constant is added to the centralized gradient.

# %% numpy, optax: centralize
def centralize(g):
    if g.ndim < 2:
        return g
    inputs = tuple(range(g.ndim - 1))
    return g + (1 - g.mean(axis=inputs, keepdims=True))


# %% torch: centralize
def centralize(g):
    if g.ndim < 2:
        return g
    inputs = tuple(range(1, g.ndim))
    return g + (1 - g.mean(dim=inputs, keepdim=True))


# %% keras: centralize
def centralize(g):
    if len(g.shape) < 2:
        return g
    inputs = tuple(range(len(g.shape) - 1))
    return g + (1 - ops.mean(g, axis=inputs, keepdims=True))
