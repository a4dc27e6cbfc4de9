"""zij 0.1.1: Ranger and LookSAM with ``use_gc``, Ranger21 with ``centralize_gradients``."""

import torch
import zij
from zij import Ranger, Ranger21

__all__ = ["LookSAM", "Ranger", "Ranger21"]


class LookSAM(zij.LookSAM):
    """Around PyTorch's Adam; the gradients are there before ``step``, as it asks."""

    def __init__(self, params, lr, betas=(0.9, 0.999), eps=1e-8, use_gc=False):
        super().__init__(params, torch.optim.Adam, use_gc=use_gc, lr=lr, betas=betas, eps=eps)

    def step(self, closure):
        with torch.enable_grad():
            closure()
        return super().step(closure)
