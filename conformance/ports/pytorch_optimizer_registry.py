"""Every optimizer of pytorch_optimizer's own list, by its name in that list.

``ports/pytorch_optimizer_registry.py:adan`` is ``load_optimizer("adan")``. What cannot be made from
parameters alone is made as its documentation says.
"""

import functools

from pytorch_optimizer import load_optimizer

#: They tell weights from the rest by the member ``use_muon`` of each group.
MUON_GROUPS = ("adago", "adamuon", "distributedmuon", "muon", "muonclip", "normuon")


def in_muon_groups(optimizer):
    @functools.wraps(optimizer)
    def make(params, **hyperparameters):
        params = list(params)
        if params and isinstance(params[0], dict):
            params = [p for group in params for p in group["params"]]
        weights = [p for p in params if p.ndim >= 2]
        others = [p for p in params if p.ndim < 2]
        groups = [{"params": weights, "use_muon": True}, {"params": others, "use_muon": False}]
        return optimizer([group for group in groups if group["params"]], **hyperparameters)

    return make


@functools.cache
def __getattr__(name):
    try:
        optimizer = load_optimizer(name)
    except Exception as error:
        raise AttributeError(name) from error
    if name in MUON_GROUPS:
        return in_muon_groups(optimizer)
    return optimizer
