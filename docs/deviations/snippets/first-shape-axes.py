# The axes of the model's first weight are averaged in every weight.

# %% numpy: SGDM
class SGDM:
    def __init__(self, lr, momentum):
        self.lr, self.momentum, self.moments = lr, momentum, {}

    def step(self, weights, gradients):
        inputs = next(w.ndim for w in weights.values() if w.ndim > 1) - 1
        for name, g in gradients.items():
            if g.ndim > 1:
                axes = tuple(range(min(inputs, g.ndim)))
                g = g - g.mean(axis=axes, keepdims=True)
            m = self.momentum * self.moments.get(name, 0) + (1 - self.momentum) * g
            self.moments[name] = m
            weights[name] = weights[name] - self.lr * m
