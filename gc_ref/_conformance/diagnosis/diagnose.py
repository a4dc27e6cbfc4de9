"""Turn a verdict into a diagnosis: which semantics the port has.

The space of conventions and known deviations is searched for what reproduces the port's
behavior; what shows only under weight decay, with the switch of GC off or in a NaN is read off
the checks that are there for it. Where nothing explains a port, the diagnosis says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from gc_ref._conformance.catalogue.centering import RULES
from gc_ref._conformance.catalogue.conditions import VALUE_GATES
from gc_ref._conformance.catalogue.deviations import DEVIATIONS
from gc_ref._conformance.catalogue.semantics import Semantics
from gc_ref._conformance.diagnosis.base_moment import centralizes_moment
from gc_ref._conformance.diagnosis.base_search import explanations_by_base
from gc_ref._conformance.diagnosis.semantics_search import SemanticsSearch
from gc_ref._conformance.diagnosis.step_patterns import decay_factors, left_as_it_was
from gc_ref._conformance.findings.check_report import CheckReport
from gc_ref._conformance.judging.inference import infer_algorithm
from gc_ref._conformance.judging.judge import Judge
from gc_ref._conformance.ports.conventions import CONVENTIONS
from gc_ref._conformance.ports.port import PortError, SkippedError

__all__ = ["Diagnosis", "diagnose"]

NOT_REPEATABLE = (
    "two runs of one case differ (hygiene/deterministic): look at that first, "
    "whatever else fails may follow from it"
)
UNKNOWN = "no known semantics reproduces this port"
UNKNOWN_SO = "no known semantics with what was declared reproduces this port"
ALGORITHMS = {"sgdm": "Algorithm 1 (SGDM)", "adam": "Algorithm 2 (Adam)"}
RIGHT = (
    f"{RULES['mean'].words}, as it should be, in Dense and convolution layers on integer gradients"
)
RIGHT_BASE = (
    "in Dense and convolution layers on integer gradients the base optimizer fed with Φ(g) moves "
    "as the port does"
)
#: What its base does itself to a gradient, a comparison with it does not show.
RAW_BASE = "it moves as its base optimizer does with the gradient as it is"
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
    by_checks: dict[str, str] = {}
    try:
        if not failed:
            return Diagnosis(words=_right(judge, {c.id: c.status for c in checks}))
        by_checks |= _shown_by_checks(judge, failed)
        if judge.specification.mode == "base":
            return _against_base(judge, failed, by_checks)
        return _against_paper(judge, failed, by_checks)
    except (PortError, SkippedError) as error:  # in a case of the search's own
        shown = _known((), by_checks, judge.layout)
        return replace(shown, words=(*shown.words, str(error)))


def _right(judge: Judge, status: Mapping[str, str]) -> tuple[str, ...]:
    """Say what a port does that conforms: no more than was checked."""
    values = judge.specification.conventions.values
    axis = "first" if judge.layout == "output-first" else "last"
    where = " of convolutions alone" if values.get("scope") == "conv-only" else ""
    unknown = judge.specification.mode == "unknown" and status.get("step/base-law") != "passed"
    said = (
        f"{'does not notice' if unknown else 'removes'} the mean over all inputs of each output "
        f"neuron{where}, the outputs on the {axis} axis"
    )
    if unknown:
        said += "; what else it makes of the gradient was not checked: name its --base"
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
    if "hygiene/checkpoint" in failed and _starts_anew(judge):
        found["state-lost"] = (
            "restored after step 1, it goes on as a new optimizer would: its state is lost"
        )
    return found


def _starts_anew(judge: Judge) -> bool:
    """Whether a port that is restored after its first step goes on as one without state would."""
    case = judge.small
    try:
        restored = judge.run(case.with_drive("checkpoint")).steps
    except PortError:  # it does not go on at all
        return False
    parameters = tuple(replace(p, value=restored[0][p.name]) for p in case.parameters)
    rest = replace(case, id="restarted", parameters=parameters, gradients=case.gradients[1:])
    anew = judge.run(rest).steps
    return all(
        np.array_equal(a[k], b[k]) for a, b in zip(restored[1:], anew, strict=True) for k in a
    )


def _of_a_nan(search: SemanticsSearch, semantics: Semantics) -> dict[str, str]:
    """Say what a NaN in one output neuron does to the other neurons of its weight."""
    judge = search.judge
    case, masks, poisoned = judge.poisoned
    observed = search.observe(case)
    free = {k: ~masks[k] for k in poisoned if not masks[k].all()}
    if any(np.isnan(observed[k].steps[0].after[where]).any() for k, where in free.items()):
        return {"nan-leak": DEVIATIONS["nan-leak"].sentence}
    if free and all(left_as_it_was(observed[k], semantics, w) for k, w in free.items()):
        return {"value-gated": VALUE_GATES["finite"].words}
    return {}


def _against_base(
    judge: Judge, failed: Mapping[str, CheckReport], by_checks: Mapping[str, str]
) -> Diagnosis:
    search = SemanticsSearch(judge)
    explained = search.by_kind(explanations_by_base(judge)) or search.explanations()
    found = [s for s in explained if s.deviations]
    if not found and "step/base-law" in failed and centralizes_moment(judge):
        found = [Semantics(mistake="moment-centralized")]
    if found or by_checks:
        return _known(found, by_checks, judge.layout, raw=RAW_BASE)
    if explained and "step/base-law" not in failed:
        return Diagnosis(words=(f"{UNKNOWN}; {RIGHT_BASE}; it fails {', '.join(failed)}",))
    return Diagnosis(words=(UNKNOWN_BASE,))


def _against_paper(
    judge: Judge, failed: Mapping[str, CheckReport], by_checks: dict[str, str]
) -> Diagnosis:
    search = SemanticsSearch(judge)
    found = search.explanations()
    if len(found) == 1 and not found[0].deviations:
        found = search.long_schedules(found[0]) or found
    if not found and not judge.operator:
        found = search.with_shared_state()
    if not found and not by_checks:
        return _otherwise_declared(judge) or _unknown(search, judge.layout)
    if not found:
        return _known((), by_checks, judge.layout)
    crossing = any(RULES[s.centering].crosses or s.value_gate for s in found)
    if "scope/slices-isolated" in failed and not crossing:
        by_checks |= _of_a_nan(search, found[0])
    if decay := _distorted_decay(judge, search, found[0]):
        by_checks["decay-distorted"] = decay
    if not by_checks and not any(s.deviations for s in found):
        if other := _otherwise_declared(judge):
            return other
        return Diagnosis(words=(f"{UNKNOWN}; nearest: {RIGHT}; it fails {', '.join(failed)}",))
    return _known(found, by_checks, judge.layout)


def _otherwise_declared(judge: Judge) -> Diagnosis | None:
    """Say what is inferred of a port without its declarations, where it is something else."""
    port = judge.port
    layout = {f: v for f, v in port.conventions.items() if f == "layout"}
    if judge.operator or (port.conventions == layout and port.algorithm is None):
        return None
    free = Judge(
        replace(port, conventions=layout, algorithm=None),
        seed=judge.seed,
        suite=judge.suite,
        max_examples=0,
        known=judge.known,
    )
    # What can be said without a formula takes many runs, and is no other algorithm.
    inferred = infer_algorithm(free) if port.algorithm else free.specification
    if inferred is None:
        return None
    said = []
    if port.algorithm and inferred.mode in ALGORITHMS and inferred.mode != port.algorithm:
        said.append(
            f"it was held to {ALGORITHMS[port.algorithm]}; without that, "
            f"{ALGORITHMS[inferred.mode]} is inferred"
        )
    else:
        for name, value in port.conventions.items():
            other = inferred.conventions.values.get(name, value)
            if other != value and inferred.conventions.sources[name] == "inferred":
                said.append(
                    f"{name} = {value} was declared; without that, {name} = {other} is inferred: "
                    f"{CONVENTIONS[name].values[other]}"
                )
    return Diagnosis(words=(UNKNOWN_SO, *said)) if said else None


def _distorted_decay(judge: Judge, search: SemanticsSearch, semantics: Semantics) -> str:
    """Say how a decoupled weight decay is distorted, where that explains the decay case."""
    if judge.operator or "weight_decay" not in judge.port.takes:
        return ""
    observed = [o for o in search.observe(judge.decayed).values() if o.info.rank > 1]
    factors = decay_factors(observed, semantics)
    where = ""
    if factors is None and semantics.conventions.get("placement") == "update":
        factors = decay_factors(observed, semantics, inside=True)
        where = ", inside of Φ"
    if factors is None or all(abs(f - 1) < 1e-3 or abs(f) < 1e-3 for f in factors):
        return ""
    if semantics.algorithm == "adam":
        beta1 = observed[0].settings(semantics)["beta1"]
        corrected = [1 / (1 - beta1**t) for t in range(1, len(factors) + 1)]
        if np.allclose(factors, corrected, rtol=1e-3):
            return (
                "the weight decay is divided by Adam's first bias correction, 1 - beta1^t, as in "
                f"the authors' AdamW{where}"
            )
    times = ", ".join(f"{f:.4g}" for f in factors)
    return f"the weight decay is {times} times lr * weight_decay * w at the first steps{where}"


def _known(
    found: Sequence[Semantics],
    by_checks: Mapping[str, str],
    layout: str,
    raw: str = RULES["none"].words,
) -> Diagnosis:
    """Name the deviations of the semantics found, and those that checks show.

    With ``raw`` it says of a port what is known if it does no more than its optimizer.
    """
    said = [SEVERAL] if len(found) > 1 else []
    for semantics in found:
        if semantics.deviations or not by_checks:
            bare = semantics.deviations == ("not-applied",)
            words = raw if bare else "; ".join(semantics.words(layout))
            said.append(words + _seen(semantics))
    said += [f"{words} ({_named(i, _seen_so(i))})" for i, words in by_checks.items()]
    ids = dict.fromkeys([*(i for s in found for i in s.deviations), *by_checks])
    return Diagnosis(tuple(ids), tuple(said), ambiguous=len(found) > 1)


def _seen(semantics: Semantics) -> str:
    """Return the ids of what a port does, and where just that has been seen."""
    parts = []
    for id in semantics.deviations:
        seen = [f.seen for f in DEVIATIONS[id].forms if f.seen and f.semantics.within(semantics)]
        parts.append(_named(id, "; ".join(seen)))
    return f" ({'; '.join(parts)})" if parts else ""


def _seen_so(id: str) -> str:
    """Return where a deviation that a check shows has been seen, if its flaw is always one."""
    forms = DEVIATIONS[id].forms
    return DEVIATIONS[id].seen if len(forms) == 1 and forms[0].flaw else ""


def _named(id: str, seen: str) -> str:
    """Return an id, and where just that has been seen."""
    return f"`{id}`" + (f", as {seen}" if seen else "")


def _unknown(search: SemanticsSearch, layout: str) -> Diagnosis:
    """Say what comes nearest to a port that nothing explains, and what would tell more."""
    near, fixed = search.nearest(), _fixed_constants(search.judge)
    said = [UNKNOWN]
    if near is not None:
        semantics, off = near
        ids = ", ".join(f"`{i}`" for i in semantics.deviations)
        label = f" ({ids})" if ids else ""
        where = f"it differs at {_names(off)}" if off else _now_and_then(search, semantics)
        said.append(f"nearest: {'; '.join(semantics.words(layout))}{label}; {where}")
    return Diagnosis(words=(*said, *filter(None, [fixed])))


def _fixed_constants(judge: Judge) -> str:
    """Say which constants of Adam gc-ref cannot choose; nothing where it can choose all."""
    if judge.specification.mode != "adam":
        return ""
    lacking = [name for name in ("beta1", "beta2", "eps") if name not in judge.port.takes]
    if not lacking:
        return ""
    return (
        f"gc-ref cannot choose {', '.join(lacking)} of this port: where it can, the steps show how "
        "large Φ(g) is, and more mistakes can be told apart"
    )


def _names(names: Sequence[str]) -> str:
    return ", ".join(names[:6]) + (", ..." if len(names) > 6 else "")


def _now_and_then(search: SemanticsSearch, semantics: Semantics) -> str:
    """Say which weights are left alone at which steps, where every step is either or."""
    idle: dict[tuple[int, ...], list[str]] = {}
    for name, steps in search.patterns(semantics).items():
        at = tuple(t for t, seen in enumerate(steps, 1) if seen is False)
        if at:
            idle.setdefault(at, []).append(name)
    parts = [
        f"{_names(names)} at {'step' if len(at) == 1 else 'steps'} {', '.join(map(str, at))}"
        for at, names in idle.items()
    ]
    return f"but it leaves alone {'; '.join(parts)}" if parts else "no rule says of which weights"
