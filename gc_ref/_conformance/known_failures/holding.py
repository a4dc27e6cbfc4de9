"""Findings held against what is known to fail; `expectations` has the rules."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from gc_ref._conformance.findings.check_report import CheckReport
from gc_ref._conformance.known_failures.expectations import Expectations
from gc_ref._conformance.reports.model import ReportData

AnyReport = TypeVar("AnyReport", bound=ReportData)


def hold_report(report: AnyReport, expectations: Expectations | None) -> AnyReport:
    """Hold the findings of a whole run against what is known of the port."""
    if expectations is None:
        return report
    checks = tuple(
        hold_check(check, expectations, lambda: report.identified) for check in report.checks
    )
    notes = (*report.notes, expectations.note) if expectations.note else report.notes
    return replace(report, checks=checks, notes=notes, known_from=expectations.source)


def hold_check(
    check: CheckReport, expectations: Expectations, identified: Callable[[], Sequence[str]]
) -> CheckReport:
    """Hold one check against what is known; ``identified`` is asked only where it matters."""
    known = expectations.entries.get(check.id)
    if known is None:
        return check
    place = expectations.origin
    status, message = check.status, check.message
    if status == "passed":
        status = "unexpected-pass"
        message = f"it passes, and {place} expects it to fail ({known}): remove that entry"
    elif status == "not-applicable":
        status = "unexpected-pass"
        message = (
            f"it does not apply ({message}), and {place} expects it to fail ({known}): the entry "
            "matched nothing, remove it"
        )
    elif status == "failed" and check.fuzzed:
        message += (
            f". {place} expects this check to fail, but only fuzzing found it, which another run "
            "may not: freeze it first (gc-ref check ... --json REPORT.json, then gc-ref vectors "
            "add REPORT.json FILE.json), and judge with --vectors FILE.json"
        )
    elif status == "failed" and known.deviation and known.deviation not in identified():
        shown = ", ".join(identified()) or "no known deviation"
        message += (
            f". {place} expects this check to fail by {known.deviation}, but the port shows "
            f"{shown}: it fails in another way now"
        )
    elif status == "failed":
        status = "expected-failure"
    elif status == "indeterminate":
        message += f". {place} expects this check to fail, and it did not"
    found = check.status if check.status != status else ""
    return replace(check, status=status, message=message, expectation=known, found=found)
