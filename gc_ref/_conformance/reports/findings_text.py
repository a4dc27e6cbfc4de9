"""One finding as text: what a check found, with the numbers that show it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction

from gc_ref._conformance.findings.check_report import CheckReport
from gc_ref._conformance.findings.counterexample import Counterexample
from gc_ref._conformance.findings.outcome import float_ulp
from gc_ref._conformance.reports.arithmetic import SHOWN, arithmetic
from gc_ref._conformance.reports.model import ReportData
from gc_ref._conformance.reports.summary import explain_command, in_a_line
from gc_ref._conformance.writing.words import counted, short, wrapped

LABELS = {"indeterminate": "UNDECIDED", "unexpected-pass": "UNEXPECTED PASS"}


def render_finding(check: CheckReport, report: ReportData | None = None) -> str:
    """Render one finding as a test shows it; with the diagnosis, if the report is known.

    Its first line, which is all that many test runners list, is the diagnosis.
    """
    lines = [in_a_line(check, report), *finding(check)]
    if check.status != "error":
        lines[1] = lines[1].removeprefix("FAILED  ")
    lines.append(f"  rerun: {check.rerun}")
    if report is not None:
        lines += [f"  {line}" for line in diagnosed(report)]
    if check.replay:
        lines += replayed(check)
    return "\n".join(line.rstrip() for line in lines)


def diagnosed(report: ReportData) -> Iterator[str]:
    """Yield what a port with failures does, if it is known, its mend, and where more is said."""
    failing = report.with_status("failed", "indeterminate", "expected-failure")
    if report.verdict == "error" or not failing or not report.diagnosis:
        return
    head = "Identified: " if report.identified else "Not identified: "
    yield from wrapped(head, report.diagnosis[0])
    for words in report.diagnosis[1:]:
        yield from wrapped("  ", words)
    for words in report.mend:
        yield from wrapped("To mend: ", words)
    if command := explain_command(report):
        yield f"More: {command}"


def heading(check: CheckReport) -> str:
    """Return what kind of finding it is, of which check."""
    label = LABELS.get(check.status, "FAILED")
    if check.status == "unexpected-pass" and check.found == "not-applicable":
        label = "NOT MATCHED"
    if check.status == "error":  # not a finding of that check: it was the first to need the run
        return f"ERROR  the port could not be driven (for {check.id}), so nothing more was checked"
    return f"{label}  {check.id}  [{check.clause}] {check.sentence}"


def finding(check: CheckReport) -> Iterator[str]:
    """Yield a finding whole: what was found, the counterexample, how large the error is."""
    yield heading(check)
    yield from wrapped("  ", check.message)
    if check.counterexample:
        yield from worked(check.counterexample)
    yield from _error(check)


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


def replayed(check: CheckReport) -> Iterator[str]:
    """Yield the program that shows a counterexample again, or why there is none."""
    replay = check.counterexample and check.counterexample.replay
    if not replay:
        return
    if replay.reason:
        yield f"  replay: {replay.reason}"
        return
    yield "  replay:" if replay.form == "with-gc-ref" else "  replay, without gc-ref:"
    yield ""
    yield from (f"    {line}" for line in replay.text.splitlines())


def worked(shown: Counterexample) -> Iterator[str]:
    """Yield a counterexample with all that its arithmetic needs: gradients, weight, settings."""
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
