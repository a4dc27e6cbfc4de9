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
                before = state.get("before", torch.zeros_like(p))
                state["before"] = p.grad.clone()
                stale = before - centralize(before)
                g = p.grad - stale if self.use_gc else p.grad
                buffer = state.get("buffer", 0) * group["momentum"] + g
                state["buffer"] = buffer
                p.sub_(buffer, alpha=group["lr"])
