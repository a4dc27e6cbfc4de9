"""Optimizers for PyTorch that do what a semantics says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gc_ref._conformance.adapters.torch.port import torch_port
from gc_ref._conformance.catalogue.deviations import Form
from gc_ref._conformance.catalogue.parameters import parameter_infos
from gc_ref._conformance.catalogue.semantics import Semantics, State, step
from gc_ref._conformance.ports.port import Port

__all__ = ["optimizer_port"]


def optimizer_port(form: Form, name: str) -> Port:
    """Make the port of a form of a deviation as a ``torch.optim.Optimizer``."""
    make = _optimizer_class(form.semantics, saved=form.flaw != "state-lost")
    if form.flaw == "gradient-alias":
        make = _gradient_alias()
    # With the arguments of PyTorch's own.
    factories: Mapping[str, Any] = {
        "sgd": lambda params, lr=0.1, momentum=0.0: make(params, {"lr": lr, "momentum": momentum}),
        "sgd-with-switch": lambda params, lr=0.1, momentum=0.0, use_gc=True: make(
            params, {"lr": lr, "momentum": momentum}
        ),
        "adam": lambda params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8: make(
            params, {"lr": lr, "betas": betas, "eps": eps}
        ),
        "adamw": lambda params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01: make(
            params, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay}
        ),
    }
    return torch_port(factories[form.optimizer], name=name, algorithm=form.semantics.algorithm)


def _optimizer_class(semantics: Semantics, *, saved: bool) -> Any:
    import torch
    from array_api_compat import torch as xp

    base: Any = torch.optim.Optimizer

    class WrongOptimizer(base):  # type: ignore[misc]
        def step(self, closure: Any = None) -> None:
            """Carry every parameter one step on."""
            with torch.no_grad():
                self.update_parameters()

        def update_parameters(self) -> None:
            """Do to every parameter what the semantics says."""
            groups = [group["params"] for group in self.param_groups]
            shapes = {p: tuple(p.shape) for group in groups for p in group}
            infos = parameter_infos(shapes, 0, groups=groups)
            flat = torch.cat([p.grad.ravel() for p in infos])
            whole = flat.mean(), flat.norm()
            states = self.state if saved else self.__dict__.setdefault("unsaved", {})
            shared: dict[Any, Any] = {}
            for p, info in infos.items():
                own = kept = states.setdefault(p, {})
                if semantics.mistake == "state-aliased":
                    kept = shared.setdefault(info.shape, own)
                if not kept:
                    kept.update(t=0, now=list(State.of(p)))
                own.update(t=own.get("t", 0) + 1, now=kept["now"])
                hyper = _hyperparameters(self.param_groups[info.group])
                weight, state = step(
                    xp, semantics, p, p.grad, State(*kept["now"]), own["t"], hyper, info, *whole
                )
                p.copy_(weight)
                kept["now"] = own["now"] = [x.clone() for x in state]

    return WrongOptimizer


def _hyperparameters(group: Mapping[str, Any]) -> dict[str, Any]:
    hyper = {k: group[k] for k in ("lr", "momentum", "eps", "weight_decay") if k in group}
    if "betas" in group:
        hyper["beta1"], hyper["beta2"] = group["betas"]
    return hyper


def _gradient_alias() -> Any:
    import torch

    base: Any = torch.optim.Optimizer

    class GradientAlias(base):  # type: ignore[misc]
        def step(self, closure: Any = None) -> None:
            """Heavy-ball momentum whose buffer is the first gradient itself."""
            with torch.no_grad():
                for group in self.param_groups:
                    for p in group["params"]:
                        g, state = p.grad, self.state[p]
                        if p.ndim > 1:
                            g -= g.mean(dim=tuple(range(1, p.ndim)), keepdim=True)
                        if "momentum_buffer" in state:
                            state["momentum_buffer"].mul_(group["momentum"]).add_(g)
                        else:
                            state["momentum_buffer"] = g
                        p.sub_(group["lr"] * state["momentum_buffer"])

    return GradientAlias
