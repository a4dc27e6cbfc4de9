"""Turn a verdict into a diagnosis: which semantics the port has.

The space of conventions and known deviations is searched for what reproduces the port's
behavior (`_search`); what shows only under weight decay, with its switch off or in a NaN
is read off the checks that are there for it. What nothing explains is said to be so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gc_ref._conformance.catalogue.centers import CENTERS
from gc_ref._conformance.catalogue.deviations import DEVIATIONS
from gc_ref._conformance.diagnosis.by_base import explain_by_base
from gc_ref._conformance.diagnosis.decode import decay_factors
from gc_ref._conformance.diagnosis.explanation import Explanation
from gc_ref._conformance.diagnosis.search import Search
from gc_ref._conformance.diagnosis.shared_state import shared_state
from gc_ref._conformance.ports.conventions import CONVENTIONS
from gc_ref._conformance.ports.port import PortError, SkippedError

if TYPE_CHECKING:
    from gc_ref._conformance.findings.check_report import CheckReport
    from gc_ref._conformance.judging.judge import Judge

__all__ = ["Diagnosis", "diagnose"]

#: Centers under which an output neuron's answer depends on its own inputs alone.
OWN_INPUTS = ("mean", "none", "window", "channels", "partial", "offset", "scaled", "median",
              "first-input", "magnitude", "rms", "midrange", "fan-in-1", "fan-in+1", "sum",
              "divided-by-outputs", "divided-by-size", "divided-by-root", "bfloat16-mean",
              "float16-mean", "divided-by-neuron")  # fmt: skip


@dataclass(frozen=True)
class Diagnosis:
    """What a port was found to do.

    Attributes
    ----------
    identified : tuple of str
        Ids of known deviations, nearest first; empty where none is known to explain it.
    words : tuple of str
        The same in sentences, or what is known instead.
    ambiguous : bool
        Whether several known semantics do the same on every case tried.
    """

    identified: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    ambiguous: bool = False


def diagnose(judge: Judge, checks: Sequence[CheckReport]) -> Diagnosis:
    """Say which semantics a judged port has.

    Parameters
    ----------
    judge : Judge
        The judge of the port, which keeps its runs.
    checks : sequence of CheckReport
        What its checks found.

    Returns
    -------
    Diagnosis
    """
    failed = {c.id: c for c in checks if c.status in ("failed", "indeterminate")}
    if any(c.status == "error" for c in checks) or "hygiene/shape" in failed:
        return Diagnosis()
    if "hygiene/deterministic" in failed:
        return Diagnosis(words=(NOT_REPEATABLE,))
    try:
        return _search(judge, failed) if failed else Diagnosis(words=_right(judge))
    except (PortError, SkippedError) as error:  # in a case of the search's own
        return Diagnosis(words=(str(error),))


def _right(judge: Judge) -> tuple[str, ...]:
    """Say what a port does that conforms."""
    values = judge.specification.conventions.values
    axis = "first" if judge.layout == "output-first" else "last"
    said = f"removes the mean over all inputs of each output neuron, the outputs on the {axis} axis"
    return (said, *(f"{f} = {v}: {CONVENTIONS[f].values[v]}" for f, v in values.items()))


def _search(judge: Judge, failed: dict[str, CheckReport]) -> Diagnosis:
    by_checks = _from_checks(judge, failed)
    if judge.specification.mode == "base":
        found = explain_by_base(judge) or Search(judge).explanations()
        found = [e for e in found if e.deviations]
        if not found and not by_checks:
            return Diagnosis(words=(UNKNOWN_BASE,))
        ids = tuple(dict.fromkeys([*(i for e in found for i in e.deviations), *by_checks]))
        return Diagnosis(ids, _sentences(found, by_checks), ambiguous=len(found) > 1)
    search = Search(judge)
    found = search.explanations()
    if len(found) == 1 and not found[0].deviations:
        found = search.long_schedules(found[0]) or found
    if not found and not judge.operator:
        found = shared_state(search)
    if not found:
        return _unknown(judge, search, failed, by_checks)
    if "scope/slices-isolated" in failed and all(e.what.center in OWN_INPUTS for e in found):
        by_checks["nan-leak"] = DEVIATIONS["nan-leak"].sentence
    decay = "" if judge.operator else _decay(judge, search, found[0])
    if decay:
        by_checks["decay-distorted"] = decay
    ids = tuple(dict.fromkeys([*(i for e in found for i in e.deviations), *by_checks]))
    if not ids:
        return _right_but(failed, found[0])
    return Diagnosis(ids, _sentences(found, by_checks), ambiguous=len(found) > 1)


NOT_REPEATABLE = (
    "two runs of one case differ (hygiene/deterministic): look at that first, "
    "whatever else fails may follow from it"
)
UNKNOWN_BASE = (
    "the base optimizer fed with the gradient of no known deviation moves as the port does"
)


def _sentences(found: Sequence[Explanation], by_checks: dict[str, str]) -> tuple[str, ...]:
    said = []
    if len(found) > 1:
        said.append("several known semantics do the same on every case tried:")
    for e in found:
        if e.deviations or not by_checks:
            said.append("; ".join(e.words) + _seen(e.deviations))
    said += [words + _seen((i,)) for i, words in by_checks.items()]
    return tuple(said)


def _seen(ids: Sequence[str]) -> str:
    """Return the ids, and where each has been seen."""
    parts = [f"`{i}`" + (f", as {DEVIATIONS[i].seen}" if DEVIATIONS[i].seen else "") for i in ids]
    return f" ({'; '.join(parts)})" if parts else ""


def _from_checks(judge: Judge, failed: dict[str, CheckReport]) -> dict[str, str]:
    """Deviations that one check is there for, and shows as no other does."""
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


def _decay(judge: Judge, search: Search, found: Explanation) -> str:
    """Say how a decoupled weight decay is distorted, where that explains the decay case."""
    if "weight_decay" not in judge.port.takes:
        return ""
    case = judge.decayed
    tracks, hyper = search.tracks(case), search.hyper(case, found.reading)
    listed = [t for t in tracks.values() if t.slot.rank > 1]
    factors = decay_factors(listed, found.what, found.reading, hyper)
    if factors is None or all(abs(f - 1) < 1e-3 or abs(f) < 1e-3 for f in factors):
        return ""
    if found.reading.algorithm == "adam":
        corrected = [1 / (1 - hyper["beta1"] ** t) for t in range(1, len(factors) + 1)]
        if np.allclose(factors, corrected, rtol=1e-3):
            return "the weight decay is divided by Adam's first bias correction, 1 - beta1^t"
    times = ", ".join(f"{f:.4g}" for f in factors)
    return f"the weight decay is {times} times lr * weight_decay * w at the first steps"


def _unknown(
    judge: Judge, search: Search, failed: dict[str, CheckReport], by_checks: dict[str, str]
) -> Diagnosis:
    if by_checks:
        return Diagnosis(tuple(by_checks), _sentences((), by_checks))
    said = ["no known semantics reproduces this port"]
    near = search.nearest()
    if near is not None:
        explanation, off = near
        names = ", ".join(off[:6]) + (", ..." if len(off) > 6 else "")
        ids = ", ".join(f"`{i}`" for i in explanation.deviations)
        label = f" ({ids})" if ids else ""
        said.append(f"nearest: {'; '.join(explanation.words)}{label}; it differs at {names}")
    return Diagnosis(words=tuple(said))


def _right_but(failed: dict[str, CheckReport], found: Explanation) -> Diagnosis:
    """Say where a port fails that follows Eq. 1 on every case of the search."""
    where = ", ".join(failed)
    return Diagnosis(
        words=(
            f"no known semantics reproduces this port; nearest: {CENTERS['mean'].words}, as it "
            f"should be, on integer gradients; it differs in {where}",
        )
    )
