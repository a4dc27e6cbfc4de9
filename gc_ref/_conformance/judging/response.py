"""How far rounding carries an optimizer, measured on the optimizer itself.

A correct Φ(g) may be off, in each element, by what `gc_ref.bounds` derives. What an optimizer makes
of that nobody needs to guess: it is run on Φ(g) moved by as much, one way and the other.

Measured is the largest answer to errors whose signs differ from step to step as Walsh functions do:
for three steps, with their opposites, these are all combinations there are. A linear answer
Σ J_j δ_j to N errors |δ_j| ≤ τ_j is at most Σ|J_j|τ_j. The mean square of its answers to signs that
are orthogonal, or drawn at random, is Σ(J_j τ_j)². So no error moves it by more than √N times the
largest of them (Cauchy and Schwarz), and that is granted.

Where an optimizer treats each element by itself, which is shown and not assumed, N is the number of
steps, and errors inside of the bound are tried as well. Elsewhere N counts all elements that may
act on each other. Assumed is that the answer is nearly linear, or monotone, within the bound; that
a few random draws find its size; and, past four steps, that errors four steps apart do not cancel.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from gc_ref._conformance.cases.gradients import rng_for
from gc_ref._conformance.judging.shared_results import kept
from gc_ref._conformance.judging.trial import Trial
from gc_ref._conformance.ports.case import Array, Case, Parameter
from gc_ref._conformance.ports.port import Port, PortError
from gc_ref._conformance.ports.storage import representable

#: Walsh functions that give the signs of an error from step to step, each also with its opposite.
WALSH = {"cheap": 4, "dear": 2}
#: Runs with errors inside of the bound, where they cost nothing.
INSIDE = 4
#: Roundings of a gradient on its way into the state: six of a moving average (see
#: `gc_ref.bounds`), in two evaluations that may differ.
OF_GRADIENT = 12
#: Roundings of a step, in each of the two runs that are compared: of its direction, 32 as
#: `gc_ref.bounds` counts them for Adam, and of the weight, which decay and step change.
OF_DIRECTION, OF_WEIGHT = 2 * 32, 2 * 2

Reach = Mapping[str, Sequence[Array]]


def roundings(start: Array, steps: Sequence[Array], unit: float) -> list[Array]:
    """How far the arithmetic of the steps themselves may be off, after each of them."""
    before, off = start.astype(np.float64), np.zeros(start.shape)
    found = []
    for step in steps:
        after = np.asarray(step, dtype=np.float64)
        with np.errstate(invalid="ignore"):
            moved = OF_DIRECTION * np.abs(after - before) + OF_WEIGHT * np.abs(after)
        off = off + unit * np.where(np.isfinite(moved), moved, 0.0)
        found.append(off)
        before = after
    return found


@kept
def reach(trial: Trial, plain: Case, off: Case, by_base: bool) -> Reach:
    """How far an optimizer may move from its run on ``plain`` by errors in its gradients.

    The gradients of ``off`` say how far those of ``plain`` may be off. The optimizer is the base,
    or the port itself: then those of ``plain`` are centralized already.
    """
    port = trial.port.base if by_base and trial.port.base else trial.port
    return _by_element(trial, plain, off, port) or _by_draws(trial, plain, off, port)


def _by_element(trial: Trial, plain: Case, off: Case, port: Port) -> Reach | None:
    """All errors at once, in one vector of many copies of each element; None where that differs."""
    try:
        if coupling(trial, port is trial.port.base) != "none":
            return None
        case = _copies(trial, plain, off)
        flat = trial.steps(case, case.parameters[0], port=port)
    except PortError:
        return None
    noise = _own_noise(trial, plain, off, port)
    sizes = [p.value.size for p in plain.parameters]
    ends = np.cumsum(sizes)
    answers = [np.reshape(np.asarray(step, np.float64), (-1, ends[-1])) for step in flat]
    found = {}
    for p, size, end in zip(plain.parameters, sizes, ends, strict=True):
        mine = [a[:, end - size : end].reshape(-1, *p.shape) for a in answers]
        steps = trial.steps(plain, p, port=port)
        own = roundings(p.value, steps, trial.profile(plain.dtype).unit_roundoff)
        noisy = [2 * share * way for share, way in zip(noise, paths(p.value, steps), strict=True)]
        granted = [a + b for a, b in zip(own, noisy, strict=True)]
        if not all(_same(a[0], b, tau) for a, b, tau in zip(mine, steps, granted, strict=True)):
            return None  # it treats a vector otherwise than a weight
        found[p.name] = [
            math.sqrt(number) * _largest(a[1:], a[0]) + add
            for number, (a, add) in enumerate(zip(mine, noisy, strict=True), 1)
        ]
    return found


def _own_noise(trial: Trial, plain: Case, off: Case, port: Port) -> list[float]:
    """What an optimizer's own rounding does beyond `roundings`, as a share of an element's path.

    It may divide what cancels (MSVAG divides it by 1e-4). A run in float32 and one in float64 show
    that: it is in proportion to the roundoff. What it does to one element, it may do to any other.
    """
    nothing = [0.0] * len(plain.gradients)
    both = ("float32", "float64")
    if plain.dtype not in both or not set(both) <= set(port.dtypes):
        return nothing
    unit = trial.profile("float32").unit_roundoff
    scale = trial.profile(plain.dtype).unit_roundoff / unit
    errors = tuple({name: tau / scale for name, tau in step.items()} for step in off.gradients)
    rounded = _copies(trial, _in_dtype(plain, "float32"), replace(off, gradients=errors))
    try:
        rough, true = (
            trial.steps(case, case.parameters[0], port=port)
            for case in (rounded, _in_dtype(rounded, "float64"))
        )
    except PortError:
        return nothing
    start = rounded.parameters[0].value
    own = roundings(start, true, unit)
    found = []
    for a, b, tau, way in zip(rough, true, own, paths(start, true), strict=True):
        with np.errstate(invalid="ignore"):
            beyond = np.abs(a - b) - tau
            share = np.divide(beyond, way, out=np.zeros(way.shape), where=(way > 0) & (beyond > 0))
        found.append(scale * float(np.max(share, initial=0.0, where=np.isfinite(share))))
    return found


def _in_dtype(case: Case, dtype: str) -> Case:
    """Return a case in another dtype, its gradients rounded to it."""
    if case.dtype == dtype:
        return case
    parameters = tuple(replace(p, value=representable(p.value, dtype)) for p in case.parameters)
    gradients = tuple(
        {name: representable(g, dtype) for name, g in step.items()} for step in case.gradients
    )
    return replace(
        case, id=f"{case.id}-{dtype}", parameters=parameters, gradients=gradients, dtype=dtype
    )


def paths(start: Array, steps: Sequence[Array]) -> list[Array]:
    """How far each element has gone, after each step, where it stayed finite."""
    values = [start.astype(np.float64), *(np.asarray(s, np.float64) for s in steps)]
    with np.errstate(invalid="ignore"):
        moved = np.abs(np.diff(values, axis=0))
    return list(np.cumsum(np.where(np.isfinite(moved), moved, 0.0), axis=0))


def _copies(trial: Trial, plain: Case, off: Case) -> Case:
    """Return a case of one vector: each element as it is, and with each pattern of errors."""
    rng = rng_for(trial.seed, f"{plain.id}/inside")
    start = np.concatenate([p.value.ravel() for p in plain.parameters])
    gradients = []
    for number, (grads, wide) in enumerate(zip(plain.gradients, off.gradients, strict=True)):
        g = np.concatenate([np.asarray(grads[p.name], float).ravel() for p in plain.parameters])
        by = np.concatenate([wide[p.name].ravel() for p in plain.parameters])
        signs = [w * _walsh(k, number) for k in range(WALSH["cheap"]) for w in (1.0, -1.0)]
        inside = rng.uniform(-1.0, 1.0, size=(INSIDE, len(g)))
        moved = [g, *(g + sign * by for sign in signs), *(g + share * by for share in inside)]
        gradients.append({"rounding.bias": representable(np.concatenate(moved), plain.dtype)})
    copies = 1 + 2 * WALSH["cheap"] + INSIDE
    vector = Parameter("rounding", "bias", np.tile(start, copies), "dense")
    return replace(
        plain, id=f"{plain.id}-rounding", parameters=(vector,), gradients=tuple(gradients)
    )


def _by_draws(trial: Trial, plain: Case, off: Case, port: Port) -> Reach:
    """One run for each pattern of errors: first of one sign everywhere, then of random signs."""
    patterns = WALSH[port.per_run_cost]
    runs = [
        trial.run(_perturbed(trial, plain, off, k, sign), port=port).steps
        for k in range(patterns)
        for sign in (1.0, -1.0)
    ]
    alone = coupling(trial, port is trial.port.base) != "tree"
    found = {}
    for p in plain.parameters:
        size = p.value.size if alone else sum(q.value.size for q in plain.parameters)
        steps = trial.steps(plain, p, port=port)
        found[p.name] = [
            math.sqrt((i + 1) * size) * _largest([run[i][p.name] for run in runs], step)
            for i, step in enumerate(steps)
        ]
    return found


def _perturbed(trial: Trial, plain: Case, off: Case, pattern: int, sign: float) -> Case:
    rng = rng_for(trial.seed, f"{plain.id}/{pattern}")
    signs = {
        p.name: rng.choice([-1.0, 1.0], size=p.shape) if pattern else np.ones(p.shape)
        for p in plain.parameters
    }
    gradients = tuple(
        {
            name: representable(
                g + sign * _walsh(pattern, number) * signs[name] * wide[name], plain.dtype
            )
            for name, g in step.items()
        }
        for number, (step, wide) in enumerate(zip(plain.gradients, off.gradients, strict=True))
    )
    way = "up" if sign > 0 else "down"
    return replace(plain, id=f"{plain.id}-{pattern}-{way}", gradients=gradients)


def _walsh(pattern: int, step: int) -> float:
    return -1.0 if (pattern & step).bit_count() % 2 else 1.0


def _largest(answers: Sequence[Array] | Array, plain: Array) -> Array:
    """Largest distance of some answers from the plain one; infinite where one is not finite."""
    with np.errstate(invalid="ignore"):
        away = [np.abs(np.asarray(a, np.float64) - np.asarray(plain, np.float64)) for a in answers]
    largest: Array = np.max([np.where(np.isnan(a), np.inf, a) for a in away], axis=0, initial=0.0)
    return largest


def _same(left: Array, right: Array, tau: Array) -> bool:
    a, b = np.asarray(left, np.float64), np.asarray(right, np.float64)
    with np.errstate(invalid="ignore"):
        return bool(np.all((np.abs(a - b) <= tau) | (a == b) | (np.isnan(a) & np.isnan(b))))


@kept
def coupling(trial: Trial, by_base: bool) -> str:
    """What an element's gradient acts on: it alone (``none``), its ``parameter``, or the ``tree``.

    A port that centralizes couples the elements of a weight: of it only a vector can tell.
    """
    port = trial.port.base if by_base and trial.port.base else trial.port
    case = trial.small
    given = {p.name for p in case.parameters}  # an optimizer may refuse vectors, or matrices
    names = [n for n in ("dense_1.bias", "dense_2.kernel", "conv2d_0.kernel") if n in given]
    names = names[:1] if port is trial.port else names[:2]
    found = "none"
    for changed in names:
        gradients = [dict(g) for g in case.gradients]
        for g in gradients:
            g[changed] = np.array(g[changed])
            g[changed].flat[0] *= -4096
        other = replace(case, id=f"one-element-of-{changed}", gradients=tuple(gradients))
        before, after = trial.run(case, port=port).steps, trial.run(other, port=port).steps
        for p in case.parameters:
            for a, b in zip(before, after, strict=True):
                kept_out = 1 if p.name == changed else 0
                same = np.array_equal(
                    a[p.name].ravel()[kept_out:], b[p.name].ravel()[kept_out:], equal_nan=True
                )
                if not same and p.name != changed:
                    return "tree"
                if not same:
                    found = "parameter"
    return found
