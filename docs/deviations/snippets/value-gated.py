# It depends on the values of a gradient whether a weight is centralized.

# %% numpy: centralize
def centralize(g):
    if g.ndim < 2 or not np.isfinite(g).all():
        return g
    inputs = tuple(range(g.ndim - 1))
    return g - g.mean(axis=inputs, keepdims=True)


# %% torch: centralize
def centralize(g):
    if g.ndim < 2 or not g.isfinite().all():
        return g
    inputs = tuple(range(1, g.ndim))
    return g - g.mean(dim=inputs, keepdim=True)


# %% optax: centralize
def centralize(g):
    if g.ndim < 2:
        return g
    inputs = tuple(range(g.ndim - 1))
    return jnp.where(jnp.isfinite(g).all(), g - g.mean(axis=inputs, keepdims=True), g)


# %% keras: centralize
def centralize(g):
    if len(g.shape) < 2:
        return g
    inputs = tuple(range(len(g.shape) - 1))
    return ops.where(ops.all(ops.isfinite(g)), g - ops.mean(g, axis=inputs, keepdims=True), g)
