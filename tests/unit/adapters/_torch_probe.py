"""Layers, a case and a correct optimizer for the tests of the PyTorch adapter."""

import numpy as np
import pytest

from gc_ref._layouts import KINDS, VECTOR_KINDS

from ._adapter_cases import drawn_case, drawn_parameters

torch = pytest.importorskip("torch")

SGD = {"lr": 0.5, "momentum": 0.0}
ALL_KINDS = (*KINDS, *VECTOR_KINDS[1:])
WITH_BIAS = ("dense", "conv2d", "scale")


def parameters(kinds=ALL_KINDS, layout="output-first", dtype=np.float32):
    """One weight of each kind, and biases."""
    return drawn_parameters(kinds, layout=layout, fan_out=4, with_bias=WITH_BIAS, dtype=dtype)


def case_of(owned=None, *, steps=3, hyper=SGD, **options):
    """Case of these weights, or of all kinds."""
    owned = parameters() if owned is None else owned
    return drawn_case(owned, steps=steps, hyper=hyper, **options)


def erase_means(g):
    return g - g.mean(dim=tuple(range(1, g.dim())), keepdim=True) if g.dim() > 1 else g


class Centralizing(torch.optim.SGD):
    """GC as a subclass that computes a new gradient."""

    def __init__(self, params, lr=0.1, momentum=0.0, use_gc=True):
        super().__init__(params, lr=lr, momentum=momentum)
        self.use_gc = use_gc

    def step(self, closure=None):
        if self.use_gc:
            for group in self.param_groups:
                for p in group["params"]:
                    p.grad = erase_means(p.grad)
        return super().step(closure)
