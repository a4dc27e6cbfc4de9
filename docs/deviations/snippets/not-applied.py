# GC has no effect on the step: it is not called.

# %% numpy: centralize
def centralize(g):
    if g.ndim < 2:
        return g
    inputs = tuple(range(g.ndim - 1))
    np.subtract(g, g.mean(axis=inputs, keepdims=True))
    return g


# %% torch: centralize
def centralize(g):
    if g.ndim < 2:
        return g
    inputs = tuple(range(1, g.ndim))
    g.sub(g.mean(dim=inputs, keepdim=True))
    return g


# %% optax: centralize
def centralize(g):
    if g.ndim < 2:
        return g
    inputs = tuple(range(g.ndim - 1))
    jnp.subtract(g, g.mean(axis=inputs, keepdims=True))
    return g


# %% keras: GCSGD
class GCSGD(keras.optimizers.SGD):
    def get_gradients(self, loss, params):
        return [centralize(g) for g in super().get_gradients(loss, params)]
