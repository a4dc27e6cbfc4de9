# One mean is taken over the whole weight.

# %% numpy, optax: centralize
def centralize(g):
    if g.ndim < 2:
        return g
    return g - g.mean()


# %% torch: centralize
def centralize(g):
    if g.ndim < 2:
        return g
    return g - g.mean()


# %% keras: centralize
def centralize(g):
    if len(g.shape) < 2:
        return g
    return g - ops.mean(g)
