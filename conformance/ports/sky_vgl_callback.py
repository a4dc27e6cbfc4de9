"""sky-vgl 0.2.1: a callback that its trainer calls right before each step of the optimizer.

The trainer wants graphs. Here the callback is called by the step itself, on the same parameters.
"""

from types import SimpleNamespace

import torch
from vgl.engine import GradientCentralization


class SGD(torch.optim.SGD):
    def __init__(self, params, lr, momentum=0.0, conv_only=False):
        super().__init__(params, lr, momentum=momentum)
        self.callback = GradientCentralization(conv_only=conv_only)

    @torch.no_grad()
    def step(self, closure=None):
        held = [p for group in self.param_groups for p in group["params"]]
        trainer = SimpleNamespace(model=SimpleNamespace(parameters=lambda: held))
        self.callback.on_before_optimizer_step(trainer, 0)
        return super().step(closure)
