"""torchium 0.1.5: a wrapper that centralizes before its base optimizer, and its Ranger21."""

import torch
from torchium.optimizers.meta_optimizers import GradientCentralization
from torchium.optimizers.specialized.computer_vision import Ranger21

__all__ = ["Ranger21", "sgd"]


def sgd(params, lr, momentum=0.0, weight_decay=0.0, use_gc=True):
    """The wrapper around PyTorch's SGD."""
    return GradientCentralization(
        params, torch.optim.SGD, use_gc, lr=lr, momentum=momentum, weight_decay=weight_decay
    )
