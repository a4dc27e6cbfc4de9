# The mean is rounded to half precision.

# %% numpy: centralize
def centralize(g):
    if g.ndim < 2:
        return g
    inputs = tuple(range(g.ndim - 1))
    return g - g.astype(np.float16).mean(axis=inputs, keepdims=True)


# %% torch: centralize
def centralize(g):
    if g.ndim < 2:
        return g
    inputs = tuple(range(1, g.ndim))
    return g - g.bfloat16().mean(dim=inputs, keepdim=True)


# %% keras: centralize
def centralize(g):
    if len(g.shape) < 2:
        return g
    inputs = tuple(range(len(g.shape) - 1))
    mean = ops.mean(ops.cast(g, "float16"), axis=inputs, keepdims=True)
    return g - ops.cast(mean, g.dtype)


# %% optax: centralize
def centralize(g):
    if g.ndim < 2:
        return g
    inputs = tuple(range(g.ndim - 1))
    return g - g.astype(jnp.float16).mean(axis=inputs, keepdims=True)
