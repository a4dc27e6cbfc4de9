"""Run by test_sharded.py: DTensors on two processes, and FSDP2, with gloo."""

import sys

import numpy as np
import torch
import torch.distributed as dist
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor, Replicate, Shard, distribute_tensor

from gc_ref import centralize, exact, sgdm_init, sgdm_step


def within_the_bound(got, grad):
    """The docstring's bound, where Python cannot look at the numbers."""
    n, truth = grad.shape[1], exact.centralize(grad, output_axis=0)
    spread = np.abs(grad - grad.mean(axis=1, keepdims=True)).mean(axis=1, keepdims=True)
    size = np.abs(grad).mean(axis=1, keepdims=True)
    bound = (n + 3) * 2.0**-53 * (spread + n * 2.0**-53 * size) * np.ones_like(grad)
    return all(
        abs(value - float(true)) <= float(exact.ulp(true, "float32")) + extra
        for value, true, extra in zip(got.ravel(), truth.fractions(), bound.ravel(), strict=True)
    )


def dtensors(mesh):
    grad = (10 + np.random.default_rng(0).standard_normal((6, 10))).astype("float32")
    for placement in (Shard(0), Shard(1), Replicate()):
        g = distribute_tensor(torch.tensor(grad), mesh, [placement])
        got = centralize(g, output_axis=0)
        assert isinstance(got, DTensor), type(got)
        assert got.placements == (placement,), (placement, got.placements)
        assert within_the_bound(got.full_tensor().numpy().astype(float), grad.astype(float))
        weight = distribute_tensor(torch.zeros(6, 10), mesh, [placement])
        new, _ = sgdm_step(weight, g, sgdm_init(weight), lr=1.0, momentum=0.0, output_axis=0)
        assert torch.equal(new.full_tensor(), -got.full_tensor())


def fsdp2(mesh):
    """As docs/how-to/sharded.md does it, each rank gets its part of what one process computes."""
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(6, 4), torch.nn.ReLU(), torch.nn.Linear(4, 3))
    inputs = torch.randn(5, 6)
    model(inputs).square().sum().backward()
    alone = [
        p.grad if p.ndim < 2 else centralize(p.grad, output_axis=0) for p in model.parameters()
    ]
    model.zero_grad()
    fully_shard(model, mesh=mesh)
    model(inputs).square().sum().backward()
    for p, expected in zip(model.parameters(), alone, strict=True):
        p.grad = centralize(p.grad, output_axis=0)
        # The gradient itself is rounded differently: summed in parts and averaged.
        scale = expected.abs().max()
        assert (p.grad.full_tensor() - expected).abs().max() <= 64 * 2.0**-24 * scale + 1e-7


def main(rank, path):
    dist.init_process_group("gloo", init_method=f"file://{path}", rank=int(rank), world_size=2)
    mesh = init_device_mesh("cpu", (2,))
    dtensors(mesh)
    fsdp2(mesh)
    dist.destroy_process_group()
    print("3 placements and FSDP2")


main(*sys.argv[1:])
