"""The parameters of a case as the tree that a Flax model would have."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from gc_ref._conformance.ports.case import Parameter

#: Where a parameter lies in the tree: ``("Dense_0", "kernel")``.
Path: TypeAlias = tuple[str, ...]

#: Kind of layer -> Flax module, what lies between it and the leaf, name of the weight.
_FLAX: Mapping[str, tuple[str, Path, str]] = {
    "dense": ("Dense", (), "kernel"),
    "conv1d": ("Conv", (), "kernel"),
    "conv2d": ("Conv", (), "kernel"),
    "conv3d": ("Conv", (), "kernel"),
    "depthwise-grouped": ("Conv", (), "kernel"),
    "transposed-direct": ("ConvTranspose", (), "kernel"),
    "embedding": ("Embed", (), "embedding"),
    "attention-in": ("MultiHeadDotProductAttention", ("query",), "kernel"),
    "attention-out": ("MultiHeadDotProductAttention", ("out",), "kernel"),
    "scale": ("LayerNorm", (), "scale"),
}


def paths(parameters: Sequence[Parameter], *, layout: str) -> dict[str, Path]:
    """Find the place of each parameter in the tree: parameter name to path.

    Flax stores outputs last; with ``output-first`` the weights are named ``weight``, as in the
    libraries that store them so. A layer that Flax lacks keeps the name that it has in the case.

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
            module, between, weight = _FLAX.get(p.layer_kind or p.kind, ("", (), "kernel"))
            name = f"{module}_{count[module]}" if module else p.layer
            count[module] += 1
            modules[p.layer] = ((name, *between), weight)
        place, weight = modules[p.layer]
        leaf = p.role
        if p.role in ("kernel", weight):
            leaf = weight if layout == "output-last" else "weight"
        found[p.name] = (*place, leaf)
    return found


def nest(leaves: Mapping[str, Any], where: Mapping[str, Path]) -> dict[str, Any]:
    """Arrange leaves, by parameter name, at their paths in a tree of dictionaries.

    Examples
    --------
    >>> nest({"hidden.kernel": 1}, {"hidden.kernel": ("Dense_0", "kernel")})
    {'Dense_0': {'kernel': 1}}
    """
    tree: dict[str, Any] = {}
    for name, leaf in leaves.items():
        *branch, last = where[name]
        node = tree
        for key in branch:
            node = node.setdefault(key, {})
        node[last] = leaf
    return tree


def flatten(tree: Mapping[str, Any], where: Mapping[str, Path]) -> dict[str, Any]:
    """Return the leaves by parameter name: the inverse of `nest`.

    Examples
    --------
    >>> flatten({"Dense_0": {"kernel": 1}}, {"hidden.kernel": ("Dense_0", "kernel")})
    {'hidden.kernel': 1}
    """
    return {
        name: functools.reduce(lambda node, key: node[key], path, tree)
        for name, path in where.items()
    }
