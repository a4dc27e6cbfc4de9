"""The JSON reports of a pytest session, from what its tests and its processes found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gc_ref._conformance.catalogue.checks import CHECKS
from gc_ref._conformance.findings.outcome import verdict_of
from gc_ref._conformance.reports.report import SCHEMA

__all__ = ["join"]

Found = Mapping[str, Any]


def join(entries: Sequence[Found], summaries: Sequence[Found]) -> list[dict[str, Any]]:
    """Return one report per port and test function, in the order of the ports' names.

    Parameters
    ----------
    entries : sequence of mapping
        What each test found (`PortCheck.entry`), from whichever process.
    summaries : sequence of mapping
        The whole report of each port, from each process (`Sitting.summary`); one that
        crashed sent none.

    Returns
    -------
    list of dict
        Reports of the schema ``gc-ref-report/1``, of the whole port: which tests were
        selected makes no difference to the verdict.
    """
    ports: dict[tuple[str, str], list[Found]] = {}
    for entry in entries:
        ports.setdefault((entry["port"]["name"], entry["tests"]), []).append(entry)
    whole = {s["tests"]: dict(s["report"]) for s in summaries}  # all processes say the same
    return [whole.get(tests) or _least(found) for (_, tests), found in sorted(ports.items())]


def _least(entries: Sequence[Found]) -> dict[str, Any]:
    """Return what the tests alone know of their port, where the process crashed after them."""
    order, entry = list(CHECKS), entries[0]
    checks = sorted((e["check"] for e in entries), key=lambda c: order.index(c["id"]))
    verdict, notes = verdict_of(c["status"] for c in checks), []
    if missing := len(order) - len(checks):
        notes = [
            f"the process that judged it ended early: {missing} of {len(order)} checks missing"
        ]
        verdict = "error" if verdict == "conforms" else verdict  # nobody knows of the others
    return {
        "schema": SCHEMA, "suite": entry["suite"], "suite_version": entry["suite_version"],
        "seed": entry["seed"], "port": entry["port"], "verdict": verdict, "conventions": {},
        "identified": [], "diagnosis": [], "recognized": True, "checks": checks, "notes": notes,
        "environment": {}, "evidence": {},
    }  # fmt: skip
