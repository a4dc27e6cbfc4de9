"""The counterexample of a mismatch: its worst element, and the whole output neuron around it."""

from __future__ import annotations

import contextlib
import math
from dataclasses import replace

import numpy as np

from gc_ref._conformance.cases.comparison import compare
from gc_ref._conformance.findings.counterexample import Counterexample, Element, Neuron
from gc_ref._conformance.judging.base_law import compare_to_base, phi
from gc_ref._conformance.judging.judge import Judge
from gc_ref._conformance.judging.settled import Match
from gc_ref._conformance.ports.case import Array, Case, Parameter
from gc_ref._conformance.ports.port import PortError, SkippedError
from gc_ref._conformance.replays.replay import replay
from gc_ref._slices import to_rows

__all__ = ["counterexample"]

#: Inputs of an output neuron that are shown at most.
MOST = 64
#: Hyperparameters that each algorithm runs with; what a base makes of them is its own affair.
USED = {
    "operator": (),
    "sgdm": ("lr", "momentum", "weight_decay"),
    "adam": ("lr", "beta1", "beta2", "eps", "weight_decay"),
    "base": (),
}

Axes = tuple[int, ...] | None


def counterexample(judge: Judge, case: Case, match: Match, axes: Axes) -> Counterexample:
    """Show the worst element of a mismatch, its output neuron, and a program that replays it.

    Parameters
    ----------
    judge : Judge
        The judge of the port.
    case : Case
        The case that was run.
    match : Match
        The parameter that is off, and its worst element.
    axes : tuple of int or None
        Output axes that the parameter was held to; None where GC leaves it alone.

    Returns
    -------
    Counterexample
    """
    p = match.parameter
    worst = _worst_element(judge, case, match, axes)
    easiest, neuron = worst, Neuron()
    with contextlib.suppress(PortError, SkippedError):  # in a run that only the neuron needs
        easiest, neuron = _by_hand(judge, case, p, worst, axes)
    return Counterexample(
        case=case.id,
        dtype=case.dtype,
        parameter=p.name,
        kind=p.kind,
        shape=p.shape,
        output_axis=axes,
        worst=worst,
        easiest=easiest,
        neuron=neuron,
        replay=replay(judge, case, match) if judge.replays else None,
    )


def _worst_element(judge: Judge, case: Case, match: Match, axes: Axes) -> Element:
    p, worst = match.parameter, match.comparison
    index = tuple(int(i) for i in np.unravel_index(worst.position, p.shape)) if p.shape else ()
    gradients = [g[p.name] for g in case.gradients[: match.step + 1]]
    return Element(
        step=match.step + 1,
        index=index,
        gradient=tuple(_inputs(g, index, axes) for g in gradients),
        weight=None if judge.operator else float(p.value.ravel()[worst.position]),
        expected=float(worst.expected),
        got=worst.got,
        bound=worst.tau,
    )


def _inputs(array: Array, index: tuple[int, ...], axes: Axes) -> tuple[float, ...]:
    """Values at all inputs of the output neuron that an index is in; of a vector, all."""
    values = np.ravel(array)
    if axes is not None and array.ndim >= 2:
        outputs = tuple(array.shape[i] for i in axes)
        row = int(np.ravel_multi_index(tuple(index[i] for i in axes), outputs))
        values = to_rows(array, axes)[row]
    return tuple(float(v) for v in values[:MOST])


def _by_hand(
    judge: Judge, case: Case, p: Parameter, worst: Element, axes: Axes
) -> tuple[Element, Neuron]:
    """Return the element that is easiest to work by hand, and its whole output neuron.

    The neuron is known only where it is the very thing that was compared.
    """
    settled = judge.settled
    if settled.mode not in USED:
        return worst, Neuron()
    shown, held = worst, axes
    if worst.step > 1 and (earlier := _after_first_step(judge, case, p)):
        shown, held = earlier
    step = shown.step - 1
    got = np.asarray(judge.run(case).steps[step][p.name], np.float64)
    want = _wanted(judge, case, p, step)
    same = np.array_equal(got[shown.index], shown.got, equal_nan=True)
    if want is None or not same:
        return worst, Neuron()
    if not math.isclose(float(want[shown.index]), shown.expected, rel_tol=1e-12):
        return worst, Neuron()
    shown = _with_a_gradient(judge, case, p, shown, held, want, got)
    hyper = judge.hyperparameters(case, settled.assumed)
    neuron = Neuron(
        algorithm=settled.mode,
        hyperparameters={k: v for k, v in hyper.items() if k in USED[settled.mode]},
        expected=_inputs(want, shown.index, held),
        got=_inputs(got, shown.index, held),
    )
    return shown, neuron


def _after_first_step(judge: Judge, case: Case, p: Parameter) -> tuple[Element, Axes] | None:
    """The same parameter after the first step, if it is wrong there already: easier to follow."""
    settled = judge.settled
    rule = judge.rule_for(p, settled)
    if settled.mode == "base":
        placement = settled.conventions.get("placement")
        first = compare_to_base(judge, case, p, rule, placement)[0]
    else:
        wanted = judge.expected(case, p, rule, settled)[0]
        first = compare(judge.run(case).steps[0][p.name], wanted, case.dtype)
    if first.within:
        return None
    axes = judge.axes(p, rule)
    match = Match(p, 0, first, first.inexact, 0, p.value.size)
    return _worst_element(judge, case, match, axes), axes


def _wanted(judge: Judge, case: Case, p: Parameter, step: int) -> Array | None:
    """Value of a parameter after a step as it should be; None where no run shows it."""
    settled = judge.settled
    rule = judge.rule_for(p, settled)
    if settled.mode != "base":
        if judge.operator:
            return phi(case.gradients[step][p.name], judge.axes(p, rule), "float64")
        return judge.expected(case, p, rule, settled)[step].floats[0].reshape(p.shape)
    placement = settled.conventions.get("placement")
    if placement == "update":
        return None
    if judge.axes(p, "by-rank") is None:
        rule = "by-rank"
    run = judge.run(judge.fed(case, rule, placement), port=judge.port.base)
    return np.asarray(run.steps[step][p.name], np.float64)


def _with_a_gradient(
    judge: Judge, case: Case, p: Parameter, shown: Element, axes: Axes, want: Array, got: Array
) -> Element:
    """The same, at another input of its neuron that is wrong if the gradient is 0 at this one.

    Where it is 0, a gradient left as it is and one that was erased look alike.
    """
    settled, step = judge.settled, shown.step - 1
    gradient = case.gradients[step][p.name]
    if settled.mode not in ("sgdm", "adam") or axes is None or gradient[shown.index] != 0:
        return shown
    expected = judge.expected(case, p, judge.rule_for(p, settled), settled)[step]
    tau = np.reshape(expected.tau, p.shape)
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
