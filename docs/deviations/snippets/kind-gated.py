# Weights of some kinds of layers, or of some names, are left alone.

# %% numpy: SGDM
class SGDM:
    def __init__(self, lr, momentum):
        self.lr, self.momentum, self.moments = lr, momentum, {}

    def step(self, weights, gradients):
        for name, g in gradients.items():
            g = g if "embed" in name else centralize(g)
            m = self.momentum * self.moments.get(name, 0) + (1 - self.momentum) * g
            self.moments[name] = m
            weights[name] = weights[name] - self.lr * m


# %% optax: adam
def adam(learning_rate, b1=0.9, b2=0.999, eps=1e-8):
    def named(path, g):
        return g if "embed" in jax.tree_util.keystr(path) else centralize(g)

    gc = optax.stateless(lambda updates, params: jax.tree.map_with_path(named, updates))
    return optax.chain(gc, optax.adam(learning_rate, b1, b2, eps))


# %% keras: GCSGD
class GCSGD(keras.optimizers.SGD):
    def apply(self, grads, trainable_variables=None):
        named = zip(grads, self._trainable_variables, strict=True)
        grads = [g if "embed" in v.path else centralize(g) for g, v in named]
        return super().apply(grads, trainable_variables)
