"""Find out whether weights of one shape share their optimizer state."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from gc_ref._conformance.catalogue.semantics import Semantics
from gc_ref._conformance.diagnosis import cases as own_cases
from gc_ref._conformance.diagnosis.decode import ROUNDINGS, Reading
from gc_ref._conformance.diagnosis.explanation import Explanation
from gc_ref._conformance.ports.case import Case
from gc_ref._conformance.wrong_ports.numpy import trainer

if TYPE_CHECKING:
    from gc_ref._conformance.diagnosis.search import Search

__all__ = ["shared_state"]


def shared_state(search: Search) -> list[Explanation]:
    """Return the explanations by which weights of one shape share their state."""
    case = own_cases.telling_case(search.layout, seed=search.judge.seed, eps=search.eps)
    found = []
    for reading in search.readings():
        if reading.mistake or reading.algorithm == "operator":
            continue
        what = search.semantics(replace(reading, mistake="state-aliased"), "mean", 0.0, "none")
        if _shares(search, what, reading, case):
            found.append(Explanation(what, reading))
    return found[:1]


def _shares(search: Search, what: Semantics, reading: Reading, case: Case) -> bool:
    tracks = search.tracks(case)
    order = list(tracks)  # in which the optimizer has them
    ordered = sorted(case.parameters, key=lambda p: order.index(p.name))
    wide = replace(
        case,
        parameters=tuple(replace(p, value=p.value.astype(np.float64)) for p in ordered),
        gradients=tuple({k: v.astype(np.float64) for k, v in g.items()} for g in case.gradients),
        hyperparameters=search.hyper(case, reading),
    )
    steps = trainer(what, search.layout, 53)(wide)
    reach = 2.0**-24 * ROUNDINGS * len(steps) * 8192
    return all(
        np.all(np.abs(s[name] - v) <= reach * wide.hyperparameters["lr"])
        for name, track in tracks.items()
        for s, v in zip(steps, track.values, strict=True)
    )
