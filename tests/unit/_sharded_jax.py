"""Run by test_sharded.py: gradients spread over 8 devices of one JAX process."""

import re

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from gc_ref import adam_init, adam_step, bounds, centralize, exact

SHARDED = {
    "outputs": (("a", "b"), None),
    "inputs": (None, ("a", "b")),
    "both": ("a", "b"),
    "not at all": (None, None),
}


def worst(got, grad):
    """Error in units of the bound of any correct float32 port."""
    allowed = bounds.centralize(grad, output_axis=0, profile=bounds.profile("float32"))
    truth = exact.centralize(grad, output_axis=0).fractions()
    pairs = zip(np.asarray(got).ravel().tolist(), truth, np.ravel(allowed).tolist(), strict=True)
    return max(abs(value - float(true)) / tau for value, true, tau in pairs)


def main():
    assert jax.device_count() == 8
    mesh = Mesh(np.array(jax.devices()).reshape(4, 2), ("a", "b"))
    grad = 10 + np.random.default_rng(0).standard_normal((16, 24)).astype("float32")
    jitted = jax.jit(lambda g: centralize(g, output_axis=0))
    for name, spec in SHARDED.items():
        placed = jax.device_put(grad, NamedSharding(mesh, PartitionSpec(*spec)))
        for function in (jitted, lambda g: centralize(g, output_axis=0)):
            got = function(placed)
            assert got.sharding.is_equivalent_to(placed.sharding, 2), (name, got.sharding)
            assert worst(got, grad) <= 1, name
        program = jitted.lower(placed).compile().as_text()
        reductions = len(re.findall(r" all-reduce(?:-start)?\(", program))
        assert reductions == (name in ("inputs", "both")), (name, reductions)
        assert not re.search(r"all-(gather|to-all)|collective-permute", program), name

        weight = jax.device_put(np.zeros_like(grad), placed.sharding)
        step = jax.jit(lambda w, g, s: adam_step(w, g, s, lr=0.1, output_axis=0))
        new, state = step(weight, placed, adam_init(weight))
        for array in (new, *state[:2]):
            assert array.sharding.is_equivalent_to(placed.sharding, 2), name
    print("4 shardings")


main()
