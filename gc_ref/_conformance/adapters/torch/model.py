"""A PyTorch model of real layers that holds exactly the parameters of a case."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from gc_ref._conformance.ports.case import Parameter

#: Names that PyTorch layers give their parameters, by role; attention has its own.
_NAMES = {"kernel": "weight", "scale": "weight", "bias": "bias"}
_ATTENTION_NAMES = {
    "attention-in": {"kernel": "in_proj_weight", "bias": "in_proj_bias"},
    "attention-out": {"kernel": "out_proj.weight", "bias": "out_proj.bias"},
}
#: Names in the small module that is used where no layer of PyTorch has such a shape.
_PLAIN_NAMES = {"kernel": "weight", "scale": "scale", "bias": "bias", "scalar": "scalar"}


def build_model(
    parameters: Sequence[Parameter], tensors: Mapping[str, Any], *, layout: str
) -> tuple[Any, dict[str, Any]]:
    """Build a module of real layers, and return it with its parameters by name, in order.

    The model takes over ``tensors``, the initial values by parameter name. Layers of PyTorch
    store outputs first: for ``output-last`` each layer is a small module that holds parameters.
    """
    from torch import nn

    model = nn.Module()
    owned: dict[str, Any] = {}
    for layer, members in _by_layer(parameters).items():
        roles = {p.role: nn.Parameter(tensors[p.name]) for p in members}
        module, names = _real_layer(members, layout) or (nn.Module(), _PLAIN_NAMES)
        _install(module, {names[role]: value for role, value in roles.items()})
        model.add_module(layer.replace(".", "_"), module)
        owned |= {p.name: roles[p.role] for p in members}
    return model, owned


def parameter_groups(
    parameters: Sequence[Parameter], owned: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Split the parameters in two groups, as optimizers take them, with weights and vectors each.

    Some ports treat only the first group: a single weight goes into the second. A model of one
    layer makes one group.
    """
    weights: list[list[Parameter]] = []
    vectors: list[list[Parameter]] = []
    for members in _by_layer(parameters).values():
        is_weight = any(len(p.shape) >= 2 for p in members)
        (weights if is_weight else vectors).append(members)
    at, past = len(weights) // 2, math.ceil(len(vectors) / 2)
    halves = (weights[:at] + vectors[:past], weights[at:] + vectors[past:])
    return [{"params": [owned[p.name] for ps in half for p in ps]} for half in halves if half]


def _by_layer(parameters: Sequence[Parameter]) -> dict[str, list[Parameter]]:
    layers: dict[str, list[Parameter]] = {}
    for parameter in parameters:
        layers.setdefault(parameter.layer, []).append(parameter)
    return layers


def _real_layer(members: list[Parameter], layout: str) -> tuple[Any, dict[str, str]] | None:
    """Make the layer of PyTorch that has just these parameters, or return nothing."""
    shapes = {p.role: p.shape for p in members}
    kernel = shapes.get("kernel", shapes.get("scale", ()))
    if layout != "output-first" or math.prod(kernel) == 0:
        return None
    kind = members[0].layer_kind or members[0].kind
    module = _make_layer(kind, kernel, bias="bias" in shapes)
    if module is None:
        return None
    names = _ATTENTION_NAMES.get(kind, _NAMES)
    made = {name: tuple(value.shape) for name, value in module.named_parameters()}
    if any(made.get(names.get(role, "")) != shape for role, shape in shapes.items()):
        return None
    return module, names


def _make_layer(kind: str, kernel: tuple[int, ...], *, bias: bool) -> Any:
    """Make a layer whose weight has the shape ``kernel``; None if there is none."""
    import torch

    nn: Any = torch.nn
    rank, window = len(kernel), kernel[2:]
    options: dict[str, Any] = {"bias": bias}
    if kind == "scale" and rank == 1:
        return nn.LayerNorm(kernel[0], **options)
    if rank < 2:
        return None
    if kind == "dense":
        return nn.Linear(kernel[1], kernel[0], **options)
    if kind == "embedding" and rank == 2:
        return nn.Embedding(*kernel)
    if kind in ("attention-in", "attention-out"):
        return nn.MultiheadAttention(kernel[1], 1, **options)
    if rank > 5 or not window:
        return None
    convolution = (nn.Conv1d, nn.Conv2d, nn.Conv3d)[rank - 3]
    if kind in ("conv1d", "conv2d", "conv3d"):
        return convolution(kernel[1], kernel[0], window, **options)
    if kind == "depthwise":
        return convolution(kernel[0], kernel[0], window, groups=kernel[0], **options)
    if kind == "transposed":
        transposed = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)[rank - 3]
        return transposed(kernel[0], kernel[1], window, **options)
    return None


def _install(module: Any, values: Mapping[str, Any]) -> None:
    """Set the parameters of a layer, and remove its others (of attention, a case has one half)."""
    for name in [n for n, _ in module.named_parameters() if n not in values]:
        _set(module, name, None)
    for name, value in values.items():
        _set(module, name, value)


def _set(module: Any, name: str, value: Any) -> None:
    owner, _, last = name.rpartition(".")
    module.get_submodule(owner).register_parameter(last, value)
