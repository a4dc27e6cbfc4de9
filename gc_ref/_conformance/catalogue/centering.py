"""Centering rules: how a gradient is centralized, by the paper's rule and by those of wrong ports.

Each rule is one function over any array namespace: the wrong ports of every framework run it,
and the search for a port's semantics tries it in NumPy.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from gc_ref._conformance.catalogue.parameters import ParameterInfo
from gc_ref._conformance.ports.case import Array

__all__ = ["RULES", "Fit", "Gradient", "Memory", "Rule", "mean"]


def mean(xp: Any, values: Any, axes: tuple[int, ...]) -> Any:
    """Mean over axes, which stay as axes of length 1; 0 where there are none."""
    return xp.mean(values, axis=axes, keepdims=True) if axes else 0.0


@dataclass(frozen=True)
class Memory:
    """What some wrong rules know beyond the gradient: that before it, the model's, the weight."""

    before: Any = None
    model_mean: Any = 0.0
    model_norm: Any = 1.0
    weight: Any = None  # the parameter itself; None for a bare function of the gradient


@dataclass(frozen=True)
class Gradient:
    """The gradient of one parameter, with all that a rule may look at."""

    xp: Any  # array namespace of the values
    values: Any
    parameter: ParameterInfo
    amount: float
    memory: Memory
    step: Any = 1  # its number; a traced one where the step is traced

    def mean(self, of: Any = None, *, axes: str = "inputs") -> Any:
        """Mean of the values, or of another array of their shape, over axes of the parameter."""
        return mean(self.xp, self.values if of is None else of, self.parameter.axes(axes))

    def spread(self, axes: str) -> Any:
        """Standard deviation over axes of the parameter, never 0."""
        away = self.values - self.mean(axes=axes)
        return self.xp.sqrt(self.mean(away * away, axes=axes)) + 1e-8

    @property
    def norm(self) -> Any:
        """Euclidean norm of all its elements."""
        return self.xp.sqrt(self.xp.sum(self.values * self.values))

    def less(self, share: Any) -> Any:
        """Return the gradient less a share of its mean."""
        return self.values - share * self.mean()

    @property
    def centralized(self) -> Any:
        """What Eq. 1 makes of it."""
        return self.values - self.mean()


@dataclass(frozen=True)
class Fit:
    """How the amount of a rule is read off a step."""

    #: (gradient, its mean, what the optimizer was given, norm of the whole model's gradient)
    #: -> the amount that each element shows.
    estimate: Callable[[Array, Array, Array, float], Array]
    right: tuple[float, ...]  # amounts that make the rule Eq. 1, or leave the gradient as it is
    on_vectors: bool = False  # whether vectors show it, not weights


@dataclass(frozen=True)
class Rule:
    """One centering rule: what it is called, what it is in words, what it does."""

    name: str
    deviation: str  # its id; empty for the right rule
    #: What such a port does. May hold ``{amount}``, and ``{out}`` and ``{far}``: the ends of a
    #: weight's shape where this layout and the other one keep the outputs.
    words: str
    apply: Callable[[Gradient], Any]
    fit: Fit | None = None  # for a rule whose amount may be any number
    #: That the search tries; none where it cannot tell. With a fit: only where that finds none.
    amounts: tuple[float, ...] = (0.0,)
    crosses: bool = False  # whether the gradient of one output neuron acts on others
    on_vectors: bool = False  # whether it acts on vectors and scalars as on weights
    #: What is kept of a gradient for the next step, where that is not the gradient itself.
    remember: Callable[[Gradient], Any] = lambda g: g.values
    published: bool = False  # whether published ports have it: tried even where runs cost much
    rare: bool = False  # whether the search tries it only where no other rule explains a port


def _minus_mean(axes: str) -> Callable[[Gradient], Any]:
    return lambda g: g.values - g.mean(axes=axes)


def _divided_by(divisor: Callable[[ParameterInfo], float]) -> Callable[[Gradient], Any]:
    return lambda g: g.values - g.mean() * (g.parameter.fan_in / divisor(g.parameter))


def _rounded_mean(bits: int) -> Callable[[Gradient], Any]:
    return lambda g: g.values - _rounded(g.mean(), bits, g.parameter.bits)


def _rounded(values: Any, bits: int, precision: int) -> Any:
    """Round to ``bits`` bits, by Veltkamp's splitting."""
    wide = values * (2.0 ** (precision - bits) + 1)
    return wide - (wide - values)


def _in_half(bits: int) -> Callable[[Gradient], Any]:
    """The mean of a gradient that was cast to half precision: summed wider, rounded once."""

    def apply(g: Gradient) -> Any:
        narrow = g.mean(_rounded(g.values, bits, g.parameter.bits))
        return g.values - _rounded(narrow, bits, g.parameter.bits)

    return apply


def _running(g: Gradient) -> Any:
    return g.amount * g.memory.before + (1 - g.amount) * g.values


def _running_from_first(g: Gradient) -> Any:
    if isinstance(g.step, int):
        return g.values if g.step == 1 else _running(g)
    return g.xp.where(g.step == 1, g.values, _running(g))


def _ramp(g: Gradient, steps: Any) -> Any:
    """Amount times a number of steps, at most 1."""
    share = g.amount * steps
    return min(1.0, share) if isinstance(steps, int) else g.xp.clip(share, 0.0, 1.0)


def _cut_to(g: Gradient, norm: Any) -> Any:
    """Scale a gradient down where a norm is above the amount, then centralize it."""
    ratio = g.amount / (norm + 1e-30)
    scale = g.xp.where(ratio < 1.0, ratio, 1.0 + 0.0 * ratio)
    return scale * _of_any_rank(g)


def _cut_adaptively(g: Gradient) -> Any:
    """Scale each row of a gradient down to a share of the weight's norm, then centralize."""
    w = g.memory.weight
    if w is None:  # then no port does so
        return g.values + np.nan
    rank = g.parameter.rank
    axes = g.parameter.axes("inputs") if rank > 1 else (0,) * rank
    if rank == 3:  # so published code has it, which takes these for several matrices
        axes = (1,) if g.parameter.axis == 0 else (0,)
    norm, most = (
        g.xp.sqrt(g.xp.sum(x * x, axis=axes, keepdims=True)) if axes else g.xp.abs(x)
        for x in (g.values, w)
    )
    most = g.amount * g.xp.where(most > 1e-3, most, 1e-3 + 0.0 * most)
    return _of_any_rank(g, g.values * g.xp.where(norm > most, most / (norm + 1e-30), 1.0))


def _of_any_rank(g: Gradient, values: Any = None) -> Any:
    """Centralize a weight; leave a vector as it is."""
    values = g.values if values is None else values
    return values - g.mean(values) if g.parameter.rank > 1 else values


def _clipped_value(g: Gradient) -> Any:
    return _of_any_rank(g, g.xp.clip(g.values, -g.amount, g.amount))


def _shrunk(gradient: Array, given: Array, norm: float) -> Array:
    """The norm to which a vector was cut, of what it was cut from; NaN where it was not."""
    ratio = given / gradient
    return np.where(np.abs(ratio) < 0.999, ratio * norm, np.nan)


def _mean_of_rank(g: Gradient, rank: float) -> Any:
    return g.values - mean(g.xp, g.values, g.parameter.axes_of_rank(int(rank)))


def _first_input(g: Gradient) -> Any:
    inputs = g.parameter.axes("inputs")
    index = (slice(0, 1) if i in inputs else slice(None) for i in range(g.parameter.rank))
    return g.values - g.values[tuple(index)]


def _median(g: Gradient) -> Any:
    return g.values - g.xp.median(g.values, axis=g.parameter.axes("inputs"), keepdims=True)


def _lower_median(g: Gradient) -> Any:
    over: Any = {"axis": g.parameter.axes("inputs"), "keepdims": True, "method": "lower"}
    return g.values - g.xp.quantile(g.values, 0.5, **over)


def _midrange(g: Gradient) -> Any:
    over: Any = {"axis": g.parameter.axes("inputs"), "keepdims": True}
    return g.values - (g.xp.max(g.values, **over) + g.xp.min(g.values, **over)) / 2


def _broadcast(g: Gradient) -> Any:
    """Subtract means that lack their axes of length 1, where their shape fits another axis."""
    p, m = g.parameter, g.mean()
    far = p.rank - 1 if p.axis == 0 else 0
    if p.shape[far] == p.shape[p.axis]:
        m = g.xp.reshape(m, tuple(p.shape[far] if i == far else 1 for i in range(p.rank)))
    return g.values - m


def _share_removed(gradient: Array, mean: Array, given: Array, norm: float) -> Array:
    share: Array = (gradient - given) / mean
    return share


def _share_kept(gradient: Array, mean: Array, given: Array, norm: float) -> Array:
    return 1 - _share_removed(gradient, mean, given, norm)


#: How much of the mean comes or goes at each step, where the first step does not show it.
_PER_STEP = tuple(1 / n for n in (2, 3, 4, 5, 9, 10, 19, 20, 49, 50, 99, 100, 199, 200, 500, 1000))

#: Norms that people clip to: where a step is too small to read the norm off it.
_CLIPS = (1.0, 0.1, 0.25, 0.5, 2.0, 5.0, 10.0)
#: Issue 5 of the repository of the paper's author.
_CHOICE = " (the paper's author calls the order of the two a matter of choice)"

_ALL = (
    Rule("mean", "", "the mean over all inputs of each output neuron is removed (Eq. 1)",
         _minus_mean("inputs"), published=True),
    Rule("none", "not-applied", "the gradient is left as it is", lambda g: g.values, amounts=()),
    Rule("other-layout", "layout-swapped", "averages all axes but the {far}, where the other "
         "layout keeps its outputs; here the outputs are the {out} axis",
         _minus_mean("other-layout"), crosses=True, published=True),
    Rule("window", "partial-axes", "averages the window axes only, not the input channels",
         _minus_mean("window"), published=True),
    Rule("window-of-convolutions", "partial-axes", "averages the window axes only in convolutions, "
         "all inputs in Dense layers", _minus_mean("window-of-convolutions"), published=True),
    Rule("channels", "partial-axes", "averages the axis of input channels only, not the window",
         _minus_mean("channels"), published=True),
    Rule("outputs", "partial-axes", "averages the output axis only",
         _minus_mean("outputs"), crosses=True),
    Rule("outputs-and-window", "partial-axes", "averages all axes but the input channels",
         _minus_mean("outputs-and-window"), crosses=True),
    Rule("far-axis", "partial-axes", "averages the {far} axis only",
         _minus_mean("far-axis")),
    Rule("rank", "partial-axes", "averages the axes that a weight of {amount:g} dimensions has, "
         "whatever the weight's own", lambda g: _mean_of_rank(g, g.amount),
         amounts=(2, 3, 4, 5), crosses=True),
    Rule("first-shape", "first-shape-axes", "averages the axes of the model's first weight in "
         "every weight", lambda g: _mean_of_rank(g, g.parameter.first_rank), crosses=True),
    Rule("whole", "whole-tensor", "subtracts one mean of the whole weight",
         _minus_mean("whole"), crosses=True, published=True),
    Rule("model", "all-parameters", "subtracts one mean over all parameters of the model",
         lambda g: g.values - g.memory.model_mean, crosses=True),
    Rule("stale", "stale-mean", "subtracts the mean of the gradient of the step before",
         lambda g: g.values - g.mean(g.memory.before)),
    Rule("running-mean", "stale-mean", "subtracts a running mean, which keeps {amount:g} of itself "
         "at each step and starts at 0", lambda g: g.values - g.mean(_running(g)),
         amounts=(0.5, 0.9, 0.99, 0.999), remember=_running, rare=True),
    Rule("running-mean-from-first", "stale-mean", "subtracts a running mean, which keeps "
         "{amount:g} of itself at each step and starts as the first mean",
         lambda g: g.values - g.mean(_running_from_first(g)),
         amounts=(0.5, 0.9, 0.99, 0.999), remember=_running_from_first, rare=True),
    Rule("median", "not-the-mean", "subtracts the median of the inputs", _median),
    Rule("lower-median", "not-the-mean", "subtracts the median of the inputs, of two in the middle "
         "the smaller, as torch.median", _lower_median),
    Rule("first-input", "not-the-mean", "subtracts the first input's gradient", _first_input),
    Rule("magnitude", "not-the-mean", "subtracts the mean of the magnitudes",
         lambda g: g.values - g.mean(g.xp.abs(g.values))),
    Rule("rms", "not-the-mean", "subtracts the root of the mean square",
         lambda g: g.values - g.xp.sqrt(g.mean(g.values * g.values))),
    Rule("midrange", "not-the-mean", "subtracts the middle of the largest and the smallest",
         _midrange),
    Rule("fan-in-1", "wrong-divisor", "divides the sum of M inputs by M - 1",
         _divided_by(lambda p: max(p.fan_in - 1, 1))),
    Rule("fan-in+1", "wrong-divisor", "divides the sum of M inputs by M + 1",
         _divided_by(lambda p: p.fan_in + 1)),
    Rule("divided-by-outputs", "wrong-divisor", "divides the sum of the inputs by the number "
         "of outputs", _divided_by(lambda p: p.outputs)),
    Rule("divided-by-size", "wrong-divisor", "divides the sum of the inputs by the size of the "
         "whole weight", _divided_by(lambda p: p.size)),
    Rule("divided-by-root", "wrong-divisor", "divides the sum of M inputs by the root of M",
         _divided_by(lambda p: math.sqrt(p.fan_in))),
    Rule("sum", "wrong-divisor", "subtracts the sum of the inputs, not their mean",
         _divided_by(lambda p: 1)),
    Rule("bfloat16-mean", "low-precision-mean", "the mean is rounded to bfloat16",
         _rounded_mean(8)),
    Rule("float16-mean", "low-precision-mean", "the mean is rounded to float16's 11 bits",
         _rounded_mean(11)),
    Rule("bfloat16-gradient", "low-precision-mean", "the mean is taken in bfloat16", _in_half(8)),
    Rule("float16-gradient", "low-precision-mean", "the mean is taken in float16's 11 bits",
         _in_half(11)),
    Rule("broadcast", "mean-broadcast-wrong", "the means of the outputs are laid along another "
         "axis of the same length (keepdims was dropped)", _broadcast, crosses=True),
    Rule("divided-by-neuron", "scaled", "the centralized gradient of each neuron is divided by "
         "its standard deviation", lambda g: g.centralized / g.spread("inputs")),
    Rule("divided-by-weight", "scaled", "the centralized gradient is divided by the standard "
         "deviation of the whole weight", lambda g: g.centralized / g.spread("whole"),
         crosses=True),
    Rule("erase", "scaled", "the gradient of every weight becomes 0", lambda g: 0.0 * g.values),
    Rule("partial", "partial", "{amount:.6g} times the mean is removed",
         lambda g: g.values - g.amount * g.mean(),
         Fit(_share_removed, right=(0.0, 1.0))),
    Rule("phased-in", "partial", "GC is phased in: {amount:.6g} times the mean is removed at "
         "step 1, and as much more at each step, up to all of it",
         lambda g: g.less(_ramp(g, g.step)),
         Fit(_share_removed, right=(0.0, 1.0))),
    Rule("phased-in-after", "partial", "GC is phased in: nothing is removed at step 1, and "
         "{amount:.6g} times the mean more at each step, up to all of it",
         lambda g: g.less(_ramp(g, g.step - 1)), amounts=_PER_STEP, rare=True),
    Rule("phased-out", "partial", "GC is phased out: {amount:.6g} times the mean is kept at "
         "step 1, and as much more at each step, up to all of it",
         lambda g: g.less(1 - _ramp(g, g.step)),
         Fit(_share_kept, right=(0.0, 1.0))),
    Rule("phased-out-after", "partial", "GC is phased out: nothing is kept at step 1, and "
         "{amount:.6g} times the mean more at each step, up to all of it",
         lambda g: g.less(1 - _ramp(g, g.step - 1)), amounts=_PER_STEP, rare=True),
    Rule("fading", "partial", "GC fades: {amount:.6g} times the mean is removed at step 1, and the "
         "part is multiplied by that at each step", lambda g: g.less(g.amount**g.step),
         Fit(_share_removed, right=(0.0, 1.0))),
    Rule("fading-after", "partial", "GC fades: the mean is removed at step 1, and the part is "
         "multiplied by {amount:.6g} at each step", lambda g: g.less(g.amount ** (g.step - 1)),
         amounts=(0.5, 0.8, 0.9, 0.95, 0.99, 0.999), rare=True),
    Rule("growing", "partial", "GC grows: {amount:.6g} times the mean is kept at step 1, and the "
         "part is multiplied by that at each step", lambda g: g.less(1 - g.amount**g.step),
         Fit(_share_kept, right=(0.0, 1.0))),
    Rule("offset", "offset", "{amount:+.6g} is added to the centralized gradient",
         lambda g: g.centralized + g.amount,
         Fit(lambda gradient, mean, given, norm: given - (gradient - mean), right=(0.0,))),
    Rule("scaled", "scaled", "the centralized gradient is multiplied by {amount:.6g}",
         lambda g: g.centralized * g.amount,
         Fit(lambda gradient, mean, given, norm: np.where(
               np.abs(gradient - mean) > 0.5, given / (gradient - mean), np.nan), right=(1.0,))),
    Rule("clipped-value", "clipped-first", "clips the elements of every gradient to "
         "±{amount:.6g}, then centralizes" + _CHOICE, _clipped_value,
         Fit(lambda gradient, mean, given, norm: np.where(
               np.abs(given) < 0.999 * np.abs(gradient), np.abs(given), np.nan),
             right=(0.0,), on_vectors=True), amounts=_CLIPS, on_vectors=True, rare=True),
    Rule("clipped-norm", "clipped-first", "clips every gradient to a norm of {amount:.6g}, then "
         "centralizes" + _CHOICE, lambda g: _cut_to(g, g.norm),
         Fit(lambda gradient, mean, given, norm: _shrunk(
               gradient, given, float(np.sqrt((gradient * gradient).sum()))),
             right=(0.0,), on_vectors=True), amounts=_CLIPS, crosses=True, on_vectors=True,
             rare=True),
    Rule("clipped-model-norm", "clipped-first", "clips the gradient of the whole model to a norm "
         "of {amount:.6g}, then centralizes" + _CHOICE, lambda g: _cut_to(g, g.memory.model_norm),
         Fit(lambda gradient, mean, given, norm: _shrunk(gradient, given, norm),
             right=(0.0,), on_vectors=True), amounts=_CLIPS, crosses=True, on_vectors=True,
             rare=True),
    Rule("clipped-adaptively", "clipped-first", "clips every gradient adaptively, to {amount:.6g} "
         "times the norms of the weights, then centralizes" + _CHOICE,
         _cut_adaptively, amounts=(0.01, 0.001, 0.02, 0.04, 0.08, 0.1), on_vectors=True, rare=True),
    Rule("nan-leak", "nan-leak", "a NaN in one output neuron reaches the others",
         lambda g: g.centralized + 0.0 * g.mean(axes="whole"), amounts=(), crosses=True),
)  # fmt: skip

RULES: Mapping[str, Rule] = {c.name: c for c in _ALL}
