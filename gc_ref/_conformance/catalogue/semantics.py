"""What a port does, taken apart: how it centralizes what, when, and how it steps.

Every catalogued deviation, every convention and the correct port itself are points of one
space: `Semantics`. `step` carries a parameter one step on, over any array namespace.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from gc_ref._conformance.catalogue.centering import RULES, Gradient, Memory, mean
from gc_ref._conformance.catalogue.conditions import (
    GATES,
    SCHEDULES,
    VALUE_GATES,
    Condition,
)
from gc_ref._conformance.catalogue.parameters import ParameterInfo

__all__ = ["MISTAKES", "VECTORS", "Mistake", "Semantics", "State", "step"]


@dataclass(frozen=True)
class Mistake:
    """What can be wrong with a step, however the gradient is centralized."""

    words: str
    shows_in: tuple[str, ...] = ()  # algorithms, on each parameter alone and without weight decay


#: By the id of the deviation.
MISTAKES: Mapping[str, Mistake] = {
    "lr-twice": Mistake("the learning rate is applied twice", ("sgdm", "adam")),
    "base-dropped": Mistake(
        "the step is that of plain gradient descent: momentum and moments are dropped",
        ("sgdm", "adam"),
    ),
    "weights-centralized": Mistake(
        "the weights themselves are centralized after the step", ("sgdm", "adam")
    ),
    "second-moment-raw": Mistake(
        "the second moment is that of the raw gradient, not of Φ(g)", ("adam",)
    ),
    "bias-correction-missing": Mistake(
        "the moments are not corrected for their start at zero", ("adam",)
    ),
    "decay-distorted": Mistake("the weight decay is scaled by the bias-corrected step size"),
    "moment-centralized": Mistake(
        "the first moment itself is centralized in place, beside the update", ("adam",)
    ),
    "state-aliased": Mistake("weights of one shape share their optimizer state"),
}


#: What is done to vectors: the id of the deviation, and what such a port does.
VECTORS: Mapping[str, tuple[str, str]] = {
    "none": ("", ""),
    "mean": ("vectors-too", "vectors lose their own mean"),
    "erase": ("vectors-erased", "the gradients of vectors and scalars become 0"),
    "erase-vectors": ("vectors-erased", "the gradients of vectors become 0, those of scalars not"),
}


@dataclass(frozen=True)
class Semantics:
    """One point of the space: what a port does to a gradient, and with it.

    Examples
    --------
    >>> semantics = Semantics(centering="whole", schedule="until", schedule_number=2)
    >>> semantics.deviations
    ('whole-tensor', 'intermittent')
    >>> semantics.words("output-first")
    ('subtracts one mean of the whole weight', 'centralizes up to step 2 only')
    """

    centering: str = "mean"  # in `RULES`: what is done to weights
    amount: float = 0.0
    vectors: str = "none"  # in `VECTORS`: what is done to parameters of no or one dimension
    vectors_above: int = 0  # with "mean": only to vectors of more elements than this
    gate: str = ""  # in `GATES`; empty for every weight
    gate_number: float = 0
    value_gate: str = ""  # in `VALUE_GATES`; empty where the values of a gradient do not matter
    value_gate_number: float = 0
    schedule: str = ""  # in `SCHEDULES`; empty for every step
    schedule_number: float = 0
    mistake: str = ""  # in `MISTAKES`
    algorithm: str = "sgdm"  # or "adam", or "operator" for a bare function of the gradient
    #: ``momentum``, ``first_momentum``, ``epsilon``, ``decay``, ``placement``.
    conventions: Mapping[str, str] = field(default_factory=dict)
    #: Hyperparameters that the port has, and does not let one choose.
    built_in: Mapping[str, float] = field(default_factory=dict)

    @property
    def deviations(self) -> tuple[str, ...]:
        """Ids of the deviations that it is made of, in the order of how much they explain."""
        vectors, _ = VECTORS[self.vectors]
        found = (
            RULES[self.centering].deviation,
            "" if self.centering == "model" else vectors,
            *(condition.deviation for condition, _ in self._conditions()),
            self.mistake,
        )
        return tuple(dict.fromkeys(d for d in found if d))

    @cached_property
    def at_every_step(self) -> Semantics:
        """The same, whatever the step and the values of the gradient."""
        return replace(self, schedule="", value_gate="")

    @cached_property
    def with_raw_gradients(self) -> Semantics:
        """The optimizer alone, that centralizes nothing."""
        every = self.at_every_step
        return replace(every, centering="none", vectors="none", vectors_above=0, gate="")

    def within(self, other: Semantics) -> bool:
        """Whether all that is wrong here is wrong in another semantics, too.

        Examples
        --------
        >>> whole = Semantics(centering="whole", vectors="mean")
        >>> Semantics(centering="whole").within(whole), Semantics(vectors="erase").within(whole)
        (True, False)
        """
        same = (
            self.centering == "mean" or self._of(other, "centering", "amount"),
            self.vectors == "none" or self._of(other, "vectors", "vectors_above"),
            not self.gate or self._of(other, "gate", "gate_number"),
            not self.value_gate or self._of(other, "value_gate"),
            not self.schedule or self._of(other, "schedule"),
            not self.mistake or self._of(other, "mistake"),
        )
        return all(same)

    def _of(self, other: Semantics, *fields: str) -> bool:
        return all(getattr(self, field) == getattr(other, field) for field in fields)

    def words(self, layout: str) -> tuple[str, ...]:
        """What such a port does: first each part that is not as it should be."""
        ends = ("first", "last") if layout == "output-first" else ("last", "first")
        centering = RULES[self.centering].words
        said = [centering.format(amount=self.amount, out=ends[0], far=ends[1])]
        if self.vectors_above:
            said.append(
                f"of the vectors tried, those of more than {self.vectors_above} elements lose "
                "their own mean"
            )
        elif self.vectors != "none" and self.centering != "model":
            said.append(VECTORS[self.vectors][1])
        said += [condition.words.format(k=k) for condition, k in self._conditions()]
        if self.mistake:
            said.append(MISTAKES[self.mistake].words)
        return tuple(said if RULES[self.centering].deviation else [*said[1:], said[0]])

    def _conditions(self) -> Iterator[tuple[Condition, float]]:
        if self.gate:
            yield GATES[self.gate], self.gate_number
        if self.value_gate:
            yield VALUE_GATES[self.value_gate], self.value_gate_number
        if self.schedule:
            yield SCHEDULES[self.schedule], self.schedule_number

    def in_scope(self, parameter: ParameterInfo) -> bool:
        """Whether the port acts on this parameter."""
        if parameter.rank < 2:
            if RULES[self.centering].on_vectors:
                return True
            if self.vectors == "erase-vectors" or self.vectors_above:
                return parameter.size > self.vectors_above and parameter.rank == 1
            return self.vectors != "none"
        return not self.gate or GATES[self.gate].test(parameter, self.gate_number)

    def acts_at(self, t: Any) -> Any:
        """Whether the port acts at step ``t``: a bool, or a traced one for a traced step."""
        return not self.schedule or SCHEDULES[self.schedule].test(t, self.schedule_number)

    def phi(
        self, xp: Any, g: Any, parameter: ParameterInfo, t: Any = 1, memory: Memory | None = None
    ) -> Any:
        """Return what the optimizer gets for a gradient, at step ``t``."""
        if not self.in_scope(parameter):
            return g
        rule = RULES[self.centering]
        if parameter.rank < 2 and self.centering != "model" and not rule.on_vectors:
            own_mean = self.vectors == "mean" and parameter.rank  # a scalar's is all of it
            return g - mean(xp, g, (0,)) if own_mean else 0.0 * g
        given = self._given(xp, g, parameter, t, memory)
        acts = self.acts_at(t)
        if self.value_gate:
            test = VALUE_GATES[self.value_gate].test(given, self.value_gate_number)
            acts = test if acts is True else xp.where(acts, test, False)
        return _pick(xp, acts, rule.apply(given), g)

    def remembered(
        self, xp: Any, g: Any, parameter: ParameterInfo, t: Any = 1, memory: Memory | None = None
    ) -> Any:
        """Return what is kept of a gradient for the next step."""
        if not self.in_scope(parameter):
            return g
        return RULES[self.centering].remember(self._given(xp, g, parameter, t, memory))

    def _given(
        self, xp: Any, g: Any, parameter: ParameterInfo, t: Any, memory: Memory | None
    ) -> Gradient:
        return Gradient(xp, g, parameter, self.amount, memory or Memory(before=0.0 * g), t)


class State(NamedTuple):
    """First and second moment of a parameter, and its previous gradient."""

    first: Any
    second: Any
    before: Any

    @classmethod
    def of(cls, weight: Any) -> State:
        """Zeros, before the first step."""
        return cls(0 * weight, 0 * weight, 0 * weight)


def step(
    xp: Any,
    semantics: Semantics,
    w: Any,
    g: Any,
    state: State,
    t: Any,
    hyper: Mapping[str, Any],
    parameter: ParameterInfo,
    model_mean: Any = 0.0,
    model_norm: Any = 1.0,
) -> tuple[Any, State]:
    """Carry one parameter one step on, right or wrong as its semantics says.

    The namespace ``xp`` is that of the weight ``w`` and the gradient ``g``, ``t`` the number of
    the step, from 1, ``hyper`` has ``lr``, ``weight_decay`` and ``momentum``, or ``beta1``,
    ``beta2`` and ``eps``, and ``model_mean`` and ``model_norm`` are those of the gradients of all
    parameters. Returns the weight and the state after the step.
    """
    choice, mistake = semantics.conventions, semantics.mistake
    hyper = {**hyper, **semantics.built_in}
    lr, decay = hyper["lr"], hyper.get("weight_decay", 0.0)
    how, placement = choice.get("decay", "none"), choice.get("placement", "gradient")
    memory = Memory(state.before, model_mean, model_norm, w)
    l2 = decay * w if how == "l2" else 0.0 * w
    if placement == "gradient":
        used = semantics.phi(xp, g, parameter, t, memory) + l2
    elif placement == "decayed-gradient":
        used = semantics.phi(xp, g + l2, parameter, t, memory)
    else:
        used = g + l2
    if semantics.algorithm == "sgdm":
        first, second = _momentum(xp, state, used, t, hyper, choice), state.second
        update = first
    else:
        raw = g if mistake == "second-moment-raw" else used
        if mistake == "moment-centralized":  # the mean of a moment is the moment of the means
            used = semantics.phi(xp, used, parameter, t, memory)
        first, second, update = _adam(xp, state, used, raw, t, hyper, choice, mistake)
    if mistake == "base-dropped":
        update = used
    # The authors' AdamW divides its decay by Adam's first bias correction.
    distortion = 1 / (1 - hyper["beta1"] ** t) if mistake == "decay-distorted" else 1.0
    if placement == "decayed-update" and how == "decoupled":
        update, how = update + decay * distortion * w, "inside"
    if placement in ("update", "decayed-update"):
        update = semantics.phi(xp, update, parameter, t, memory)
    if how == "decoupled":
        w = w - lr * decay * distortion * w
    w = w - (lr * lr if mistake == "lr-twice" else lr) * update
    if mistake == "weights-centralized" and parameter.rank > 1:
        w = w - mean(xp, w, parameter.axes("inputs"))
    return w, State(first, second, semantics.remembered(xp, g, parameter, t, memory))


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


def _pick(xp: Any, condition: Any, left: Any, right: Any) -> Any:
    if isinstance(condition, bool | np.bool_):
        return left if condition else right
    return xp.where(condition, left, right)
