# The centralized gradient is scaled.

# %% numpy, optax: centralize
def centralize(g):
    if g.ndim < 2:
        return g
    inputs = tuple(range(g.ndim - 1))
    return (g - g.mean(axis=inputs, keepdims=True)) / (g.std() + 1e-8)


# %% torch: centralize
def centralize(g):
    if g.ndim < 2:
        return g
    inputs = tuple(range(1, g.ndim))
    return (g - g.mean(dim=inputs, keepdim=True)) / (g.std(correction=0) + 1e-8)


# %% keras: centralize
def centralize(g):
    if len(g.shape) < 2:
        return g
    inputs = tuple(range(len(g.shape) - 1))
    return (g - ops.mean(g, axis=inputs, keepdims=True)) / (ops.std(g) + 1e-8)
