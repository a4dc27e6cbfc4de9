"""What is known of a port's values, as balls, and the operations of optimizers on them.

See `gc_ref.bounds` for the model and the derivation.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from gc_ref._bounds.profiles import FLOAT64, Profile

Array = npt.NDArray[np.float64]


class Ball(NamedTuple):
    """What is known of a port's value, element by element: |got − center| ≤ radius."""

    center: Array
    radius: Array

    @property
    def size(self) -> Array:
        """Upper bound of |got|."""
        return np.abs(self.center) + self.radius


def certain(values: Array) -> Ball:
    """Ball of values that are known exactly."""
    return Ball(values, np.zeros(values.shape))


def either(one: Ball, other: Ball) -> Ball:
    """Return a ball about the first center that holds both balls."""
    apart = np.abs(one.center - other.center) + other.radius
    return Ball(one.center, np.maximum(one.radius, apart))


def growth(count: float, unit: float) -> float:
    """(1 + unit)**count − 1: what ``count`` roundings can do to a product (never ∞ or < 0)."""
    return math.expm1(count * math.log1p(unit))


@dataclass(frozen=True)
class Units:
    """Unit roundoffs of a profile, each with float64's own (the center is rounded too).

    Attributes
    ----------
    storage, state, hyper : float
        Unit roundoffs: u, that of the optimizer's state, and h.
    eta, state_eta : float
        What underflow can add to one operation in the storage dtype, and on the state.
    largest, state_largest : float
        Largest finite number of the storage dtype and of the state's.
    per_lr : float
        How much more underflow weighs in a quantity that is multiplied by lr early.
    """

    storage: float
    state: float
    hyper: float
    eta: float
    state_eta: float
    largest: float
    state_largest: float
    per_lr: float

    @classmethod
    def of(cls, p: Profile, lr: float) -> Units:
        """Units of a profile for steps of this learning rate."""
        state, eta = p.accumulator, p.accumulator_underflow
        if p.unit_roundoff < 2.0**-20:  # not a half type: state is kept in the dtype
            state, eta = max(state, p.unit_roundoff), p.underflow
        own, tiny = FLOAT64.unit_roundoff, FLOAT64.underflow
        per_lr = max(1.0, 1 / abs(lr)) if lr else 1.0
        return cls(
            storage=p.unit_roundoff + own,
            state=state + own,
            hyper=p.hyperparameters + own,
            eta=p.underflow + tiny,
            state_eta=(eta + tiny) * per_lr,
            largest=p.largest,
            state_largest=p.accumulator_largest,
            per_lr=per_lr,
        )

    def scaled(self, p: Profile) -> Profile:
        """Return the profile for a Φ of directions that may be multiplied by lr already."""
        return replace(
            p,
            underflow=p.underflow * self.per_lr,
            accumulator_underflow=p.accumulator_underflow * self.per_lr,
        )


def average(
    old: Ball, new: Ball, keep: float, take: float, units: Units, *, underflow: float = 0.0
) -> Ball:
    """keep·old + take·new, in any of the forms that optimizers write it.

    With s for old, x for new, k and t for the rates, and θᵢ for what i roundings do:

    - k·s + t·x: each term has its rate rounded to the state's dtype, a product and the sum,
      3 roundings. Where t·x is made and stored in the storage dtype, 3 of those are u's,
      and its ``underflow`` is absolute: (1−β)ĝ may be subnormal in float16 where ĝ is not.
    - s + t(x − s) = (s + t(x − s)(1 + θ₃))(1 + θ₁): off by G(5, a)(|k||s| + |t|(|x| + |s|)).
    - x − k(x − s), used where t ≥ k: the same, |k| in |t|'s place.
    - μv − (lr·t)x: lr·t is one more product.

    So 6 roundings, on (|k| + |t|)|s| + |t||x|. The rates: k is off by h|k|, and t, as 1 − β,
    by h|β| + h|t| ≤ h(1 + 2|t|), with two more for lr: 6h(1 + |t|)(|s| + |x|) holds them all,
    for 0 ≤ β ≤ 1. No form has more than 4 operations that may underflow.
    """
    center = keep * old.center + take * new.center
    carried = abs(keep) * old.radius + abs(take) * new.radius
    terms = (abs(keep) + abs(take)) * old.size + abs(take) * new.size
    rounding = growth(6, units.state) * terms + growth(3, units.storage) * abs(take) * new.size
    # 1−β inherits the absolute error of the rounded β (or of the rounded dampening).
    rates = 6 * units.hyper * (1 + abs(take)) * (old.size + new.size)
    return Ball(center, carried + rounding + rates + 4 * units.state_eta + underflow)


def squared(value: Ball, units: Units) -> Ball:
    """value², computed in the state's dtype; ∞ where that may overflow.

    (c + r)² − c² = r(2c + r), and one rounding of the square of at most (|c| + r)².
    """
    carried = value.radius * (2 * np.abs(value.center) + value.radius)
    rounding = growth(2, units.state) * value.size**2
    radius = carried + rounding + 2 * units.state_eta
    return Ball(value.center**2, np.where(value.size**2 < units.state_largest, radius, np.inf))


def stored(value: Ball, units: Units) -> Ball:
    """A direction rounded to the storage dtype before it is centralized."""
    return _rounded(value.center, value.radius, growth(1, units.storage), units.eta)


def decayed(value: Ball, w: Ball, weight_decay: float, units: Units) -> Ball:
    """Value plus weight_decay·w, in the storage dtype.

    The term: λ rounded to h and to the dtype, a product, stored: G(3, u) + 2h on |λ||w|. The
    sum is rounded once in the accumulator or the dtype and once where it is stored: G(2, u).
    """
    if weight_decay == 0:
        return value
    rounding = (growth(3, units.storage) + 2 * units.hyper) * (abs(weight_decay) * w.size)
    error = value.radius + abs(weight_decay) * w.radius + rounding
    center = value.center + weight_decay * w.center
    return _rounded(center, error, growth(2, units.storage), 4 * units.eta)


def joined(direction: Ball, w: Ball, weight_decay: float, units: Units) -> Ball:
    """Direction plus weight_decay·w, where both may have been multiplied by lr before.

    As `decayed`, and the term's factor may be a product lr·λ: rounded once more in h.
    """
    found = decayed(direction, w, weight_decay, units)
    return Ball(found.center, found.radius + units.hyper * abs(weight_decay) * w.size)


def shrunk(w: Ball, lr: float, weight_decay: float, units: Units) -> Ball:
    """Decoupled decay: w·(1 − lr·λ), or w − lr·λ·w, with q for lr·λ.

    The factor: q has 3 roundings in h (lr, λ, product) and 1 − q one: h(3q + |1 − q|) is at
    most h(1 + 4q). Cast, product and store are 3 roundings of |1 − q||w|. As w − q·w: casts
    of lr and λ, two products and a store of the term, G(5, u)·q|w|, then the difference.
    """
    if weight_decay == 0:
        return w
    rate = abs(lr * weight_decay)
    rounding = (units.hyper * (1 + 4 * rate) + growth(5, units.storage) * rate) * w.size
    error = abs(1 - lr * weight_decay) * w.radius + rounding
    center = w.center * (1 - lr * weight_decay)
    return _rounded(center, error, growth(3, units.storage), 4 * units.eta)


def moved(w: Ball, direction: Ball, lr: float, units: Units) -> Ball:
    """W − lr·direction, the step rounded to the storage dtype, and the result again.

    The step: a store of d, a cast of lr, a product and a store of it, G(4, u); lr itself and
    what is folded into it (a bias correction), G(4, h). The result is rounded where it is
    computed and where it is stored, (u + a)|w'|: a rounding to nearest is off by at most
    u/(1 + u) of the result, and the rest of u pays for u·a. What d loses by underflow counts
    lr times. The result may overflow: ∞.
    """
    rounding = growth(4, units.storage) + growth(4, units.hyper)
    error = w.radius + abs(lr) * (direction.radius + rounding * direction.size)
    center = w.center - lr * direction.center
    underflow = 4 * units.eta * max(1.0, abs(lr))
    result = _rounded(center, error, units.storage + units.state, underflow)
    return Ball(center, np.where(result.size < units.largest, result.radius, np.inf))


def _rounded(center: Array, error: Array, relative: float, underflow: float) -> Ball:
    """Ball of a result that was ``error`` away before it was itself rounded."""
    return Ball(center, error + relative * (np.abs(center) + error) + underflow)


def quotient(
    m: Ball, v: Ball, t: int, beta1: float, beta2: float, eps: float, hat: bool, units: Units
) -> Ball:
    """m̂/(√v̂ + ε) (Algorithm 2) or its ε-hat form, in interval arithmetic.

    The quotient is monotone in m, v, ε and both corrections, so that the ends of their
    intervals bound it. On top come roundings that are relative to it. In the state's dtype
    at most: casts of both corrections, of their reciprocals and of ε (5), quotients by them
    (2), a root of either (2), the sum (1), its reciprocal (1), the product (1): 12 ≤ 16. In
    h: 1/(1−β1ᵗ), √(1−β2ᵗ), lr's product with each, and their quotient: 6 ≤ 8.

    Underflow: lr·√(1−β2ᵗ)/(1−β1ᵗ)·m may be formed before the division, which magnifies what
    it lost; in units of m, η/lr becomes η/lr · (1−β1ᵗ)/√(1−β2ᵗ). The quotient may lose η too.
    """
    one, two = (_correction(beta, t, units) for beta in (beta1, beta2))
    root = [np.sqrt(x) for x in (np.maximum(v.center - v.radius, 0), v.center, v.size)]
    scale = [1 / one[2], 1 / one[1], np.float64(1) / one[0]]  # 1/0 = ∞, without an exception
    if hat:
        scale = [s * np.sqrt(c) for s, c in zip(scale, two, strict=True)]
    else:
        root = [r / np.sqrt(c) for r, c in zip(root, reversed(two), strict=True)]
    around = (growth(1, units.hyper) + units.state) * eps + units.state_eta
    low, middle, high = (
        r + e for r, e in zip(root, (eps - around, eps, eps + around), strict=True)
    )
    slack = growth(16, units.state) + growth(8, units.hyper)
    most = (1 + slack) * scale[2] / np.maximum(low, 0)
    least = max(0.0, 1 - slack) * scale[0] / high
    shrunk_by = np.sqrt(np.maximum(two[0], two[1] / 2)) / one[2]
    reach = m.radius + 4 * units.state_eta * np.maximum(1, 1 / shrunk_by)
    top, bottom = m.center + reach, m.center - reach
    center = np.where(middle > 0, m.center * scale[1] / middle, 0.0)
    upper = np.maximum(top * most, top * least)
    lower = np.minimum(bottom * most, bottom * least)
    radius = np.maximum(upper - center, center - lower) + 4 * units.state_eta
    return Ball(center, np.where(np.isnan(radius), np.inf, radius))


def _correction(beta: float, t: int, units: Units) -> tuple[np.float64, ...]:
    """1 − βᵗ: lower bound (at least 0), value, upper bound.

    β is rounded once and multiplied t times (or raised by a library's power, good to 8
    units): G(2t + 8, h)βᵗ. The difference is rounded, and maybe cast: 2h|1 − βᵗ|.
    """
    power = beta**t
    error = growth(2 * t + 8, units.hyper) * abs(power) + 2 * units.hyper * abs(1 - power)
    value = np.float64(1 - power)
    return np.maximum(value - error, 0), value, value + error
