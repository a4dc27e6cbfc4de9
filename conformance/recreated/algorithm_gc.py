"""The optimizers of the authors' folder algorithm-GC, re-created without AMSGrad and Nesterov.

``gc_loc=True`` centralizes the gradient, ``gc_loc=False`` the final direction. Its wrapper
``Lookahead``, which centralizes nothing itself, is left out.
"""

import math

import torch
from authors_rule import centralize_
from rectified import Rectified


class SGD(torch.optim.Optimizer):
    """Centralizes the gradient that the decay was added to."""

    def __init__(
        self, params, lr, momentum=0, dampening=0, weight_decay=0, use_gc=False, gc_conv_only=False
    ):
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "dampening": dampening,
            "weight_decay": weight_decay,
        }
        super().__init__(params, defaults)
        self.use_gc, self.more_than = use_gc, 3 if gc_conv_only else 1

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            for p in group["params"]:
                self.take(p, self.state[p], **group)

    def take(self, p, state, lr, momentum, dampening, weight_decay, **group):
        """Take one parameter one step on."""
        used = p.grad.add(p, alpha=weight_decay)
        if self.use_gc:
            centralize_(used, self.more_than)
        if momentum and "momentum_buffer" in state:
            state["momentum_buffer"].mul_(momentum).add_(used, alpha=1 - dampening)
        elif momentum:
            state["momentum_buffer"] = used.clone()
        p.sub_(state.get("momentum_buffer", used), alpha=lr)


class Adam(torch.optim.Optimizer):
    """Adds the decay to the gradient."""

    decay_beside = False  # whether the decay is added to the direction instead

    def __init__(
        self,
        params,
        lr=1e-3,
        betas=(0.9, 0.999),
        eps=1e-8,
        weight_decay=0,
        use_gc=False,
        gc_conv_only=False,
        gc_loc=False,
    ):
        super().__init__(
            params, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay}
        )
        self.use_gc, self.gc_loc, self.more_than = use_gc, gc_loc, 3 if gc_conv_only else 1

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
        beside, inside = (weight_decay, 0) if self.decay_beside else (0, weight_decay)
        used = p.grad.add(p, alpha=inside)
        if self.use_gc and self.gc_loc:
            centralize_(used, self.more_than)
        state["exp_avg"].mul_(betas[0]).add_(used, alpha=1 - betas[0])
        state["exp_avg_sq"].mul_(betas[1]).addcmul_(used, used, value=1 - betas[1])
        first, second = (1 - beta ** state["step"] for beta in betas)
        root = state["exp_avg_sq"].sqrt() / math.sqrt(second) + eps
        found = (state["exp_avg"] / root).add_(p, alpha=beside)
        if self.use_gc and not self.gc_loc:
            centralize_(found, self.more_than)
        p.sub_(found, alpha=lr / first)  # the decay that stands beside is divided with it


class AdamW(Adam):
    """Adds the decay to the direction, before that is divided by the first bias correction."""

    decay_beside = True

    def __init__(self, params, lr=1e-3, weight_decay=1e-2, gc_loc=True, **more):
        super().__init__(params, lr, weight_decay=weight_decay, gc_loc=gc_loc, **more)


class RAdam(Rectified):
    def __init__(
        self,
        params,
        lr=1e-3,
        betas=(0.9, 0.999),
        eps=1e-8,
        weight_decay=0,
        use_gc=False,
        gc_conv_only=False,
        gc_loc=False,
    ):
        super().__init__(params, lr, betas, eps, weight_decay, use_gc, gc_conv_only, gc_loc)


class PlainRAdam(RAdam):
    """RAdam whose step is multiplied by the learning rate twice."""

    rates = 2


class Ranger(Rectified):
    def __init__(
        self,
        params,
        lr=1e-3,
        alpha=0.5,
        k=6,
        betas=(0.95, 0.999),
        eps=1e-5,
        weight_decay=0,
        use_gc=False,
        gc_conv_only=False,
        gc_loc=False,
    ):
        super().__init__(
            params, lr, betas, eps, weight_decay, use_gc, gc_conv_only, gc_loc, k, alpha
        )
