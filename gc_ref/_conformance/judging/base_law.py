"""The base law: a GC port of any optimizer equals its base optimizer fed with Φ(g).

No formula of the optimizer is needed. In the integer case both are fed the very
same ĝ, so that a port built on its base agrees bit for bit. A port that writes
its base anew rounds otherwise; how far rounding may carry the two apart is then
measured on the base itself, by feeding it gradients that are off by as much as a
correct Φ may be.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from gc_ref import bounds, exact
from gc_ref._conformance.cases.comparison import Comparison, float_ulp
from gc_ref._conformance.cases.gradients import rng_for
from gc_ref._conformance.ports.case import Array, Case, Parameter, Trajectory
from gc_ref._conformance.ports.port import PortError
from gc_ref._conformance.ports.storage import representable

if TYPE_CHECKING:
    from gc_ref._conformance.judging.judge import Judge

__all__ = ["base_couples", "base_fed_with", "compare_arrays", "compare_to_base", "phi"]

#: Perturbed runs of the base (fewer where each compiles a model), and how often their
#: spread a port may be away.
DRAWS, SPREADS = {"cheap": 5, "dear": 1}, 8.0
#: Roundings of a step's arithmetic that the base law grants, in units of u(|w| + path).
ROUNDINGS = 32.0


def phi(grad: Array, axes: tuple[int, ...] | None, dtype: str) -> Array:
    """Φ(g) of Eq. 1 by the exact witness, rounded once to ``dtype``."""
    if axes is None:
        return grad
    value = exact.centralize(grad, output_axis=axes)
    floats = [n / value.denominator for n in value.numerators]
    return representable(np.asarray(floats, dtype=np.float64).reshape(grad.shape), dtype)


def base_fed_with(judge: Judge, case: Case, rule: str, *, decayed: bool) -> Case:
    """Return the case with Φ(g) for g, under a rule for the output axes.

    ``decayed``: with Φ(g + λw) instead, where w is the port's own weight at that step, and
    without weight decay: what is left to the base of a port that decays inside Φ.
    """
    hyper = dict(case.hyperparameters)
    before = {p.name: p.value for p in case.parameters}
    after = judge.run(case).steps if decayed else case.gradients
    gradients = []
    for step, weights in zip(case.gradients, after, strict=True):
        fed = {}
        for p in case.parameters:
            grad = step[p.name]
            if decayed:
                grad = grad + np.asarray(before[p.name]) * grad.dtype.type(hyper["weight_decay"])
            fed[p.name] = phi(grad, judge.axes(p, rule), case.dtype)
        gradients.append(fed)
        before = dict(weights)
    if decayed:
        hyper["weight_decay"] = 0.0
    label = f"{case.id}-{'decayed-' if decayed else ''}centralized-{rule}"
    return Case(label, case.parameters, tuple(gradients), hyper, case.dtype)


def compare_to_base(
    judge: Judge, case: Case, parameter: Parameter, rule: str, placement: str
) -> list[Comparison]:
    """Compare port and base, step by step, for one parameter."""
    base = judge.port.base
    assert base is not None
    if judge.axes(parameter, "by-rank") is None:
        rule = "by-rank"  # the same for a vector, and a run that is needed anyway
    got = judge.run(case)
    name = parameter.name
    if placement == "update" and judge.axes(parameter, rule) is not None:
        want, spread = _centralized_updates(judge, case, parameter, rule)
    else:
        fed = judge.fed(case, rule, placement)
        want = [np.asarray(s[name], dtype=np.float64) for s in judge.run(fed, port=base).steps]
        same = all(
            np.array_equal(g[name], w, equal_nan=True) for g, w in zip(got.steps, want, strict=True)
        )
        spread = [np.zeros(parameter.shape)] * len(want)
        if not same:
            spread = _spread(judge, case, rule, placement, name)
            if case is judge.bounded:  # on integers Φ(g) has no rounding to differ in
                spread = _evaluated_twice(judge, case, parameter, rule, want, spread)
    unit = bounds.profile(case.dtype).unit_roundoff
    path = np.zeros(parameter.shape)
    before = parameter.value.astype(np.float64)
    found = []
    for step, expected, wide in zip(got.steps, want, spread, strict=True):
        path = path + np.abs(expected - before)
        before = expected
        tau = SPREADS * wide + ROUNDINGS * unit * (np.abs(expected) + path)
        found.append(compare_arrays(step[name], expected, tau, case.dtype))
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
    ulps = float(error.ravel()[at]) / float_ulp(exactly, dtype)
    inexact = int(np.sum((error != 0) & ~both_nan))
    return Comparison(
        float(ratio.ravel()[at]), ulps, at, float(value.ravel()[at]), exactly,
        float(np.broadcast_to(tau, want.shape).ravel()[at]), inexact,
    )  # fmt: skip


def _centralized_updates(
    judge: Judge, case: Case, p: Parameter, rule: str
) -> tuple[list[Array], list[Array]]:
    """Weights when Φ acts on the base's update: w + ΣΦ(Δ) (the authors' ``gc_loc=False``).

    An update that is read off two rounded weights is off by a rounding of either.
    """
    assert judge.port.base is not None
    axes = judge.axes(p, rule)
    assert axes is not None
    inputs = tuple(i for i in range(len(p.shape)) if i not in axes)
    unit = judge.profile(case.dtype).unit_roundoff
    raw: Trajectory = judge.run(case, port=judge.port.base)
    before = weight = p.value.astype(np.float64)
    off = np.zeros(p.shape)
    found, spread = [], []
    for step in raw.steps:
        after = np.asarray(step[p.name], dtype=np.float64)
        update = after - before
        off = off + unit * (np.abs(before).max(initial=0.0) + np.abs(after).max(initial=0.0))
        before = after
        weight = weight + update - update.mean(axis=inputs, keepdims=True)
        found.append(weight)
        spread.append(off)
    return found, spread


def _spread(judge: Judge, case: Case, rule: str, placement: str, name: str) -> list[Array]:
    """How far the base moves when its gradient is off by what a correct Φ may be off."""
    base = judge.port.base
    assert base is not None
    plain = judge.run(judge.fed(case, rule, placement), port=base).steps
    spread = [np.zeros(plain[0][name].shape) for _ in plain]
    for draw in range(DRAWS[base.per_run_cost]):
        moved = judge.run(_perturbed(judge, case, rule, placement, draw), port=base).steps
        for i, (a, b) in enumerate(zip(moved, plain, strict=True)):
            away = np.abs(np.asarray(a[name], np.float64) - np.asarray(b[name], np.float64))
            spread[i] = np.maximum(spread[i], np.where(np.isnan(away), 0.0, away))
    return spread


def _evaluated_twice(
    judge: Judge, case: Case, p: Parameter, rule: str, want: list[Array], spread: list[Array]
) -> list[Array]:
    """Add what a port may be off that rounds Φ(g) otherwise at each of its uses.

    A compiler that fuses loops (XLA) does so: the Φ(g) that is squared for a second moment is
    not to the last bit the Φ(g) in the numerator. First order: |Δw| times τ/|Φ(g)|.
    """
    axes = judge.axes(p, rule)
    if axes is None:
        return spread
    profile = judge.profile(case.dtype)
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


def _perturbed(judge: Judge, case: Case, rule: str, placement: str, draw: int) -> Case:
    """Φ(g), off by a rounding and by the bound of `gc_ref.bounds.centralize`, signs at random."""
    fed = judge.fed(case, rule, placement)
    key = (id(fed.gradients), f"perturbed-{draw}")
    if key not in judge.cases_made:
        rng = rng_for(judge.seed, f"{fed.id}/{draw}")
        profile = judge.profile(case.dtype)
        gradients = []
        for raw, step in zip(case.gradients, fed.gradients, strict=True):
            moved = {}
            for p in case.parameters:
                g = np.asarray(step[p.name], dtype=np.float64)
                off = 8 * profile.unit_roundoff * np.abs(g)
                axes = judge.axes(p, rule)
                if axes is not None:
                    wide = np.asarray(raw[p.name], dtype=np.float64)
                    off = off + bounds.centralize(wide, output_axis=axes, profile=profile)
                signs = rng.choice([-1.0, 1.0], size=g.shape)
                moved[p.name] = representable(g + signs * off, case.dtype)
            gradients.append(moved)
        judge.cases_made[key] = Case(
            f"{fed.id}-perturbed-{draw}",
            case.parameters,
            tuple(gradients),
            fed.hyperparameters,
            case.dtype,
        )
    return judge.cases_made[key]


def base_couples(judge: Judge) -> bool:
    """Whether the base alone lets parameters act on each other (by a global norm, say)."""
    base = judge.port.base
    assert base is not None
    case, masks, _ = judge.poisoned
    try:
        changed = judge.run(case, port=base).steps
    except PortError:
        return True
    plain = judge.run(judge.small, port=base).steps
    return any(
        not np.array_equal(
            np.where(masks.get(p.name, False), 0, a[p.name]),
            np.where(masks.get(p.name, False), 0, b[p.name]),
        )
        for a, b in zip(changed, plain, strict=False)
        for p in case.parameters
    )
