# One mean is taken over all parameters of the model.

# %% numpy: SGDM
class SGDM:
    def __init__(self, lr, momentum):
        self.lr, self.momentum, self.moments = lr, momentum, {}

    def step(self, weights, gradients):
        mean = np.concatenate([g.ravel() for g in gradients.values()]).mean()
        for name, g in gradients.items():
            g = g - mean
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
        every = [p.grad.ravel() for group in self.param_groups for p in group["params"]]
        mean = torch.cat(every).mean()
        for group in self.param_groups:
            for p in group["params"]:
                state = self.state[p]
                g = p.grad - mean if self.use_gc else p.grad
                buffer = state.get("buffer", 0) * group["momentum"] + g
                state["buffer"] = buffer
                p.sub_(buffer, alpha=group["lr"])


# %% optax: adam
def adam(learning_rate, b1=0.9, b2=0.999, eps=1e-8):
    def minus_mean(updates, params):
        mean = jnp.concatenate([g.ravel() for g in jax.tree.leaves(updates)]).mean()
        return jax.tree.map(lambda g: g - mean, updates)

    gc = optax.stateless(minus_mean)
    return optax.chain(gc, optax.adam(learning_rate, b1, b2, eps))


# %% keras: GCSGD
class GCSGD(keras.optimizers.SGD):
    def apply(self, grads, trainable_variables=None):
        mean = ops.mean(ops.concatenate([ops.ravel(g) for g in grads]))
        return super().apply([g - mean for g in grads], trainable_variables)
