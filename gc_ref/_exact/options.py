"""The choices that Algorithms 1 and 2 share, read and checked once for both."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from typing import Any, NamedTuple

from gc_ref._exact.arrays import ExactArray, OutputAxis, exactly, rational

__all__ = ["Rule", "among", "make_rule", "same_shape"]


class Rule(NamedTuple):
    """The choices that Algorithms 1 and 2 share; λ stands where it acts, else 0 does."""

    lr: Fraction
    l2: Fraction
    shrink: Fraction
    placement: str
    output_axis: OutputAxis


def make_rule(lr: Any, weight_decay: Any, decay: str, placement: str, axis: OutputAxis) -> Rule:
    among("decay", decay, ("l2", "decoupled"))
    among("placement", placement, ("gradient", "decayed-gradient", "update"))
    rate, fraction = rational(lr, "lr"), rational(weight_decay, "weight_decay")
    if decay == "l2":
        return Rule(rate, fraction, Fraction(0), placement, axis)
    return Rule(rate, Fraction(0), rate * fraction, placement, axis)


def among(name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise ValueError(f"unknown {name} {value!r}; known: {', '.join(known)}")


def same_shape(weight: Any, grads: Iterable[Any]) -> tuple[ExactArray, list[ExactArray]]:
    w = exactly(weight)
    gradients = [exactly(g) for g in grads]
    for step, g in enumerate(gradients, start=1):
        if g.shape != w.shape:
            raise ValueError(
                f"the gradient of step {step} has shape {g.shape}, the weight {w.shape}: "
                "give one gradient of the weight's shape per step"
            )
    return w, gradients
