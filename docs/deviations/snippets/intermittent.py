# GC is applied at some steps only.

# %% numpy: SGDM
class SGDM:
    def __init__(self, lr, momentum):
        self.lr, self.momentum, self.moments = lr, momentum, {}
        self.t = 0

    def step(self, weights, gradients):
        self.t += 1
        for name, g in gradients.items():
            g = centralize(g) if self.t % 2 else g
            m = self.momentum * self.moments.get(name, 0) + (1 - self.momentum) * g
            self.moments[name] = m
            weights[name] = weights[name] - self.lr * m
