"""The text report: verdict, failures with their counterexamples, what was not checked."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterator
from typing import TYPE_CHECKING

from gc_ref._conformance.findings.counterexample import Counterexample
from gc_ref._conformance.ports.conventions import CONVENTIONS

if TYPE_CHECKING:
    from gc_ref._conformance.findings.check_report import CheckReport
    from gc_ref._conformance.reports.report import Report

__all__ = ["render", "render_diagnosis", "render_finding"]

WIDTH = 96
#: Parts of the environment that the line of versions leaves to other lines.
HIDDEN = ("platform", "gc_ref", "arithmetic")
LABELS = {"indeterminate": "UNDECIDED", "unexpected-pass": "UNEXPECTED PASS"}


def render(report: Report) -> str:
    """Render a report as plain text, without color or control characters."""
    return "\n".join(line.rstrip() for line in _lines(report)) + "\n"


def render_diagnosis(report: Report) -> str:
    """Render what a port does, in words: verdict, semantics, conventions, notes."""
    lines = [_verdict(report), _context(report)]
    wrong = report.with_status("error", "failed", "indeterminate", "expected-failure")
    if not wrong and report.diagnosis:
        lines += _wrap("It ", report.diagnosis[0])
    else:
        lines += _diagnosis(report)
    for check in report.with_status("error"):
        lines += _finding(check)
    lines += ["", *_conventions(report), *_notes(report)]
    return "\n".join(line.rstrip() for line in lines).rstrip() + "\n"


def render_finding(check: CheckReport, report: Report | None = None) -> str:
    """Render one finding, as the report has it; with the diagnosis, if the report is known."""
    lines = [line.rstrip() for line in _finding(check)]
    if report is not None:
        lines += [f"  {line.rstrip()}" for line in _diagnosis(report)]
    if check.replay:
        lines += [line.rstrip() for line in _replay(check)]
    return "\n".join(lines).removeprefix("FAILED  ")


def _lines(report: Report) -> Iterator[str]:
    yield _verdict(report)
    yield _context(report)
    if "arithmetic" in report.environment:
        yield from _wrap("Arithmetic granted: ", report.environment["arithmetic"])
    yield from _diagnosis(report)
    yield ""
    shown = False
    for check in report.with_status("error", "failed", "unexpected-pass", "indeterminate"):
        yield from _finding(check)
        if check.replay and not shown:  # one is enough: the others are in the JSON report
            yield from _replay(check)
            shown = True
        yield ""
    known = report.with_status("expected-failure")
    if known:
        yield f"Failed as expected ({len(known)}):"
        for check in known:
            known_as = f"; known: {check.expectation}" if check.expectation else ""
            yield from _wrap(f"  {check.id}: ", check.message + known_as)
        yield ""
    passed = report.with_status("passed")
    if passed:
        yield f"Passed ({len(passed)}):"
        for check in passed:
            yield from _passed(check)
        yield ""
    yield from _conventions(report)
    yield from _notes(report)
    skipped = report.with_status("not-applicable")
    if skipped:
        yield f"Not checked ({len(skipped)}):"
        for check in skipped:
            yield from _wrap(f"  {check.id}: ", check.message)
        yield ""
    if report.checks:
        yield f"Rerun: {report.checks[0].rerun}"


def _conventions(report: Report) -> Iterator[str]:
    if report.conventions:
        yield "Conventions (choices of this port, never failures):"
        for field, entry in report.conventions.items():
            meaning = CONVENTIONS[field].values[entry["value"]]
            yield from _wrap(f"  {field} = {entry['value']} ({entry['source']}): ", meaning)
        yield ""


def _notes(report: Report) -> Iterator[str]:
    if report.notes:
        yield "Noted:"
        for note in report.notes:
            yield from _wrap("  - ", note)
        yield ""


def _verdict(report: Report) -> str:
    name = report.port["name"]
    failed = report.with_status("failed", "indeterminate")
    stale = _stale(report)
    if report.verdict == "error":
        return f"ERROR: {name} could not be judged to the end"
    if report.verdict == "deviates" and not failed:
        return f"DEVIATES from its known failures: {name}: {stale}"
    if report.verdict == "deviates":
        ids = ", ".join(c.id for c in failed[:4]) + (", ..." if len(failed) > 4 else "")
        words = f"DEVIATES: {name} fails {len(failed)} of {report.checks_run} checks ({ids})"
        return words + (f"; {stale}" if stale else "")
    known = len(report.with_status("expected-failure"))
    words = f"{name} passes {report.checks_run - known} of {report.checks_run} checks"
    if known:
        words = f"CONFORMS with {known} expected failure{'s'[: known > 1]}: {words}"
    else:
        words = f"CONFORMS: {words}"
    if not report.recognized:
        words += "; GC only, its optimizer is not recognized: name --algorithm or --base"
    return words


def _stale(report: Report) -> str:
    """Say how many entries of the list of known failures are to be removed; or nothing."""
    stale = report.with_status("unexpected-pass")
    if not stale:
        return ""
    unmatched = sum(c.found == "not-applicable" for c in stale)
    passing = len(stale) - unmatched
    parts = []
    if passing:
        verb = "check passes" if passing == 1 else "checks pass"
        parts.append(f"{passing} listed {verb} now")
    if unmatched:
        verb = "check does" if unmatched == 1 else "checks do"
        parts.append(f"{unmatched} listed {verb} not apply")
    them = "it" if len(stale) == 1 else "them"
    place = report.known_from or "the list"
    return f"{' and '.join(parts)}: remove {them} from {place}"


def _context(report: Report) -> str:
    environment = report.environment
    versions = [f"{k} {v}" for k, v in environment.items() if k not in HIDDEN]
    target = f" {report.port['target']}" if report.port["target"] else ""
    vectors = f" ({report.vectors} vectors passed)" if report.vectors else ""
    return (
        f"gc-ref {environment['gc_ref']}, {report.port['kind']} port{target}, "
        f"suite {report.suite} {report.suite_version}{vectors}, "
        f"seed {report.seed}; {', '.join(versions)}"
    )


def _diagnosis(report: Report) -> Iterator[str]:
    """What a port with failures does, if it is known, in sentences."""
    failing = report.with_status("failed", "indeterminate", "expected-failure")
    if report.verdict == "error" or not failing or not report.diagnosis:
        return
    head = "Identified: " if report.identified else "Not identified: "
    yield from _wrap(head, report.diagnosis[0])
    for words in report.diagnosis[1:]:
        yield from _wrap("  ", words)


def _finding(check: CheckReport) -> Iterator[str]:
    label = LABELS.get(check.status, "FAILED")
    if check.status == "unexpected-pass" and check.found == "not-applicable":
        label = "NOT MATCHED"
    if check.status == "error":  # not a finding of that check: it was the first to need the run
        yield f"ERROR  the port could not be driven (for {check.id}), so nothing more was checked"
    else:
        yield f"{label}  {check.id}  [{check.clause}] {check.sentence}"
    yield from _wrap("  ", check.message)
    if check.counterexample:
        yield from _counterexample(check.counterexample)
    if check.ratio is not None:
        nought = check.counterexample and check.counterexample.worst.expected == 0
        shown = check.ulps and math.isfinite(check.ulps) and not nought  # no ulps of 0
        ulps = f", {check.ulps:.3g} ulps" if shown else ""
        if math.isfinite(check.ratio):
            yield f"  the error is {check.ratio:.3g} times its bound{ulps}"
        elif ulps:
            yield f"  no rounding is allowed here: the error is{ulps.removeprefix(',')}"
    yield f"  rerun: {check.rerun}"


def _replay(check: CheckReport) -> Iterator[str]:
    assert check.counterexample is not None
    replay = check.counterexample.replay
    assert replay is not None
    if replay.form == "reason":  # why there is none
        yield f"  replay: {replay.text.removeprefix('# ').strip()}"
        return
    yield "  replay:" if replay.form == "with-gc-ref" else "  replay, without gc-ref:"
    yield ""
    yield from (f"    {line}" for line in replay.text.splitlines())


def _counterexample(shown: Counterexample) -> Iterator[str]:
    axes, worst = shown.output_axis, shown.worst
    outputs = "not in GC's scope" if axes is None else f"output axis {', '.join(map(str, axes))}"
    yield (
        f"  case {shown.case} ({shown.dtype}), {shown.parameter}: {shown.kind} "
        f"of shape {shown.shape}, {outputs}"
    )
    of = "its gradient" if axes is None else "gradient over the inputs of that output"
    for step, values in enumerate(worst.gradient, 1):
        text = ", ".join(_short(v) for v in values)
        yield from _wrap(f"  {of}, step {step}: ", f"[{text}]")
    if worst.weight is not None:
        yield f"  weight before: {_short(worst.weight)}"
    yield (
        f"  at index {worst.index} after step {worst.step}: expected "
        f"{_long(worst.expected)}, got {_long(worst.got)}, bound {_short(worst.bound)}"
    )


def _passed(check: CheckReport) -> Iterator[str]:
    parts = []
    if check.ratio:
        parts.append(f"worst error {check.ratio:.2g} of its bound")
    if check.message:
        parts.append(check.message)
    if parts:
        yield from _wrap(f"  {check.id}: ", "; ".join(parts))
    else:
        yield f"  {check.id}"


def _wrap(head: str, text: str) -> Iterator[str]:
    indent = " " * (len(head) - len(head.lstrip()) + 2)
    yield from textwrap.wrap(
        head + text, WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    ) or [head]


def _short(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:.6g}"


def _long(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:.9g}"
