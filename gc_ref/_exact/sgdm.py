"""Algorithm 1, SGDM with GC, in exact rational arithmetic: part of `gc_ref.exact`."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from typing import Any

from gc_ref._exact.arrays import ExactArray, OutputAxis, centralize, linear, rational
from gc_ref._exact.options import among, make_rule, same_shape

__all__ = ["sgdm"]


def sgdm(
    weight: Any,
    grads: Iterable[Any],
    *,
    lr: Any,
    momentum: Any = 0.9,
    dampening: Any = None,
    output_axis: OutputAxis,
    first_momentum: str = "zero",
    weight_decay: Any = 0.0,
    decay: str = "l2",
    placement: str = "gradient",
) -> list[ExactArray]:
    """Algorithm 1, SGDM with GC, in exact rational arithmetic.

    Per step: ĝ = Φ(g); m ← β·m + (1 - dampening)·ĝ; w ← w - lr·m.

    Parameters
    ----------
    weight : array or nested sequence of numbers
        The weight before the first step: anything that `exactly` takes.
    grads : iterable of the same
        One gradient per step, each of the weight's shape.
    lr, momentum : number
        α and β of Algorithm 1. A float counts with its exact binary value.
    dampening : number or None
        None: dampening = β, as Algorithm 1 is printed. 0: m ← β·m + ĝ, heavy-ball.
    output_axis : int, tuple of int, or None
        The axes that number the output neurons (Eq. 1); None: Φ is the identity.
    first_momentum : {"zero", "gradient"}
        What m is on the first step: from m = 0 (Algorithm 1), or m = ĝ whatever the
        dampening (the authors' code, PyTorch).
    weight_decay : number
        λ.
    decay : {"l2", "decoupled"}
        l2: λ·w joins the gradient. decoupled: w ← w - lr·λ·w comes before each step.
    placement : {"gradient", "decayed-gradient", "update"}
        What Φ of Eq. 1 is applied to: the gradient, Φ(g) + λ·w; the decayed gradient,
        Φ(g + λ·w), which keeps eᵀ(wᵗ - w⁰) = 0 (Constraint); or the step direction,
        Φ(m), with g + λ·w left raw.

    Returns
    -------
    list of ExactArray
        The weight after each step.

    Raises
    ------
    ValueError
        For a shape mismatch, a bad axis, an unknown option, NaN or inf.

    Examples
    --------
    ĝ = (-1, 1), m = ĝ/2, w = (0, 0) - m/4:

    >>> [w] = sgdm([[0, 0]], [[[1, 3]]], lr=0.25, momentum=0.5, output_axis=0)
    >>> w.fractions()
    [Fraction(1, 8), Fraction(-1, 8)]
    """
    among("first_momentum", first_momentum, ("zero", "gradient"))
    w, gradients = same_shape(weight, grads)
    rule = make_rule(lr, weight_decay, decay, placement, output_axis)
    beta = rational(momentum, "momentum")
    fresh = 1 - (beta if dampening is None else rational(dampening, "dampening"))
    m = ExactArray(w.shape, [0] * len(w.numerators), 1)
    steps = []
    for t, g in enumerate(gradients, start=1):
        if rule.placement == "gradient":
            g = centralize(g, output_axis=output_axis)
        if rule.l2:
            g = linear((Fraction(1), g), (rule.l2, w))
        if rule.placement == "decayed-gradient":
            g = centralize(g, output_axis=output_axis)
        as_gradient = t == 1 and first_momentum == "gradient"
        m = g if as_gradient else linear((beta, m), (fresh, g))
        direction = centralize(m, output_axis=output_axis) if rule.placement == "update" else m
        w = linear((1 - rule.shrink, w), (-rule.lr, direction))
        steps.append(w)
    return steps
