"""The base law: a GC port of any optimizer equals its base optimizer fed with Φ(g).

No formula of the optimizer is needed. On integers most ways to compute Φ give the very
same ĝ, so that a port built on its base agrees bit for bit. A port that rounds otherwise, in
Φ or in its steps, may be carried away from the base: how far is measured on the base itself,
by feeding it gradients that are off by as much as a correct Φ may be (see `response`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from gc_ref import bounds, exact
from gc_ref._conformance.findings.outcome import Comparison
from gc_ref._conformance.judging.response import (
    OF_GRADIENT,
    OF_WEIGHT,
    coupling,
    paths,
    reach,
    roundings,
)
from gc_ref._conformance.judging.shared_results import kept
from gc_ref._conformance.judging.specification import Axes
from gc_ref._conformance.judging.trial import Trial
from gc_ref._conformance.ports.case import Array, Case, Parameter
from gc_ref._conformance.ports.port import Port, PortError
from gc_ref._conformance.ports.storage import representable

#: A rule for the output axes of all parameters, or the name of each with its own.
Rules = str | tuple[tuple[str, str], ...]


def phi(grad: Array, axes: Axes | None, dtype: str) -> Array:
    """Φ(g) of Eq. 1 by the exact witness, rounded once to ``dtype``.

    An output neuron that holds a NaN or an inf becomes what floats make of it.
    """
    if axes is None:
        return grad
    wide = np.asarray(grad, dtype=np.float64)
    inputs = tuple(i for i in range(wide.ndim) if i not in axes)
    finite = np.all(np.isfinite(wide), axis=inputs, keepdims=True)
    value = exact.centralize(np.where(finite, wide, 0.0), output_axis=axes)
    found = np.reshape([n / value.denominator for n in value.numerators], wide.shape)
    if not np.all(finite):
        with np.errstate(invalid="ignore", over="ignore"):
            found = np.where(finite, found, wide - wide.mean(axis=inputs, keepdims=True))
    return representable(found, dtype)


@kept
def fed(trial: Trial, case: Case, rule: Rules, placement: str = "gradient") -> Case:
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
            centralized[p.name] = phi(grad, _axes(trial, p, rule), case.dtype)
        gradients.append(centralized)
        if decay:
            before = dict(trial.run(case).steps[number])
    if decay:
        hyper["weight_decay"] = 0.0
    by = rule if isinstance(rule, str) else "each-by-its-own"
    label = f"{case.id}-{'decayed-' if decay else ''}centralized-{by}"
    return replace(case, id=label, gradients=tuple(gradients), hyperparameters=hyper)


def _axes(trial: Trial, p: Parameter, rule: Rules) -> Axes | None:
    return trial.axes(p, rule if isinstance(rule, str) else dict(rule)[p.name])


def base_steps(trial: Trial, case: Case, p: Parameter, rule: Rules, placement: str) -> list[Array]:
    """Weights after each step of the base optimizer fed with Φ(g), in float64."""
    plain = fed(trial, case, _shared(trial, p, rule), placement)
    return [np.asarray(w, dtype=np.float64) for w in trial.steps(plain, p, port=_base(trial))]


def _shared(trial: Trial, p: Parameter, rule: Rules) -> Rules:
    """Return, of the rules that are the same for a parameter, the one that is run anyway."""
    return "by-rank" if isinstance(rule, str) and trial.axes(p, "by-rank") is None else rule


def _base(trial: Trial) -> Port:
    assert trial.port.base is not None
    return trial.port.base


def compared(trial: Trial, case: Case, p: Parameter) -> Case:
    """Return the case in which a parameter is compared: without others that act on it."""
    if len(case.parameters) == 1 or coupling(trial, by_base=True) != "tree":
        return case
    base = trial.port.base or trial.port
    eager = frozenset({"eager"}) & trial.port.drives & base.drives
    gradients = tuple({p.name: step[p.name]} for step in case.gradients)
    return replace(
        case, id=f"{case.id}-{p.name}-alone", parameters=(p,), gradients=gradients, drive=eager
    )


def compare_to_base(
    trial: Trial, case: Case, parameter: Parameter, rule: Rules, placement: str
) -> list[Comparison]:
    """Compare port and base, step by step, for one parameter."""
    got = trial.steps(case, parameter)
    want, allowed = _wanted(trial, case, parameter, rule, placement, got)
    return [
        compare_arrays(step, expected, tau, case.dtype)
        for step, expected, tau in zip(got, want, allowed, strict=True)
    ]


def _wanted(
    trial: Trial, case: Case, p: Parameter, rule: Rules, placement: str, got: Sequence[Array]
) -> tuple[list[Array], list[Array]]:
    """Return what the base makes of Φ, and what rounding may add: nothing where that was got."""
    if placement == "update" and _axes(trial, p, rule) is not None:
        return centralized_updates(trial, case, p, rule)
    # A base that hands on its updates to Φ sees every gradient as it is.
    rule = "none" if placement == "update" else _shared(trial, p, rule)
    want = base_steps(trial, case, p, rule, placement)
    if all(np.array_equal(g, w, equal_nan=True) for g, w in zip(got, want, strict=True)):
        return want, [np.zeros(p.shape)] * len(want)
    return want, allowance(trial, case, p, rule, placement)


@kept
def can_tell(trial: Trial, case: Case, p: Parameter, rule: str, placement: str) -> bool:
    """Whether a case shows what the port does to a parameter.

    It does where Φ makes a difference to the base, beyond rounding, at an element that stays
    finite. A vector, to which nothing is done, has to move and to stay finite.
    """
    case = compared(trial, case, p)
    raw = base_steps(trial, case, p, "none", "gradient")
    if trial.axes(p, rule) is None:
        still = [p.value.astype(np.float64), *raw]
        return bool(np.all(np.isfinite(raw))) and any(np.any(w != still[0]) for w in raw)
    want, allowed = _wanted(trial, case, p, rule, placement, raw)
    with np.errstate(invalid="ignore"):
        return any(
            bool(np.any(np.isfinite(a) & np.isfinite(b) & (np.abs(a - b) > tau)))
            for a, b, tau in zip(raw, want, allowed, strict=True)
        )


@kept
def allowance(trial: Trial, case: Case, p: Parameter, rule: Rules, placement: str) -> list[Array]:
    """How far a correct port may be from its base fed with Φ(g).

    What the optimizer, measured, makes of the rounding of Φ; and the rounding of its own steps.
    """
    plain = fed(trial, case, rule, placement)
    off = error_of_phi(trial, case, rule, placement)
    carried = reach(trial, plain, off, by_base=True)[p.name]
    steps = trial.steps(plain, p, port=trial.port.base or trial.port)
    own = roundings(p.value, steps, trial.profile(case.dtype).unit_roundoff)
    anew = _rounded_anew(plain, off, p, steps)
    share = _of_complements(trial, case)
    held = [share * way for way in paths(p.value, steps)]
    return [sum(each, np.zeros(p.shape)) for each in zip(carried, own, anew, held, strict=True)]


def _of_complements(trial: Trial, case: Case) -> float:
    """What hyperparameters in float32 may change in a step, as a share of it.

    1 - β, and 1 - βᵗ of a bias correction, are off by up to (2t + 8)u and hence, relatively, by
    no more than 10u/(1 - β) (see `gc_ref.bounds`): one library has them as numbers of Python, the
    next as tensors. Either of the two runs may.
    """
    port = trial.port.base or trial.port
    values = {**port.fixed, **trial.handed(case).hyperparameters}
    known = port.takes | set(port.fixed)
    unit = trial.profile(case.dtype).hyperparameters
    betas = [values[b] for b in ("momentum", "beta1", "beta2") if b in values and b in known]
    return sum(2 * 10 * unit / (1 - beta) for beta in betas if 0 <= beta < 1)


@kept
def error_of_phi(trial: Trial, case: Case, rule: Rules, placement: str) -> Case:
    """Return a case whose gradients say how far those of a correct Φ(g), as they enter, are off.

    Where the decay is inside of Φ, g + λw is what Φ rounds, and it is rounded before.
    """
    plain, entered = fed(trial, case, rule, placement), fed(trial, case, "none", placement)
    profile = trial.profile(case.dtype)
    steps = zip(case.gradients, entered.gradients, plain.gradients, strict=True)
    gradients = []
    for raw, entering, step in steps:
        off = {}
        for p in case.parameters:
            axes = _axes(trial, p, rule)
            g = np.asarray(entering[p.name], dtype=np.float64)
            size = np.abs(np.asarray(step[p.name], dtype=np.float64))
            size = np.where(np.isfinite(size), size, 0.0)
            tau = bounds.centralize(g, output_axis=axes, profile=profile)
            off[p.name] = tau + OF_GRADIENT * profile.unit_roundoff * size
            off[p.name] += _of_decayed(raw[p.name], g, axes, profile.unit_roundoff)
        gradients.append(off)
    return replace(plain, id=f"{plain.id}-off", gradients=tuple(gradients))


def _of_decayed(grad: Array, decayed: Array, axes: Axes | None, unit: float) -> Array:
    """What the rounding of g + λw leaves in Φ of it, in two evaluations: of λ, λw and the sum."""
    size = np.where(decayed == grad, 0.0, np.abs(decayed) + np.abs(grad, dtype=np.float64))
    size = np.where(np.isfinite(size), size, 0.0)
    if axes is not None:
        inputs = tuple(i for i in range(size.ndim) if i not in axes)
        size = size + size.mean(axis=inputs, keepdims=True)
    return 8 * unit * size


def _rounded_anew(plain: Case, off: Case, p: Parameter, steps: Sequence[Array]) -> list[Array]:
    """What a port may be off if it rounds Φ(g) anew at each of its uses.

    A compiler that fuses loops (XLA) does so: the Φ(g) that is squared for a second moment and
    the Φ(g) in the numerator differ in their last bits. First order: |Δw| times τ/|Φ(g)|.
    """
    relative, found = np.zeros(p.shape), []
    ways = paths(p.value, steps)
    for gradients, wide, way in zip(plain.gradients, off.gradients, ways, strict=True):
        size, tau = np.abs(gradients[p.name].astype(np.float64)), wide[p.name]
        share = np.divide(tau, size, out=np.where(tau > 0, 1.0, 0.0), where=size > tau)
        relative = np.maximum(relative, share)
        found.append(way * relative)
    return found


def compare_arrays(got: Array, want: Array, tau: Array, dtype: str) -> Comparison:
    """Hold floats against floats with an allowance per element."""
    value = np.asarray(got, dtype=np.float64)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        error = np.where(value == want, 0.0, np.abs(value - want))  # inf is no distance from inf
        ratio = np.where(error == 0, 0.0, error / tau)
    both_nan = np.isnan(value) & np.isnan(want)
    ratio = np.where(both_nan, 0.0, np.where(np.isnan(ratio), math.inf, ratio))
    if not ratio.size:
        return Comparison.of_nothing(dtype)
    at = int(np.argmax(ratio))
    expected = want.ravel()[at]
    exactly = float(expected).as_integer_ratio() if math.isfinite(expected) else (0, 1)
    return Comparison(
        ratio=float(ratio.ravel()[at]),
        error=float(error.ravel()[at]),
        position=at,
        got=float(value.ravel()[at]),
        ends=(exactly, exactly),
        tau=float(np.broadcast_to(tau, want.shape).ravel()[at]),
        dtype=dtype,
        inexact=int(np.sum((error != 0) & ~both_nan)),
    )


def centralized_updates(
    trial: Trial, case: Case, p: Parameter, rule: Rules
) -> tuple[list[Array], list[Array]]:
    """Weights when Φ acts on the base's update: w + ΣΦ(Δ) (the authors' ``gc_loc=False``).

    An update that is read off two weights is off by the rounding of the later one, and by that
    of the step; Φ spreads the errors of a neuron over it, and adds its own.
    """
    axes = _axes(trial, p, rule)
    assert axes is not None
    inputs = tuple(i for i in range(len(p.shape)) if i not in axes)
    profile = trial.profile(case.dtype)
    raw = trial.steps(case, p, port=_base(trial))
    own = allowance(trial, case, p, "none", "gradient")
    before = weight = p.value.astype(np.float64)
    off, found, allowed = np.zeros(p.shape), [], []
    for step, error in zip(raw, own, strict=True):
        after = np.asarray(step, dtype=np.float64)
        with np.errstate(invalid="ignore"):  # a base may yield inf
            update = after - before
            weight = weight + update - update.mean(axis=inputs, keepdims=True)
        before = after
        off = off + bounds.centralize(update, output_axis=axes, profile=profile)
        off = off + OF_WEIGHT * profile.unit_roundoff * np.abs(weight)
        found.append(weight)
        allowed.append(off + error + error.mean(axis=inputs, keepdims=True))
    return found, allowed


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
