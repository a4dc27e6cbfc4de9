"""Find out whether weights of one shape share their optimizer state."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from gc_ref._conformance.catalogue.execution import trainer
from gc_ref._conformance.catalogue.semantics import Semantics
from gc_ref._conformance.diagnosis.semantics_search import SemanticsSearch
from gc_ref._conformance.diagnosis.step_patterns import ROUNDINGS

__all__ = ["shared_state"]


def shared_state(search: SemanticsSearch) -> list[Semantics]:
    """Return the first semantics with shared state that explains every parameter, if one does."""
    for optimizer in search.optimizers():
        what = replace(optimizer, mistake="state-aliased")
        if not optimizer.mistake and optimizer.algorithm != "operator" and _shares(search, what):
            return [what]
    return []


def _shares(search: SemanticsSearch, what: Semantics) -> bool:
    case = search.cases.telling
    observed = search.observe(case)
    named = {p.name: p for p in case.parameters}
    wide = replace(
        case,
        parameters=tuple(
            replace(named[k], value=named[k].value.astype(np.float64)) for k in observed
        ),
        gradients=tuple({k: v.astype(np.float64) for k, v in g.items()} for g in case.gradients),
        hyperparameters=search.judge.hyperparameters(case, what.built_in),
    )
    steps = trainer(what, search.judge.layout, 53)(wide)
    reach = 2.0**-24 * ROUNDINGS * len(steps) * 8192 * wide.hyperparameters["lr"]
    return all(
        np.all(np.abs(values[name] - seen.after) <= reach)
        for name, one in observed.items()
        for values, seen in zip(steps, one.steps, strict=True)
    )
