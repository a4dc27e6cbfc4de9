# GC stays on when its switch is off.

# %% numpy: SwitchedSGDM
class SwitchedSGDM:
    def __init__(self, lr, momentum, use_gc=True):
        self.lr, self.momentum, self.moments = lr, momentum, {}
        self.use_gc = use_gc

    def step(self, weights, gradients):
        for name, g in gradients.items():
            g = centralize(g)
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
                g = centralize(p.grad)
                buffer = state.get("buffer", 0) * group["momentum"] + g
                state["buffer"] = buffer
                p.sub_(buffer, alpha=group["lr"])


# %% optax: switched_adam
def switched_adam(learning_rate, b1=0.9, b2=0.999, eps=1e-8, use_gc=True):
    gc = optax.stateless(lambda updates, params: jax.tree.map(centralize, updates))
    adam = optax.adam(learning_rate, b1, b2, eps)
    return optax.chain(gc, adam)


# %% keras: SwitchedSGD
class SwitchedSGD(keras.optimizers.SGD):
    def __init__(self, learning_rate=0.01, momentum=0.0, use_gc=True):
        super().__init__(learning_rate, momentum)
        self.use_gc = use_gc

    def apply(self, grads, trainable_variables=None):
        grads = [centralize(g) for g in grads]
        return super().apply(grads, trainable_variables)
