"""Algorithm 2, Adam with GC, enclosed between rational numbers: part of `gc_ref.exact`.

All quantities of a trajectory are intervals counted in one unit, fine enough for the
data; the work of a step does not grow with the number of steps before it. If the
enclosure comes out too wide, the whole trajectory is computed again with a finer unit.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from fractions import Fraction
from typing import Any, NamedTuple

from gc_ref._exact.arrays import Enclosure, ExactArray, OutputAxis, centralize, rational, slices
from gc_ref._exact.intervals import (
    Interval,
    TooCoarseError,
    centered,
    correction,
    divided,
    magnitude,
    plus,
    rooted,
    scaled,
    squared,
    times,
)
from gc_ref._exact.options import Rule, among, make_rule, same_shape

__all__ = ["adam"]

#: What `adam` promises: enclosures within 2⁻²⁰⁰ of the steps taken ...
_TIGHT = 200
#: ... and the bits that it tries for that, beyond those that the data need.
_GUARD_BITS = tuple(320 << k for k in range(6))


def adam(
    weight: Any,
    grads: Iterable[Any],
    *,
    lr: Any,
    beta1: Any = 0.9,
    beta2: Any = 0.999,
    eps: Any = 1e-8,
    output_axis: OutputAxis,
    epsilon: str = "outside",
    weight_decay: Any = 0.0,
    decay: str = "l2",
    placement: str = "gradient",
) -> list[Enclosure]:
    """Algorithm 2, Adam with GC, enclosed far more tightly than any float.

    Per step: ĝ = Φ(g); m ← β1·m + (1-β1)·ĝ; v ← β2·v + (1-β2)·ĝ²; m̂ = m/(1-β1ᵗ);
    v̂ = v/(1-β2ᵗ); w ← w - lr·m̂/(√v̂ + ε).

    Parameters
    ----------
    weight : array or nested sequence of numbers
        The weight before the first step: anything that `exactly` takes.
    grads : iterable of the same
        One gradient per step, each of the weight's shape.
    lr, beta1, beta2, eps : number
        α, β1, β2 and ε of Algorithm 2. A float counts with its exact binary value.
    output_axis : int, tuple of int, or None
        The axes that number the output neurons (Eq. 1); None: Φ is the identity.
    epsilon : {"outside", "hat"}
        outside: m̂/(√v̂ + ε), Algorithm 2. hat: (√(1-β2ᵗ)/(1-β1ᵗ))·m/(√v + ε), where ε
        is added to the uncorrected root (Kingma and Ba's remark; Keras).
    weight_decay : number
        λ.
    decay : {"l2", "decoupled"}
        l2: λ·w joins the gradient. decoupled: w ← w - lr·λ·w comes before each step.
    placement : {"gradient", "decayed-gradient", "update"}
        What Φ of Eq. 1 is applied to: the gradient, Φ(g) + λ·w; the decayed gradient,
        Φ(g + λ·w); or the direction m̂/(√v̂ + ε), with g + λ·w left raw.

    Returns
    -------
    list of Enclosure
        The weight after each step, between two bounds. They differ by at most 2⁻²⁰⁰ of
        the largest step that the element has taken so far (under "update": that its
        slice would have taken without Φ). They are equal where nothing was rounded:
        dyadic data and a rational root.

    Raises
    ------
    ValueError
        For a shape mismatch, a bad axis, an unknown option, NaN or inf, a decay rate
        outside [0, 1), a negative ε.
    ZeroDivisionError
        Where √v + ε = 0, which takes ε = 0.
    ArithmeticError
        If ten thousand bits do not make the enclosure tight.

    Examples
    --------
    ĝ = (-1, 1), so m̂ = ĝ, √v̂ = 1 and the step is lr·ĝ/(1 + 1):

    >>> [w] = adam([[0, 0]], [[[1, 3]]], lr=0.125, beta1=0.5, beta2=0.75, eps=1, output_axis=0)
    >>> w.lower.fractions()
    [Fraction(1, 16), Fraction(-1, 16)]
    >>> w.lower == w.upper
    True
    """
    among("epsilon", epsilon, ("outside", "hat"))
    w, gradients = same_shape(weight, grads)
    rule = make_rule(lr, weight_decay, decay, placement, output_axis)
    rates = Rates(
        rational(beta1, "beta1"), rational(beta2, "beta2"), rational(eps, "eps"), epsilon == "hat"
    )
    for name, beta in (("beta1", rates.beta1), ("beta2", rates.beta2)):
        if not 0 <= beta < 1:
            raise ValueError(f"{name} must be in [0, 1), not {float(beta)}")
    if rates.eps < 0:
        raise ValueError(f"eps must not be negative, not {float(rates.eps)}")
    if rule.placement == "gradient":
        gradients = [centralize(g, output_axis=output_axis) for g in gradients]
    for guard in _GUARD_BITS:
        steps = _in_units(w, gradients, rule, rates, guard)
        if steps is not None:
            return steps
    raise ArithmeticError(
        f"no enclosure within 2**-{_TIGHT} of the steps at {_GUARD_BITS[-1]} bits: this "
        "trajectory amplifies rounding too fast; take fewer steps, a larger eps, or no l2 decay"
    )


class Rates(NamedTuple):
    """The constants of Algorithm 2."""

    beta1: Fraction
    beta2: Fraction
    eps: Fraction
    hat: bool


def _in_units(
    weight: ExactArray, gradients: list[ExactArray], rule: Rule, rates: Rates, guard: int
) -> list[Enclosure] | None:
    """Algorithm 2 in units fine enough for the data and ``guard`` bits; None if too wide."""
    groups = slices(weight.shape, rule.output_axis)
    unit = _unit([weight, *gradients], groups, rule, rates, guard)
    w = _counted(weight, unit)
    m = v = [(0, 0)] * len(w)
    longest = [0] * len(w)  # each element's largest step so far, at least
    steps = []
    for t, gradient in enumerate(gradients, start=1):
        g = _counted(gradient, unit)
        if rule.l2:
            g = _sums(g, scaled(w, rule.l2))
        if rule.placement == "decayed-gradient":
            g = centered(g, groups)
        m = _sums(scaled(m, rates.beta1), scaled(g, 1 - rates.beta1))
        squares = [squared(x, unit) for x in g]
        v = _sums(scaled(v, rates.beta2), scaled(squares, 1 - rates.beta2))
        try:
            direction = _directions(m, v, t, rates, unit, guard)
        except TooCoarseError:
            return None
        moved = [magnitude(x) for x in scaled(direction, rule.lr)]
        if rule.placement == "update":
            direction = centered(direction, groups)
            moved = _largest(moved, groups)
        if rule.shrink:
            shrunk = [magnitude(x) for x in scaled(w, rule.shrink)]
            moved = [max(pair) for pair in zip(moved, shrunk, strict=True)]
            w = scaled(w, 1 - rule.shrink)
        w = _sums(w, scaled(direction, -rule.lr))
        longest = [max(pair) for pair in zip(longest, moved, strict=True)]
        if any((x[1] - x[0]) << _TIGHT > s for x, s in zip(w, longest, strict=True)):
            return None
        lower, upper = [x[0] for x in w], [x[1] for x in w]
        shape = weight.shape
        steps.append(Enclosure(ExactArray(shape, lower, unit), ExactArray(shape, upper, unit)))
    return steps


def _sums(left: list[Interval], right: list[Interval]) -> list[Interval]:
    return [plus(x, y) for x, y in zip(left, right, strict=True)]


def _directions(
    m: list[Interval], v: list[Interval], t: int, rates: Rates, unit: int, bits: int
) -> list[Interval]:
    """Each element's step before -lr: m̂/(√v̂ + ε), or its ε-hat form."""
    first = correction(rates.beta1, t, unit, bits)
    second = correction(rates.beta2, t, unit, bits)
    [eps] = scaled([(unit, unit)], rates.eps)
    factor = divided(rooted(second, unit), first, unit)  # of ε-hat
    result = []
    for i, (mi, vi) in enumerate(zip(m, v, strict=True)):
        divisor = plus(rooted(vi if rates.hat else divided(vi, second, unit), unit), eps)
        if divisor == (0, 0):
            raise ZeroDivisionError(
                f"Algorithm 2 divides 0 by 0 at step {t}: eps = 0, and v = 0 at element {i} in "
                "C order, because every gradient that reached it was 0; give a positive eps"
            )
        if rates.hat:
            result.append(times(divided(mi, divisor, unit), factor, unit))
        else:
            result.append(divided(divided(mi, first, unit), divisor, unit))
    return result


def _largest(sizes: list[int], groups: list[list[int]]) -> list[int]:
    """Each element's size replaced by the largest of its slice."""
    result = list(sizes)
    for group in groups:
        top = max([sizes[i] for i in group], default=0)
        for i in group:
            result[i] = top
    return result


def _unit(
    arrays: list[ExactArray], groups: list[list[int]], rule: Rule, rates: Rates, guard: int
) -> int:
    """A denominator in which the data are whole, and their squares to ``guard`` bits."""
    constants = [rule.lr, rule.l2, rule.shrink, *rates[:3]]
    denominators = [a.denominator for a in arrays] + [c.denominator for c in constants]
    odd = math.lcm(max(len(groups[0]), 1) if groups else 1, *(d // (d & -d) for d in denominators))
    fine = [a.denominator for a in arrays] + [rates.eps.denominator]
    digits = max((d & -d).bit_length() for d in fine)
    return odd // (odd & -odd) << (2 * digits + guard)


def _counted(array: ExactArray, unit: int) -> list[Interval]:
    """An exact array in units, of which it is a whole number."""
    factor = unit // array.denominator
    return [(n * factor, n * factor) for n in array.numerators]
