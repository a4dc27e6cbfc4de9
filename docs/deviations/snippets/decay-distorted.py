# The weight decay is scaled by the bias-corrected step size.

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
            v = v / (1 - self.beta2**self.t)
            step_size = self.lr / (1 - self.beta1**self.t)
            update = m / (np.sqrt(v) + self.eps) + self.decay * w
            weights[name] = w - step_size * update


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
                v, step_size = v / (1 - beta2 ** state["t"]), lr / (1 - beta1 ** state["t"])
                update = (m / (v.sqrt() + eps)).add_(p, alpha=group["weight_decay"])
                p.sub_(update, alpha=step_size)


# %% optax: adamw
def adamw(learning_rate, b1=0.9, b2=0.999, eps=1e-8, weight_decay=1e-4):
    def init(params):
        zeros = jax.tree.map(jnp.zeros_like, params)
        return 0, zeros, zeros

    def update(updates, state, params):
        t, m, v = state
        t, g = t + 1, jax.tree.map(centralize, updates)
        m = jax.tree.map(lambda m, g: b1 * m + (1 - b1) * g, m, g)
        v = jax.tree.map(lambda v, g: b2 * v + (1 - b2) * g * g, v, g)
        c1, c2 = 1 - b1**t, 1 - b2**t

        def move(w, m, v):
            step = m / (jnp.sqrt(v / c2) + eps) + weight_decay * w
            return -learning_rate / c1 * step

        return jax.tree.map(move, params, m, v), (t, m, v)

    return optax.GradientTransformation(init, update)


# %% keras: AdamW
class AdamW(keras.optimizers.Adam):
    def __init__(self, learning_rate, beta_1=0.9, beta_2=0.999, epsilon=1e-7, weight_decay=0.004):
        super().__init__(learning_rate, beta_1, beta_2, epsilon)
        self.decay = weight_decay

    def update_step(self, gradient, variable, learning_rate):
        t, i = self.iterations + 1, self._get_variable_index(variable)
        m, v, g = self._momentums[i], self._velocities[i], centralize(gradient)
        self.assign(m, self.beta_1 * m + (1 - self.beta_1) * g)
        self.assign(v, self.beta_2 * v + (1 - self.beta_2) * g * g)
        c1, c2 = 1 - ops.power(self.beta_1, t), 1 - ops.power(self.beta_2, t)
        step = m / (ops.sqrt(v / c2) + self.epsilon) + self.decay * variable
        self.assign_sub(variable, learning_rate / c1 * step)
