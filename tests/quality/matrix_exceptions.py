"""Optimizers of the matrix that are made otherwise than by their class alone, or not judged at all.

A reason why one is not judged is tried at each run: where the optimizer passes, the reason is gone.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

Factory = Callable[..., Any]

#: Framework to optimizer to the constructor arguments that make it a plain optimizer.
SETTINGS: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "pytorch_optimizer": {
        # These centralize by themselves unless they are told not to.
        "Ranger": {"use_gc": False},
        "ROSE": {"centralize": False},
    },
}

_LOSS = "looks at the loss, which is another one for the base fed with Φ(g)"
_MODEL = "wants the model in place of its parameters"
_GRAPH = "differentiates the gradient, and the loss of the probe is linear"

EXCUSED: Mapping[str, Mapping[str, str]] = {
    "torch": {
        "SparseAdam": "takes sparse gradients only",
    },
    "pytorch_optimizer": {
        "AdaHessian": _GRAPH,
        "AdaLOMO": _MODEL,
        "DeMo": "needs einops and several processes",
        "DistributedMuon": "wants a group of processes",
        "GSAM": "wants the model, and a schedule of its radius",
        "LOMO": _MODEL,
        "LoRARite": "takes pairs of matrices of LoRA only",
        "PCGrad": "takes the losses of several tasks",
        "Ranger21": "centralizes by itself, and nothing switches that off",
        "SafeFP16Optimizer": "scales the loss of a model in half precision",
        "SophiaH": _GRAPH,
        "WSAM": "wants the model",
    },
    "optax": {
        "contrib.dpsgd": "takes a gradient for each example of the batch",
        "contrib.momo": _LOSS,
        "contrib.momo_adam": _LOSS,
        "contrib.sophia": "wants the loss as a function, to estimate its curvature",
        "lbfgs": _LOSS,
        "polyak_sgd": _LOSS,
    },
    "keras": {
        "LossScaleOptimizer": "scales the loss for another optimizer, and has no learning rate",
        "MultiOptimizer": "hands variables to other optimizers, and has no learning rate",
    },
}

#: Optimizers that refuse vectors or some convolutions. Beside their base, which shows what they
#: refuse, the rest is judged; what is done to vectors they cannot show.
REFUSING_SOME: Mapping[str, tuple[str, ...]] = {
    "torch": ("Muon",),
    "pytorch_optimizer": ("SCION", "SCIONLight", "SpectralSphere"),
}


def made_otherwise(framework: str) -> dict[str, Factory]:
    """Return factories of optimizers whose class alone cannot be called with parameters."""
    if framework == "pytorch_optimizer":
        return _of_pytorch_optimizer()
    if framework == "optax":
        return _of_optax()
    return {}


def _of_pytorch_optimizer() -> dict[str, Factory]:
    import pytorch_optimizer
    import torch

    def in_muon_groups(optimizer: Any) -> Factory:
        @functools.wraps(optimizer)
        def make(params: Any, *arguments: Any, **named: Any) -> Any:
            flat = [p for group in params for p in group["params"]]
            groups = [
                {"params": [p for p in flat if (p.ndim >= 2) is weights], "use_muon": weights}
                for weights in (True, False)
            ]
            return optimizer([g for g in groups if g["params"]], *arguments, **named)

        return make

    def around_sgd(optimizer: Any) -> Factory:
        def make(params: Any, lr: float = 0.1, momentum: float = 0.9) -> Any:
            made = optimizer(torch.optim.SGD(params, lr=lr, momentum=momentum))
            if hasattr(made, "train"):  # schedule-free ones tell training from evaluation
                made.train()
            return made

        return make

    def with_closure(optimizer: Any, **fixed: Any) -> Factory:
        class Closing(optimizer):  # type: ignore[misc]
            def step(self, closure: Any) -> Any:  # needed, though the signature has a default
                return super().step(closure)

        def make(params: Any, lr: float = 0.1) -> Any:
            return Closing(params, lr=lr, **fixed)

        return make

    around = {"base_optimizer": torch.optim.SGD}
    closing = {"BSAM": {"num_data": 8}, "FriendlySAM": around, "LookSAM": around, "SAM": around}
    muons = ("AdaGO", "AdaMuon", "DistributedMuon", "Muon", "MuonClip", "NorMuon")
    wrappers = ("Lookahead", "OrthoGrad", "ScheduleFreeWrapper", "TRAC")

    def own(name: str) -> Any:
        return getattr(pytorch_optimizer, name)

    return {
        **{name: in_muon_groups(own(name)) for name in muons},
        **{name: around_sgd(own(name)) for name in wrappers},
        **{name: with_closure(own(name), **fixed) for name, fixed in closing.items()},
    }


def _of_optax() -> dict[str, Factory]:
    import optax
    from optax import contrib

    def mechanize(learning_rate: float) -> Any:
        return contrib.mechanize(optax.sgd(learning_rate))

    def sam(learning_rate: float) -> Any:
        ascent = optax.chain(contrib.normalize(), optax.sgd(0.0625))
        return contrib.sam(optax.sgd(learning_rate), ascent)

    def schedule_free(learning_rate: float) -> Any:
        return contrib.schedule_free(optax.sgd(learning_rate), learning_rate)

    return {f"contrib.{make.__name__}": make for make in (mechanize, sam, schedule_free)}
