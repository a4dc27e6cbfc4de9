"""What a port does, taken apart: center, scope, schedule, step.

Every catalogued deviation, every convention and the correct port itself are points of
one space: `Semantics`. `step` carries a parameter one step on, over any array namespace.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from gc_ref._conformance.catalogue.centers import CENTERS, Memory, Slot, mean

__all__ = ["GATES", "MISTAKES", "SCHEDULES", "Gate", "Schedule", "Semantics", "State", "step"]


@dataclass(frozen=True)
class Gate:
    """A condition on a weight's shape or place, under which a port centralizes it at all."""

    name: str
    deviation: str
    words: str  # with {k}
    test: Callable[[Slot, int], bool]
    #: Values of k that are tried; a threshold is read off the weights instead.
    numbers: tuple[int, ...] = (0,)


@dataclass(frozen=True)
class Schedule:
    """A condition on the step number, under which a port centralizes at all."""

    name: str
    words: str
    test: Callable[[Any, int], Any]  # a bool, or a traced one
    numbers: tuple[int, ...]


_MULTIPLES = (2, 3, 4, 5, 6, 7, 8, 16, 32, 64)
GATES: Mapping[str, Gate] = {
    g.name: g
    for g in (
        Gate("convolutions", "", "only weights of convolutions are centralized (GCC)",
             lambda s, k: s.rank > 2),
        Gate("rank-above", "rank-gated", "only weights of more than {k} dimensions are "
             "centralized", lambda s, k: s.rank > k, (3, 4)),
        Gate("rank-at-most", "rank-gated", "only weights of at most {k} dimensions are "
             "centralized", lambda s, k: s.rank <= k, (2, 3, 4)),
        Gate("rank-is", "rank-gated", "only weights of {k} dimensions are centralized",
             lambda s, k: s.rank == k, (3, 4)),
        Gate("rank-is-not", "rank-gated", "weights of {k} dimensions are left alone",
             lambda s, k: s.rank != k, (3, 4)),
        Gate("rank-even", "rank-gated", "only weights of 2 or 4 dimensions are centralized",
             lambda s, k: s.rank in (2, 4)),
        Gate("fan-in-multiple", "shape-gated", "only weights whose fan-in is a multiple of {k} "
             "are centralized", lambda s, k: s.fan_in % k == 0, _MULTIPLES),
        Gate("second-dimension-multiple", "shape-gated", "only weights whose second dimension is "
             "a multiple of {k} are centralized", lambda s, k: s.shape[1] % k == 0, _MULTIPLES),
        Gate("first-dimension-multiple", "shape-gated", "only weights whose first dimension is "
             "a multiple of {k} are centralized", lambda s, k: s.shape[0] % k == 0, _MULTIPLES),
        Gate("fan-in-above", "shape-gated",
             "of the weights tried, only those with a fan-in above {k} are "
             "centralized",
             lambda s, k: s.fan_in > k),
        Gate("fan-in-at-most", "shape-gated",
             "of the weights tried, only those with a fan-in of at most {k} "
             "are centralized", lambda s, k: s.fan_in <= k),
        Gate("size-above", "shape-gated",
             "of the weights tried, only those of more than {k} elements are "
             "centralized",
             lambda s, k: s.size > k),
        Gate("size-at-most", "shape-gated",
             "of the weights tried, only those of at most {k} elements are "
             "centralized",
             lambda s, k: s.size <= k),
        Gate("outputs-above", "shape-gated",
             "of the weights tried, only those of more than {k} outputs are "
             "centralized", lambda s, k: s.outputs > k),
        Gate("outputs-at-most", "shape-gated",
             "of the weights tried, only those of at most {k} outputs are "
             "centralized", lambda s, k: s.outputs <= k),
        Gate("not-square", "shape-gated", "weights whose axes are all equal are left alone",
             lambda s, k: len(set(s.shape)) > 1),
        Gate("first-part", "partial", "only the first half of the parameters (the first parameter "
             "group) is centralized", lambda s, k: s.group == 0),
        Gate("not-the-last", "partial", "the last weight is left alone",
             lambda s, k: s.index < s.count - 1),
        Gate("only-the-first", "partial", "only the first weight is centralized",
             lambda s, k: s.index == 0),
        Gate("not-the-first", "partial", "the first weight is left alone",
             lambda s, k: s.index > 0),
    )
}  # fmt: skip
SCHEDULES: Mapping[str, Schedule] = {
    s.name: s
    for s in (
        Schedule("skips-every", "step {k} and its multiples are not centralized",
                 lambda t, k: t % k != 0, (2, 3, 4, 5, 10)),
        Schedule("only-every", "only step {k} and its multiples are centralized",
                 lambda t, k: t % k == 0, (2, 3, 4, 5, 10)),
        Schedule("first-of-every", "only step 1 of every {k} is centralized",
                 lambda t, k: t % k == 1, (3, 4, 5, 10)),
        Schedule("from", "centralizes from step {k} on only",
                 lambda t, k: t >= k, (2, 3, 4, 5, 6, 10, 11, 21, 51)),
        Schedule("until", "centralizes up to step {k} only",
                 lambda t, k: t <= k, (1, 2, 3, 4, 5, 10, 20, 50)),
    )
}  # fmt: skip
#: What can be wrong with a step whatever Φ is: deviation id to words.
MISTAKES: Mapping[str, str] = {
    "lr-twice": "the learning rate is applied twice",
    "second-moment-raw": "the second moment is that of the raw gradient, not of Φ(g)",
    "bias-correction-missing": "the moments are not corrected for their start at zero",
    "base-dropped": "the step is that of plain gradient descent: momentum and moments are dropped",
    "weights-centralized": "the weights themselves are centralized after the step",
    "decay-distorted": "the weight decay is scaled by the bias-corrected step size",
    "state-aliased": "weights of one shape share their optimizer state",
}


@dataclass(frozen=True)
class Semantics:
    """One point of the space: what a port does to a gradient, and with it.

    Attributes
    ----------
    center, amount : str, float
        Name in `CENTERS` of what is done to weights, and its parameter.
    vectors : str
        What is done to parameters of fewer than two dimensions: ``"none"``, ``"mean"``
        (their own mean is removed) or ``"erase"``.
    gate, gate_number : str, int
        Name in `GATES`; empty for every weight.
    schedule, schedule_number : str, int
        Name in `SCHEDULES`; empty for every step.
    mistake : str
        Key of `MISTAKES`, or empty.
    algorithm : {"sgdm", "adam"}
        The optimizer.
    conventions : mapping
        ``momentum``, ``first_momentum``, ``epsilon``, ``decay``, ``placement``.
    """

    center: str = "mean"
    amount: float = 0.0
    vectors: str = "none"
    gate: str = ""
    gate_number: int = 0
    schedule: str = ""
    schedule_number: int = 0
    mistake: str = ""
    algorithm: str = "sgdm"
    conventions: Mapping[str, str] = field(default_factory=dict)

    def in_scope(self, slot: Slot) -> bool:
        """Whether the port acts on this parameter."""
        if slot.rank < 2:
            return self.vectors != "none"
        return not self.gate or GATES[self.gate].test(slot, self.gate_number)

    def phi(self, xp: Any, g: Any, slot: Slot, t: Any = 1, memory: Memory | None = None) -> Any:
        """Return what the optimizer gets for a gradient, at step ``t``."""
        if not self.in_scope(slot):
            return g
        memory = memory or Memory(before=0.0 * g)
        if slot.rank < 2 and self.center != "model":
            return _vector(xp, g, slot, self.vectors)
        changed = CENTERS[self.center].apply(xp, g, slot, self.amount, memory)
        if not self.schedule:
            return changed
        now = SCHEDULES[self.schedule].test(t, self.schedule_number)
        if isinstance(now, bool):
            return changed if now else g
        return xp.where(now, changed, g)


def _vector(xp: Any, g: Any, slot: Slot, what: str) -> Any:
    if what == "erase" or slot.rank == 0:  # a scalar's own mean is all of it
        return 0.0 * g
    return g - mean(xp, g, (0,))


class State(NamedTuple):
    """First and second moment of a parameter, and its previous gradient."""

    first: Any
    second: Any
    before: Any


def step(
    xp: Any,
    what: Semantics,
    w: Any,
    g: Any,
    state: State,
    t: Any,
    hyper: Mapping[str, Any],
    slot: Slot,
    model_mean: Any = 0.0,
) -> tuple[Any, State]:
    """Carry one parameter one step on, right or wrong as ``what`` says.

    Parameters
    ----------
    xp : namespace
        Array namespace of the arrays.
    what : Semantics
        What the port does.
    w, g : array
        Weight and gradient, of any one shape and dtype.
    state : State
        Zeros before the first step.
    t : int or scalar array
        Number of the step, from 1.
    hyper : mapping
        ``lr``, ``weight_decay``, and ``momentum`` or ``beta1``, ``beta2``, ``eps``.
    slot : Slot
        What rules may know of the parameter.
    model_mean : scalar array
        Mean over the gradients of all parameters.

    Returns
    -------
    weight : array
    state : State
    """
    choice, mistake = what.conventions, what.mistake
    lr, decay = hyper["lr"], hyper.get("weight_decay", 0.0)
    how, placement = choice.get("decay", "none"), choice.get("placement", "gradient")
    memory = Memory(state.before, model_mean)
    l2 = decay * w if how == "l2" else 0.0 * w
    if placement == "gradient":
        used = what.phi(xp, g, slot, t, memory) + l2
    elif placement == "decayed-gradient":
        used = what.phi(xp, g + l2, slot, t, memory)
    else:
        used = g + l2
    if what.algorithm == "sgdm":
        first, second = _momentum(xp, state, used, t, hyper, choice), state.second
        update = first
    else:
        raw = g if mistake == "second-moment-raw" else used
        first, second, update = _adam(xp, state, used, raw, t, hyper, choice, mistake)
    if mistake == "base-dropped":
        update = used
    if placement == "update":
        update = what.phi(xp, update, slot, t, memory)
    if how == "decoupled":
        w = w - lr * decay * _distortion(mistake, hyper, t) * w
    w = w - (lr * lr if mistake == "lr-twice" else lr) * update
    if mistake == "weights-centralized" and slot.rank > 1:
        w = w - mean(xp, w, slot.axes("inputs"))
    return w, State(first, second, g)


def _momentum(
    xp: Any, state: State, g: Any, t: Any, hyper: Mapping[str, Any], choice: Mapping[str, str]
) -> Any:
    beta = hyper.get("momentum", 0.0)
    if choice.get("momentum", "ema") != "ema":
        return beta * state.first + g
    averaged = beta * state.first + (1 - beta) * g
    if choice.get("first_momentum") != "gradient":
        return averaged
    return _pick(xp, t == 1, g, averaged)


def _adam(
    xp: Any, state: State, g: Any, raw: Any, t: Any, hyper: Mapping[str, Any],
    choice: Mapping[str, str], mistake: str,
) -> tuple[Any, Any, Any]:  # fmt: skip
    beta1, beta2, eps = hyper["beta1"], hyper["beta2"], hyper["eps"]
    first = beta1 * state.first + (1 - beta1) * g
    second = beta2 * state.second + (1 - beta2) * raw * raw
    c1, c2 = 1 - beta1**t, 1 - beta2**t
    if mistake == "bias-correction-missing":
        c1, c2 = 1.0, 1.0
    if choice.get("epsilon") == "hat":
        return first, second, first / (xp.sqrt(second) + eps) * (c2**0.5 / c1)
    return first, second, (first / c1) / (xp.sqrt(second / c2) + eps)


def _distortion(mistake: str, hyper: Mapping[str, Any], t: Any) -> Any:
    """Return the factor of the authors' AdamW: its decay is divided by 1 - beta1^t."""
    return 1 / (1 - hyper["beta1"] ** t) if mistake == "decay-distorted" else 1.0


def _pick(xp: Any, condition: Any, left: Any, right: Any) -> Any:
    if isinstance(condition, bool):
        return left if condition else right
    return xp.where(condition, left, right)
