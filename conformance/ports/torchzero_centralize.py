"""torchzero 0.4.4: ``Centralize`` before heavy-ball momentum, in four of the ways that it offers.

The base is the same without it: torchzero's momentum starts otherwise than PyTorch's.
"""

from torchzero import Optimizer, m


def plain(params, lr, momentum=0.0):
    return Optimizer(params, m.HeavyBall(momentum), m.LR(lr))


def default(params, lr, momentum=0.0):
    return Optimizer(params, m.Centralize(), m.HeavyBall(momentum), m.LR(lr))


def dim_0(params, lr, momentum=0.0):
    """As the example in its docstring."""
    return Optimizer(params, m.Centralize(dim=0), m.HeavyBall(momentum), m.LR(lr))


def over_all(params, lr, momentum=0.0):
    return Optimizer(params, m.Centralize(dim="global"), m.HeavyBall(momentum), m.LR(lr))


def all_but_dim_0(params, lr, momentum=0.0):
    return Optimizer(
        params, m.Centralize(dim=0, inverse_dims=True), m.HeavyBall(momentum), m.LR(lr)
    )
