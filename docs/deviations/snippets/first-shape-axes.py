# The axes of the model's first weight are averaged in every weight.

# %% numpy: SGDM
class SGDM:
    def __init__(self, lr, momentum):
        self.lr, self.momentum, self.moments = lr, momentum, {}

    def step(self, weights, gradients):
        inputs = next(w.ndim for w in weights.values() if w.ndim > 1) - 1
        for name, g in gradients.items():
            if g.ndim > 1:
                axes = tuple(range(min(inputs, g.ndim)))
                g = g - g.mean(axis=axes, keepdims=True)
            m = self.momentum * self.moments.get(name, 0) + (1 - self.momentum) * g
            self.moments[name] = m
            weights[name] = weights[name] - self.lr * m


# %% torch: SGD
class SGD(torch.optim.Optimizer):
    def __init__(self, params, lr, momentum=0, use_gc=True):
        super().__init__(params, {"lr": lr, "momentum": momentum})
        self.use_gc = use_gc

    @torch.no_grad()
    def step(self, closure=None):
        every = [p.ndim for group in self.param_groups for p in group["params"]]
        first = next(ndim for ndim in every if ndim > 1)
        for group in self.param_groups:
            for p in group["params"]:
                state = self.state[p]
                g = p.grad
                if self.use_gc and g.ndim > 1:
                    g = g - g.mean(dim=tuple(range(1, min(first, g.ndim))), keepdim=True)
                buffer = state.get("buffer", 0) * group["momentum"] + g
                state["buffer"] = buffer
                p.sub_(buffer, alpha=group["lr"])


# %% optax: adam
def adam(learning_rate, b1=0.9, b2=0.999, eps=1e-8):
    def by_first(updates, params):
        inputs = next(g.ndim for g in jax.tree.leaves(updates) if g.ndim > 1) - 1

        def centralize(g):
            axes = tuple(range(min(inputs, g.ndim)))
            return g - g.mean(axis=axes, keepdims=True) if g.ndim > 1 else g

        return jax.tree.map(centralize, updates)

    gc = optax.stateless(by_first)
    return optax.chain(gc, optax.adam(learning_rate, b1, b2, eps))


# %% keras: GCSGD
class GCSGD(keras.optimizers.SGD):
    def apply(self, grads, trainable_variables=None):
        inputs = next(len(g.shape) for g in grads if len(g.shape) > 1) - 1

        def centralize(g):
            axes = tuple(range(min(inputs, len(g.shape))))
            return g - ops.mean(g, axis=axes, keepdims=True) if len(g.shape) > 1 else g

        return super().apply([centralize(g) for g in grads], trainable_variables)
