"""A report in words, for Markdown and HTML: made from its JSON alone.

Nothing here is escaped: that is for whoever writes it into a page.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gc_ref._conformance.catalogue.checks import CHECKS
from gc_ref._conformance.catalogue.deviations import DEVIATIONS, UNSEEN
from gc_ref._conformance.findings.check_report import CheckReport, smallest
from gc_ref._conformance.ports.conventions import CONVENTIONS

__all__ = [
    "ABOUT",
    "PAPER",
    "STATUS",
    "VERDICT",
    "beyond",
    "checks_run",
    "clean",
    "convention_meaning",
    "counted",
    "error_words",
    "failures",
    "finite",
    "headline",
    "identified",
    "judged",
    "listed",
    "must_hold",
    "rerun",
    "short",
    "smallest_counterexample",
    "summary",
    "with_status",
]

Report = Mapping[str, Any]
#: Symbol and words of each status: never color alone.
STATUS = {
    "error": ("‼", "error"),
    "failed": ("✗", "failed"),
    "unexpected-pass": ("!", "no longer fails"),
    "indeterminate": ("?", "undecided"),
    "expected-failure": ("≈", "failed as expected"),
    "passed": ("✓", "passed"),
    "not-applicable": ("–", "not checked"),
}
VERDICT = {"conforms": "✓", "deviates": "✗", "error": "‼"}
WRONG = ("error", "failed", "unexpected-pass", "indeterminate")
PAPER = "https://arxiv.org/abs/2004.01461"
ABOUT = (
    "Gradient Centralization (GC; Yong, Huang, Hua and Zhang, ECCV 2020) subtracts from the "
    "gradient of every output neuron its mean over that neuron's inputs (Eq. 1), in every weight "
    "of two or more dimensions. gc-ref drives an implementation through the real training loop of "
    "its framework and holds every number that comes out against exact rational arithmetic. The "
    "allowance of each number is a bound on the rounding error of a correct implementation: there "
    "is no tolerance that anyone chose."
)


@dataclass(frozen=True)
class Identified:
    """A known deviation of a port."""

    id: str
    sentence: str
    clause: str
    seen: str


def clean(text: object) -> str:
    """Replace what no page should hold: control characters, and those that reorder text."""
    return "".join(
        " " if c in "\n\t\r" else "\N{REPLACEMENT CHARACTER}" if _unfit(c) else c for c in str(text)
    )


def _unfit(char: str) -> bool:
    return unicodedata.category(char) in ("Cc", "Cs") or char in "\u202a\u202b\u202c\u202d\u202e" \
        "\u2066\u2067\u2068\u2069\u200e\u200f\ufffe\uffff"  # fmt: skip


def with_status(report: Report, *statuses: str) -> list[Mapping[str, Any]]:
    """Return the checks of these statuses, in the order of the statuses."""
    return [c for status in statuses for c in report["checks"] if c["status"] == status]


def failures(report: Report) -> list[Mapping[str, Any]]:
    """Return the checks that make a port deviate, or stop its judgment."""
    return with_status(report, *WRONG)


def checks_run(report: Report) -> int:
    """Count the checks that said something about the port."""
    return sum(c["status"] not in ("not-applicable", "error") for c in report["checks"])


def counted(count: int, one: str, many: str = "") -> str:
    """Return ``1 check`` or ``2 checks``."""
    return f"{count} {one if count == 1 else many or one + 's'}"


def must_hold(check: Mapping[str, Any]) -> str:
    """Say what a check holds a port to; of one in which the port broke down, that it is none."""
    if check["status"] == "error":
        return "the port could not be driven: no finding of this check, which was the first to try"
    sentence = CHECKS[check["id"]].sentence if check["id"] in CHECKS else ""
    return f"{check['clause']}: {sentence}" if sentence else str(check["clause"])


def error_words(ratio: float | str | None) -> str:
    """Say how large an error is beside its bound; nothing where there is none."""
    if ratio == "inf":
        return "an error where rounding allows none"
    return f"error {short(ratio, 3)} of its bound" if ratio else ""


def beyond(ratio: float | str | None) -> bool:
    """Whether an error in units of its bound is more than rounding explains."""
    return isinstance(ratio, str) or (ratio is not None and ratio > 1)


def headline(report: Report) -> str:
    """Return the verdict in plain words, one line."""
    name, ran = clean(report["port"]["name"]), checks_run(report)
    if report["verdict"] == "error":
        return f"{name} could not be judged to the end"
    if report["verdict"] == "deviates":
        stale = len(with_status(report, "unexpected-pass"))
        if stale == len(failures(report)):
            fails = counted(stale, "listed check does", "listed checks do")
            return f"{name} deviates from its known failures: {fails} not fail"
        known = identified(report)
        several = report["diagnosis"] and report["diagnosis"][0].endswith(":")
        if known and not several:  # which of several it is nobody knows
            return f"{name} deviates: {known[0].sentence or known[0].id}"
        return f"{name} deviates: {len(failures(report))} of {counted(ran, 'check')} failed"
    if not ran:
        return f"{name}: nothing was checked"
    expected = len(with_status(report, "expected-failure"))
    if expected:
        return f"{name} conforms but for {counted(expected, 'known failure')} ({ran} checks ran)"
    return f"{name} conforms: {'it passes ' + counted(ran, 'check')}"


def summary(report: Report) -> str:
    """Return how many checks ran and what came out, one sentence."""
    parts = []
    for status, (_, label) in STATUS.items():
        if count := len(with_status(report, status)):
            parts.append(f"{count} {label}")
    words = ", ".join(parts) or "no checks"
    if not report["recognized"] and report["verdict"] == "conforms":
        words += "; GC only was judged, as its optimizer is not recognized"
    return words


def identified(report: Report) -> list[Identified]:
    """Return the known deviations of a port, with what the catalogue says of them."""
    found = []
    for id in report["identified"]:
        known = DEVIATIONS.get(id)
        if known is None:  # from a newer catalogue
            found.append(Identified(clean(id), "", "", ""))
        else:
            found.append(Identified(id, known.sentence, known.clause, known.seen or UNSEEN))
    return found


def judged(report: Report) -> str:
    """Return what was run on what, one line."""
    port = report["port"]
    target = f" {clean(port['target'])}" if port["target"] else ""
    versions = report["environment"]
    rest = [
        f"{clean(k)} {clean(v)}" for k, v in versions.items() if k not in ("gc_ref", "arithmetic")
    ]
    return (
        f"gc-ref {clean(versions['gc_ref'])}, {port['kind']} port{target}, "
        f"suite {report['suite']}, seed {report['seed']}; {', '.join(rest)}"
    )


def rerun(report: Report) -> str:
    """Return the command that gives the same report again; nothing where no check ran."""
    return str(report["checks"][0]["rerun"]) if report["checks"] else ""


def convention_meaning(field: str, value: str) -> str:
    """Return what a convention's value means; nothing for one that is not known here."""
    known = CONVENTIONS.get(field)
    return known.values.get(value, "") if known else ""


def smallest_counterexample(
    report: Report,
) -> tuple[Mapping[str, Any], Mapping[str, Any], Mapping[str, Any]] | None:
    """Return the check with the smallest counterexample, that one, and its whole neuron."""
    found = smallest([CheckReport.from_json(c) for c in report["checks"]])
    if found is None:
        return None
    [check] = [c for c in report["checks"] if c["id"] == found.id]
    neuron = report["evidence"]["counterexample"]
    if neuron.get("check") == check["id"]:
        return check, neuron["shown"], neuron
    nothing = {"algorithm": "", "hyperparameters": {}, "expected": [], "got": []}
    return check, check["counterexample"], nothing


def short(value: float | str | None, digits: int = 6) -> str:
    """Return a number as a reader wants it."""
    if value is None:
        return ""
    return value if isinstance(value, str) else f"{value + 0.0:.{digits}g}"  # never -0


def listed(values: Sequence[float | str], most: int = 12) -> str:
    """Return numbers with commas, not too many of them."""
    words = [short(v) for v in values[:most]]
    return ", ".join(words) + (", ..." if len(values) > most else "")


def finite(*values: object) -> bool:
    """Whether all of these are numbers, not names of what is none."""
    return all(isinstance(v, int | float) and math.isfinite(v) for v in values)
