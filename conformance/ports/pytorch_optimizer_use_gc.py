"""pytorch_optimizer's optimizers with a switch of GC that has an effect, and three without.

Each is judged with its switch on against itself with its switch off: that is its base. The switch
is ``use_gc``, in Ranger21 ``centralize_gradients``, in ROSE ``centralize``.
"""

import pytorch_optimizer
import torch
from pytorch_optimizer import ROSE, AdaBelief, Adai, AdamP, Adan, Lion, RAdam, Ranger, Ranger21

__all__ = [
    "ROSE", "SAM", "AdaBelief", "Adai", "AdamP", "Adan", "Lion", "RAdam", "Ranger", "Ranger21"
]  # fmt: skip


class SAM(pytorch_optimizer.SAM):
    """Around PyTorch's SGD; the gradients are there before ``step``, as it asks."""

    def __init__(self, params, lr, momentum=0.0, use_gc=False):
        super().__init__(params, torch.optim.SGD, use_gc=use_gc, lr=lr, momentum=momentum)

    def step(self, closure):
        with torch.enable_grad():
            closure()
        return super().step(closure)
