"""Turn a verdict into a diagnosis: which semantics the port has.

The space of conventions and known deviations is searched for what reproduces the port's
behavior; what shows only under weight decay, with the switch of GC off or in a NaN is read off
the checks that are there for it. Where nothing explains a port, the diagnosis says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from gc_ref._conformance.catalogue.centering import RULES
from gc_ref._conformance.catalogue.deviations import DEVIATIONS
from gc_ref._conformance.catalogue.semantics import Semantics
from gc_ref._conformance.diagnosis.base_search import explanations_by_base
from gc_ref._conformance.diagnosis.semantics_search import SemanticsSearch
from gc_ref._conformance.diagnosis.step_patterns import decay_factors
from gc_ref._conformance.findings.check_report import CheckReport
from gc_ref._conformance.judging.judge import Judge
from gc_ref._conformance.ports.conventions import CONVENTIONS
from gc_ref._conformance.ports.port import PortError, SkippedError

__all__ = ["Diagnosis", "diagnose"]

NOT_REPEATABLE = (
    "two runs of one case differ (hygiene/deterministic): look at that first, "
    "whatever else fails may follow from it"
)
UNKNOWN = "no known semantics reproduces this port"
UNKNOWN_BASE = (
    "no known deviation explains it: for each, the base optimizer fed with the gradient that it "
    "would make moves otherwise than the port"
)
SEVERAL = "several known semantics do the same on every case tried:"


@dataclass(frozen=True)
class Diagnosis:
    """What a port was found to do."""

    #: Ids of known deviations, nearest first; empty where none is known to explain the port.
    identified: tuple[str, ...] = ()
    #: The same in sentences, or what is known instead.
    words: tuple[str, ...] = ()
    #: Several known semantics explain the port: `words` says so first, then each of them.
    ambiguous: bool = False


def diagnose(judge: Judge, checks: Sequence[CheckReport]) -> Diagnosis:
    """Say which semantics a judged port has, from its runs and what its checks found."""
    failed = {c.id: c for c in checks if c.status in ("failed", "indeterminate")}
    if any(c.status == "error" for c in checks) or "hygiene/shape" in failed:
        return Diagnosis()
    if "hygiene/deterministic" in failed:
        return Diagnosis(words=(NOT_REPEATABLE,))
    try:
        if not failed:
            return Diagnosis(words=_right(judge))
        by_checks = _shown_by_checks(judge, failed)
        if judge.specification.mode == "base":
            return _against_base(judge, by_checks)
        return _against_paper(judge, failed, by_checks)
    except (PortError, SkippedError) as error:  # in a case of the search's own
        return Diagnosis(words=(str(error),))


def _right(judge: Judge) -> tuple[str, ...]:
    """Say what a port does that conforms."""
    values = judge.specification.conventions.values
    axis = "first" if judge.layout == "output-first" else "last"
    where = " of convolutions alone" if values.get("scope") == "conv-only" else ""
    said = (
        f"removes the mean over all inputs of each output neuron{where}, "
        f"the outputs on the {axis} axis"
    )
    return (said, *(f"{f} = {v}: {CONVENTIONS[f].values[v]}" for f, v in values.items()))


def _shown_by_checks(judge: Judge, failed: Mapping[str, CheckReport]) -> dict[str, str]:
    """Say which deviations show in one check that is there for them, and in no other way."""
    found = {}
    off = judge.port.off
    if "effect/off" in failed and off is not None:
        case = judge.integers
        on, without = judge.run(case).steps[-1], judge.run(case, port=off).steps[-1]
        if all(np.array_equal(on[k], without[k]) for k in on):
            found["flag-ignored"] = "its switch makes no difference"
    if "hygiene/state" in failed and not judge.operator:
        found["state-aliased"] = failed["hygiene/state"].message
    return found


def _against_base(judge: Judge, by_checks: Mapping[str, str]) -> Diagnosis:
    found = explanations_by_base(judge) or SemanticsSearch(judge).explanations()
    found = [s for s in found if s.deviations]
    if not found and not by_checks:
        return Diagnosis(words=(UNKNOWN_BASE,))
    return _known(found, by_checks, judge.layout)


def _against_paper(
    judge: Judge, failed: Mapping[str, CheckReport], by_checks: dict[str, str]
) -> Diagnosis:
    search = SemanticsSearch(judge)
    found = search.explanations()
    if len(found) == 1 and not found[0].deviations:
        found = search.long_schedules(found[0]) or found
    if not found and not judge.operator:
        found = search.with_shared_state()
    if not found:
        return _known((), by_checks, judge.layout) if by_checks else _unknown(search, judge.layout)
    crossing = any(RULES[s.centering].crosses for s in found)
    if "scope/slices-isolated" in failed and not crossing:
        by_checks["nan-leak"] = DEVIATIONS["nan-leak"].sentence
    if decay := _distorted_decay(judge, search, found[0]):
        by_checks["decay-distorted"] = decay
    if not by_checks and not any(s.deviations for s in found):
        right = f"{RULES['mean'].words}, as it should be, on integer gradients"
        return Diagnosis(words=(f"{UNKNOWN}; nearest: {right}; it differs in {', '.join(failed)}",))
    return _known(found, by_checks, judge.layout)


def _distorted_decay(judge: Judge, search: SemanticsSearch, semantics: Semantics) -> str:
    """Say how a decoupled weight decay is distorted, where that explains the decay case."""
    if judge.operator or "weight_decay" not in judge.port.takes:
        return ""
    observed = [o for o in search.observe(judge.decayed).values() if o.info.rank > 1]
    factors = decay_factors(observed, semantics)
    if factors is None or all(abs(f - 1) < 1e-3 or abs(f) < 1e-3 for f in factors):
        return ""
    if semantics.algorithm == "adam":
        beta1 = observed[0].settings(semantics)["beta1"]
        corrected = [1 / (1 - beta1**t) for t in range(1, len(factors) + 1)]
        if np.allclose(factors, corrected, rtol=1e-3):
            return "the weight decay is divided by Adam's first bias correction, 1 - beta1^t"
    times = ", ".join(f"{f:.4g}" for f in factors)
    return f"the weight decay is {times} times lr * weight_decay * w at the first steps"


def _known(found: Sequence[Semantics], by_checks: Mapping[str, str], layout: str) -> Diagnosis:
    """Name the deviations of the semantics found, and those that checks show."""
    said = [SEVERAL] if len(found) > 1 else []
    for semantics in found:
        if semantics.deviations or not by_checks:
            said.append("; ".join(semantics.words(layout)) + _seen(semantics.deviations))
    said += [words + _seen((i,)) for i, words in by_checks.items()]
    ids = dict.fromkeys([*(i for s in found for i in s.deviations), *by_checks])
    return Diagnosis(tuple(ids), tuple(said), ambiguous=len(found) > 1)


def _seen(ids: Sequence[str]) -> str:
    """Return the ids, and where each has been seen."""
    parts = [f"`{i}`" + (f", as {DEVIATIONS[i].seen}" if DEVIATIONS[i].seen else "") for i in ids]
    return f" ({'; '.join(parts)})" if parts else ""


def _unknown(search: SemanticsSearch, layout: str) -> Diagnosis:
    """Say what comes nearest to a port that nothing explains."""
    near = search.nearest()
    if near is None:
        return Diagnosis(words=(UNKNOWN,))
    semantics, off = near
    names = ", ".join(off[:6]) + (", ..." if len(off) > 6 else "")
    ids = ", ".join(f"`{i}`" for i in semantics.deviations)
    label = f" ({ids})" if ids else ""
    nearest = f"nearest: {'; '.join(semantics.words(layout))}{label}; it differs at {names}"
    return Diagnosis(words=(UNKNOWN, nearest))
