# The moments are not corrected for their start at zero.

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
            m = self.beta1 * self.first.get(name, 0) + (1 - self.beta1) * g
            v = self.beta2 * self.second.get(name, 0) + (1 - self.beta2) * g * g
            self.first[name], self.second[name] = m, v
            update = m / (np.sqrt(v) + self.eps)
            weights[name] = w - self.lr * update - self.lr * self.decay * w


# %% torch: AdamW
class AdamW(torch.optim.Optimizer):
    def __init__(self, params, lr, betas=(0.9, 0.999), eps=1e-8, weight_decay=0):
        defaults = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay}
        super().__init__(params, defaults)

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            lr, (beta1, beta2), eps = group["lr"], group["betas"], group["eps"]
            for p in group["params"]:
                state, g = self.state[p], centralize(p.grad)
                if not state:
                    state.update(t=0, m=torch.zeros_like(p), v=torch.zeros_like(p))
                state["t"] += 1
                m = state["m"].mul_(beta1).add_(g, alpha=1 - beta1)
                v = state["v"].mul_(beta2).addcmul_(g, g, value=1 - beta2)
                p.mul_(1 - lr * group["weight_decay"])
                p.sub_(m / (v.sqrt() + eps), alpha=lr)


# %% optax: adam_by_hand
def adam_by_hand(learning_rate, b1=0.9, b2=0.999, eps=1e-8):
    def init(params):
        zeros = jax.tree.map(jnp.zeros_like, params)
        return 0, zeros, zeros

    def update(updates, state, params=None):
        t, m, v = state
        t, g = t + 1, jax.tree.map(centralize, updates)
        m = jax.tree.map(lambda m, g: b1 * m + (1 - b1) * g, m, g)
        v = jax.tree.map(lambda v, g: b2 * v + (1 - b2) * g * g, v, g)
        step = jax.tree.map(lambda m, v: m / (jnp.sqrt(v) + eps), m, v)
        return jax.tree.map(lambda s: -learning_rate * s, step), (t, m, v)

    return optax.GradientTransformation(init, update)


# %% keras: Adam
class Adam(keras.optimizers.Adam):
    def update_step(self, gradient, variable, learning_rate):
        i = self._get_variable_index(variable)
        m, v, g = self._momentums[i], self._velocities[i], centralize(gradient)
        self.assign(m, self.beta_1 * m + (1 - self.beta_1) * g)
        self.assign(v, self.beta_2 * v + (1 - self.beta_2) * g * g)
        step = m / (ops.sqrt(v) + self.epsilon)
        self.assign_sub(variable, learning_rate * step)
