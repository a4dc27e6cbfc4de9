"""Drawn weights and gradients for the tests of adapters: small integers, the same each time."""

import numpy as np

from gc_ref._layouts import weight_shape
from gc_ref.conformance import Case, Parameter


def drawn_parameters(kinds, *, layout, fan_out, with_bias, dtype=np.float32):
    """One weight of each kind; the kinds in ``with_bias`` have a bias too."""
    rng = np.random.default_rng(3)
    found = []
    for kind in kinds:
        shape = weight_shape(kind, layout=layout, fan_in=4, fan_out=fan_out)
        value = np.asarray(rng.integers(-8, 9, shape), dtype)
        found.append(Parameter(f"{kind}_0", kind, value, kind))
        if kind in with_bias:
            bias = rng.integers(-8, 9, fan_out).astype(dtype)
            found.append(Parameter(f"{kind}_0", "bias", bias, kind))
    return tuple(found)


def drawn_case(owned, *, steps, hyper, dtype="float32", drive=(), change=None):
    """Draw the gradients of a case; ``change`` may write into them."""
    rng = np.random.default_rng(5)
    gradients = tuple(
        {p.name: np.asarray(rng.integers(-6, 7, p.shape), p.value.dtype) for p in owned}
        for _ in range(steps)
    )
    if change:
        change(gradients)
    return Case("probe", owned, gradients, hyper, dtype, frozenset(drive))


def same(a, b):
    """Whether two trajectories hold the same numbers, NaNs too."""
    return all(
        np.array_equal(x[name], y[name], equal_nan=True)
        for x, y in zip(a.steps, b.steps, strict=True)
        for name in x
    )
