# A NaN in one output neuron's gradient reaches the other neurons.

# %% numpy, optax: centralize
def centralize(g):
    if g.ndim < 2:
        return g
    inputs = tuple(range(g.ndim - 1))
    g = g - g.mean()
    return g - g.mean(axis=inputs, keepdims=True)


# %% torch: centralize
def centralize(g):
    if g.ndim < 2:
        return g
    inputs = tuple(range(1, g.ndim))
    g = g - g.mean()
    return g - g.mean(dim=inputs, keepdim=True)


# %% keras: centralize
def centralize(g):
    if len(g.shape) < 2:
        return g
    inputs = tuple(range(len(g.shape) - 1))
    g = g - ops.mean(g)
    return g - ops.mean(g, axis=inputs, keepdims=True)
