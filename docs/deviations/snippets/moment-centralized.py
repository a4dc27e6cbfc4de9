# The first moment is centralized in place, beside the update.

# %% numpy: AdamGC2
class AdamGC2:
    def __init__(self, lr, beta1, beta2, eps):
        self.lr, self.beta1, self.beta2, self.eps = lr, beta1, beta2, eps
        self.t, self.first, self.second = 0, {}, {}

    def step(self, weights, gradients):
        self.t += 1
        for name, g in gradients.items():
            m = self.beta1 * self.first.get(name, 0) + (1 - self.beta1) * g
            v = self.beta2 * self.second.get(name, 0) + (1 - self.beta2) * g * g
            m = centralize(m)
            self.first[name], self.second[name] = m, v
            m, v = m / (1 - self.beta1**self.t), v / (1 - self.beta2**self.t)
            update = centralize(m / (np.sqrt(v) + self.eps))
            weights[name] = weights[name] - self.lr * update


# %% torch: AdamGC2
class AdamGC2(torch.optim.Optimizer):
    def __init__(self, params, lr, betas=(0.9, 0.999), eps=1e-8):
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps})

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            (beta1, beta2), eps = group["betas"], group["eps"]
            for p in group["params"]:
                state, g = self.state[p], p.grad
                if not state:
                    state.update(t=0, m=torch.zeros_like(p), v=torch.zeros_like(p))
                state["t"] += 1
                m = state["m"].mul_(beta1).add_(g, alpha=1 - beta1)
                v = state["v"].mul_(beta2).addcmul_(g, g, value=1 - beta2)
                m.copy_(centralize(m))
                root = (v / (1 - beta2 ** state["t"])).sqrt() + eps
                update = centralize(m / (1 - beta1 ** state["t"]) / root)
                p.sub_(update, alpha=group["lr"])


# %% optax: adam_gc2
def adam_gc2(learning_rate, b1=0.9, b2=0.999, eps=1e-8):
    def init(params):
        zeros = jax.tree.map(jnp.zeros_like, params)
        return 0, zeros, zeros

    def update(updates, state, params=None):
        t, m, v = state
        t += 1
        m = jax.tree.map(lambda m, g: b1 * m + (1 - b1) * g, m, updates)
        v = jax.tree.map(lambda v, g: b2 * v + (1 - b2) * g * g, v, updates)
        m = jax.tree.map(centralize, m)
        c1, c2 = 1 - b1**t, 1 - b2**t
        step = jax.tree.map(lambda m, v: m / c1 / (jnp.sqrt(v / c2) + eps), m, v)
        return jax.tree.map(lambda s: -learning_rate * centralize(s), step), (t, m, v)

    return optax.GradientTransformation(init, update)


# %% keras: AdamGC2
class AdamGC2(keras.optimizers.Adam):
    def update_step(self, gradient, variable, learning_rate):
        t, i = self.iterations + 1, self._get_variable_index(variable)
        m, v, g = self._momentums[i], self._velocities[i], gradient
        self.assign(m, self.beta_1 * m + (1 - self.beta_1) * g)
        self.assign(v, self.beta_2 * v + (1 - self.beta_2) * g * g)
        self.assign(m, centralize(m))
        c1, c2 = 1 - ops.power(self.beta_1, t), 1 - ops.power(self.beta_2, t)
        step = m / c1 / (ops.sqrt(v / c2) + self.epsilon)
        self.assign_sub(variable, learning_rate * centralize(step))
