"""Correct ways to take steps of SGDM and Adam with GC, in finite precision.

They differ in how the same mathematics is written, and in what is rounded when; each takes
the conventions of `gc_ref.exact`. Weights and gradients are matrices with one output a row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from _correct_centralize import Way, eq2_in_order, pairwise, stored_mean, twice
from _hard_data import Format, Rows

Options = Mapping[str, Any]


@dataclass(frozen=True)
class Style:
    """How a port is written. State is in the accumulator's dtype."""

    name: str
    phi: Way = pairwise
    moment: str = "direct"  # or "lerp", "lerp-end", "scaled", "velocity", "late"
    quotient: str = "hats"  # or "folded", "root", "reciprocal"
    shrink: str = "factor"  # or "subtract"
    hyper: type[np.floating[Any]] = np.float64
    step_stored: bool = False  # lr·d rounded to the storage dtype before w takes it
    term_stored: bool = False  # (1−β)·ĝ rounded to the storage dtype before m takes it
    master: bool = False  # w kept in the accumulator, rounded only where it is shown


STYLES = (
    Style("plain"),
    Style("lerp, root", moment="lerp", quotient="root", phi=stored_mean),
    Style("lerp from the end", moment="lerp-end", quotient="folded", shrink="subtract"),
    Style("float32 rates", hyper=np.float32, quotient="hats", step_stored=True),
    Style("float32 rates, folded", hyper=np.float32, quotient="folded", moment="lerp"),
    Style("velocity", moment="velocity", phi=twice, quotient="reciprocal"),
    Style("heavy-ball, scaled after", moment="scaled", phi=eq2_in_order, step_stored=True),
    Style("momentum centralized", moment="late", shrink="subtract"),
    Style("momentum centralized by Eq. 2", moment="late", phi=eq2_in_order),
    Style("terms stored", term_stored=True, step_stored=True),
    Style("master weights", master=True, hyper=np.float32),
)


class Port:
    """One style in one format, with the conventions and hyperparameters of one run."""

    def __init__(self, style: Style, form: Format, options: Options) -> None:
        self.style, self.form, self.o = style, form, options
        self.real = form.accumulator
        self.after = (
            options.get("placement", "gradient") == "gradient"
            and options.get("decay", "l2") == "l2"
            and options.get("weight_decay", 0.0) != 0
        )
        decoupled = options.get("decay", "l2") == "decoupled"
        self.inside = decoupled and options.get("placement") == "decayed-update"
        other = {"late"} if self.after else {"velocity", "scaled"} if self.inside else set()
        if style.moment in other:  # other mathematics there
            self.style = replace(style, moment="direct")

    def rate(self, value: Any) -> Any:
        """A hyperparameter, or what was computed from some, as an operand of an array."""
        return self.real(value)

    def hyper(self, name: str, default: float) -> Any:
        return self.style.hyper(self.o.get(name, default))

    def phi(self, g: Rows) -> Rows:
        return self.style.phi(g, self.form.store)

    def late_phi(self, d: Rows, w: Rows, times: Any = 1) -> Rows:
        """Φ of a direction; ways that round the mean to the dtype want the direction in it.

        A decoupled decay may be inside, multiplied by what the direction is multiplied by.
        """
        if self.inside:
            d = d + self.form.store(self.rate(times * self.hyper("weight_decay", 0)) * w)
        return self.phi(self.form.store(d) if self.style.phi in (stored_mean, twice) else d)

    def entering(self, g: Rows, w: Rows, centered: bool) -> Rows:
        """The gradient as it enters the optimizer, decay and Φ in their order."""
        store, decay = self.form.store, self.o.get("weight_decay", 0.0)
        l2 = decay != 0 and self.o.get("decay", "l2") == "l2"
        term = self.rate(self.hyper("weight_decay", 0.0))
        if l2 and not self.after:
            g = store(g + term * w)
        if centered:
            g = self.phi(g)
        return store(g + store(term * w)) if self.after else g

    def shrunk(self, w: Rows) -> Rows:
        if self.o.get("decay", "l2") != "decoupled" or not self.o.get("weight_decay", 0.0):
            return w
        if self.inside:
            return w
        lr, decay = self.hyper("lr", 0), self.hyper("weight_decay", 0)
        if self.style.shrink == "subtract":
            return self.form.store(w - self.rate(lr * decay) * w)
        return self.form.store(w * self.rate(1 - lr * decay))

    def average(self, old: Rows, new: Rows, keep: Any, take: Any) -> Rows:
        complementary = float(keep) + float(take) == 1
        if complementary and self.style.moment == "lerp":
            return old + (new - old) * self.rate(take)
        if complementary and self.style.moment == "lerp-end" and take >= 0.5:
            return new - (new - old) * self.rate(1 - take)
        return old * self.rate(keep) + new * self.rate(take)

    def momentum(self, old: Rows, new: Rows, keep: Any, take: Any) -> Rows:
        if self.style.term_stored:
            return old * self.rate(keep) + self.form.store(new * self.rate(take))
        return self.average(old, new, keep, take)

    def moved(self, w: Rows, step: Rows) -> Rows:
        if self.style.master:
            return w - step
        return self.form.store(w - (self.form.store(step) if self.style.step_stored else step))

    def sgdm(self, w: Rows, grads: Sequence[Rows]) -> list[Rows]:
        lr, beta = self.hyper("lr", 0), self.hyper("momentum", 0.9)
        dampening = self.o.get("dampening")
        take = 1 - (beta if dampening is None else self.style.hyper(dampening))
        moment = self.style.moment
        late = moment == "late" or self.o.get("placement", "").endswith("update")
        m, outs = np.zeros_like(w), []
        for t, g in enumerate(grads):
            w = self.shrunk(w)
            x = self.entering(g, w, centered=not late)
            first = t == 0 and self.o.get("first_momentum") == "gradient"
            if moment == "velocity":
                m = m * self.rate(beta) - x * self.rate(lr if first else lr * take)
                w = self.moved(w, -(self.late_phi(m, w) if late else m))
            elif moment == "scaled" and not first and self.o.get("first_momentum") != "gradient":
                m = m * self.rate(beta) + x
                w = self.moved(w, self.rate(lr * take) * (self.late_phi(m, w) if late else m))
            else:
                m = x if first else self.momentum(m, x, beta, take)
                w = self.moved(w, self.rate(lr) * (self.late_phi(m, w) if late else m))
            outs.append(self.form.store(w))
        return outs

    def adam(self, w: Rows, grads: Sequence[Rows]) -> list[Rows]:
        one, two = self.hyper("beta1", 0.9), self.hyper("beta2", 0.999)
        late = self.o.get("placement", "").endswith("update")
        m = v = np.zeros_like(w)
        outs = []
        for t, g in enumerate(grads, 1):
            w = self.shrunk(w)
            x = self.entering(g, w, centered=not late)
            m = self.momentum(m, x, one, 1 - one)
            v = self.average(v, x * x, two, 1 - two)
            w = self.moved(w, self.step(m, v, w, t, one, two, late))
            outs.append(self.form.store(w))
        return outs

    def step(self, m: Rows, v: Rows, w: Rows, t: int, one: Any, two: Any, late: bool) -> Rows:
        lr, eps = self.hyper("lr", 0), self.rate(self.hyper("eps", 1e-8))
        c1, c2 = 1 - one ** self.style.hyper(t), 1 - two ** self.style.hyper(t)

        def phi(d: Rows, times: Any = 1) -> Rows:
            return self.late_phi(d, w, times) if late else d

        if self.o.get("epsilon") == "hat":
            step = self.rate(lr * np.sqrt(c2) / c1)
            return phi(step * m / (np.sqrt(v) + eps), lr)
        if self.style.quotient == "folded":
            step = self.rate(lr * np.sqrt(c2) / c1)
            return phi(m * step / (np.sqrt(v) + eps * self.rate(np.sqrt(c2))), lr)
        if self.style.quotient == "root":
            below = np.sqrt(v) / self.rate(np.sqrt(c2)) + eps
            return (
                self.rate(lr / c1) * phi(m / below)
                if not late
                else phi(m / below * self.rate(1 / c1)) * self.rate(lr)
            )
        if self.style.quotient == "reciprocal":
            below = 1 / (np.sqrt(v * self.rate(1 / c2)) + eps)
            return self.rate(lr) * phi(m * self.rate(1 / c1) * below)
        hat = (m / self.rate(c1)) / (np.sqrt(v / self.rate(c2)) + eps)
        return self.rate(lr) * phi(hat)
