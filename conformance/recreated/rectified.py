"""RAdam, as the authors' optimizers and the Rangers have it."""

import math

import torch
from authors_rule import centralize_


def direction(state, gradient, betas, eps):
    """Take the moments of a parameter one step on; return the direction of its step and the rate.

    In the first steps, as long as the second moment is not trusted, the direction is the first
    moment: the state's own tensor, not a copy.
    """
    beta1, beta2 = betas
    first, second = state["exp_avg"], state["exp_avg_sq"]
    state["step"] += 1
    t = state["step"]
    first.mul_(beta1).add_(gradient, alpha=1 - beta1)
    second.mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2)
    longest = 2 / (1 - beta2) - 1
    length = longest - 2 * t * beta2**t / (1 - beta2**t)
    rate = 1 / (1 - beta1**t)
    if length < 5:
        return first, rate
    trust = (length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length)
    return first / (second.sqrt() + eps), rate * math.sqrt((1 - beta2**t) * trust)


class Rectified(torch.optim.Optimizer):
    """RAdam with Φ of the gradient (``gc_loc``) or of the direction; with ``k``, Lookahead too."""

    rates = 1  # how often the learning rate is applied

    def __init__(
        self, params, lr, betas, eps, weight_decay, use_gc, gc_conv_only, gc_loc, k=0, alpha=0.5
    ):
        super().__init__(
            params, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay}
        )
        self.use_gc, self.gc_loc, self.k, self.alpha = use_gc, gc_loc, k, alpha
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
        if self.use_gc and self.gc_loc:
            centralize_(gradient, self.more_than)
        found, rate = direction(state, gradient, betas, eps)
        if weight_decay:
            found.add_(weight, alpha=weight_decay)  # into the first moment, where it is that
        if self.use_gc and not self.gc_loc:
            centralize_(found, self.more_than)  # as here
        p.copy_(weight - rate * lr**self.rates * found)
        if self.k and state["step"] % self.k == 0:
            state["slow_buffer"].add_(p - state["slow_buffer"], alpha=self.alpha)
            p.copy_(state["slow_buffer"])
