"""Find the centering of its gradients that makes a base optimizer move as the port does."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np

from gc_ref._conformance.cases.layers import UNAMBIGUOUS
from gc_ref._conformance.catalogue.centering import RULES, Memory
from gc_ref._conformance.catalogue.conditions import BY_SHAPE, separating
from gc_ref._conformance.catalogue.execution import model_mean
from gc_ref._conformance.catalogue.parameters import OUTPUT_AXIS, ParameterInfo, parameter_infos
from gc_ref._conformance.catalogue.semantics import Semantics
from gc_ref._conformance.judging.judge import Judge
from gc_ref._conformance.ports.case import Array, Case

__all__ = ["explanations_by_base"]

#: Room for the rounding of Φ to act on the base's state; semantics are further apart.
ROOM = 2.0**-13
#: What is tried of a port that changes the gradients of vectors.
CHANGING_VECTORS = (
    Semantics(centering="mean", vectors="mean"),
    Semantics(centering="whole", vectors="mean"),
    Semantics(centering="mean", vectors="erase"),
    Semantics(centering="mean", vectors="erase-vectors"),
    Semantics(centering="whole", vectors="erase"),
    Semantics(centering="model", vectors="mean"),
)


def explanations_by_base(judge: Judge) -> list[Semantics]:
    """Return the semantics under which the base, fed with their Φ(g), moves as the port does.

    They are without the conventions of the optimizer, which are those of the base.
    """
    case = _plain_layers(judge.integers)
    got = judge.run(case).steps

    def alike(semantics: Semantics, names: set[str]) -> set[str]:
        """Names of the parameters that the base, fed by a semantics, moves as the port does."""
        fed = judge.run(_fed(case, semantics, judge.layout), port=judge.port.base).steps
        return {k for k in names if _alike([s[k] for s in got], [s[k] for s in fed])}

    infos = _infos(case, judge.layout)
    weights = {k for k, p in infos.items() if p.rank > 1 and p.fan_in > 1}
    untouched = alike(Semantics(centering="none"), set(infos))
    if any(k not in untouched for k, p in infos.items() if p.rank < 2):
        found = (
            s
            for s in CHANGING_VECTORS
            # Where vectors lose their mean, a scalar is erased with them or not.
            if (names := {k for k, p in infos.items() if p.shape or s.vectors != "mean"})
            and alike(s, names) == names
        )
        return list(itertools.islice(found, 1))  # each is one more run of the base
    if weights <= untouched:
        return [Semantics(centering="none")]
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
    return []


def _infos(case: Case, layout: str) -> dict[str, ParameterInfo]:
    return parameter_infos({p.name: p.shape for p in case.parameters}, OUTPUT_AXIS[layout], bits=53)


def _plain_layers(case: Case) -> Case:
    """Return a case without the layers whose output axes are a matter of choice."""
    kept = tuple(p for p in case.parameters if p.layer_kind in UNAMBIGUOUS)
    gradients = tuple({p.name: g[p.name] for p in kept} for g in case.gradients)
    return replace(case, id="plain-layers", parameters=kept, gradients=gradients)


def _fed(case: Case, semantics: Semantics, layout: str) -> Case:
    """Return the case with what a semantics makes of them in place of the gradients."""
    infos = _infos(case, layout)
    before = {p.name: np.zeros(p.shape) for p in case.parameters}
    gradients = []
    for step in case.gradients:
        total = float(model_mean(step))
        wide = {k: g.astype(np.float64) for k, g in step.items()}
        fed = {}
        for k, g in wide.items():
            phi = semantics.phi(np, g, infos[k], 1, Memory(before[k], total))
            fed[k] = np.asarray(phi, dtype=step[k].dtype)
        gradients.append(fed)
        before = wide
    id = f"fed-{semantics.centering}-{semantics.vectors}"
    return replace(case, id=id, gradients=tuple(gradients))


def _alike(left: list[Array], right: list[Array]) -> bool:
    """Whether two trajectories agree but for rounding."""
    for a, b in zip(left, right, strict=True):
        want = np.asarray(b, dtype=np.float64)
        allowed = ROOM * (np.abs(want) + np.abs(want).max(initial=0.0))
        if not np.all(np.abs(np.asarray(a, dtype=np.float64) - want) <= allowed):
            return False
    return True
