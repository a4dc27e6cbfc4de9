# What is right: the others are the same with one thing wrong.

# %% numpy, optax: centralize
def centralize(g):
    if g.ndim < 2:
        return g
    inputs = tuple(range(g.ndim - 1))
    return g - g.mean(axis=inputs, keepdims=True)


# %% numpy-first: centralize
def centralize(g):
    if g.ndim < 2:
        return g
    inputs = tuple(range(1, g.ndim))
    return g - g.mean(axis=inputs, keepdims=True)


# %% torch: centralize
def centralize(g):
    if g.ndim < 2:
        return g
    inputs = tuple(range(1, g.ndim))
    return g - g.mean(dim=inputs, keepdim=True)


# %% keras: centralize
def centralize(g):
    if len(g.shape) < 2:
        return g
    inputs = tuple(range(len(g.shape) - 1))
    return g - ops.mean(g, axis=inputs, keepdims=True)


# %% keras: GCSGD
class GCSGD(keras.optimizers.SGD):
    def apply(self, grads, trainable_variables=None):
        return super().apply([centralize(g) for g in grads], trainable_variables)


# %% numpy: SGDM
class SGDM:
    def __init__(self, lr, momentum):
        self.lr, self.momentum, self.moments = lr, momentum, {}

    def step(self, weights, gradients):
        for name, g in gradients.items():
            g = centralize(g)
            m = self.momentum * self.moments.get(name, 0) + (1 - self.momentum) * g
            self.moments[name] = m
            weights[name] = weights[name] - self.lr * m


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
            m, v = m / (1 - self.beta1**self.t), v / (1 - self.beta2**self.t)
            update = m / (np.sqrt(v) + self.eps)
            weights[name] = w - self.lr * update - self.lr * self.decay * w


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
            self.first[name], self.second[name] = m, v
            m, v = m / (1 - self.beta1**self.t), v / (1 - self.beta2**self.t)
            update = centralize(m / (np.sqrt(v) + self.eps))
            weights[name] = weights[name] - self.lr * update


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
                p.sub_(buffer, alpha=group["lr"])


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
                root = (v / (1 - beta2 ** state["t"])).sqrt() + eps
                update = centralize(m / (1 - beta1 ** state["t"]) / root)
                p.sub_(update, alpha=group["lr"])


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
                m, v = m / (1 - beta1 ** state["t"]), v / (1 - beta2 ** state["t"])
                p.mul_(1 - lr * group["weight_decay"])
                p.sub_(m / (v.sqrt() + eps), alpha=lr)


# %% optax: adam
def adam(learning_rate, b1=0.9, b2=0.999, eps=1e-8):
    gc = optax.stateless(lambda updates, params: jax.tree.map(centralize, updates))
    return optax.chain(gc, optax.adam(learning_rate, b1, b2, eps))


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
        c1, c2 = 1 - b1**t, 1 - b2**t
        step = jax.tree.map(lambda m, v: m / c1 / (jnp.sqrt(v / c2) + eps), m, v)
        return jax.tree.map(lambda s: -learning_rate * s, step), (t, m, v)

    return optax.GradientTransformation(init, update)


# %% keras: GCAdam
class GCAdam(keras.optimizers.Adam):
    def apply(self, grads, trainable_variables=None):
        return super().apply([centralize(g) for g in grads], trainable_variables)


# %% keras: Adam
class Adam(keras.optimizers.Adam):
    def update_step(self, gradient, variable, learning_rate):
        t, i = self.iterations + 1, self._get_variable_index(variable)
        m, v, g = self._momentums[i], self._velocities[i], centralize(gradient)
        self.assign(m, self.beta_1 * m + (1 - self.beta_1) * g)
        self.assign(v, self.beta_2 * v + (1 - self.beta_2) * g * g)
        c1, c2 = 1 - ops.power(self.beta_1, t), 1 - ops.power(self.beta_2, t)
        step = m / c1 / (ops.sqrt(v / c2) + self.epsilon)
        self.assign_sub(variable, learning_rate * step)


# %% numpy: SwitchedSGDM
class SwitchedSGDM:
    def __init__(self, lr, momentum, use_gc=True):
        self.lr, self.momentum, self.moments = lr, momentum, {}
        self.use_gc = use_gc

    def step(self, weights, gradients):
        for name, g in gradients.items():
            g = centralize(g) if self.use_gc else g
            m = self.momentum * self.moments.get(name, 0) + (1 - self.momentum) * g
            self.moments[name] = m
            weights[name] = weights[name] - self.lr * m


# %% optax: switched_adam
def switched_adam(learning_rate, b1=0.9, b2=0.999, eps=1e-8, use_gc=True):
    gc = optax.stateless(lambda updates, params: jax.tree.map(centralize, updates))
    adam = optax.adam(learning_rate, b1, b2, eps)
    return optax.chain(gc, adam) if use_gc else adam


# %% keras: SwitchedSGD
class SwitchedSGD(keras.optimizers.SGD):
    def __init__(self, learning_rate=0.01, momentum=0.0, use_gc=True):
        super().__init__(learning_rate, momentum)
        self.use_gc = use_gc

    def apply(self, grads, trainable_variables=None):
        if self.use_gc:
            grads = [centralize(g) for g in grads]
        return super().apply(grads, trainable_variables)


# %% optax: sgd
def sgd(learning_rate, momentum=0.0):
    def init(params):
        return jax.tree.map(jnp.zeros_like, params)

    def update(updates, moments, params=None):
        g = jax.tree.map(centralize, updates)
        moments = jax.tree.map(lambda m, g: momentum * m + g, moments, g)
        return jax.tree.map(lambda m: -learning_rate * m, moments), moments

    return optax.GradientTransformation(init, update)


# %% keras: SGD
class SGD(keras.optimizers.Optimizer):
    def __init__(self, learning_rate=0.01, momentum=0.0):
        super().__init__(learning_rate)
        self.momentum = momentum

    def build(self, variables):
        super().build(variables)
        self.moments = [self.add_variable_from_reference(v, "moment") for v in variables]

    def update_step(self, gradient, variable, learning_rate):
        m = self.moments[self._get_variable_index(variable)]
        self.assign(m, self.momentum * m + centralize(gradient))
        self.assign_sub(variable, learning_rate * m)


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
        c1, c2 = 1 - ops.power(self.beta_1, t), 1 - ops.power(self.beta_2, t)
        step = m / c1 / (ops.sqrt(v / c2) + self.epsilon)
        self.assign_sub(variable, learning_rate * centralize(step))


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
            step = m / c1 / (jnp.sqrt(v / c2) + eps) + weight_decay * w
            return -learning_rate * step

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
        step = m / c1 / (ops.sqrt(v / c2) + self.epsilon) + self.decay * variable
        self.assign_sub(variable, learning_rate * step)
