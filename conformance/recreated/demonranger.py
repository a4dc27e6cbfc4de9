"""DemonRanger, re-created with all that its README switches off to have AdamW, and GC left on."""

import math

import torch


class DemonRanger(torch.optim.Optimizer):
    """AdamW that centralizes every gradient, whatever its number of dimensions.

    For a vector the tuple of axes is empty, and PyTorch averages over all axes then.
    """

    def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0, use_gc=True):
        super().__init__(
            params, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay}
        )
        self.use_gc = use_gc

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            for p in group["params"]:
                self.take(p, self.state[p], **group)

    def take(self, p, state, lr, betas, eps, weight_decay, **group):
        """Take one parameter one step on."""
        if not state:
            state.update(step=0, exp_avg=torch.zeros_like(p), exp_avg_sq=torch.zeros_like(p))
        state["step"] += 1
        gradient = p.grad.float()
        if self.use_gc:
            gradient.sub_(gradient.mean(dim=tuple(range(1, p.ndim)), keepdim=True))
        state["exp_avg"].mul_(betas[0]).add_(gradient, alpha=1 - betas[0])
        state["exp_avg_sq"].mul_(betas[1]).addcmul_(gradient, gradient, value=1 - betas[1])
        first, second = (1 - beta ** state["step"] for beta in betas)
        root = state["exp_avg_sq"].sqrt() / math.sqrt(second) + eps
        p.sub_(p, alpha=lr * weight_decay)
        p.sub_(state["exp_avg"] / root, alpha=lr / first)
