"""The base law with weight decay, where the base does not show by itself what is right.

Which vectors decay is the user's choice, often a mask or a group. And a port that hands its updates
to Φ may have the decay in them or beside them. The base shows its updates without decay, and
how much it decays; from these, and the port's own weights, follows what each choice gives.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from gc_ref._conformance.findings.outcome import Comparison
from gc_ref._conformance.judging.base_law import (
    allowance,
    base_steps,
    centralized_updates,
    compare_arrays,
    compare_to_base,
    fed,
)
from gc_ref._conformance.judging.response import roundings
from gc_ref._conformance.judging.trial import Trial
from gc_ref._conformance.ports.case import Array, Case, Parameter

#: Weights after each step as they should be, and how far off they may be.
Wanted = tuple[list[Array], list[Array]]


def decays(trial: Trial, case: Case) -> bool:
    """Whether port and base are given a weight decay in a case."""
    return bool(trial.handed(case).hyperparameters.get("weight_decay"))


def compare_with_decay(
    trial: Trial, case: Case, p: Parameter, rule: str, placement: str
) -> list[Comparison]:
    """Compare a vector, or a weight whose updates Φ centralizes, with the nearest choice."""
    choices = []
    if trial.axes(p, rule) is None:
        choices.append(compare_to_base(trial, case, p, rule, placement))
        if all(c.within for c in choices[0]):
            return choices[0]
    got = trial.steps(case, p)
    choices += [
        [compare_arrays(*step, case.dtype) for step in zip(got, want, allowed, strict=True)]
        for want, allowed in _choices(trial, case, p, rule)
    ]
    return min(choices, key=lambda found: max(c.ratio for c in found))


def _choices(trial: Trial, case: Case, p: Parameter, rule: str) -> Iterator[Wanted]:
    """What a port may answer: with the decay in the gradient, or in or beside the update."""
    plain = replace(
        case,
        id=f"{case.id}-undecayed",
        hyperparameters={**case.hyperparameters, "weight_decay": 0.0},
    )
    undecayed = _followed(trial, plain, p, rule)
    axes = trial.axes(p, rule)
    if axes is None:
        yield undecayed
    shares = _shares(trial, case, plain)
    if shares is None:  # the decay is part of the gradient
        yield _followed(trial, fed(trial, case, "none", "decayed-gradient"), p, rule)
        return
    yield _lessened(trial, case, p, undecayed, shares, ())
    if axes is not None:
        inputs = tuple(i for i in range(len(p.shape)) if i not in axes)
        yield _lessened(trial, case, p, undecayed, shares, inputs)


def _followed(trial: Trial, case: Case, p: Parameter, rule: str) -> Wanted:
    """The base's updates, centralized where GC acts on the parameter."""
    if trial.axes(p, rule) is not None:
        return centralized_updates(trial, case, p, rule)
    steps = base_steps(trial, case, p, "none", "gradient")
    return steps, allowance(trial, case, p, "none", "gradient")


def _shares(trial: Trial, case: Case, plain: Case) -> list[tuple[float, float]] | None:
    """Share of a weight that the base takes away at each step, and the error of that number.

    None where what it takes away is no share of the weight: there the decay is in the gradient.
    """
    p = max(case.parameters, key=lambda p: (len(p.shape) >= 2, float(np.abs(p.value).max())))
    with_decay = [p.value.astype(float), *_base(trial, case, p)]
    without = [p.value.astype(float), *_base(trial, plain, p)]
    unit = trial.profile(case.dtype).unit_roundoff
    off = [
        a + b
        for a, b in zip(
            roundings(p.value, with_decay[1:], unit),
            roundings(p.value, without[1:], unit),
            strict=True,
        )
    ]
    shares = []
    for number, allowed in enumerate(off, 1):
        before = with_decay[number - 1]
        at = int(np.argmax(np.abs(before)))
        largest = float(before.flat[at])
        if not largest:
            return None
        taken = (without[number] - without[number - 1]) - (with_decay[number] - before)
        share, error = float(taken.flat[at]) / largest, 2 * float(allowed.flat[at]) / abs(largest)
        if np.any(np.abs(taken - share * before) > 2 * allowed + error * np.abs(before)):
            return None
        shares.append((share, error))
    return shares


def _base(trial: Trial, case: Case, p: Parameter) -> Sequence[Array]:
    return base_steps(trial, case, p, "none", "gradient")


def _lessened(
    trial: Trial,
    case: Case,
    p: Parameter,
    undecayed: Wanted,
    shares: list[tuple[float, float]],
    inputs: tuple[int, ...],
) -> Wanted:
    """Take away its share of the port's own weights before each step, centralized over inputs."""
    got = [p.value.astype(np.float64), *(np.asarray(w, np.float64) for w in trial.steps(case, p))]
    unit = trial.profile(case.dtype).unit_roundoff
    less, off = np.zeros(p.shape), np.zeros(p.shape)
    want, allowed = [], []
    for before, (share, error), weight, tau in zip(got[:-1], shares, *undecayed, strict=True):
        with np.errstate(invalid="ignore"):  # a port may yield inf
            part = before - before.mean(axis=inputs, keepdims=True) if inputs else before
        less = less + share * part
        size = np.abs(before) + (np.abs(before).mean(axis=inputs, keepdims=True) if inputs else 0.0)
        off = off + (error + 8 * unit) * size
        want.append(weight - less)
        allowed.append(tau + off)
    return want, allowed
