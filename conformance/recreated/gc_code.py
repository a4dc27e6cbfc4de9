"""The optimizers of the authors' folder GC_code, re-created without AMSGrad and Nesterov.

``GC`` centralizes weights, ``GCC`` those of convolutions, which it takes from the number of
dimensions; a ``2`` means that the step is centralized instead of the gradient.
"""
# ruff: noqa: N801 (the authors' names)

import math

import torch
from authors_rule import centralize_

WEIGHTS, CONVOLUTIONS, NOTHING = 1, 3, math.inf  # of more dimensions than this


class SGDW(torch.optim.Optimizer):
    """Stochastic gradient descent with its decay beside the step."""

    more_than = NOTHING
    decoupled = True

    def __init__(self, params, lr, momentum=0, dampening=0, weight_decay=0):
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "dampening": dampening,
            "weight_decay": weight_decay,
        }
        super().__init__(params, defaults)

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            for p in group["params"]:
                self.take(p, self.state[p], **group)

    def take(self, p, state, lr, momentum, dampening, weight_decay, **group):
        """Take one parameter one step on."""
        used, beside = p.grad, weight_decay if self.decoupled else 0
        used.add_(p, alpha=weight_decay - beside)
        centralize_(used, self.more_than)
        if momentum and "momentum_buffer" in state:
            state["momentum_buffer"].mul_(momentum).add_(used, alpha=1 - dampening)
        elif momentum:
            state["momentum_buffer"] = used.clone()
        p.sub_(state.get("momentum_buffer", used) + beside * p, alpha=lr)


class SGDW_GC(SGDW):
    more_than = WEIGHTS


class SGDW_GCC(SGDW):
    more_than = CONVOLUTIONS


class SGD_GC(SGDW_GC):
    decoupled = False


class SGD_GCC(SGDW_GCC):
    decoupled = False


class AdamW(torch.optim.Optimizer):
    """Adam whose step size, with both bias corrections, multiplies the decay too."""

    more_than = NOTHING
    decoupled = True
    late = False  # whether the step is centralized, and not the gradient

    def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0):
        super().__init__(
            params, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay}
        )

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
        used = p.grad
        if not self.decoupled:
            used.add_(p, alpha=weight_decay)
        if not self.late:
            centralize_(used, self.more_than)
        state["exp_avg"].mul_(betas[0]).add_(used, alpha=1 - betas[0])
        state["exp_avg_sq"].mul_(betas[1]).addcmul_(used, used, value=1 - betas[1])
        first, second = (1 - beta ** state["step"] for beta in betas)
        if self.decoupled:
            found = state["exp_avg"] / (state["exp_avg_sq"].sqrt() + eps) + weight_decay * p
            found *= lr * math.sqrt(second) / first
        else:
            found = state["exp_avg"] / (state["exp_avg_sq"].sqrt() / math.sqrt(second) + eps)
            found *= lr / first
        if self.late:
            centralize_(found, self.more_than)
        p.sub_(found)


class AdamW_GC(AdamW):
    more_than = WEIGHTS


class AdamW_GC2(AdamW_GC):
    late = True


class AdamW_GCC(AdamW):
    more_than = CONVOLUTIONS


class AdamW_GCC2(AdamW_GCC):
    late = True


class Adam_GC(AdamW_GC):
    decoupled = False


class Adam_GC2(AdamW_GC2):
    decoupled = False


class Adam_GCC(AdamW_GCC):
    decoupled = False


class Adam_GCC2(AdamW_GCC2):
    decoupled = False


class Adagrad_GC(torch.optim.Optimizer):
    more_than = WEIGHTS

    def __init__(self, params, lr=1e-2, lr_decay=0, weight_decay=0, eps=1e-10):
        super().__init__(
            params, {"lr": lr, "lr_decay": lr_decay, "weight_decay": weight_decay, "eps": eps}
        )
        for group in self.param_groups:
            for p in group["params"]:
                self.state[p].update(step=0, sum=torch.zeros_like(p))

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            for p in group["params"]:
                self.take(p, self.state[p], **group)

    def take(self, p, state, lr, lr_decay, weight_decay, eps, **group):
        """Take one parameter one step on."""
        state["step"] += 1
        used = p.grad.add(p, alpha=weight_decay)
        centralize_(used, self.more_than)
        state["sum"].addcmul_(used, used)
        rate = lr / (1 + (state["step"] - 1) * lr_decay)
        p.addcdiv_(used, state["sum"].sqrt() + eps, value=-rate)


class Adagrad_GCC(Adagrad_GC):
    more_than = CONVOLUTIONS
