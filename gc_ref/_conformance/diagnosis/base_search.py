"""Find the centering of its gradients that makes a base optimizer move as the port does."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from gc_ref._conformance.cases.layers import UNAMBIGUOUS
from gc_ref._conformance.catalogue.centering import RULES, Memory
from gc_ref._conformance.catalogue.conditions import BY_SHAPE, separating
from gc_ref._conformance.catalogue.execution import model_mean, model_norm
from gc_ref._conformance.catalogue.parameters import OUTPUT_AXIS, ParameterInfo, parameter_infos
from gc_ref._conformance.catalogue.semantics import Semantics
from gc_ref._conformance.judging.judge import Judge
from gc_ref._conformance.judging.response import paths, roundings
from gc_ref._conformance.ports.case import Array, Case, Parameter, Trajectory

__all__ = ["explanations_by_base"]

Steps = Sequence[Mapping[str, Array]]

#: Room for the rounding of Φ to act on the base's state, as a share of the weights and of the way
#: that they went, whichever is less; semantics are further apart.
ROOM, ROOM_ON_THE_WAY = 2.0**-13, 2.0**-6
RAW = Semantics(centering="none")
#: What is tried of a port that changes the gradients of vectors.
CHANGING_VECTORS = (
    Semantics(centering="mean", vectors="mean"),
    Semantics(centering="whole", vectors="mean"),
    Semantics(centering="mean", vectors="erase"),
    Semantics(centering="mean", vectors="erase-vectors"),
    Semantics(centering="whole", vectors="erase"),
    Semantics(centering="model", vectors="mean"),
)

#: What is clipped, and to what, before it is centralized.
CLIPPING = tuple(
    Semantics(centering=rule.name, amount=amount)
    for rule in RULES.values()
    if rule.deviation == "clipped-first"
    for amount in rule.amounts
)


def explanations_by_base(judge: Judge) -> list[Semantics]:
    """Return the semantics under which the base, fed with their Φ(g), moves as the port does.

    They are without the conventions of the optimizer, which are those of the base.
    """
    case = _plain_layers(judge.integers)
    got = judge.run(case)
    unit = judge.profile(case.dtype).unit_roundoff

    def by_base(semantics: Semantics) -> Trajectory:
        return judge.run(_fed(case, semantics, judge.layout, got), port=judge.port.base)

    def same(one: Trajectory, other: Trajectory, names: set[str]) -> set[str]:
        """Names of the parameters that two runs move alike."""
        return {
            p.name
            for p in case.parameters
            if p.name in names and _alike(p, one.steps, other.steps, unit)
        }

    def alike(semantics: Semantics, names: set[str]) -> set[str]:
        """Names of the parameters that the base, fed by a semantics, moves as the port does."""
        return same(got, by_base(semantics), names)

    infos = _infos(case, judge.layout)
    weights = {k for k, p in infos.items() if p.rank > 1 and p.fan_in > 1}
    # A weight whose steps are lost in its rounding tells no Φ from none.
    weights -= same(by_base(RAW), by_base(Semantics()), weights)
    if not weights:
        return []
    untouched = alike(RAW, set(infos))
    if any(k not in untouched for k, p in infos.items() if p.rank < 2):
        found = (
            s
            for s in (*CHANGING_VECTORS, *(CLIPPING if judge.port.per_run_cost == "cheap" else ()))
            # Where vectors lose their mean, a scalar is erased with them or not.
            if (names := {k for k, p in infos.items() if p.shape or s.vectors != "mean"})
            and alike(s, names) == names
        )
        return list(itertools.islice(found, 1))  # each is one more run of the base
    if weights <= untouched:
        return [RAW]
    for rule in RULES.values():
        if rule.fit or rule.amounts != (0.0,):
            continue
        if judge.port.per_run_cost != "cheap" and not rule.published:
            continue
        acting = alike(Semantics(centering=rule.name), weights)
        idle = weights - acting
        if not acting or not idle <= untouched:
            continue
        if not idle:
            return [Semantics(centering=rule.name)]
        gates = separating(BY_SHAPE, [infos[k] for k in acting], [infos[k] for k in idle])
        return [Semantics(centering=rule.name, gate=gate, gate_number=k) for gate, k in gates]
    if judge.port.per_run_cost == "cheap":  # a base that clips too shows it in weights alone
        return list(itertools.islice((s for s in CLIPPING if alike(s, weights) == weights), 1))
    return []


def _infos(case: Case, layout: str) -> dict[str, ParameterInfo]:
    return parameter_infos({p.name: p.shape for p in case.parameters}, OUTPUT_AXIS[layout], bits=53)


def _plain_layers(case: Case) -> Case:
    """Return a case without the layers whose output axes are a matter of choice."""
    kept = tuple(p for p in case.parameters if p.layer_kind in UNAMBIGUOUS)
    gradients = tuple({p.name: g[p.name] for p in kept} for g in case.gradients)
    return replace(case, id="plain-layers", parameters=kept, gradients=gradients)


def _fed(case: Case, semantics: Semantics, layout: str, got: Trajectory) -> Case:
    """Return the case with what a semantics makes of them in place of the gradients.

    What the port got is where its weights were at each step.
    """
    infos = _infos(case, layout)
    before = {p.name: np.zeros(p.shape) for p in case.parameters}
    gradients = []
    start = {p.name: p.value for p in case.parameters}
    for step, weights in zip(case.gradients, (start, *got.steps), strict=False):
        total, norm = float(model_mean(step)), float(model_norm(step))
        wide = {k: g.astype(np.float64) for k, g in step.items()}
        fed = {}
        for k, g in wide.items():
            memory = Memory(before[k], total, norm, np.asarray(weights[k], dtype=np.float64))
            phi = semantics.phi(np, g, infos[k], 1, memory)
            fed[k] = np.asarray(phi, dtype=step[k].dtype)
        gradients.append(fed)
        before = wide
    id = f"fed-{semantics.centering}-{semantics.amount:g}-{semantics.vectors}"
    return replace(case, id=id, gradients=tuple(gradients))


def _alike(p: Parameter, left: Steps, right: Steps, unit: float) -> bool:
    """Whether two runs move a parameter alike, but for rounding."""
    steps = [np.asarray(step[p.name], dtype=np.float64) for step in right]
    own, ways = roundings(p.value, steps, unit), paths(p.value, steps)
    for a, want, tau, way in zip(left, steps, own, ways, strict=True):
        room = ROOM * (np.abs(want) + np.abs(want).max(initial=0.0))
        allowed = np.minimum(room, ROOM_ON_THE_WAY * way.max(initial=0.0)) + tau
        if not np.all(np.abs(np.asarray(a[p.name], dtype=np.float64) - want) <= allowed):
            return False
    return True
