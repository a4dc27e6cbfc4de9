"""Optimizers for PyTorch that do what a semantics says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gc_ref._conformance.adapters.torch.port import torch_port
from gc_ref._conformance.catalogue.centers import Slot, places
from gc_ref._conformance.catalogue.deviations import Plant
from gc_ref._conformance.catalogue.semantics import State, step
from gc_ref._conformance.ports.port import Port

__all__ = ["torch_plant"]


def torch_plant(plant: Plant, name: str) -> Port:
    """Make the port of a plant as a ``torch.optim.Optimizer``."""
    maker = {"sgdm": _sgdm, "adam": _adam}[plant.what.algorithm]
    if plant.how == "gradient-alias":
        maker = _gradient_alias
    return torch_port(maker(plant), name=name, algorithm=plant.what.algorithm)


def _base(plant: Plant) -> Any:
    import torch
    from array_api_compat import torch as xp

    what = plant.what
    base: Any = torch.optim.Optimizer

    class Planted(base):  # type: ignore[misc]
        def step(self, closure: Any = None) -> None:
            """Carry every parameter one step on."""
            with torch.no_grad():
                groups = self.param_groups
                listed = [(n, p) for n, group in enumerate(groups) for p in group["params"]]
                first = next((p.ndim for _, p in listed if p.ndim > 1), 2)
                flat = torch.cat([p.grad.ravel() for _, p in listed])
                shared: dict[Any, Any] = {}
                numbers = places([p.ndim for _, p in listed])
                for (number, p), (i, count) in zip(listed, numbers, strict=True):
                    kept = self.state[p]
                    if what.mistake == "state-aliased":
                        kept = shared.setdefault(tuple(p.shape), kept)
                    if not kept:
                        kept.update(t=0, now=[torch.zeros_like(p) for _ in range(3)])
                    self.state[p].update(t=self.state[p].get("t", 0) + 1, now=kept["now"])
                    slot = Slot(tuple(p.shape), 0, i, count, first, group=number)
                    weight, state = step(
                        xp, what, p, p.grad, State(*kept["now"]), self.state[p]["t"],
                        _hyper(groups[number]), slot, flat.mean(),
                    )  # fmt: skip
                    p.copy_(weight)
                    kept["now"] = [x.clone() for x in state]
                    self.state[p]["now"] = kept["now"]

    return Planted


def _hyper(group: Mapping[str, Any]) -> dict[str, Any]:
    hyper = {k: group[k] for k in ("lr", "momentum", "eps", "weight_decay") if k in group}
    if "betas" in group:
        hyper["beta1"], hyper["beta2"] = group["betas"]
    return hyper


def _sgdm(plant: Plant) -> Any:
    class PlantedSGD(_base(plant)):  # type: ignore[misc]
        def __init__(self, params: Any, lr: float = 0.1, momentum: float = 0.0) -> None:
            super().__init__(params, {"lr": lr, "momentum": momentum})

    class FlagIgnored(PlantedSGD):
        def __init__(
            self, params: Any, lr: float = 0.1, momentum: float = 0.0, use_gc: bool = True
        ) -> None:
            super().__init__(params, lr, momentum)

    return FlagIgnored if plant.how == "flag-ignored" else PlantedSGD


def _adam(plant: Plant) -> Any:
    class PlantedAdam(_base(plant)):  # type: ignore[misc]
        def __init__(
            self, params: Any, lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999),
            eps: float = 1e-8,
        ) -> None:  # fmt: skip
            super().__init__(params, {"lr": lr, "betas": betas, "eps": eps})

    class PlantedAdamW(_base(plant)):  # type: ignore[misc]
        def __init__(
            self, params: Any, lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999),
            eps: float = 1e-8, weight_decay: float = 0.01,
        ) -> None:  # fmt: skip
            defaults = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay}
            super().__init__(params, defaults)

    return PlantedAdamW if plant.what.conventions.get("decay") else PlantedAdam


def _gradient_alias(plant: Plant) -> Any:
    import torch

    base: Any = torch.optim.Optimizer

    class GradientAlias(base):  # type: ignore[misc]
        def __init__(self, params: Any, lr: float = 0.1, momentum: float = 0.0) -> None:
            super().__init__(params, {"lr": lr, "momentum": momentum})

        def step(self, closure: Any = None) -> None:
            """Heavy-ball momentum whose buffer is the first gradient itself."""
            with torch.no_grad():
                for group in self.param_groups:
                    for p in group["params"]:
                        g = p.grad
                        if p.ndim > 1:
                            g -= g.mean(dim=tuple(range(1, p.ndim)), keepdim=True)
                        if "momentum_buffer" not in self.state[p]:
                            self.state[p]["momentum_buffer"] = g
                        else:
                            self.state[p]["momentum_buffer"].mul_(group["momentum"]).add_(g)
                        p.sub_(group["lr"] * self.state[p]["momentum_buffer"])

    return GradientAlias
