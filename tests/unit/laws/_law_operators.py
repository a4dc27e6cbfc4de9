"""Two gradients, a correct operator and wrong ones, for the tests of the laws."""

import numpy as np

from gc_ref import laws
from gc_ref.laws import LAWS

G = np.array(
    [[1.0, 2.0, 6.0, -0.5, 4.3], [0.25, 0.125, 0.5, 0.375, 0.0], [9.0, 7.0, 3.0, 2.0, 1.5]]
)
H = np.array([[5.0, 0.0, 1.0, 2.5, -3.0], [0.5, 1.0, -0.25, 0.75, 2.0], [1.0, -2.0, 4.0, 8.0, 0.5]])


def mean(g, axis=1):
    return g.mean(axis=axis, keepdims=True)


def correct(g):
    return g - mean(g)


WRONG = {
    "identity": lambda g: g,
    "zero": lambda g: 0 * g,
    "whole-tensor": lambda g: g - g.mean(),
    "wrong-axis": lambda g: g - mean(g, 0),
    "half-the-mean": lambda g: g - mean(g) / 2,
    "median": lambda g: g - np.median(g, axis=1, keepdims=True),
    "divisor-n-minus-1": lambda g: g - g.sum(axis=1, keepdims=True) / (g.shape[1] - 1),
    "divided-by-std": lambda g: correct(g) / g.std(axis=1, keepdims=True),
    "offset": lambda g: correct(g) + 1e-3,
    "doubled": lambda g: 2 * correct(g),
    "mean-added": lambda g: g + mean(g),
    "first-input-subtracted": lambda g: g - g[:, :1],
    "rolled": lambda g: np.roll(correct(g), 1, axis=1),
    "first-output-only": lambda g: np.concatenate([correct(g)[:1], g[1:]]),
    "float16-mean": lambda g: g - mean(g.astype(np.float16)),
    "clipped": lambda g: np.clip(correct(g), -1, 1),
    "half-the-mean-of-rows-swapped": lambda g: g - mean(g)[::-1],
}


def call(law, phi, g=G, h=H, **options):
    """Call an operator law with as many gradients as it takes."""
    grads = (g, h) if law in (laws.linear, laws.orthogonal) else (g,)
    return law(phi, *grads, **{"output_axis": 0} | options)


OPERATOR_LAWS = [law.check for id, law in LAWS.items() if id.startswith("law/")]
NAMES = [id for id in LAWS if id.startswith("law/")]
