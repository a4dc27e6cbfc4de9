# Only part of the mean, or the mean of part of the model, is removed.

# %% numpy, optax: centralize
def centralize(g):
    if g.ndim < 2:
        return g
    inputs = tuple(range(g.ndim - 1))
    return g - 0.5 * g.mean(axis=inputs, keepdims=True)


# %% torch: centralize
def centralize(g):
    if g.ndim < 2:
        return g
    inputs = tuple(range(1, g.ndim))
    return g - 0.5 * g.mean(dim=inputs, keepdim=True)


# %% keras: centralize
def centralize(g):
    if len(g.shape) < 2:
        return g
    inputs = tuple(range(len(g.shape) - 1))
    return g - 0.5 * ops.mean(g, axis=inputs, keepdims=True)
