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
