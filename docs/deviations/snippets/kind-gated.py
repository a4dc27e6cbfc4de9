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


# %% torch: SGD
class SGD(torch.optim.Optimizer):
    def __init__(self, params, model, lr, momentum=0, use_gc=True):
        super().__init__(params, {"lr": lr, "momentum": momentum})
        self.use_gc = use_gc
        layers = [m for m in model.modules() if isinstance(m, torch.nn.Embedding)]
        self.embeddings = {m.weight for m in layers}

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            for p in group["params"]:
                state = self.state[p]
                gc = self.use_gc and p not in self.embeddings
                g = centralize(p.grad) if gc else p.grad
                buffer = state.get("buffer", 0) * group["momentum"] + g
                state["buffer"] = buffer
                p.sub_(buffer, alpha=group["lr"])
