# The weights are centralized instead of, or beside, the gradient.

# %% numpy: SGDM
class SGDM:
    def __init__(self, lr, momentum):
        self.lr, self.momentum, self.moments = lr, momentum, {}

    def step(self, weights, gradients):
        for name, g in gradients.items():
            m = self.momentum * self.moments.get(name, 0) + (1 - self.momentum) * g
            self.moments[name] = m
            weights[name] = centralize(weights[name] - self.lr * m)


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
                g = p.grad
                buffer = state.get("buffer", 0) * group["momentum"] + g
                state["buffer"] = buffer
                p.sub_(buffer, alpha=group["lr"])
                if self.use_gc:
                    p.copy_(centralize(p))


# %% optax: adam
def adam(learning_rate, b1=0.9, b2=0.999, eps=1e-8):
    def after(updates, params):
        return jax.tree.map(lambda u, w: centralize(w + u) - w, updates, params)

    return optax.chain(optax.adam(learning_rate, b1, b2, eps), optax.stateless(after))


# %% keras: GCSGD
class GCSGD(keras.optimizers.SGD):
    def apply(self, grads, trainable_variables=None):
        super().apply(grads, trainable_variables)
        for variable in self._trainable_variables:
            variable.assign(centralize(variable))
