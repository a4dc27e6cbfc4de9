# The optimizer that GC is added to is lost: the step is plain descent.

# %% numpy: AdamW
class AdamW:
    def __init__(self, lr, beta1, beta2, eps, weight_decay):
        self.lr, self.beta1, self.beta2 = lr, beta1, beta2
        self.eps, self.decay = eps, weight_decay
        self.t, self.first, self.second = 0, {}, {}

    def step(self, weights, gradients):
        self.t += 1
        for name, g in gradients.items():
            w, g = weights[name], centralize(g)
            weights[name] = w - self.lr * g - self.lr * self.decay * w


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
                p.sub_(g, alpha=group["lr"])


# %% optax: adam
def adam(learning_rate, b1=0.9, b2=0.999, eps=1e-8):
    gc = optax.stateless(lambda updates, params: jax.tree.map(centralize, updates))
    return optax.chain(gc, optax.scale_by_learning_rate(learning_rate))


# %% keras: GCAdam
class GCAdam(keras.optimizers.Adam):
    def apply(self, grads, trainable_variables=None):
        for g, variable in zip(grads, self._trainable_variables, strict=True):
            variable.assign_sub(self.learning_rate * centralize(g))
