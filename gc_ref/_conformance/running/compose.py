"""The report of a judged port: what its checks found, with its diagnosis and its evidence."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence

import numpy as np

import gc_ref
from gc_ref._conformance.cases.vectors import LATEST
from gc_ref._conformance.catalogue.mends import mend
from gc_ref._conformance.diagnosis.diagnose import diagnose
from gc_ref._conformance.evidence.collect import collect
from gc_ref._conformance.findings.check_report import CheckReport
from gc_ref._conformance.judging.dtypes import granted
from gc_ref._conformance.judging.judge import Judge
from gc_ref._conformance.ports.port import PortError, SkippedError
from gc_ref._conformance.reports.report import Report

__all__ = ["compose_report", "scope_of", "versions"]


def versions() -> dict[str, str]:
    """Return what every report says of its environment."""
    return {
        "gc_ref": gc_ref.__version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "platform": f"{platform.system()} {platform.machine()}",
    }


def scope_of(judge: Judge) -> dict[str, int]:
    """Return how many weights the port has, and how many of them are no concern of GC.

    A choice of the port that is not settled exempts none.
    """
    weights = [p for p in judge.integers.parameters if len(p.shape) >= 2]
    settled = judge.specification.settled
    left_alone = [p for p in weights if settled.rule(p) == "none"]
    return {"weights": len(weights), "left_alone": len(left_alone)}


def compose_report(judge: Judge, checks: Sequence[CheckReport], *, suite: str) -> Report:
    """Return the report of a port, given its judge, which keeps its runs, and what checks found."""
    port = judge.port
    conventions: Mapping[str, Mapping[str, str]] = {}
    scope: Mapping[str, int] = {}
    recognized, notes = True, list(judge.notes)
    if "hint" in port.environment:
        notes.append(port.environment["hint"])
    if not any(c.status == "error" for c in checks):
        try:
            settled = judge.specification
            conventions = settled.conventions.to_json()
            scope = scope_of(judge)
            recognized = settled.mode != "unknown"
            notes = [*settled.remarks, *notes]
        except (PortError, SkippedError):  # a shape changed, or nothing ran at all
            pass
    diagnosis = diagnose(judge, checks)
    return Report(
        port={"name": port.name, "kind": port.kind, "target": port.target},
        suite=suite,
        seed=judge.seed,
        conventions=conventions,
        checks=tuple(checks),
        identified=diagnosis.identified,
        notes=tuple(notes),
        environment={
            **versions(),
            **{k: v for k, v in port.environment.items() if k != "hint"},
            "arithmetic": granted(judge),
        },
        recognized=recognized,
        diagnosis=diagnosis.words,
        suite_version=judge.suite_version or LATEST,
        vectors=len(judge.vectors_held),
        evidence=collect(judge, checks),
        ambiguous=diagnosis.ambiguous,
        scope=scope,
        mend=()
        if diagnosis.ambiguous
        else tuple(mend(i, judge.layout) for i in diagnosis.identified),
    )
