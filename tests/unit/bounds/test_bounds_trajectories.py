"""Bounds along a trajectory are put together as `gc_ref.bounds` documents it.

The operations have tests of their own (test_bounds_balls.py). Here they are chained for each
convention, written out one by one.
"""

import itertools

import numpy as np
import pytest

from gc_ref import bounds
from gc_ref._bounds.balls import (
    Units,
    average,
    certain,
    decayed,
    either,
    joined,
    moved,
    quotient,
    shrunk,
    squared,
    stored,
)
from gc_ref._bounds.centralize import project

from ._documented_bounds import made

W = np.array([[0.5, -1.0, 2.0], [0.25, 0.5, -4.0]])
GRADS = np.array(
    [[[1, 2, -4], [3, 3, 1]], [[0.5, -2, 1], [7, 1, 1]], [[-1, -1, 2], [0, 5, 0.25]]], float
)
#: Fine enough for Adam's quotient, and coarse enough for every term to count.
PROFILE = made(
    unit_roundoff=2.0**-18,
    accumulator=2.0**-22,
    hyperparameters=2.0**-30,
    underflow=2.0**-28,
    accumulator_underflow=2.0**-31,
)
PLACEMENTS = ("gradient", "decayed-gradient", "update", "decayed-update")
DECAYS = ({}, {"weight_decay": 0.25}, {"weight_decay": 0.25, "decay": "decoupled"})


class Documented:
    """One run of an optimizer on balls, in the arithmetic of a profile."""

    def __init__(self, profile, lr, **options):
        self.profile, self.lr = profile, lr
        self.units = Units.of(profile, lr)
        self.decay = options.pop("decay", "l2")
        self.placement = options.pop("placement", "gradient")
        self.weight_decay = options.pop("weight_decay", 0.0)
        self.options = options

    def phi(self, value):
        return project(value, (1,), self.profile)

    def phi_of_a_direction(self, value):
        """Φ of what may have been multiplied by lr already, and so underflows earlier."""
        return project(value, (1,), self.units.scaled(self.profile))

    def shrink(self, w):
        decoupled = self.decay == "decoupled" and self.placement != "decayed-update"
        return shrunk(w, self.lr, self.weight_decay, self.units) if decoupled else w

    def with_decay(self, direction, w):
        """What Φ of the update takes: with a decoupled decay inside, where it is placed there."""
        inside = self.decay == "decoupled" and self.placement == "decayed-update"
        return joined(direction, w, self.weight_decay if inside else 0.0, self.units)

    def plus_decay(self, g, w):
        return decayed(g, w, self.weight_decay if self.decay == "l2" else 0.0, self.units)

    def sgdm(self):
        o, w = self.options, certain(W)
        momentum = o.get("momentum", 0.9)
        rates = momentum, 1 - o.get("dampening", momentum)
        m = raw = certain(np.zeros(W.shape))
        # Underflow adds η for t·x in the storage dtype, 1/lr times in the velocity form.
        lost = {"underflow": self.profile.underflow * max(1.0, 1 / self.lr)}
        for t, g in enumerate(map(certain, GRADS)):
            w = self.shrink(w)
            from_raw = o.get("first_momentum") == "gradient" and t == 0
            if self.placement == "gradient":
                new, new_raw = self.plus_decay(self.phi(g), w), g
            else:
                new_raw = self.plus_decay(g, w)
                new = self.phi(new_raw)
            m = new if from_raw else average(m, new, *rates, self.units, **lost)
            raw = new_raw if from_raw else average(raw, new_raw, *rates, self.units, **lost)
            # Φ of the momentum is the momentum of Φ, but for decay added in between.
            if self.placement.endswith("update"):
                late = self.phi_of_a_direction(self.with_decay(stored(raw, self.units), w))
                inside = self.placement == "decayed-update" and self.decay == "decoupled"
                direction = late if inside and self.weight_decay else either(m, late)
            elif self.placement == "gradient" and self.decay == "l2" and self.weight_decay:
                direction = m
            else:
                direction = either(m, self.phi_of_a_direction(raw))
            w = moved(w, direction, self.lr, self.units)
            yield w.radius

    def adam(self):
        o, w = self.options, certain(W)
        beta1, beta2 = o.get("beta1", 0.9), o.get("beta2", 0.999)
        rest = o.get("eps", 1e-8), o.get("epsilon") == "hat", self.units
        m = v = certain(np.zeros(W.shape))
        for t, g in enumerate(map(certain, GRADS), 1):
            w = self.shrink(w)
            if self.placement == "gradient":
                g = self.plus_decay(self.phi(g), w)
            elif self.placement == "decayed-gradient":
                g = self.phi(self.plus_decay(g, w))
            else:
                g = self.plus_decay(g, w)
            lost = self.profile.underflow
            m = average(m, g, beta1, 1 - beta1, self.units, underflow=lost)
            v = average(v, squared(g, self.units), beta2, 1 - beta2, self.units)
            direction = quotient(m, v, t, beta1, beta2, *rest)
            if self.placement.endswith("update"):
                direction = self.with_decay(stored(direction, self.units), w)
                direction = self.phi_of_a_direction(direction)
            w = moved(w, direction, self.lr, self.units)
            yield w.radius


def check(algorithm, options):
    """Check that the bound is the port's radius and float64's own."""
    got = getattr(bounds, algorithm)(W, GRADS, output_axis=0, profile=PROFILE, **options)
    port = getattr(Documented(PROFILE, **options), algorithm)()
    own = getattr(Documented(bounds.profile("float64"), **options), algorithm)()
    expected = [a + b for a, b in zip(port, own, strict=True)]
    assert np.isfinite(expected).all()
    # The sums of radii are rounded themselves, which 2⁻⁴⁰ makes up for.
    np.testing.assert_allclose(got, np.array(expected) * (1 + 2.0**-40), rtol=2.0**-45)


@pytest.mark.parametrize("placement", PLACEMENTS)
@pytest.mark.parametrize("decay", DECAYS)
class TestEachConvention:
    @pytest.mark.parametrize(
        "options",
        [
            {},
            {"momentum": 0.5, "dampening": 0.25},
            {"dampening": 0.0, "first_momentum": "gradient"},
        ],
    )
    def test_sgdm(self, placement, decay, options):
        check("sgdm", {"lr": 0.125, "placement": placement} | decay | options)

    @pytest.mark.parametrize(
        "options", [{}, {"beta1": 0.5, "beta2": 0.75, "eps": 1.0}, {"epsilon": "hat", "eps": 0.5}]
    )
    def test_adam(self, placement, decay, options):
        check("adam", {"lr": 0.125, "placement": placement} | decay | options)


@pytest.mark.parametrize("algorithm", ["sgdm", "adam"])
def test_outputs_may_stand_anywhere(algorithm):
    options = {"lr": 0.5, "profile": PROFILE}
    bound = getattr(bounds, algorithm)
    rows = bound(W, GRADS, output_axis=0, **options)
    turned = bound(W.T, GRADS.transpose(0, 2, 1), output_axis=-1, **options)
    for here, there in zip(rows, turned, strict=True):
        np.testing.assert_allclose(here, there.T, rtol=1e-12)


@pytest.mark.parametrize("algorithm", ["sgdm", "adam"])
def test_what_cannot_be_bounded_is_infinite_in_its_slice_alone(algorithm):
    grads = GRADS.copy()
    grads[1, 0, 2] = np.nan
    taus = getattr(bounds, algorithm)(W, grads, lr=0.5, output_axis=0, profile=PROFILE)
    assert np.isfinite(taus[0]).all()
    for tau in taus[1:]:
        assert np.isposinf(tau[0]).all()
        assert np.isfinite(tau[1]).all()


@pytest.mark.parametrize(("algorithm", "name"), [("sgdm", "first_momentum"), ("adam", "epsilon")])
def test_every_choice_is_checked(algorithm, name):
    known = {"placement": PLACEMENTS, "decay": ("l2", "decoupled")}
    known[name] = ("zero", "gradient") if algorithm == "sgdm" else ("outside", "hat")
    bound = getattr(bounds, algorithm)
    for choice, values in known.items():
        for value in values:
            bound(W, GRADS, lr=0.5, output_axis=0, profile=PROFILE, **{choice: value})
        message = f"^{choice} 'none' is unknown; use one of {', '.join(values)}$"
        with pytest.raises(ValueError, match=message):
            bound(W, GRADS, lr=0.5, output_axis=0, profile=PROFILE, **{choice: "none"})


def test_no_two_conventions_are_bounded_alike():
    # Otherwise the tests above could not tell one from another.
    for algorithm in ("sgdm", "adam"):
        seen = [
            list(getattr(Documented(PROFILE, 0.125, placement=p, **d), algorithm)())[-1].tolist()
            for p, d in itertools.product(PLACEMENTS, DECAYS)
        ]
        assert sum(a == b for a, b in itertools.combinations(seen, 2)) == (
            # Without L2 decay, "gradient" is "decayed-gradient"; without decoupled decay,
            # "update" is "decayed-update": for two of the three decays each.
            4
        )
