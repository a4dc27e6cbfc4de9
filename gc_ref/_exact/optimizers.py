"""Algorithm 1, SGDM with GC, exactly; Algorithm 2, Adam with GC, between rational bounds.

SGDM needs sums and products only. Adam takes a square root, so that all quantities of its
trajectory are intervals, counted in one unit that is fine enough for the data: the work of
a step does not grow with the number of steps before it. If the enclosure comes out too
wide, the whole trajectory is computed again with a finer unit.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from fractions import Fraction
from typing import Any, NamedTuple

from gc_ref._exact.arrays import (
    Enclosure,
    ExactArray,
    OutputAxis,
    centralize,
    exactly,
    linear,
    rational,
    slices,
)
from gc_ref._exact.intervals import (
    Interval,
    TooCoarseError,
    centered,
    combined,
    correction,
    divided,
    magnitude,
    plus,
    rooted,
    scaled,
    squared,
    times,
)

PLACEMENTS = ("gradient", "decayed-gradient", "update", "decayed-update")
#: Those that apply Φ to the step instead of the gradient.
ON_UPDATE = ("update", "decayed-update")
#: What `adam` promises: enclosures within 2⁻²⁰⁰ of the steps taken ...
_TIGHT = 200
#: ... and the bits that it tries for that, beyond those that the data need.
_GUARD_BITS = tuple(320 << k for k in range(6))


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
    placement : {"gradient", "decayed-gradient", "update", "decayed-update"}
        What Φ of Eq. 1 is applied to: the gradient, Φ(g) + λ·w; the decayed gradient,
        Φ(g + λ·w), which keeps eᵀ(wᵗ - w⁰) = 0 (Constraint); the step direction,
        Φ(m), with g + λ·w left raw; or that with a decoupled decay inside, Φ(m + λ·w).

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
    _among("first_momentum", first_momentum, ("zero", "gradient"))
    w, gradients = _same_shape(weight, grads)
    lr, l2, shrink = _rates(lr, weight_decay, decay, placement)
    beta = rational(momentum, "momentum")
    fresh = 1 - (beta if dampening is None else rational(dampening, "dampening"))
    m = ExactArray(w.shape, [0] * len(w.numerators), 1)
    steps = []
    for t, g in enumerate(gradients, start=1):
        if placement == "gradient":
            g = centralize(g, output_axis=output_axis)
        if l2:
            g = linear((Fraction(1), g), (l2, w))
        if placement == "decayed-gradient":
            g = centralize(g, output_axis=output_axis)
        as_gradient = t == 1 and first_momentum == "gradient"
        m = g if as_gradient else linear((beta, m), (fresh, g))
        direction, decayed = m, w
        if placement in ON_UPDATE:
            direction = centralize(m, output_axis=output_axis)
        if placement == "decayed-update":
            decayed = centralize(w, output_axis=output_axis)
        w = linear((Fraction(1), w), (-shrink, decayed), (-lr, direction))
        steps.append(w)
    return steps


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
    weight, grads, output_axis, weight_decay, decay
        As for `sgdm`.
    lr, beta1, beta2, eps : number
        α, β1, β2 and ε of Algorithm 2. A float counts with its exact binary value.
    epsilon : {"outside", "hat"}
        outside: m̂/(√v̂ + ε), Algorithm 2. hat: (√(1-β2ᵗ)/(1-β1ᵗ))·m/(√v + ε), where ε
        is added to the uncorrected root (Kingma and Ba's remark; Keras).
    placement : {"gradient", "decayed-gradient", "update", "decayed-update"}
        What Φ of Eq. 1 is applied to: the gradient, Φ(g) + λ·w; the decayed gradient,
        Φ(g + λ·w); the direction m̂/(√v̂ + ε), with g + λ·w left raw; or the direction
        with a decoupled decay inside, Φ(m̂/(√v̂ + ε) + λ·w).

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
    _among("epsilon", epsilon, ("outside", "hat"))
    w, gradients = _same_shape(weight, grads)
    given = {"beta1": beta1, "beta2": beta2, "eps": eps}
    c = _Constants(
        *_rates(lr, weight_decay, decay, placement), *(rational(x, n) for n, x in given.items())
    )
    for name, beta in (("beta1", c.beta1), ("beta2", c.beta2)):
        if not 0 <= beta < 1:
            raise ValueError(f"{name} must be in [0, 1), not {float(beta)}")
    if c.eps < 0:
        raise ValueError(f"eps must not be negative, not {float(c.eps)}")
    if placement == "gradient":
        gradients = [centralize(g, output_axis=output_axis) for g in gradients]
    groups = slices(w.shape, output_axis)
    for guard in _GUARD_BITS:
        steps = _adam_in_units(w, gradients, c, groups, placement, epsilon == "hat", guard)
        if steps is not None:
            return steps
    raise ArithmeticError(
        f"no enclosure within 2**-{_TIGHT} of the steps at {_GUARD_BITS[-1]} bits: this "
        "trajectory amplifies rounding too fast; take fewer steps, a larger eps, or no l2 decay"
    )


def _rates(
    lr: Any, weight_decay: Any, decay: str, placement: str
) -> tuple[Fraction, Fraction, Fraction]:
    """lr; λ where λ·w joins the gradient, else 0; lr·λ where decay is decoupled, else 0."""
    _among("decay", decay, ("l2", "decoupled"))
    _among("placement", placement, PLACEMENTS)
    rate, fraction = rational(lr, "lr"), rational(weight_decay, "weight_decay")
    return (rate, fraction, Fraction(0)) if decay == "l2" else (rate, Fraction(0), rate * fraction)


def _among(name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise ValueError(f"unknown {name} {value!r}; known: {', '.join(known)}")


def _same_shape(weight: Any, grads: Iterable[Any]) -> tuple[ExactArray, list[ExactArray]]:
    w, gradients = exactly(weight), [exactly(g) for g in grads]
    for step, g in enumerate(gradients, start=1):
        if g.shape != w.shape:
            raise ValueError(
                f"the gradient of step {step} has shape {g.shape}, the weight {w.shape}: "
                "give one gradient of the weight's shape per step"
            )
    return w, gradients


class _Constants(NamedTuple):
    """The constants of Algorithm 2; ``l2`` and ``shrink`` as `_rates` has them."""

    lr: Fraction
    l2: Fraction
    shrink: Fraction
    beta1: Fraction
    beta2: Fraction
    eps: Fraction


def _adam_in_units(
    weight: ExactArray,
    gradients: list[ExactArray],
    c: _Constants,
    groups: list[list[int]],
    placement: str,
    hat: bool,
    guard: int,
) -> list[Enclosure] | None:
    """Algorithm 2 in units fine enough for the data and ``guard`` bits; None if too wide."""
    unit = _unit([weight, *gradients], c, groups, guard)
    w = _counted(weight, unit)
    m = v = [(0, 0)] * len(w)
    longest = [0] * len(w)  # each element's largest step so far, from below
    steps = []
    for t, gradient in enumerate(gradients, start=1):
        g = combined((Fraction(1), _counted(gradient, unit)), (c.l2, w))
        if placement == "decayed-gradient":
            g = centered(g, groups)
        squares = [squared(x, unit) for x in g]
        m = combined((c.beta1, m), (1 - c.beta1, g))
        v = combined((c.beta2, v), (1 - c.beta2, squares))
        try:
            direction = _directions(m, v, t, c, hat, unit, guard)
        except TooCoarseError:
            return None
        moved = [magnitude(x) for x in scaled(direction, c.lr)]
        if placement in ON_UPDATE:
            direction = centered(direction, groups)
            for group in groups:
                top = max([moved[i] for i in group])
                for i in group:
                    moved[i] = top
        shrunk = [magnitude(x) for x in scaled(w, c.shrink)]
        longest = list(map(max, longest, moved, shrunk))
        inside = centered(w, groups) if placement == "decayed-update" else w
        w = combined((Fraction(1), w), (-c.shrink, inside))
        w = combined((Fraction(1), w), (-c.lr, direction))
        if any((x[1] - x[0]) << _TIGHT > s for x, s in zip(w, longest, strict=True)):
            return None
        lower, upper = (ExactArray(weight.shape, [x[end] for x in w], unit) for end in (0, 1))
        steps.append(Enclosure(lower, upper))
    return steps


def _directions(
    m: list[Interval], v: list[Interval], t: int, c: _Constants, hat: bool, unit: int, bits: int
) -> list[Interval]:
    """Each element's step before -lr: m̂/(√v̂ + ε), or its ε-hat form."""
    first, second = (correction(beta, t, unit, bits) for beta in (c.beta1, c.beta2))
    [eps] = scaled([(unit, unit)], c.eps)
    hat_factor = divided(rooted(second, unit), first, unit)  # √(1-β2ᵗ)/(1-β1ᵗ)
    result = []
    for i, (mi, vi) in enumerate(zip(m, v, strict=True)):
        divisor = plus(rooted(vi if hat else divided(vi, second, unit), unit), eps)
        if divisor == (0, 0):
            raise ZeroDivisionError(
                f"Algorithm 2 divides 0 by 0 at step {t}: eps = 0, and v = 0 at element {i} in "
                "C order, because every gradient that reached it was 0; give a positive eps"
            )
        if hat:
            result.append(times(divided(mi, divisor, unit), hat_factor, unit))
        else:
            result.append(divided(divided(mi, first, unit), divisor, unit))
    return result


def _unit(
    arrays: list[ExactArray], constants: _Constants, groups: list[list[int]], guard: int
) -> int:
    """A denominator in which the data are whole, and their squares to ``guard`` bits."""
    denominators = [a.denominator for a in arrays] + [c.denominator for c in constants]
    every = math.lcm(len(groups[0]) if groups else 1, *denominators)
    fine = [a.denominator for a in arrays] + [constants.eps.denominator]
    digits = max((d & -d).bit_length() for d in fine)
    return every // (every & -every) << (2 * digits + guard)


def _counted(array: ExactArray, unit: int) -> list[Interval]:
    """An exact array in units, of which it is a whole number."""
    factor = unit // array.denominator
    return [(n * factor, n * factor) for n in array.numerators]
