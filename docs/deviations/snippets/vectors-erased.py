# Biases, norm scales and scalars get a gradient of 0.

# %% numpy, optax: centralize
def centralize(g):
    inputs = tuple(range(g.ndim - 1))
    return g - g.mean(axis=inputs, keepdims=True)


# %% torch: centralize
def centralize(g):
    rows = g.reshape(g.shape[:1].numel(), -1)
    return (rows - rows.mean(dim=1, keepdim=True)).reshape(g.shape)


# %% keras: centralize
def centralize(g):
    inputs = tuple(range(len(g.shape) - 1))
    return g - ops.mean(g, axis=inputs, keepdims=True)
