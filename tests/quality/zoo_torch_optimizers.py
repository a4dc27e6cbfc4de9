"""PyTorch optimizers of the zoo; each function makes a factory ``(params, **rates)``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

WIDE = ("float32", "float64")
EVERY = ("float16", "bfloat16", "float32", "float64")


@dataclass(frozen=True)
class Recipe:
    """How an optimizer is made, and what it is."""

    make: Callable[[], Callable[..., Any]]
    algorithm: str
    follows: Mapping[str, str] = field(default_factory=dict)
    dtypes: tuple[str, ...] = WIDE


def phi(g: Any) -> Any:
    """Eq. 1, outputs first; sums of half types in float32 or wider by PyTorch itself."""
    return g if g.ndim < 2 else g - g.mean(dim=tuple(range(1, g.ndim)), keepdim=True)


def centralizing(base: str) -> Callable[..., Any]:
    """Subclass of an optimizer of PyTorch that centralizes the gradients before its step."""
    import torch

    class Centralizing(getattr(torch.optim, base)):  # type: ignore[misc]
        @torch.no_grad()
        def step(self, closure=None):
            for group in self.param_groups:
                for p in group["params"]:
                    p.grad = phi(p.grad)
            return super().step(closure)

    return Centralizing


def written(step: Callable[..., None], **defaults: Any) -> Callable[..., Any]:
    """Optimizer whose step on one group is a function (params, grads, states, group)."""
    import torch

    class Written(torch.optim.Optimizer):
        def __init__(self, params, lr=0.1, **rates):
            super().__init__(params, {"lr": lr, **defaults, **rates})

        @torch.no_grad()
        def step(self, closure=None):
            for group in self.param_groups:
                params = group["params"]
                step(params, [p.grad for p in params], [self.state[p] for p in params], group)

    return Written


def with_rates(made: Callable[..., Any], algorithm: str, *, decay: bool = False) -> Any:
    """Give a factory the signature that the kit reads."""
    if algorithm == "sgdm":

        def sgdm(params, lr=0.1, momentum=0.9):
            return made(params, lr=lr, momentum=momentum)

        def sgdm_decay(params, lr=0.1, momentum=0.9, weight_decay=0.0):
            return made(params, lr=lr, momentum=momentum, weight_decay=weight_decay)

        return sgdm_decay if decay else sgdm

    def adam(params, lr=0.001, beta1=0.9, beta2=0.999, eps=1e-8):
        return made(params, lr=lr, beta1=beta1, beta2=beta2, eps=eps)

    def adam_decay(params, lr=0.001, beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=0.0):
        return made(
            params, lr=lr, beta1=beta1, beta2=beta2, eps=eps, weight_decay=weight_decay
        )  # fmt: skip

    return adam_decay if decay else adam


def sgd_subclass():
    return centralizing("SGD")


def adam_subclass():
    return centralizing("Adam")


def adamw_subclass():
    return centralizing("AdamW")


def foreach_adam():
    made = centralizing("Adam")

    def adam(params, lr=0.001, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0):
        return made(params, lr, betas, eps, weight_decay, foreach=True)

    return adam


def fused_adam():
    made = centralizing("AdamW")

    def adamw(params, lr=0.001, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0):
        return made(params, lr, betas, eps, weight_decay, fused=True)

    return adamw


def step_hook():
    """GC as a hook that PyTorch calls before each step of its own SGD."""
    import torch

    def centralize(optimizer, args, kwargs):
        with torch.no_grad():
            for group in optimizer.param_groups:
                for p in group["params"]:
                    p.grad.copy_(phi(p.grad))

    def sgd(params, lr=0.1, momentum=0.9, weight_decay=0.0):
        made = torch.optim.SGD(params, lr, momentum, weight_decay=weight_decay)
        made.register_step_pre_hook(centralize)
        return made

    return sgd


def foreach_sgdm():
    import torch

    def step(params, grads, states, group):
        ready = [phi(g) for g in grads]
        momenta = [
            s.setdefault("m", torch.zeros_like(p)) for s, p in zip(states, params, strict=True)
        ]
        torch._foreach_mul_(momenta, group["momentum"])
        torch._foreach_add_(momenta, ready, alpha=1 - group["momentum"])
        torch._foreach_add_(params, momenta, alpha=-group["lr"])

    return with_rates(written(step, momentum=0.9), "sgdm")


def lerp_ema():
    import torch

    def step(params, grads, states, group):
        for p, g, s in zip(params, grads, states, strict=True):
            m = s.setdefault("m", torch.zeros_like(p))
            m.lerp_(phi(g), 1 - group["momentum"])
            p.sub_(m * group["lr"])

    return with_rates(written(step, momentum=0.9), "sgdm")


def momentum_buffer():
    """Φ of the undecayed momentum, which is the same mathematics."""
    import torch

    def step(params, grads, states, group):
        for p, g, s in zip(params, grads, states, strict=True):
            m = s.setdefault("m", torch.zeros_like(p))
            m.mul_(group["momentum"]).add_(g)
            p.add_(phi(m), alpha=-group["lr"])

    return with_rates(written(step, momentum=0.9), "sgdm")


def decayed_gradient():
    """The authors' SGD: Φ(g + λw)."""

    def step(params, grads, states, group):
        for p, g, s in zip(params, grads, states, strict=True):
            g = phi(g.add(p, alpha=group["weight_decay"]))
            m = s.get("m")
            s["m"] = m = g.clone() if m is None else m.mul_(group["momentum"]).add_(g)
            p.add_(m, alpha=-group["lr"])

    return with_rates(written(step, momentum=0.9, weight_decay=0.0), "sgdm", decay=True)


def float32_state():
    """State and arithmetic in float32 or wider; the weight alone is rounded."""
    import torch

    def step(params, grads, states, group):
        for p, g, s in zip(params, grads, states, strict=True):
            wide = torch.promote_types(p.dtype, torch.float32)
            m = s.setdefault("m", torch.zeros_like(p, dtype=wide))
            m.mul_(group["momentum"]).add_(phi(g.to(wide)), alpha=1 - group["momentum"])
            p.copy_((p.to(wide) - group["lr"] * m).to(p.dtype))

    return with_rates(written(step, momentum=0.9), "sgdm")


def master_weights():
    """A wide copy of each weight takes the steps; the model gets it rounded."""
    import torch

    def step(params, grads, states, group):
        for p, g, s in zip(params, grads, states, strict=True):
            wide = torch.promote_types(p.dtype, torch.float32)
            if "w" not in s:
                s["w"], s["m"] = p.to(wide, copy=True), torch.zeros_like(p, dtype=wide)
            s["m"].mul_(group["momentum"]).add_(phi(g).to(wide))
            s["w"].add_(s["m"], alpha=-group["lr"])
            p.copy_(s["w"])

    return with_rates(written(step, momentum=0.9), "sgdm")


def _moments(p, g, s, group):
    import torch

    if "m" not in s:
        s["m"], s["v"], s["t"] = torch.zeros_like(p), torch.zeros_like(p), 0
    s["t"] += 1
    s["m"].lerp_(g, 1 - group["beta1"])
    s["v"].mul_(group["beta2"]).addcmul_(g, g, value=1 - group["beta2"])
    return s["m"], s["v"], 1 - group["beta1"] ** s["t"], 1 - group["beta2"] ** s["t"]


def lerp_adam():
    def step(params, grads, states, group):
        for p, g, s in zip(params, grads, states, strict=True):
            m, v, one, two = _moments(p, phi(g), s, group)
            p.addcdiv_(m, (v.sqrt() / two**0.5).add_(group["eps"]), value=-group["lr"] / one)

    return with_rates(written(step, beta1=0.9, beta2=0.999, eps=1e-8), "adam")


def epsilon_hat():
    """The form before Section 2.1 of the Adam paper, as in TensorFlow."""

    def step(params, grads, states, group):
        for p, g, s in zip(params, grads, states, strict=True):
            m, v, one, two = _moments(p, phi(g), s, group)
            p.sub_(group["lr"] * two**0.5 / one * m / (v.sqrt() + group["eps"]))

    return with_rates(written(step, beta1=0.9, beta2=0.999, eps=1e-8), "adam")


def update_placement():
    """The authors' gc_loc=False: Φ of the final direction, decay beside it."""

    def step(params, grads, states, group):
        for p, g, s in zip(params, grads, states, strict=True):
            p.mul_(1 - group["lr"] * group["weight_decay"])
            m, v, one, two = _moments(p, g, s, group)
            p.sub_(group["lr"] * phi((m / one) / ((v / two).sqrt() + group["eps"])))

    made = written(step, beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=0.0)
    return with_rates(made, "adam", decay=True)


HEAVY = {"momentum": "heavy-ball"}
RECIPES = (
    Recipe(sgd_subclass, "sgdm", {**HEAVY, "decay": "l2", "placement": "gradient"}),
    Recipe(step_hook, "sgdm", {**HEAVY, "decay": "l2", "placement": "gradient"}),
    Recipe(foreach_sgdm, "sgdm", {"momentum": "ema", "first_momentum": "zero"}),
    Recipe(lerp_ema, "sgdm", {"momentum": "ema", "decay": "none"}),
    Recipe(momentum_buffer, "sgdm", HEAVY),
    Recipe(decayed_gradient, "sgdm", {**HEAVY, "placement": "decayed-gradient"}),
    Recipe(float32_state, "sgdm", {"momentum": "ema"}, EVERY),
    Recipe(master_weights, "sgdm", HEAVY, EVERY),
    Recipe(adam_subclass, "adam", {"epsilon": "outside", "decay": "l2"}),
    Recipe(adamw_subclass, "adam", {"decay": "decoupled"}),
    Recipe(foreach_adam, "adam", {"epsilon": "outside"}),
    Recipe(fused_adam, "adam", {"decay": "decoupled"}),
    Recipe(lerp_adam, "adam", {"epsilon": "outside", "decay": "none"}),
    Recipe(epsilon_hat, "adam", {"epsilon": "hat"}),
    Recipe(update_placement, "adam", {"placement": "update", "decay": "decoupled"}),
)
