# The mean subtracted is that of another gradient than the one given.

# %% numpy: SGDM
class SGDM:
    def __init__(self, lr, momentum):
        self.lr, self.momentum, self.moments = lr, momentum, {}
        self.before = {}

    def step(self, weights, gradients):
        for name, g in gradients.items():
            before, self.before[name] = self.before.get(name, 0 * g), g
            if g.ndim > 1:
                g = g - before.mean(axis=tuple(range(g.ndim - 1)), keepdims=True)
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
                before = state.get("before", torch.zeros_like(p))
                state["before"] = p.grad.clone()
                stale = before - centralize(before)
                g = p.grad - stale if self.use_gc else p.grad
                buffer = state.get("buffer", 0) * group["momentum"] + g
                state["buffer"] = buffer
                p.sub_(buffer, alpha=group["lr"])


# %% optax: adam
def adam(learning_rate, b1=0.9, b2=0.999, eps=1e-8):
    def update(updates, before, params=None):
        stale = jax.tree.map(lambda b: b - centralize(b), before)
        return jax.tree.map(jnp.subtract, updates, stale), updates

    gc = optax.GradientTransformation(lambda params: jax.tree.map(jnp.zeros_like, params), update)
    return optax.chain(gc, optax.adam(learning_rate, b1, b2, eps))


# %% keras: GCSGD
class GCSGD(keras.optimizers.SGD):
    def build(self, variables):
        super().build(variables)
        self.before = [self.add_variable_from_reference(v, "before") for v in variables]

    def update_step(self, gradient, variable, learning_rate):
        before = self.before[self._get_variable_index(variable)]
        stale = before - centralize(before)
        self.assign(before, gradient)
        super().update_step(gradient - stale, variable, learning_rate)
