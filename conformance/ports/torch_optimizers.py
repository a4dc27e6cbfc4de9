"""Correct optimizers for PyTorch: the gradient is centralized, then the base class steps."""

import torch


def centralize_(optimizer):
    """Centralize every gradient of the optimizer's weights, in place."""
    for group in optimizer.param_groups:
        for p in group["params"]:
            if p.grad is not None and p.grad.ndim > 1:
                p.grad -= p.grad.mean(dim=tuple(range(1, p.grad.ndim)), keepdim=True)


class SGD(torch.optim.SGD):
    @torch.no_grad()
    def step(self, closure=None):
        centralize_(self)
        return super().step(closure)


class Adam(torch.optim.Adam):
    @torch.no_grad()
    def step(self, closure=None):
        centralize_(self)
        return super().step(closure)


class AdamW(torch.optim.AdamW):
    @torch.no_grad()
    def step(self, closure=None):
        centralize_(self)
        return super().step(closure)
