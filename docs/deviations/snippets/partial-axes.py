# The mean is not taken over just the axes of the inputs.

# %% numpy, optax: centralize
def centralize(g):
    if g.ndim < 2:
        return g
    return g - g.mean(axis=0, keepdims=True)


# %% torch: centralize
def centralize(g):
    if g.ndim < 2:
        return g
    return g - g.mean(dim=1, keepdim=True)


# %% keras: centralize
def centralize(g):
    if len(g.shape) < 2:
        return g
    return g - ops.mean(g, axis=0, keepdims=True)
