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
    first = entries[0]
    whole = dict(max(summaries, key=lambda s: len(s["identified"]), default=_empty(first)))
    notes = [note for s in summaries for note in s["notes"]]
    order = list(CHECKS)
    checks = sorted((e["check"] for e in entries), key=lambda c: order.index(c["id"]))
    return {
        "schema": SCHEMA,
        "suite": whole["suite"],
        "seed": whole["seed"],
        "port": whole["port"],
        "verdict": verdict_of(c["status"] for c in checks),
        "conventions": whole["conventions"],
        "identified": whole["identified"],
        "diagnosis": whole["diagnosis"],
        "checks": checks,
        "notes": list(dict.fromkeys(notes)),
        "environment": whole["environment"],
    }


def _empty(entry: Found) -> dict[str, Any]:
    nothing: dict[str, Any] = {"conventions": {}, "identified": [], "diagnosis": [], "notes": []}
    return {
        "port": entry["port"], "suite": entry["suite"], "seed": entry["seed"],
        "environment": {}, **nothing,
    }  # fmt: skip
