"""The counterexample of a mismatch: its worst element, and the whole output neuron around it."""

from __future__ import annotations

import contextlib
import math
from dataclasses import replace

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
#: Hyperparameters that each algorithm runs with; what a base makes of them is its own affair.
USED = {
    "operator": (),
    "sgdm": ("lr", "momentum", "weight_decay"),
    "adam": ("lr", "beta1", "beta2", "eps", "weight_decay"),
    "base": (),
}


def failure(judge: Judge, match: Match, message: str) -> Outcome:
    """Return the outcome of a check that a mismatch fails."""
    shown = counterexample(judge, match)
    return failed(message, comparison=match.comparison, counterexample=shown)


def counterexample(judge: Judge, match: Match) -> Counterexample:
    """Show the worst element of a mismatch, its output neuron, and a program that replays it."""
    p, case = match.parameter, match.case
    worst = _element(judge, match, match.step)
    easiest, neuron = worst, Neuron()
    with contextlib.suppress(PortError, SkippedError):  # in a run that only the neuron needs
        easiest, neuron = _by_hand(judge, match, worst)
    return Counterexample(
        case=case.id,
        dtype=case.dtype,
        parameter=p.name,
        kind=p.kind,
        shape=p.shape,
        output_axis=match.axes,
        worst=worst,
        easiest=easiest,
        neuron=neuron,
        replay=replay(judge, match, worst) if judge.replays else None,
    )


def _element(judge: Judge, match: Match, step: int) -> Element:
    """Return the worst element after a step."""
    p, worst = match.parameter, match.comparisons[step]
    index = tuple(int(i) for i in np.unravel_index(worst.position, p.shape)) if p.shape else ()
    gradients = [g[p.name] for g in match.case.gradients[: step + 1]]
    return Element(
        step=step + 1,
        index=index,
        gradient=tuple(_inputs(g, index, match.axes) for g in gradients),
        weight=None if judge.operator else float(p.value[index]),
        expected=float(worst.expected),
        got=worst.got,
        bound=worst.tau,
    )


def _inputs(array: Array, index: tuple[int, ...], axes: Axes | None) -> tuple[float, ...]:
    """Values at all inputs of the output neuron that an index is in; of a vector, all."""
    values = np.ravel(array)
    if axes is not None and array.ndim >= 2:
        outputs = tuple(array.shape[i] for i in axes)
        row = int(np.ravel_multi_index(tuple(index[i] for i in axes), outputs))
        values = to_rows(array, axes)[row]
    return tuple(float(v) for v in values[:MOST])


def _by_hand(judge: Judge, match: Match, worst: Element) -> tuple[Element, Neuron]:
    """Return the element that is easiest to work by hand, and its whole output neuron.

    The neuron is known only where it is the very thing that was compared.
    """
    mode = judge.specification.mode
    if mode not in USED:
        return worst, Neuron()
    p, case = match.parameter, match.case
    shown, axes = worst, match.axes
    if worst.step > 1:
        held = judge.match(case, p)
        if not held.comparisons[0].within:  # wrong after the first step: easier to follow
            shown, axes = _element(judge, held, 0), held.axes
    step = shown.step - 1
    got = np.asarray(judge.steps(case, p)[step], np.float64)
    want = _wanted(judge, match, step)
    same = np.array_equal(got[shown.index], shown.got, equal_nan=True)
    if want is None or not same:
        return worst, Neuron()
    if not math.isclose(float(want[shown.index]), shown.expected, rel_tol=1e-12):
        return worst, Neuron()
    shown = _with_a_gradient(judge, match, shown, axes, want, got)
    hyper = judge.hyperparameters(case, judge.specification.assumed)
    neuron = Neuron(
        algorithm=mode,
        hyperparameters={k: v for k, v in hyper.items() if k in USED[mode]},
        expected=_inputs(want, shown.index, axes),
        got=_inputs(got, shown.index, axes),
    )
    return shown, neuron


def _wanted(judge: Judge, match: Match, step: int) -> Array | None:
    """Value of a parameter after a step as it should be; None where no run shows it."""
    p, case, held_to = match.parameter, match.case, judge.specification
    if held_to.mode != "base":
        return judge.exact_steps(case, p)[step].floats[0].reshape(p.shape)
    if held_to.on_update:
        return None
    return base_steps(judge, case, p, held_to.rule(p), held_to.placement)[step]


def _with_a_gradient(
    judge: Judge, match: Match, shown: Element, axes: Axes | None, want: Array, got: Array
) -> Element:
    """Move to another input of the neuron that is wrong, if the gradient is 0 at this one.

    Where it is 0, a gradient left as it is and one that was erased look alike.
    """
    p, case, step = match.parameter, match.case, shown.step - 1
    gradient = case.gradients[step][p.name]
    if (
        judge.specification.mode not in ("sgdm", "adam")
        or axes is None
        or gradient[shown.index] != 0
    ):
        return shown
    tau = np.reshape(judge.exact_steps(case, p)[step].tau, p.shape)
    with np.errstate(all="ignore"):
        error = np.abs(got - want)
    for other in np.argwhere((error > tau) & (gradient != 0)).tolist():
        if all(other[axis] == shown.index[axis] for axis in axes):
            at = tuple(other)
            return replace(
                shown,
                index=at,
                weight=float(p.value[at]),
                expected=float(want[at]),
                got=float(got[at]),
                bound=float(tau[at]),
            )
    return shown
