"""The base law: a GC port of any optimizer equals its base optimizer fed with Φ(g).

No formula of the optimizer is needed. In the integer case both are fed the very
same ĝ, so that a port built on its base agrees bit for bit. A port that writes
its base anew rounds otherwise; how far rounding may carry the two apart is then
measured on the base itself, by feeding it gradients that are off by as much as a
correct Φ may be.
"""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction

import numpy as np

from gc_ref import bounds, exact
from gc_ref._conformance.cases.comparison import float_ulp
from gc_ref._conformance.cases.gradients import rng_for
from gc_ref._conformance.findings.outcome import Comparison
from gc_ref._conformance.judging.shared_results import kept
from gc_ref._conformance.judging.specification import Axes
from gc_ref._conformance.judging.trial import Trial
from gc_ref._conformance.ports.case import Array, Case, Parameter
from gc_ref._conformance.ports.port import Port, PortError
from gc_ref._conformance.ports.storage import representable

#: Perturbed runs of the base, by its cost of a run; and how many times their spread a port
#: may be off.
DRAWS, SPREADS = {"cheap": 5, "dear": 1}, 8.0
#: Roundings of a step's arithmetic that the base law grants, in units of u(|w| + path).
ROUNDINGS = 32.0


def phi(grad: Array, axes: Axes | None, dtype: str) -> Array:
    """Φ(g) of Eq. 1 by the exact witness, rounded once to ``dtype``."""
    if axes is None:
        return grad
    value = exact.centralize(grad, output_axis=axes)
    floats = [n / value.denominator for n in value.numerators]
    return representable(np.asarray(floats, dtype=np.float64).reshape(grad.shape), dtype)


@kept
def fed(trial: Trial, case: Case, rule: str, placement: str = "gradient") -> Case:
    """Return the case with Φ(g) in place of g, under a rule for the output axes.

    For a port that decays inside Φ it is Φ(g + λw), where w is the port's own weight before
    that step; the base is then left without weight decay.
    """
    hyper = dict(case.hyperparameters)
    decay = hyper.get("weight_decay") if placement == "decayed-gradient" else None
    before = {p.name: p.value for p in case.parameters}
    gradients = []
    for number, step in enumerate(case.gradients):
        centralized = {}
        for p in case.parameters:
            grad = step[p.name]
            if decay:
                grad = grad + np.asarray(before[p.name]) * grad.dtype.type(decay)
            centralized[p.name] = phi(grad, trial.axes(p, rule), case.dtype)
        gradients.append(centralized)
        if decay:
            before = dict(trial.run(case).steps[number])
    if decay:
        hyper["weight_decay"] = 0.0
    label = f"{case.id}-{'decayed-' if decay else ''}centralized-{rule}"
    return Case(label, case.parameters, tuple(gradients), hyper, case.dtype)


def base_steps(trial: Trial, case: Case, p: Parameter, rule: str, placement: str) -> list[Array]:
    """Weights after each step of the base optimizer fed with Φ(g), in float64."""
    plain = fed(trial, case, _shared(trial, p, rule), placement)
    return [np.asarray(w, dtype=np.float64) for w in trial.steps(plain, p, port=_base(trial))]


def _shared(trial: Trial, p: Parameter, rule: str) -> str:
    """Return, of the rules that are the same for a parameter, the one that is run anyway."""
    return "by-rank" if trial.axes(p, "by-rank") is None else rule


def _base(trial: Trial) -> Port:
    assert trial.port.base is not None
    return trial.port.base


def compare_to_base(
    trial: Trial, case: Case, parameter: Parameter, rule: str, placement: str
) -> list[Comparison]:
    """Compare port and base, step by step, for one parameter."""
    got = trial.steps(case, parameter)
    axes = trial.axes(parameter, rule)
    if placement == "update" and axes is not None:
        want, spread = _centralized_updates(trial, case, parameter, axes)
    else:
        rule = _shared(trial, parameter, rule)
        want = base_steps(trial, case, parameter, rule, placement)
        spread = [np.zeros(parameter.shape)] * len(want)
        if not all(np.array_equal(g, w, equal_nan=True) for g, w in zip(got, want, strict=True)):
            spread = _spread(trial, case, parameter, rule, placement)
            if case == trial.bounded:  # on integers Φ(g) has no rounding to differ in
                spread = _evaluated_twice(trial, case, parameter, axes, want, spread)
    unit = bounds.profile(case.dtype).unit_roundoff
    path = np.zeros(parameter.shape)
    before = parameter.value.astype(np.float64)
    found = []
    for step, expected, wide in zip(got, want, spread, strict=True):
        path = path + np.abs(expected - before)
        before = expected
        tau = SPREADS * wide + ROUNDINGS * unit * (np.abs(expected) + path)
        found.append(compare_arrays(step, expected, tau, case.dtype))
    return found


def compare_arrays(got: Array, want: Array, tau: Array, dtype: str) -> Comparison:
    """Hold floats against floats with an allowance per element."""
    value = np.asarray(got, dtype=np.float64)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        error = np.abs(value - want)
        ratio = np.where(error == 0, 0.0, error / tau)
    both_nan = np.isnan(value) & np.isnan(want)
    ratio = np.where(both_nan, 0.0, np.where(np.isnan(ratio), math.inf, ratio))
    if not ratio.size:
        return Comparison(0.0, 0.0, 0, math.nan, Fraction(0), 0.0, 0)
    at = int(np.argmax(ratio))
    expected = want.ravel()[at]
    exactly = Fraction(float(expected)) if math.isfinite(expected) else Fraction(0)
    return Comparison(
        ratio=float(ratio.ravel()[at]),
        ulps=float(error.ravel()[at]) / float_ulp(exactly, dtype),
        position=at,
        got=float(value.ravel()[at]),
        expected=exactly,
        tau=float(np.broadcast_to(tau, want.shape).ravel()[at]),
        inexact=int(np.sum((error != 0) & ~both_nan)),
    )


def _centralized_updates(
    trial: Trial, case: Case, p: Parameter, axes: Axes
) -> tuple[list[Array], list[Array]]:
    """Weights when Φ acts on the base's update: w + ΣΦ(Δ) (the authors' ``gc_loc=False``).

    An update that is read off two rounded weights is off by a rounding of either.
    """
    inputs = tuple(i for i in range(len(p.shape)) if i not in axes)
    unit = trial.profile(case.dtype).unit_roundoff
    before = weight = p.value.astype(np.float64)
    off = np.zeros(p.shape)
    found, spread = [], []
    for step in trial.steps(case, p, port=_base(trial)):
        after = np.asarray(step, dtype=np.float64)
        update = after - before
        off = off + unit * (np.abs(before).max(initial=0.0) + np.abs(after).max(initial=0.0))
        before = after
        weight = weight + update - update.mean(axis=inputs, keepdims=True)
        found.append(weight)
        spread.append(off)
    return found, spread


def _spread(trial: Trial, case: Case, p: Parameter, rule: str, placement: str) -> list[Array]:
    """How far the base moves when its gradient is off by what a correct Φ may be off."""
    base = _base(trial)
    want = base_steps(trial, case, p, rule, placement)
    spread = [np.zeros(p.shape) for _ in want]
    for draw in range(DRAWS[base.per_run_cost]):
        moved = trial.steps(_perturbed(trial, case, rule, placement, draw), p, port=base)
        for i, (a, b) in enumerate(zip(moved, want, strict=True)):
            away = np.abs(np.asarray(a, np.float64) - b)
            spread[i] = np.maximum(spread[i], np.where(np.isnan(away), 0.0, away))
    return spread


def _evaluated_twice(
    trial: Trial,
    case: Case,
    p: Parameter,
    axes: Axes | None,
    want: list[Array],
    spread: list[Array],
) -> list[Array]:
    """Add what a port may be off if it rounds Φ(g) anew at each of its uses.

    A compiler that fuses loops (XLA) does so: the Φ(g) that is squared for a second moment and
    the Φ(g) in the numerator differ in their last bits. First order: |Δw| times τ/|Φ(g)|.
    """
    if axes is None:
        return spread
    profile = trial.profile(case.dtype)
    before, path, relative = p.value.astype(np.float64), np.zeros(p.shape), np.zeros(p.shape)
    found = []
    for step, expected, wide in zip(case.gradients, want, spread, strict=True):
        tau = bounds.centralize(step[p.name], output_axis=axes, profile=profile)
        size = np.abs(phi(step[p.name], axes, case.dtype).astype(np.float64))
        off = np.divide(tau, size, out=np.ones(p.shape), where=size > tau)
        relative = np.maximum(relative, off)
        path = path + np.abs(expected - before)
        before = expected
        found.append(wide + path * relative)
    return found


@kept
def _perturbed(trial: Trial, case: Case, rule: str, placement: str, draw: int) -> Case:
    """Feed Φ(g) that is off by a rounding and by the bound of centralizing, signs at random."""
    plain = fed(trial, case, rule, placement)
    rng = rng_for(trial.seed, f"{plain.id}/{draw}")
    profile = trial.profile(case.dtype)
    gradients = []
    for raw, step in zip(case.gradients, plain.gradients, strict=True):
        moved = {}
        for p in case.parameters:
            g = np.asarray(step[p.name], dtype=np.float64)
            off = 8 * profile.unit_roundoff * np.abs(g)
            axes = trial.axes(p, rule)
            if axes is not None:
                wide = np.asarray(raw[p.name], dtype=np.float64)
                off = off + bounds.centralize(wide, output_axis=axes, profile=profile)
            signs = rng.choice([-1.0, 1.0], size=g.shape)
            moved[p.name] = representable(g + signs * off, case.dtype)
        gradients.append(moved)
    return replace(plain, id=f"{plain.id}-perturbed-{draw}", gradients=tuple(gradients))


@kept
def base_couples(trial: Trial) -> bool:
    """Whether the base alone lets parameters act on each other (by a global norm, say)."""
    case, masks, _ = trial.poisoned
    try:
        changed = trial.run(case, port=_base(trial)).steps
    except PortError:
        return True
    plain = trial.run(trial.small, port=_base(trial)).steps
    return any(
        not np.array_equal(
            np.where(masks.get(p.name, False), 0, a[p.name]),
            np.where(masks.get(p.name, False), 0, b[p.name]),
        )
        for a, b in zip(changed, plain, strict=False)
        for p in case.parameters
    )
