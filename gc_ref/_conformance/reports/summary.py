"""A report in a few words, for Markdown, HTML, tables of many ports and the badge.

Nothing here is escaped: whatever writes a page does that.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence

from gc_ref._conformance.catalogue.deviations import DEVIATIONS
from gc_ref._conformance.findings.check_report import CheckReport
from gc_ref._conformance.ports.conventions import CONVENTIONS
from gc_ref._conformance.reports.model import ReportData
from gc_ref._conformance.writing.words import clean, counted, finite, short

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
#: Said beside the verdict of a port that conforms to another placement of Φ than the paper's.
ON_UPDATE = "with Φ on the update (the paper: on the gradient)"
#: Ids between backticks, as our own sentences have them.
IDS = re.compile(r"`([a-z0-9./-]+)`")


def headline(report: ReportData) -> str:
    """Return the verdict in plain words, one line."""
    name, ran = clean(report.port["name"]), report.checks_run
    failures, deviations = report.failures, named_deviations(report)
    if report.verdict == "error":
        return f"{name} could not be judged to the end"
    if report.verdict == "deviates":
        if all(c.status == "unexpected-pass" for c in failures):
            fails = counted(len(failures), "listed check does", "listed checks do")
            return f"{name} deviates from its known failures: {fails} not fail"
        if deviations and not report.ambiguous:
            id, sentence, *_ = deviations[0]
            # What this port does; the sentence of a deviation is about all of its forms.
            return f"{name} deviates: {in_words(report) if report.diagnosis else sentence or id}"
        return f"{name} deviates: {len(failures)} of {counted(ran, 'check')} failed"
    if not ran:
        return f"{name}: nothing was checked"
    known = len(report.with_status("expected-failure"))
    but = f" but for {counted(known, 'known failure')}" if known else ""
    if narrowed := narrowing(report):
        return f"{name} conforms{but} {narrowed}{elsewhere(report)} ({counted(ran, 'check')} ran)"
    if known:
        return f"{name} conforms{but}{elsewhere(report)} ({ran} checks ran)"
    return f"{name} conforms{variant(report)}: it passes {counted(ran, 'check')}"


def variant(report: ReportData) -> str:
    """Return in which way a port conforms that is not the paper's, as " as GCC"; or nothing."""
    conv_only = report.conventions.get("scope", {}).get("value") == "conv-only"
    gcc = " as GCC" if conv_only and report.verdict == "conforms" else ""
    return gcc + elsewhere(report)


def elsewhere(report: ReportData) -> str:
    """Say of a port that conforms that its Φ is not where the paper has it; or nothing."""
    sgdm = any(c.id == "step/sgdm" and c.status != "not-applicable" for c in report.checks)
    placed = report.verdict == "conforms" and on_update(report.conventions, sgdm=sgdm)
    return f" {ON_UPDATE}" if placed else ""


def on_update(conventions: Mapping[str, Mapping[str, str]], *, sgdm: bool) -> bool:
    """Whether Φ acts on the update, where that is another algorithm: SGDM is linear."""
    value = conventions.get("placement", {}).get("value")
    return value in ("update", "decayed-update") and not sgdm


def narrowing(report: ReportData) -> str:
    """Say what a port that conforms leaves alone by a choice that nobody declared; or nothing."""
    return narrowed(report.conventions, report.scope) if report.verdict == "conforms" else ""


def narrowed(conventions: Mapping[str, Mapping[str, str]], scope: Mapping[str, int]) -> str:
    """Say which weights inferred conventions leave alone, and how many; or nothing."""
    inferred = {
        f: entry["value"] for f, entry in conventions.items() if entry["source"] != "declared"
    }
    if inferred.get("scope") == "conv-only":
        words = "as GCC: convolutions only"
    elif inferred.get("fan_in_one") == "keep":
        words = "but for weights with one input"
    else:
        return ""
    if not scope:  # an older report does not say how many
        return words
    left_alone, weights = scope["left_alone"], counted(scope["weights"], "weight")
    return (
        f"{words}; {left_alone} of {weights} {'is' if left_alone == 1 else 'are'} not centralized"
    )


def _judged_scope(report: ReportData) -> str:
    """Say how many weights the port is held to centralize; nothing where that is not known."""
    if not report.scope:
        return ""
    weights, alone = report.scope["weights"], report.scope["left_alone"]
    what = counted(weights, "weight") + " of two or more dimensions"
    return (f"{weights - alone} of {what}" if alone else f"all {what}") + " are to be centralized"


def _chosen(report: ReportData) -> str:
    """Return the conventions that the port was held to, by where they are known from."""
    found = []
    for source in ("declared", "inferred"):
        fields = [
            f"{k} = {e['value']}" for k, e in report.conventions.items() if e["source"] == source
        ]
        if fields:
            found.append(f"{', '.join(fields)} ({source})")
    return "; ".join(found)


def scope(report: ReportData) -> str:
    """Return how many weights a verdict is about, and the conventions that it rests on."""
    return "; ".join(filter(None, (_judged_scope(report), _chosen(report))))


def not_checked(report: ReportData) -> str:
    """Return the checks that say nothing of the port, each reason once; or nothing."""
    groups = by_reason(report.with_status("not-applicable")).items()
    return "; ".join(f"{', '.join(ids)} ({reason})" for reason, ids in groups)


def framework(report: ReportData) -> str:
    """Return what a port is written for, and its version."""
    kind, versions = report.port["kind"] or "", report.environment
    names = (kind, "torch", "jax", "numpy") if kind != "exec" else ()
    found = next((name for name in names if name in versions), "")
    return f"{found} {versions[found]}" if found else "a program"


def in_words(report: ReportData) -> str:
    """Say in a sentence what is wrong with a port; of one that conforms, nothing."""
    if report.verdict == "error":
        return next((c.message for c in report.with_status("error")), "not judged to the end")
    if report.verdict == "conforms":
        return ""
    if not report.diagnosis:
        return report.failures[0].message
    return _without_sightings(report.diagnosis[0])


def _without_sightings(sentence: str) -> str:
    """Return what a port does without the ids of it, in parentheses at the end, and who has it."""
    return code_or_text(sentence)[0][1].removesuffix(" (")


def by_reason(checks: Sequence[CheckReport]) -> dict[str, list[str]]:
    """Return the ids of checks by what was found: the reason why they say nothing."""
    found: dict[str, list[str]] = {}
    for check in checks:
        found.setdefault(check.message, []).append(check.id)
    return found


def in_a_line(check: CheckReport, report: ReportData | None = None) -> str:
    """Say what a finding shows: what the port does, if that is known, and one number."""
    said, shown = check.message, check.counterexample
    if report is not None and report.identified and not report.ambiguous:
        said = _without_sightings(report.diagnosis[0])
        if shown is None:
            return f"{said}: {check.message}"
    if shown is None:
        return said
    expected, got = told_apart(shown.worst.expected, shown.worst.got)
    return f"{said}: expected {expected}, got {got}"


def told_apart(one: float, other: float) -> tuple[str, str]:
    """Write two numbers: exactly where six digits do, else rounded as far as tells them apart."""
    for digits in range(3, 18):
        texts = short(one, digits), short(other, digits)
        if texts[0] != texts[1]:
            break
    return _exact_or_about(one, texts[0]), _exact_or_about(other, texts[1])


def _exact_or_about(value: float, rounded: str) -> str:
    whole = short(value)
    if not finite(value) or float(whole) == value:
        return whole
    return rounded if float(rounded) == value else f"about {rounded}"


def counts(report: ReportData) -> str:
    """Return how many checks ran and what came out, one sentence."""
    found = {label: len(report.with_status(status)) for status, (_, label) in STATUS.items()}
    words = ", ".join(f"{count} {label}" for label, count in found.items() if count) or "no checks"
    if not report.recognized and report.verdict == "conforms":
        words += "; GC only was judged, as its optimizer is not recognized"
    return words


def render_badge(report: ReportData, *, least: int = 1) -> str:
    """Return the badge as an endpoint of shields.io has it: green only if ``least`` checks ran.

    It is yellow for known failures, and for weights left alone, or a Φ on the update, by a choice
    that nobody declared.
    """
    ran = report.checks_run
    known = len(report.with_status("expected-failure"))
    checks = counted(ran, "check")
    if report.verdict == "error":
        message, color = "could not be judged", "lightgrey"
    elif ran < max(least, 1):
        message, color = f"only {checks} ran", "lightgrey"
    elif report.verdict == "deviates":
        message, color = f"deviates ({len(report.failures)} of {checks})", "red"
    elif known:
        message = f"conforms{variant(report)} ({checks}, {counted(known, 'known failure')})"
        color = "yellow"
    else:
        message = f"conforms{variant(report)} ({checks})"
        declared = report.conventions.get("placement", {}).get("source") == "declared"
        undeclared = narrowing(report) or (elsewhere(report) and not declared)
        color = "yellow" if undeclared else "brightgreen"
    label = "gradient centralization"
    badge = {"schemaVersion": 1, "label": label, "message": message, "color": color}
    return json.dumps(badge, indent=2) + "\n"


def suite(report: ReportData) -> str:
    """Return what was run: the suite, its version, and how many of its vectors the port passed."""
    of_it = f" ({counted(report.vectors, 'vector')} passed)" if report.vectors else ""
    return f"suite {report.suite} {report.suite_version}{of_it}"


def provenance(report: ReportData) -> str:
    """Return what was run on what, one line."""
    port, environment = report.port, report.environment
    target = f" {clean(port['target'])}" if port["target"] else ""
    versions = ", ".join(
        f"{clean(k)} {clean(v)}"
        for k, v in environment.items()
        if k not in ("gc_ref", "arithmetic")
    )
    return (
        f"gc-ref {clean(environment['gc_ref'])}, {port['kind']} port{target}, "
        f"{suite(report)}, seed {report.seed}; {versions}"
    )


def diagnosis(report: ReportData) -> tuple[str, ...]:
    """Return the sentences that say what the port does; of one that conforms, the first alone."""
    if report.verdict == "error":
        return ()
    whole = report.verdict == "deviates" or report.ambiguous
    return report.diagnosis if whole else report.diagnosis[:1]


def named_deviations(report: ReportData) -> list[tuple[str, str, str, str]]:
    """Return id, sentence, clause and sightings of each known deviation of a port.

    Of a deviation that only a newer catalogue has, the id is all that is known.
    """
    known = [(clean(id), DEVIATIONS.get(id)) for id in report.identified]
    return [(id, d.sentence, d.clause, d.seen) if d else (id, "", "", "") for id, d in known]


def explain_command(report: ReportData) -> str:
    """Return the command that says more of what was identified; nothing where nothing was."""
    return "; ".join(f"gc-ref explain {id}" for id in report.identified if id in DEVIATIONS)


def convention_meaning(field: str, value: str) -> str:
    """Return what a convention's value means; nothing for one of a newer release."""
    known = CONVENTIONS.get(field)
    return known.values.get(value, "") if known else ""


def code_or_text(sentence: str) -> list[tuple[bool, str]]:
    """Split one of our own sentences at its backticks: whether a part is an id, and the part."""
    return [(bool(i % 2), part) for i, part in enumerate(IDS.split(sentence))]


def must_hold(check: CheckReport) -> str:
    """Say what a check holds a port to; of one in which the port broke down, that it is none."""
    if check.status == "error":
        return "the port could not be driven: no finding of this check, which was the first to try"
    return f"{check.clause}: {check.sentence}" if check.sentence else check.clause


def finding(check: CheckReport) -> str:
    """Return what a check found: its message and how large the error is."""
    return "; ".join(filter(None, (check.message, error_words(check.ratio))))


def error_words(ratio: float | None) -> str:
    """Say how large an error is beside its bound; nothing where there is none."""
    if ratio == math.inf:
        return "an error where rounding allows none"
    return f"error {short(ratio, 3)} times its bound" if ratio else ""


def beyond(ratio: float) -> bool:
    """Whether an error in units of its bound is more than rounding explains."""
    return not ratio <= 1
