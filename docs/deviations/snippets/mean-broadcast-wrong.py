# The means are laid along the wrong axis of square weights.

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
