"""Φ as a port shows it, and how it is asked for.

An operator is Φ. An optimizer shows Φ in its first step from weight 0: SGDM moves by
-lr (1 - dampening) Φ(g), and Adam by -lr Φ(g) / (|Φ(g)| + ε), which can be inverted.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from gc_ref import exact
from gc_ref._conformance.judging.judge import Judge
from gc_ref._conformance.ports.case import Array, Case, Parameter

#: Modes in which a port's answers show Φ, with the roundings of a step, and of inverting
#: Adam's, in units of the operator's own.
ROUNDINGS = {"operator": 1.0, "sgdm": 8.0, "adam": 2.0**12}
#: Stands for Φ(g), times what a weight moved by, where no Φ(g) moves one as far.
BEYOND = 10**9


def hidden(judge: Judge) -> str:
    """Reason why this port does not show Φ(g); empty where it does."""
    held_to, port = judge.specification, judge.port
    if held_to.mode not in ROUNDINGS:
        return "needs Φ(g) itself, which a port without --algorithm does not show"
    if port.fixed.get("weight_decay"):
        return "the settings fix a weight decay, which hides Φ(g)"
    if held_to.mode == "adam":
        if held_to.on_update:
            return "Φ acts on the update, which is no linear function of g: see step/adam"
        if not {"eps", "beta1", "beta2"} <= port.takes:
            return "Adam shows Φ(g) in its first step only with an ε and betas of the kit's choice"
    return ""


def call(judge: Judge, p: Parameter, grad: Any) -> Array:
    """Call an operator on one gradient."""
    array = np.array(grad, dtype=p.value.dtype)
    case = Case("laws", (p,), ({p.name: array},), dtype=judge.integers.dtype)
    return judge.port.run(case).steps[0][p.name]


def answers(judge: Judge, asked: Sequence[tuple[Parameter, Array]]) -> list[Any]:
    """Give all arrays to an optimizer as gradients of one model; read Φ off its first step."""
    parameters = tuple(
        Parameter(f"{p.layer}_{i}", p.kind, np.zeros(p.shape, dtype=p.value.dtype), p.kind)
        for i, (p, _) in enumerate(asked)
    )
    gradients = {q.name: g for q, (_, g) in zip(parameters, asked, strict=True)}
    hyper = dict(judge.integers.hyperparameters)
    if judge.specification.mode == "sgdm":
        hyper |= {"lr": 1.0, "momentum": 0.0}
    case = Case("laws", parameters, (gradients,), hyper, judge.integers.dtype)
    step = judge.run(case).steps[0]
    return [_read(judge, case, step[q.name]) for q in parameters]


def beyond(answer: Any) -> bool:
    """Whether no Φ(g) explains a step that was read: Adam's first is shorter than lr."""
    if not isinstance(answer, exact.ExactArray):  # `_read` found something not finite
        return False
    return any(abs(value) >= BEYOND for value in answer.fractions())


def _read(judge: Judge, case: Case, weight: Array) -> Any:
    """Φ(g) from what the port answered: exact rational arithmetic, no rounding of ours."""
    if not np.all(np.isfinite(weight)):
        return weight
    held_to = judge.specification
    hyper = judge.hyperparameters(case, held_to.assumed)
    lr = Fraction(hyper["lr"])
    moved = [-Fraction(w) / lr for w in np.asarray(weight, np.float64).ravel().tolist()]
    if held_to.mode == "sgdm":
        ema = held_to.conventions.get("momentum") == "ema"
        damped = ema and held_to.conventions.get("first_momentum") != "gradient"
        share = 1 - Fraction(hyper["momentum"]) if damped else Fraction(1)
        values = [x / share for x in moved]
    else:
        eps = Fraction(hyper["eps"])
        if held_to.conventions.get("epsilon") == "hat":
            eps /= Fraction(math.sqrt(1 - hyper["beta2"]))  # exact: beta2 is 3/4
        values = [x * eps / (1 - abs(x)) if abs(x) < 1 else x * BEYOND for x in moved]
    denominator = math.lcm(*(v.denominator for v in values)) if values else 1
    numerators = [v.numerator * (denominator // v.denominator) for v in values]
    return exact.ExactArray(tuple(weight.shape), numerators, denominator)
