"""The counterexample of a mismatch: an element that convinces, and the whole neuron around it."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gc_ref._conformance.findings.counterexample import Counterexample, Element, Neuron
from gc_ref._conformance.findings.outcome import Outcome, failed
from gc_ref._conformance.judging.base_law import base_steps
from gc_ref._conformance.judging.judge import Judge
from gc_ref._conformance.judging.matching import Match
from gc_ref._conformance.judging.specification import Axes
from gc_ref._conformance.ports.case import Array
from gc_ref._conformance.ports.port import PortError, SkippedError
from gc_ref._conformance.replays.replay import replay
from gc_ref._slices import to_rows

#: Inputs of an output neuron that are shown at most.
MOST = 64
#: Elements among which the one to show is chosen at most.
CANDIDATES = 512
#: Hyperparameters that each algorithm runs with; what a base makes of them is its own affair.
USED = {
    "operator": (),
    "sgdm": ("lr", "momentum", "weight_decay"),
    "adam": ("lr", "beta1", "beta2", "eps", "weight_decay"),
    "base": (),
}


@dataclass(frozen=True)
class _After:
    """A parameter after one step, whole: as it is, as it should be, and where that is too far."""

    got: Array
    want: Array
    wrong: Array  # of bool
    tau: Array


def failure(judge: Judge, match: Match, message: str) -> Outcome:
    """Return the outcome of a check that a mismatch fails."""
    shown = counterexample(judge, match)
    return failed(message, comparison=match.comparison, counterexample=shown)


def convincing(wrong: Sequence[Match]) -> Match:
    """Return the mismatch that convinces most.

    Weights come before vectors, several inputs before one (whose gradient less its mean is 0,
    whatever the axes), then the earliest step, then the smallest parameter.
    """

    def key(match: Match) -> tuple[bool, bool, int, int]:
        p = match.parameter
        return match.axes is None, inputs_of(match) < 2, match.first_wrong, p.value.size

    return min(wrong, key=key)


def inputs_of(match: Match) -> int:
    """Inputs of each output neuron of a mismatch; of a vector, its elements."""
    outputs = match.axes or ()
    return math.prod(n for i, n in enumerate(match.parameter.shape) if i not in outputs)


def counterexample(judge: Judge, match: Match) -> Counterexample:
    """Show an element of a mismatch, its output neuron, and a program that replays it."""
    p, case = match.parameter, match.case
    shown, neuron = _worst(judge, match), Neuron()
    with contextlib.suppress(PortError, SkippedError):  # in a run that only the neuron needs
        after = _after(judge, match)
        if after is not None:
            shown = _easiest(judge, match, after)
            neuron = _neuron(judge, match, shown, after)
    return Counterexample(
        case=case.id,
        dtype=case.dtype,
        parameter=p.name,
        kind=p.kind,
        shape=p.shape,
        output_axis=match.axes,
        worst=shown,
        easiest=shown,
        neuron=neuron,
        replay=replay(judge, match, shown) if judge.replays else None,
    )


def _worst(judge: Judge, match: Match) -> Element:
    """Return the worst element after the first step that is wrong."""
    found = match.comparisons[match.first_wrong]
    at = np.unravel_index(found.position, match.parameter.shape)
    index = tuple(int(i) for i in at)
    return _element(judge, match, index, float(found.expected), found.got, found.tau)


def _element(
    judge: Judge, match: Match, index: tuple[int, ...], expected: float, got: float, bound: float
) -> Element:
    p, step = match.parameter, match.first_wrong + 1
    return Element(
        step=step,
        index=index,
        gradient=tuple(_inputs(g[p.name], index, match.axes) for g in match.case.gradients[:step]),
        weight=None if judge.operator else float(p.value[index]),
        expected=expected,
        got=got,
        bound=bound,
    )


def _inputs(array: Array, index: tuple[int, ...], axes: Axes | None) -> tuple[float, ...]:
    """Values at all inputs of the output neuron that an index is in; of a vector, all."""
    values = np.ravel(array)
    if axes is not None and array.ndim >= 2:
        outputs = tuple(array.shape[i] for i in axes)
        row = int(np.ravel_multi_index(tuple(index[i] for i in axes), outputs))
        values = to_rows(array, axes)[row]
    return tuple(float(v) for v in values[:MOST])


def _after(judge: Judge, match: Match) -> _After | None:
    """Return the whole parameter after the first wrong step; None where no run shows it.

    It is known only where it is the very thing that was compared.
    """
    held_to, p, case, step = judge.specification, match.parameter, match.case, match.first_wrong
    found = match.comparisons[step]
    got = np.asarray(judge.steps(case, p)[step], np.float64)
    if held_to.mode in ("operator", "sgdm", "adam"):
        exact = judge.expected(case, p, match.axes, judge.formula(case, held_to))[step]
        want, tau = (np.reshape(v, p.shape) for v in (exact.floats[0], exact.tau))
        with np.errstate(all="ignore"):
            wrong = ~(np.abs(got - want) <= tau)
    elif held_to.mode == "base" and not held_to.on_update:
        want = base_steps(judge, case, p, held_to.rule(p), held_to.placement)[step]
        tau = np.full(p.shape, found.tau)
        wrong = np.arange(got.size).reshape(p.shape) == found.position  # of others it is not known
    else:
        return None
    compared = got.ravel()[found.position], want.ravel()[found.position]
    if not np.array_equal(compared[0], found.got, equal_nan=True):
        return None
    if not math.isclose(compared[1], float(found.expected), rel_tol=1e-12):
        return None
    return _After(got, want, wrong, tau)


def _easiest(judge: Judge, match: Match, after: _After) -> Element:
    """Return the wrong element that is easiest to work by hand.

    Where the gradient is 0, one that is left as it is and one that was erased look alike; where
    it is the mean, nothing is left of it under any step. Small numbers come first.
    """
    gradient = match.case.gradients[match.first_wrong][match.parameter.name]

    def hard(index: tuple[int, ...]) -> tuple[object, ...]:
        row, own = _inputs(gradient, index, match.axes), float(gradient[index])
        mean = math.fsum(row) / len(row) if match.axes is not None else 0.0
        return own == 0, own == mean, max(map(abs, row)), abs(own), index

    tried = [tuple(map(int, i)) for i in np.argwhere(after.wrong)[:CANDIDATES]]
    index = min(tried, key=hard)
    want, got, tau = (float(values[index]) for values in (after.want, after.got, after.tau))
    return _element(judge, match, index, want, got, tau)


def _neuron(judge: Judge, match: Match, shown: Element, after: _After) -> Neuron:
    """Return the output neuron of an element, and what its algorithm was run with."""
    mode = judge.specification.mode
    hyper = judge.hyperparameters(match.case, judge.specification.assumed)
    return Neuron(
        algorithm=mode,
        hyperparameters={k: v for k, v in hyper.items() if k in USED[mode]},
        expected=_inputs(after.want, shown.index, match.axes),
        got=_inputs(after.got, shown.index, match.axes),
    )
