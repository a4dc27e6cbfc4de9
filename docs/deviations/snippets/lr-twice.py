# The learning rate is applied twice.

# %% numpy: SGDM
class SGDM:
    def __init__(self, lr, momentum):
        self.lr, self.momentum, self.moments = lr, momentum, {}

    def step(self, weights, gradients):
        for name, g in gradients.items():
            g = centralize(g)
            m = self.momentum * self.moments.get(name, 0) + (1 - self.momentum) * g
            self.moments[name] = m
            weights[name] = weights[name] - self.lr * (self.lr * m)


# %% torch: SGD
class SGD(torch.optim.Optimizer):
    def __init__(self, params, lr, momentum=0, use_gc=True):
        super().__init__(params, {"lr": lr, "momentum": momentum})
        self.use_gc = use_gc

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            for p in group["params"]:
                state = self.state[p]
                g = centralize(p.grad) if self.use_gc else p.grad
                buffer = state.get("buffer", 0) * group["momentum"] + g
                state["buffer"] = buffer
                p.sub_(group["lr"] * buffer, alpha=group["lr"])


# %% optax: adam
def adam(learning_rate, b1=0.9, b2=0.999, eps=1e-8):
    gc = optax.stateless(lambda updates, params: jax.tree.map(centralize, updates))
    return optax.chain(gc, optax.adam(learning_rate, b1, b2, eps), optax.scale(learning_rate))


# %% keras: GCSGD
class GCSGD(keras.optimizers.SGD):
    def apply(self, grads, trainable_variables=None):
        grads = [self.learning_rate * g for g in grads]
        return super().apply([centralize(g) for g in grads], trainable_variables)
