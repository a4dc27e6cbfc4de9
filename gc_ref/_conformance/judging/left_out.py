"""Parameters that an optimizer cannot be given, told by their number of dimensions."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace

from gc_ref._conformance.ports.case import Case
from gc_ref._conformance.ports.port import PortError, ShapeChangedError, SkippedError

#: Drives somebody through a case.
Run = Callable[[Case], object]


def without_ranks(case: Case, ranks: Collection[int]) -> Case:
    """Return the case without its parameters of these numbers of dimensions."""
    kept = tuple(p for p in case.parameters if len(p.shape) not in ranks)
    if len(kept) == len(case.parameters):
        return case
    gradients = tuple({p.name: g[p.name] for p in kept} for g in case.gradients)
    return replace(case, parameters=kept, gradients=gradients)


def refusal(case: Case, run: Run) -> str:
    """Say why a case cannot be run; empty where it can."""
    try:
        run(case)
    except (ShapeChangedError, SkippedError):  # a finding, and none
        return ""
    except PortError as error:
        return str(error)
    return ""


def refused_ranks(case: Case, run: Run) -> frozenset[int]:
    """Return numbers of dimensions without which a case that cannot be run can be.

    One, if leaving it out is enough; else all that cannot be run alone. None where no such
    choice helps, or where no weight would be left.
    """
    ranks = {len(p.shape) for p in case.parameters}
    alone = frozenset(r for r in ranks if not refusal(without_ranks(case, ranks - {r}), run))
    if max(alone, default=0) < 2:
        return frozenset()
    for refused in (*(frozenset({rank}) for rank in sorted(ranks)), frozenset(ranks) - alone):
        if not refusal(without_ranks(case, refused), run):
            return refused
    return frozenset()
