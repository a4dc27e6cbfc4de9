"""The text report: verdict, failures with their counterexamples, what was not checked."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction

from gc_ref._conformance.cases.comparison import float_ulp
from gc_ref._conformance.findings.check_report import CheckReport
from gc_ref._conformance.findings.counterexample import Counterexample
from gc_ref._conformance.reports.arithmetic import SHOWN, arithmetic
from gc_ref._conformance.reports.model import ReportData
from gc_ref._conformance.reports.summary import convention_meaning, narrowing, variant
from gc_ref._conformance.writing.words import counted, short, wrapped

#: Parts of the environment that the line of versions leaves to other lines.
HIDDEN = ("platform", "gc_ref", "arithmetic")
LABELS = {"indeterminate": "UNDECIDED", "unexpected-pass": "UNEXPECTED PASS"}


def render_text(report: ReportData) -> str:
    """Render a report as plain text, without color or control characters."""
    return "\n".join(line.rstrip() for line in _lines(report)) + "\n"


def render_diagnosis(report: ReportData) -> str:
    """Render what a port does, in words: verdict, semantics, conventions, notes."""
    lines = [_verdict(report), _context(report)]
    wrong = report.with_status("error", "failed", "indeterminate", "expected-failure")
    if not wrong and report.diagnosis:
        lines += wrapped("It ", report.diagnosis[0])
    else:
        lines += _diagnosis(report)
    for check in report.with_status("error"):
        lines += _finding(check)
    lines += ["", *_conventions(report), *_notes(report)]
    return "\n".join(line.rstrip() for line in lines).rstrip() + "\n"


def render_finding(check: CheckReport, report: ReportData | None = None) -> str:
    """Render one finding, as the report has it; with the diagnosis, if the report is known."""
    lines = [line.rstrip() for line in _finding(check)]
    if report is not None:
        lines += [f"  {line.rstrip()}" for line in _diagnosis(report)]
    if check.replay:
        lines += [line.rstrip() for line in _replay(check)]
    return "\n".join(lines).removeprefix("FAILED  ")


def _lines(report: ReportData) -> Iterator[str]:
    yield _verdict(report)
    yield _context(report)
    if "arithmetic" in report.environment:
        yield from wrapped("Arithmetic granted: ", report.environment["arithmetic"])
    yield from _diagnosis(report)
    yield ""
    shown = False
    for check in report.failures:
        yield from _finding(check)
        if check.replay and not shown:  # one is enough: the others are in the JSON report
            yield from _replay(check)
            shown = True
        yield ""
    yield from _group("Failed as expected", report.with_status("expected-failure"), _known)
    yield from _group("Passed", report.with_status("passed"), _passed)
    yield from _conventions(report)
    yield from _notes(report)
    yield from _group("Not checked", report.with_status("not-applicable"), lambda c: c.message)
    if report.rerun:
        yield f"Rerun: {report.rerun}"


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


def _passed(check: CheckReport) -> str:
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
        words = f"CONFORMS{but} {narrowed}. {passes}"
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
    vectors = f" ({report.vectors} vectors passed)" if report.vectors else ""
    return (
        f"gc-ref {environment['gc_ref']}, {report.port['kind']} port{target}, "
        f"suite {report.suite} {report.suite_version}{vectors}, "
        f"seed {report.seed}; {', '.join(versions)}"
    )


def _diagnosis(report: ReportData) -> Iterator[str]:
    """What a port with failures does, if it is known, in sentences."""
    failing = report.with_status("failed", "indeterminate", "expected-failure")
    if report.verdict == "error" or not failing or not report.diagnosis:
        return
    head = "Identified: " if report.identified else "Not identified: "
    yield from wrapped(head, report.diagnosis[0])
    for words in report.diagnosis[1:]:
        yield from wrapped("  ", words)


def _finding(check: CheckReport) -> Iterator[str]:
    label = LABELS.get(check.status, "FAILED")
    if check.status == "unexpected-pass" and check.found == "not-applicable":
        label = "NOT MATCHED"
    if check.status == "error":  # not a finding of that check: it was the first to need the run
        yield f"ERROR  the port could not be driven (for {check.id}), so nothing more was checked"
    else:
        yield f"{label}  {check.id}  [{check.clause}] {check.sentence}"
    yield from wrapped("  ", check.message)
    if check.counterexample:
        yield from _counterexample(check.counterexample)
    yield from _error(check)
    yield f"  rerun: {check.rerun}"


def _error(check: CheckReport) -> Iterator[str]:
    """Say how far off the element that is shown is; where none is, the worst of the check."""
    if not check.ratio:
        return
    shown, ratio = check.counterexample, check.ratio
    if shown is None:
        if math.isfinite(ratio):
            yield f"  the error is {ratio:.3g} times its bound"
        return
    element = shown.worst
    off = abs(element.got - element.expected)
    if not math.isfinite(off):
        return
    said = [f"{off / element.bound:.3g} times its bound"] if element.bound else []
    if element.expected:  # 0 has no ulp
        said.append(f"{off / float_ulp(Fraction(element.expected), shown.dtype):.3g} ulps")
    if said:
        yield f"  {'' if element.bound else 'no rounding is allowed here: '}the error is " + (
            ", ".join(said)
        )


def _replay(check: CheckReport) -> Iterator[str]:
    replay = check.counterexample and check.counterexample.replay
    if not replay:
        return
    if replay.reason:
        yield f"  replay: {replay.reason}"
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
    first = max(0, len(worst.gradient) - SHOWN)
    if first:
        yield f"  (the gradients of the first {counted(first, 'step')} are in the JSON report)"
    for step, values in enumerate(worst.gradient[first:], first + 1):
        text = ", ".join(short(v) for v in values)
        yield from wrapped(f"  {of}, step {step}: ", f"[{text}]")
    if worst.weight is not None:
        hyper = ", ".join(f"{k} = {short(v)}" for k, v in shown.neuron.hyperparameters.items())
        settings = f"; {hyper}" if hyper else ""
        yield f"  weight before step 1: {short(worst.weight)}{settings}"
    for line in arithmetic(shown):
        yield from wrapped("  ", line)
    yield (
        f"  at index {worst.index} after step {worst.step}: expected "
        f"{short(worst.expected, 9)}, got {short(worst.got, 9)}, bound {short(worst.bound)}"
    )
