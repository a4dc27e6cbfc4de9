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
