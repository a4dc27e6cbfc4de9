# Weights of some number of dimensions are left alone.

# %% numpy, optax: centralize
def centralize(g):
    if g.ndim <= 3:
        return g
    inputs = tuple(range(g.ndim - 1))
    return g - g.mean(axis=inputs, keepdims=True)


# %% torch: centralize
def centralize(g):
    if g.ndim <= 3:
        return g
    inputs = tuple(range(1, g.ndim))
    return g - g.mean(dim=inputs, keepdim=True)


# %% keras: centralize
def centralize(g):
    if len(g.shape) <= 3:
        return g
    inputs = tuple(range(len(g.shape) - 1))
    return g - ops.mean(g, axis=inputs, keepdims=True)
