"""Find the centering of its gradients that makes a base optimizer move as the port does."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from gc_ref._conformance.cases.layers import UNAMBIGUOUS
from gc_ref._conformance.catalogue.centers import CENTERS, Memory
from gc_ref._conformance.catalogue.semantics import Semantics
from gc_ref._conformance.diagnosis.decode import Reading
from gc_ref._conformance.diagnosis.explanation import Explanation
from gc_ref._conformance.diagnosis.gating import gates_for
from gc_ref._conformance.ports.case import Array, Case
from gc_ref._conformance.wrong_ports.numpy import model_mean, slots_of

if TYPE_CHECKING:
    from gc_ref._conformance.judging.judge import Judge

__all__ = ["explain_by_base"]

#: Where each run of the base compiles a model, only what has been seen in real ports.
SEEN = ("mean", "other-layout", "whole", "window", "channels")
#: Room for the rounding of Φ to act on the base's state; hypotheses are further apart.
ROOM = 2.0**-13


def explain_by_base(judge: Judge) -> list[Explanation]:
    """Return the centers under which the base, fed with their output, moves as the port.

    Parameters
    ----------
    judge : Judge
        Of a port that has a base.

    Returns
    -------
    list of Explanation
    """
    base = judge.port.base
    assert base is not None
    case = _plain_layers(judge.integers)
    got = judge.run(case).steps
    raw = judge.run(case, port=base).steps
    reading = Reading("base", {"layout": judge.layout})
    names = [n for n in CENTERS if not CENTERS[n].fitted and n not in ("none", "rank", "nan-leak")]
    if base.per_run_cost != "cheap":
        names = [n for n in names if n in SEEN]
    slots = slots_of(case.parameters, judge.layout)
    untouched = {k for k in slots if _alike([s[k] for s in got], [s[k] for s in raw])}
    weights = {k for k, s in slots.items() if s.rank > 1 and s.fan_in > 1}
    vectors = {k for k, s in slots.items() if s.rank < 2}
    if not vectors <= untouched:
        return _with_vectors(judge, case, reading)
    if weights <= untouched:
        return [Explanation(Semantics(center="none"), reading)]
    for name in names:
        fed = judge.run(_fed(case, Semantics(center=name), judge.layout), port=base).steps
        acting = {k for k in weights if _alike([s[k] for s in got], [s[k] for s in fed])}
        if not acting or not weights <= acting | untouched:
            continue
        idle = weights - acting
        if not idle:
            return [Explanation(Semantics(center=name), reading)]
        gates = gates_for([slots[k] for k in acting], [slots[k] for k in idle])
        return [
            Explanation(Semantics(center=name, gate=g, gate_number=n), reading) for g, n in gates
        ]
    return []


def _plain_layers(case: Case) -> Case:
    """Return a case without the layers whose output axes are a matter of choice."""
    kept = tuple(p for p in case.parameters if p.layer_kind in UNAMBIGUOUS)
    names = {p.name for p in kept}
    gradients = tuple({k: v for k, v in g.items() if k in names} for g in case.gradients)
    return replace(case, id="plain-layers", parameters=kept, gradients=gradients)


def _with_vectors(judge: Judge, case: Case, reading: Reading) -> list[Explanation]:
    """Explain a port that changes vectors: all of its parameters, by one semantics."""
    got = judge.run(case).steps
    tried = [Semantics(center=c, vectors=v) for v in ("mean", "erase") for c in ("mean", "whole")]
    for what in (*tried, Semantics(center="model", vectors="mean")):
        fed = judge.run(_fed(case, what, judge.layout), port=judge.port.base).steps
        names = [p.name for p in case.parameters if p.shape]  # a scalar is erased with them or not
        if all(_alike([s[k] for s in got], [s[k] for s in fed]) for k in names):
            return [Explanation(what, reading)]
    return []


def _fed(case: Case, what: Semantics, layout: str) -> Case:
    """Return the case with what a semantics makes of them in place of the gradients."""
    slots = slots_of(case.parameters, layout)
    before = {p.name: np.zeros(p.shape) for p in case.parameters}
    gradients = []
    for step in case.gradients:
        total = float(model_mean(step))
        fed = {}
        for k, g in step.items():
            wide = g.astype(np.float64)
            slot = replace(slots[k], bits=53)
            fed[k] = np.asarray(
                what.phi(np, wide, slot, 1, Memory(before[k], total)), dtype=g.dtype
            )
            before[k] = wide
        gradients.append(fed)
    return replace(case, id=f"fed-{what.center}-{what.vectors}", gradients=tuple(gradients))


def _alike(left: list[Array], right: list[Array]) -> bool:
    """Whether two trajectories agree but for rounding."""
    for a, b in zip(left, right, strict=True):
        want = np.asarray(b, dtype=np.float64)
        allowed = ROOM * (np.abs(want) + np.abs(want).max(initial=0.0))
        if not np.all(np.abs(np.asarray(a, dtype=np.float64) - want) <= allowed):
            return False
    return True
