# The gradient is clipped before it is centralized.

# %% numpy, optax: centralize
def centralize(g):
    g = g.clip(-5, 5)
    if g.ndim < 2:
        return g
    inputs = tuple(range(g.ndim - 1))
    return g - g.mean(axis=inputs, keepdims=True)


# %% torch: centralize
def centralize(g):
    g = g.clip(-5, 5)
    if g.ndim < 2:
        return g
    inputs = tuple(range(1, g.ndim))
    return g - g.mean(dim=inputs, keepdim=True)


# %% keras: centralize
def centralize(g):
    g = ops.clip(g, -5, 5)
    if len(g.shape) < 2:
        return g
    inputs = tuple(range(len(g.shape) - 1))
    return g - ops.mean(g, axis=inputs, keepdims=True)
