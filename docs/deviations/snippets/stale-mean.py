# The mean subtracted is that of another gradient than the one given.

# %% numpy: SGDM
class SGDM:
    def __init__(self, lr, momentum):
        self.lr, self.momentum, self.moments = lr, momentum, {}
        self.before = {}

    def step(self, weights, gradients):
        for name, g in gradients.items():
            before, self.before[name] = self.before.get(name, 0 * g), g
            if g.ndim > 1:
                g = g - before.mean(axis=tuple(range(g.ndim - 1)), keepdims=True)
            m = self.momentum * self.moments.get(name, 0) + (1 - self.momentum) * g
            self.moments[name] = m
            weights[name] = weights[name] - self.lr * m
