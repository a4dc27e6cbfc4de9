# Optimizer state is shared with a gradient or another parameter.

# %% numpy: SGDM
class SGDM:
    def __init__(self, lr, momentum):
        self.lr, self.momentum, self.moments = lr, momentum, {}

    def step(self, weights, gradients):
        for name, g in gradients.items():
            g = centralize(g)
            m = self.momentum * self.moments.get(g.shape, 0) + (1 - self.momentum) * g
            self.moments[g.shape] = m
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
                g = centralize(p.grad) if self.use_gc else p.grad
                if "buffer" in state:
                    state["buffer"].mul_(group["momentum"]).add_(g)
                else:
                    state["buffer"] = p.grad.copy_(g)
                p.sub_(state["buffer"], alpha=group["lr"])


# %% optax: sgd
def sgd(learning_rate, momentum=0.0):
    def init(params):
        return {w.shape: jnp.zeros_like(w) for w in jax.tree.leaves(params)}

    def update(updates, moments, params=None):
        moments = dict(moments)

        def move(g):
            moments[g.shape] = momentum * moments[g.shape] + centralize(g)
            return -learning_rate * moments[g.shape]

        return jax.tree.map(move, updates), moments

    return optax.GradientTransformation(init, update)


# %% keras: SGD
class SGD(keras.optimizers.Optimizer):
    def __init__(self, learning_rate=0.01, momentum=0.0):
        super().__init__(learning_rate)
        self.momentum = momentum

    def build(self, variables):
        super().build(variables)
        self.moments = {
            tuple(v.shape): self.add_variable_from_reference(v, "moment") for v in variables
        }

    def update_step(self, gradient, variable, learning_rate):
        m = self.moments[tuple(variable.shape)]
        self.assign(m, self.momentum * m + centralize(gradient))
        self.assign_sub(variable, learning_rate * m)
