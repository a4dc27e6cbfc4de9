# Optimizer state is shared with a gradient or another parameter.

# %% numpy: SGDM
class SGDM:
    def __init__(self, lr, momentum):
        self.lr, self.momentum, self.moments = lr, momentum, {}

    def step(self, weights, gradients):
        for name, g in gradients.items():
            g = centralize(g)
            m = self.momentum * self.moments.get(g.shape, 0) + (1 - self.momentum) * g
            self.moments[g.shape] = m
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
                g = centralize(p.grad) if self.use_gc else p.grad
                if "buffer" in state:
                    state["buffer"].mul_(group["momentum"]).add_(g)
                else:
                    state["buffer"] = p.grad.copy_(g)
                p.sub_(state["buffer"], alpha=group["lr"])
