"""The JSON reports of a pytest session, from what its tests and its processes found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gc_ref._conformance.catalogue.checks import CHECKS
from gc_ref._conformance.findings.check_report import CheckReport
from gc_ref._conformance.reports.model import ReportData, no_evidence
from gc_ref._conformance.running.compose import versions

__all__ = ["session_reports"]

Found = Mapping[str, Any]


def session_reports(entries: Sequence[Found], summaries: Sequence[Found]) -> list[dict[str, Any]]:
    """Return one JSON report per port and test function, in the order of the ports' names.

    ``entries`` are what each test found (`PortCheck.entry`), from whichever process. ``summaries``
    are the reports of whole ports, from each process (`JudgedPort.summary`): they count, so that
    it makes no difference to a verdict which tests were selected. A process that crashed sent none.
    """
    ports: dict[tuple[str, str], list[Found]] = {}
    for entry in entries:
        ports.setdefault((entry["port"]["name"], entry["tests"]), []).append(entry)
    whole = {s["tests"]: dict(s["report"]) for s in summaries}  # all processes say the same
    return [whole.get(tests) or _cut_short(found) for (_, tests), found in sorted(ports.items())]


def _cut_short(entries: Sequence[Found]) -> dict[str, Any]:
    """Return what the tests alone know of their port, where the process crashed after them."""
    order, entry = list(CHECKS), entries[0]
    checks = sorted((e["check"] for e in entries), key=lambda c: order.index(c["id"]))
    missing = len(order) - len(checks)
    ended = "the process that judged it ended early"
    return ReportData(
        port=entry["port"],
        suite=entry["suite"],
        seed=entry["seed"],
        conventions={},
        checks=tuple(map(CheckReport.from_json, checks)),
        identified=(),
        notes=(f"{ended}: {missing} of {len(order)} checks missing",) if missing else (),
        environment=versions(),
        suite_version=entry["suite_version"],
        evidence=no_evidence(ended),
        complete=not missing,
    ).to_dict()
