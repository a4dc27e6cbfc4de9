"""The text report: what matters first, and the rest where it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from gc_ref._conformance.findings.check_report import CheckReport
from gc_ref._conformance.reports.findings_text import diagnosed, finding, replayed
from gc_ref._conformance.reports.model import ReportData
from gc_ref._conformance.reports.summary import (
    convention_meaning,
    elsewhere,
    narrowing,
    not_checked,
    scope,
    suite,
    variant,
)
from gc_ref._conformance.writing.words import counted, wrapped

#: Parts of the environment that the line of versions leaves to other lines.
HIDDEN = ("platform", "gc_ref", "arithmetic")
#: Title of the failures that are not the first, by their status.
MORE = {"failed": "Also failed", "unexpected-pass": "Unexpected pass", "indeterminate": "Undecided"}


def render_text(report: ReportData, *, verbose: bool = False) -> str:
    """Render a report as plain text, without color or control characters."""
    return _joined(_lines(report, verbose=verbose))


def render_diagnosis(report: ReportData) -> str:
    """Render what a port does, in words: verdict, semantics, conventions, notes."""
    lines = [_verdict(report), _context(report)]
    wrong = report.with_status("error", "failed", "indeterminate", "expected-failure")
    if not wrong and report.diagnosis:
        lines += wrapped("It ", report.diagnosis[0])
    else:
        lines += diagnosed(report)
    for check in report.with_status("error"):
        lines += finding(check)
    lines += ["", *_conventions(report), *_notes(report)]
    return _joined(lines)


def _joined(lines: Iterable[str]) -> str:
    return "\n".join(line.rstrip() for line in lines).rstrip() + "\n"


def _lines(report: ReportData, *, verbose: bool) -> Iterator[str]:
    yield _verdict(report)
    yield from diagnosed(report)
    yield from _reach(report)
    yield ""
    yield from _failures(report, verbose=verbose)
    yield from _group("Failed as expected", report.with_status("expected-failure"), _known)
    yield from _passed(report, verbose=verbose)
    if verbose:
        yield from _conventions(report)
    yield from _notes(report)
    yield _context(report)
    if "arithmetic" in report.environment:
        yield from wrapped("Arithmetic granted: ", report.environment["arithmetic"])
    if report.rerun:
        yield f"Rerun: {report.rerun}"


def _reach(report: ReportData) -> Iterator[str]:
    """Say what the verdict is about, and what was not checked."""
    if words := scope(report):
        yield from wrapped("Scope: ", words)
    if skipped := not_checked(report):
        count = len(report.with_status("not-applicable"))
        yield from wrapped(f"Not checked ({count}): ", skipped)


def _failures(report: ReportData, *, verbose: bool) -> Iterator[str]:
    """Say of one failure all that is known, of the others what was found."""
    failures = report.failures
    first = report.with_status("error") or [report.smallest or c for c in failures[:1]]
    whole = [c for c in failures if verbose or c in first]
    for check in whole:
        yield from finding(check)
        if check is first[0] and check.replay:  # one is enough: the others are in the JSON report
            yield from replayed(check)
        yield ""
    for status, title in MORE.items():
        rest = [c for c in failures if c.status == status and c not in whole]
        yield from _group(title, rest, lambda c: c.message)


def _group(
    title: str, checks: Sequence[CheckReport], said: Callable[[CheckReport], str]
) -> Iterator[str]:
    """Yield what is said of the checks of one status."""
    if not checks:
        return
    yield f"{title} ({len(checks)}):"
    for check in checks:
        text = said(check)
        yield from wrapped(f"  {check.id}: ", text) if text else [f"  {check.id}"]
    yield ""


def _known(check: CheckReport) -> str:
    return check.message + (f"; known: {check.expectation}" if check.expectation else "")


def _passed(report: ReportData, *, verbose: bool) -> Iterator[str]:
    passed = report.with_status("passed")
    if verbose:
        yield from _group("Passed", passed, _seen)
    elif passed:
        yield from wrapped(f"Passed ({len(passed)}): ", ", ".join(c.id for c in passed))
        yield ""


def _seen(check: CheckReport) -> str:
    error = f"worst error {check.ratio:.2g} of its bound" if check.ratio else ""
    return "; ".join(filter(None, (error, check.message)))


def _conventions(report: ReportData) -> Iterator[str]:
    if report.conventions:
        yield "Conventions (choices of this port, never failures):"
        for field, entry in report.conventions.items():
            head = f"  {field} = {entry['value']} ({entry['source']}): "
            yield from wrapped(head, convention_meaning(field, entry["value"]))
        yield ""


def _notes(report: ReportData) -> Iterator[str]:
    if report.notes:
        yield "Noted:"
        for note in report.notes:
            yield from wrapped("  - ", note)
        yield ""


def _verdict(report: ReportData) -> str:
    name, ran = report.port["name"], report.checks_run
    failed = report.with_status("failed", "indeterminate")
    stale = _stale(report)
    if report.verdict == "error":
        return f"ERROR: {name} could not be judged to the end"
    if report.verdict == "deviates" and not failed:
        return f"DEVIATES from its known failures: {name}: {stale}"
    if report.verdict == "deviates":
        ids = ", ".join(c.id for c in failed[:4]) + (", ..." if len(failed) > 4 else "")
        words = f"DEVIATES: {name} fails {len(failed)} of {ran} checks ({ids})"
        return words + (f"; {stale}" if stale else "")
    known = len(report.with_status("expected-failure"))
    but = f" with {counted(known, 'expected failure')}" if known else ""
    passes = f"{name} passes {ran - known} of {ran} checks"
    if narrowed := narrowing(report):
        words = f"CONFORMS{but} {narrowed}{elsewhere(report)}. {passes}"
    else:
        words = f"CONFORMS{but}{variant(report)}: {passes}"
    if not report.recognized:
        words += "; GC only, its optimizer is not recognized: name --algorithm or --base"
    return words


def _stale(report: ReportData) -> str:
    """Say how many entries of the list of known failures are to be removed; or nothing."""
    stale = report.with_status("unexpected-pass")
    if not stale:
        return ""
    unmatched = sum(c.found == "not-applicable" for c in stale)
    parts = []
    if passing := len(stale) - unmatched:
        parts.append(counted(passing, "listed check passes now", "listed checks pass now"))
    if unmatched:
        many = "listed checks do not apply"
        parts.append(counted(unmatched, "listed check does not apply", many))
    them = "it" if len(stale) == 1 else "them"
    return f"{' and '.join(parts)}: remove {them} from {report.known_from or 'the list'}"


def _context(report: ReportData) -> str:
    environment = report.environment
    versions = [f"{k} {v}" for k, v in environment.items() if k not in HIDDEN]
    target = f" {report.port['target']}" if report.port["target"] else ""
    return (
        f"gc-ref {environment['gc_ref']}, {report.port['kind']} port{target}, "
        f"{suite(report)}, seed {report.seed}; {', '.join(versions)}"
    )
