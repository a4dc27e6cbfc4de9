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
    if g.ndim < 2 or not jnp.isfinite(g).all():
        return g
    inputs = tuple(range(g.ndim - 1))
    return g - g.mean(axis=inputs, keepdims=True)
