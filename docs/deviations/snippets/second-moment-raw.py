# The second moment is that of the raw gradient.

# %% numpy: AdamW
class AdamW:
    def __init__(self, lr, beta1, beta2, eps, weight_decay):
        self.lr, self.beta1, self.beta2 = lr, beta1, beta2
        self.eps, self.decay = eps, weight_decay
        self.t, self.first, self.second = 0, {}, {}

    def step(self, weights, gradients):
        self.t += 1
        for name, g in gradients.items():
            w, raw, g = weights[name], g, centralize(g)
            m = self.beta1 * self.first.get(name, 0) + (1 - self.beta1) * g
            v = self.beta2 * self.second.get(name, 0) + (1 - self.beta2) * raw * raw
            self.first[name], self.second[name] = m, v
            m, v = m / (1 - self.beta1**self.t), v / (1 - self.beta2**self.t)
            update = m / (np.sqrt(v) + self.eps)
            weights[name] = w - self.lr * update - self.lr * self.decay * w
