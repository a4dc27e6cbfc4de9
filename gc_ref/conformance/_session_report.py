"""The JSON reports of a pytest session, from what its tests and its processes found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gc_ref.conformance._checks import CHECKS
from gc_ref.conformance._report import SCHEMA, verdict_of

__all__ = ["join"]

Found = Mapping[str, Any]


def join(entries: Sequence[Found], summaries: Sequence[Found]) -> list[dict[str, Any]]:
    """Return one report per port, in the order of their names.

    Parameters
    ----------
    entries : sequence of mapping
        What each test found (`PortCheck.entry`), from whichever process.
    summaries : sequence of mapping
        What each process knows of each port (`Sitting.summary`); one that crashed sent none.

    Returns
    -------
    list of dict
        Reports of the schema ``gc-ref-report/1``, with the checks that were run.
    """
    ports: dict[str, list[Found]] = {}
    for entry in entries:
        ports.setdefault(entry["port"]["name"], []).append(entry)
    return [
        _report(found, [s for s in summaries if s["port"]["name"] == name])
        for name, found in sorted(ports.items())
    ]


def _report(entries: Sequence[Found], summaries: Sequence[Found]) -> dict[str, Any]:
    """Return one port's report: all processes that know the whole say the same of it."""
    order = list(CHECKS)
    checks = sorted((e["check"] for e in entries), key=lambda c: order.index(c["id"]))
    whole = summaries[0] if summaries else _least(entries[0])
    return {**whole, "verdict": verdict_of(c["status"] for c in checks), "checks": checks}


def _least(entry: Found) -> dict[str, Any]:
    """Return what a test alone knows of its port, where the process crashed after it."""
    return {
        "schema": SCHEMA, "suite": entry["suite"], "suite_version": entry["suite_version"],
        "seed": entry["seed"], "port": entry["port"], "verdict": "", "conventions": {},
        "identified": [], "diagnosis": [], "recognized": True, "checks": [], "notes": [],
        "environment": {}, "evidence": {},
    }  # fmt: skip
