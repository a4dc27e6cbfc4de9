"""The zoo's PyTorch ports: operators on tensors with the outputs first, and optimizers.

PyTorch is imported inside the functions: an entry names what it needs.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from gc_ref.conformance import Port, operator_port, torch_port

from . import zoo_torch_optimizers as optimizers
from .zoo_entry import Entry

Tensor = Any


def inputs(g: Tensor) -> tuple[int, ...]:
    return tuple(range(1, g.ndim))


def mean(g: Tensor) -> Tensor:
    return g - g.mean(dim=inputs(g), keepdim=True)


def in_place(g: Tensor) -> Tensor:
    return g.sub_(g.mean(dim=inputs(g), keepdim=True))


def add_negative(g: Tensor) -> Tensor:
    """As the authors write it: x.add_(-x.mean(...))."""
    return g.clone().add_(-g.mean(dim=inputs(g), keepdim=True))


def scaled_add(g: Tensor) -> Tensor:
    return g.add(g.sum(dim=inputs(g), keepdim=True), alpha=-1 / g[0].numel())


def in_double(g: Tensor) -> Tensor:
    wide = g.double()
    return (wide - wide.mean(dim=inputs(g), keepdim=True)).to(g.dtype)


def sum_in_float(g: Tensor) -> Tensor:
    import torch

    kind = torch.promote_types(g.dtype, torch.float32)
    total = g.sum(dim=inputs(g), keepdim=True, dtype=kind)
    return (g - total / g[0].numel()).to(g.dtype)


def einsum(g: Tensor) -> Tensor:
    import torch

    rows = g.flatten(1)
    return (rows - torch.einsum("oi->o", rows)[:, None] / rows.shape[1]).view_as(g)


def ones_matmul(g: Tensor) -> Tensor:
    rows = g.flatten(1)
    return (rows - rows @ rows.new_ones(rows.shape[1], 1) / rows.shape[1]).view_as(g)


def projection(g: Tensor) -> Tensor:
    """Eq. 2: G·P for outputs in rows, P in float32 at least."""
    import torch

    kind = torch.promote_types(g.dtype, torch.float32)
    rows = g.flatten(1).to(kind)
    n = rows.shape[1]
    if n > 2048:  # the matrix would take gigabytes
        return fused_projection(g)
    p = torch.eye(n, dtype=kind) - torch.full((n, n), 1 / n, dtype=kind)
    return (rows @ p).to(g.dtype).view_as(g)


def fused_projection(g: Tensor) -> Tensor:
    """addmm: G − (G·1)·(1/n)1ᵀ."""
    import torch

    rows = g.flatten(1)
    n = rows.shape[1]
    ones = rows.new_ones(n, 1)
    return torch.addmm(rows, rows @ ones, rows.new_ones(1, n), alpha=-1 / n).view_as(g)


def var_mean(g: Tensor) -> Tensor:
    import torch

    return g - torch.var_mean(g, dim=inputs(g), correction=0, keepdim=True)[1]


def filter_by_filter(g: Tensor) -> Tensor:
    import torch

    return torch.stack([f - f.mean() for f in g])


def mapped(g: Tensor) -> Tensor:
    import torch

    return torch.vmap(lambda f: f - f.mean())(g)


def pooled(g: Tensor) -> Tensor:
    import torch

    rows = g.flatten(1)
    average = torch.nn.functional.avg_pool1d(rows[:, None], rows.shape[1])[:, 0]
    return (rows - average).view_as(g)


def twice(g: Tensor) -> Tensor:
    return mean(mean(g))


def by_autograd(g: Tensor) -> Tensor:
    """Φ(g) as the gradient of ⟨g, w − mean(w)⟩: P is its own transpose."""
    import torch

    with torch.enable_grad():
        w = torch.zeros_like(g, requires_grad=True)
        return torch.autograd.grad((g * (w - w.mean(dim=inputs(g), keepdim=True))).sum(), w)[0]


def channels_last(g: Tensor) -> Tensor:
    """The same numbers in another storage order."""
    stored = g.movedim(1, -1).contiguous().movedim(-1, 1)
    return (stored - stored.mean(dim=inputs(g), keepdim=True)).contiguous()


def scripted() -> Callable[[Tensor], Tensor]:
    """Traced once, at a rank of two, as a program of PyTorch's JIT."""
    import torch

    with warnings.catch_warnings():  # it is deprecated, and still used
        warnings.simplefilter("ignore")
        traced = torch.jit.trace(lambda m: m - m.mean(1, keepdim=True), torch.zeros(2, 3))
    return lambda g: traced(g.flatten(1)).view_as(g)


def compiled() -> Callable[[Tensor], Tensor]:
    """By torch.compile, for any size: the first run of each dtype compiles.

    Sizes of 1 would be compiled apart, each of them: they are left to eager PyTorch.
    """
    import torch

    program = torch.compile(
        lambda m: m - m.mean(1, keepdim=True), dynamic=True, fullgraph=True
    )  # fullgraph: an error, where it would fall back to eager PyTorch

    def operator(g: Tensor) -> Tensor:
        rows = g.flatten(1)
        return (program(rows) if min(rows.shape) > 1 else mean(rows)).view_as(g)

    return operator


def cannot_compile() -> str:
    """Why torch.compile does not run here; empty where it does. Asked for in a run only."""
    import torch

    with warnings.catch_warnings():  # PyTorch's own, at its first compilation
        warnings.simplefilter("ignore")
        try:
            compiled()(torch.zeros(2, 3))
        except Exception as error:
            return f"torch.compile does not run here: {type(error).__name__}"
    return ""


def weights_only(phi: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """Leave vectors and scalars alone; a single input has nothing to average in a matrix."""

    def operator(g: Tensor) -> Tensor:
        return phi(g) if g.ndim > 1 else g

    operator.__name__ = phi.__name__
    return operator


def operator_of(phi: Callable[[Tensor], Tensor], name: str) -> Port:
    return operator_port(weights_only(phi), framework="torch", name=name)


def made_operator(make: Callable[[], Callable[[Tensor], Tensor]], name: str) -> Port:
    return operator_port(weights_only(make()), framework="torch", name=name)


def optimizer_port(recipe: optimizers.Recipe, name: str) -> Port:
    port = torch_port(recipe.make(), name=name, algorithm=recipe.algorithm)
    return replace(port, dtypes=recipe.dtypes)


OPERATORS = (
    mean, in_place, add_negative, scaled_add, in_double, sum_in_float, einsum, ones_matmul,
    projection, fused_projection, var_mean, filter_by_filter, mapped, pooled, twice, by_autograd,
    channels_last,
)  # fmt: skip

TORCH = ("torch",)
ENTRIES = (
    *(
        Entry(name, functools.partial(operator_of, f, name), needs=TORCH)
        for f in OPERATORS
        for name in [f"torch: {f.__name__.replace('_', ' ')}"]
    ),
    Entry("torch: jit", functools.partial(made_operator, scripted, "torch: jit"), needs=TORCH),
    Entry(
        "torch: compile",
        functools.cache(functools.partial(made_operator, compiled, "torch: compile")),
        needs=TORCH,
        cost="dear",
        probe=cannot_compile,
    ),
    *(
        Entry(
            name,
            functools.partial(optimizer_port, recipe, name),
            "optimizer",
            needs=TORCH,
            dtypes=recipe.dtypes,
            follows=recipe.follows,
        )
        for recipe in optimizers.RECIPES
        for name in [f"torch {recipe.algorithm}: {recipe.make.__name__.replace('_', ' ')}"]
    ),
)
