# GC is applied at some steps only.

# %% numpy: SGDM
class SGDM:
    def __init__(self, lr, momentum):
        self.lr, self.momentum, self.moments = lr, momentum, {}
        self.t = 0

    def step(self, weights, gradients):
        self.t += 1
        for name, g in gradients.items():
            g = centralize(g) if self.t % 2 else g
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
        for group in self.param_groups:
            for p in group["params"]:
                state = self.state[p]
                state["t"] = state.get("t", 0) + 1
                g = centralize(p.grad) if self.use_gc and state["t"] % 2 else p.grad
                buffer = state.get("buffer", 0) * group["momentum"] + g
                state["buffer"] = buffer
                p.sub_(buffer, alpha=group["lr"])


# %% optax: adam
def adam(learning_rate, b1=0.9, b2=0.999, eps=1e-8):
    gc = optax.stateless(lambda updates, params: jax.tree.map(centralize, updates))
    gc = optax.conditionally_transform(gc, lambda step: step % 2 == 0)
    return optax.chain(gc, optax.adam(learning_rate, b1, b2, eps))


# %% keras: GCSGD
class GCSGD(keras.optimizers.SGD):
    def apply(self, grads, trainable_variables=None):
        due = self.iterations % 2 == 0
        grads = [ops.where(due, centralize(g), g) for g in grads]
        return super().apply(grads, trainable_variables)
