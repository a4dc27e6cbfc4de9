"""The parameters of a case as the tree that a Flax model would have."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from gc_ref._conformance.ports.case import Parameter

__all__ = ["Path", "flatten", "nest", "paths"]

#: Where a parameter lies in the tree: ``("Dense_0", "kernel")``.
Path: TypeAlias = tuple[str, ...]

#: Kind of layer -> Flax module, what lies between it and the leaf, name of the weight.
_FLAX: Mapping[str, tuple[str, Path, str]] = {
    "dense": ("Dense", (), "kernel"),
    "conv1d": ("Conv", (), "kernel"),
    "conv2d": ("Conv", (), "kernel"),
    "conv3d": ("Conv", (), "kernel"),
    "depthwise": ("Conv", (), "kernel"),
    "transposed": ("ConvTranspose", (), "kernel"),
    "embedding": ("Embed", (), "embedding"),
    "attention-in": ("MultiHeadDotProductAttention", ("query",), "kernel"),
    "attention-out": ("MultiHeadDotProductAttention", ("out",), "kernel"),
    "scale": ("LayerNorm", (), "scale"),
}


def paths(parameters: Sequence[Parameter], *, layout: str) -> dict[str, Path]:
    """Find the place of each parameter in the tree.

    Parameters
    ----------
    parameters : sequence of Parameter
        The model, in order.
    layout : {"output-last", "output-first"}
        Flax stores outputs last; with ``output-first`` the weights are named ``weight``,
        as in the libraries that store them so.

    Returns
    -------
    dict
        Parameter name to its path.

    Examples
    --------
    >>> import numpy as np
    >>> kernel = Parameter("hidden", "dense", np.zeros((3, 2)), "dense")
    >>> paths([kernel], layout="output-last")
    {'hidden.kernel': ('Dense_0', 'kernel')}
    """
    modules: dict[str, tuple[Path, str]] = {}
    count: Counter[str] = Counter()
    found: dict[str, Path] = {}
    for p in parameters:
        if p.layer not in modules:
            kind = p.layer_kind or p.kind
            module, between, weight = _FLAX.get(kind, ("", (), "kernel"))
            name = f"{module}_{count[module]}" if module else p.layer
            count[module] += 1
            modules[p.layer] = ((name, *between), weight)
        place, weight = modules[p.layer]
        if p.role == "kernel" or p.role == weight:
            leaf = weight if layout == "output-last" else "weight"
        else:
            leaf = p.role
        found[p.name] = (*place, leaf)
    return found


def nest(leaves: Mapping[str, Any], where: Mapping[str, Path]) -> dict[str, Any]:
    """Arrange leaves, by parameter name, as a tree of dictionaries.

    Parameters
    ----------
    leaves : mapping
        Parameter name to leaf.
    where : mapping
        Parameter name to path.

    Returns
    -------
    dict

    Examples
    --------
    >>> nest({"hidden.kernel": 1}, {"hidden.kernel": ("Dense_0", "kernel")})
    {'Dense_0': {'kernel': 1}}
    """
    tree: dict[str, Any] = {}
    for name, leaf in leaves.items():
        node = tree
        for key in where[name][:-1]:
            node = node.setdefault(key, {})
        node[where[name][-1]] = leaf
    return tree


def flatten(tree: Mapping[str, Any], where: Mapping[str, Path]) -> dict[str, Any]:
    """Inverse of `nest`.

    Parameters
    ----------
    tree : mapping
        Tree of dictionaries.
    where : mapping
        Parameter name to path.

    Returns
    -------
    dict
        Parameter name to leaf.

    Examples
    --------
    >>> flatten({"Dense_0": {"kernel": 1}}, {"hidden.kernel": ("Dense_0", "kernel")})
    {'hidden.kernel': 1}
    """
    found: dict[str, Any] = {}
    for name, path in where.items():
        leaf: Any = tree
        for key in path:
            leaf = leaf[key]
        found[name] = leaf
    return found
