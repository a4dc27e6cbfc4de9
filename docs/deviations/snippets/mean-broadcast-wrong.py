# The means are laid along the wrong axis of square weights.

# %% numpy, optax: centralize
def centralize(g):
    if g.ndim < 2:
        return g
    inputs = tuple(range(g.ndim - 1))
    means = g.mean(axis=inputs)
    if len(means) == g.shape[0]:
        return (g.T - means).T
    return g - g.mean(axis=inputs, keepdims=True)


# %% numpy-first: centralize
def centralize(g):
    if g.ndim < 2:
        return g
    inputs = tuple(range(1, g.ndim))
    means = g.mean(axis=inputs)
    if len(means) == g.shape[-1]:
        return g - means
    return g - g.mean(axis=inputs, keepdims=True)


# %% torch: centralize
def centralize(g):
    if g.ndim < 2:
        return g
    inputs = tuple(range(1, g.ndim))
    means = g.mean(dim=inputs)
    if len(means) == g.shape[-1]:
        return g - means
    return g - g.mean(dim=inputs, keepdim=True)


# %% keras: centralize
def centralize(g):
    if len(g.shape) < 2:
        return g
    inputs = tuple(range(len(g.shape) - 1))
    means = ops.mean(g, axis=inputs)
    if len(means) == g.shape[0]:
        return ops.transpose(ops.transpose(g) - means)
    return g - ops.mean(g, axis=inputs, keepdims=True)
