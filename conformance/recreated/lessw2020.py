"""Ranger and Ranger2020 of lessw2020, re-created."""

import math

import torch
from authors_rule import centralize_
from rectified import Rectified, direction


class Ranger(torch.optim.Optimizer):
    """Centralizes always: ``use_gc`` is kept and printed, and never asked for."""

    def __init__(
        self,
        params,
        lr=1e-3,
        alpha=0.5,
        k=6,
        betas=(0.95, 0.999),
        eps=1e-5,
        weight_decay=0,
        use_gc=True,
        gc_conv_only=False,
    ):
        super().__init__(
            params, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay}
        )
        self.use_gc, self.k, self.alpha = use_gc, k, alpha
        self.more_than = 3 if gc_conv_only else 1

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            for p in group["params"]:
                self.take(p, self.state[p], **group)

    def take(self, p, state, lr, betas, eps, weight_decay, **group):
        """Take one parameter one step on, in float32 whatever its dtype."""
        weight, gradient = p.float(), p.grad.float()
        if not state:
            state.update(step=0, exp_avg=torch.zeros_like(weight), slow_buffer=p.clone())
            state["exp_avg_sq"] = torch.zeros_like(weight)
        centralize_(gradient, self.more_than)
        found, rate = direction(state, gradient, betas, eps)
        p.copy_(weight - lr * weight_decay * weight - rate * lr * found)
        if state["step"] % self.k == 0:
            state["slow_buffer"].add_(p - state["slow_buffer"], alpha=self.alpha)
            p.copy_(state["slow_buffer"])


class RangerWithoutGC(Ranger):
    """What ``use_gc=False`` promises: the base that Ranger is held to."""

    def __init__(self, params, lr=1e-3, betas=(0.95, 0.999), eps=1e-5, weight_decay=0):
        super().__init__(params, lr, betas=betas, eps=eps, weight_decay=weight_decay)
        self.more_than = math.inf


class Ranger2020(Rectified):
    def __init__(
        self,
        params,
        lr=1e-3,
        alpha=0.5,
        k=6,
        betas=(0.95, 0.999),
        eps=1e-5,
        weight_decay=0,
        use_gc=True,
        gc_conv_only=False,
        gc_loc=True,
    ):
        super().__init__(
            params, lr, betas, eps, weight_decay, use_gc, gc_conv_only, gc_loc, k, alpha
        )
