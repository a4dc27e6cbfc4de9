"""Many reports in one table, in Markdown: the checks down, the ports across."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from gc_ref._conformance.catalogue.checks import CHECKS
from gc_ref._conformance.reports import words
from gc_ref._conformance.reports.markdown import code, escape, table
from gc_ref._conformance.reports.words import VERDICT

__all__ = [
    "CELL",
    "check_ids",
    "counts",
    "labels",
    "legend",
    "matrix_markdown",
    "status_of",
    "titled",
]

Reports = Sequence[Mapping[str, Any]]
#: Short words of each status: a symbol alone is not read out, a color alone is not seen.
CELL = {
    "passed": ("✓", "pass"), "failed": ("✗", "FAIL"), "expected-failure": ("≈", "known"),
    "unexpected-pass": ("!", "UNEXPECTED"), "not-applicable": ("–", "n/a"),
    "indeterminate": ("?", "UNDECIDED"), "error": ("‼", "ERROR"), "": ("·", "not run"),
}  # fmt: skip
MEANS = {
    "passed": "the check holds",
    "failed": "it does not",
    "expected-failure": "it fails, as is known",
    "unexpected-pass": "it was known to fail, and holds",
    "not-applicable": "it says nothing about this port",
    "indeterminate": "bounds too wide to decide",
    "error": "the port could not be driven",
    "": "the port was not driven that far",
}


def labels(reports: Reports) -> list[str]:
    """Return a name for each report that no other has: with what differs, where ports share one."""
    names = [words.clean(r["port"]["name"]) for r in reports]
    found = list(names)
    for name, count in Counter(names).items():
        if count > 1:
            at = [i for i, n in enumerate(names) if n == name]
            for i, said in zip(at, _differing([reports[i] for i in at]), strict=True):
                found[i] = f"{name} ({said})" if said else name
    return found


def _differing(reports: Reports) -> list[str]:
    """Say of each report of ports of one name how its run differs; where nothing does, number it.

    The arithmetic is a long sentence: it is named only where nothing else tells.
    """
    runs = [_run(r) for r in reports]
    keys = [k for k in dict.fromkeys(k for run in runs for k in run)
            if len({run.get(k) for run in runs}) > 1]  # fmt: skip

    def said(keys: Sequence[str]) -> list[str]:
        return [", ".join(f"{k} {run[k]}" for k in keys if k in run) for run in runs]

    found = said([k for k in keys if k != "arithmetic"])
    if len(set(found)) < len(found):
        found = said(keys)
    count, seen = Counter(found), Counter[str]()
    for i, text in enumerate(found):
        seen[text] += 1
        if count[text] > 1:
            found[i] = f"{text}; {seen[text]}" if text else f"{seen[text]}"
    return found


def _run(report: Mapping[str, Any]) -> dict[str, str]:
    """What a run was made with, without the port itself."""
    own = {k: report[k] for k in ("suite", "suite_version", "seed") if k in report}
    return {words.clean(k): words.clean(v) for k, v in {**report["environment"], **own}.items()}


def titled(reports: Reports) -> str:
    """Return how many ports these are of, or how many reports where some are of the same port."""
    ports = {(r["port"]["name"], r["port"]["kind"], r["port"]["target"]) for r in reports}
    return words.counted(len(reports), "port" if len(ports) == len(reports) else "report")


def check_ids(reports: Reports) -> list[str]:
    """Return the ids of all checks, ours in their order, then those that are not known here."""
    there = {c["id"] for r in reports for c in r["checks"]}
    return [i for i in CHECKS if i in there] + sorted(there - set(CHECKS))


def status_of(report: Mapping[str, Any], id: str) -> str:
    """Return the status of a check; empty where it never ran."""
    return next((c["status"] for c in report["checks"] if c["id"] == id), "")


def legend(reports: Reports) -> list[str]:
    """Return what the cells mean that are there."""
    there = {status_of(r, i) for r in reports for i in check_ids(reports)}
    return [f"{CELL[s][0]} {CELL[s][1]}: {MEANS[s]}" for s in CELL if s in there]


def counts(reports: Reports) -> str:
    """Return how many ports have which verdict."""
    found = Counter(r["verdict"] for r in reports)
    said = {
        "conforms": "conforms" if found["conforms"] == 1 else "conform",
        "deviates": "deviates" if found["deviates"] == 1 else "deviate",
        "error": "could not be judged",
    }
    return ", ".join(f"{found[v]} {said[v]}" for v in VERDICT if found[v])


def matrix_markdown(reports: Reports) -> str:
    """Render many reports as one table in Markdown.

    Parameters
    ----------
    reports : sequence of mapping
        Each a ``gc-ref-report/1``.

    Returns
    -------
    str
    """
    return "\n".join(_lines(reports)).rstrip() + "\n"


def _lines(reports: Reports) -> Iterator[str]:
    names = labels(reports)
    yield f"## Gradient Centralization: {titled(reports)}, {counts(reports)}"
    yield ""
    rows = []
    for name, r in zip(names, reports, strict=True):
        known = ", ".join(code(i) for i in r["identified"])
        rows.append([escape(name), f"{VERDICT[r['verdict']]} {r['verdict']}",
                     escape(words.summary(r)), known, _target(r)])  # fmt: skip
    yield from table(("port", "verdict", "checks", "identified", "target"), rows)
    yield ""
    rows = [
        [code(id), *(" ".join(CELL[status_of(r, id)]) for r in reports)]
        for id in check_ids(reports)
    ]
    yield from table(("check", *(escape(n) for n in names)), rows)
    yield ""
    yield "<sub>" + "; ".join(escape(line) for line in legend(reports)) + ".</sub>"


def _target(report: Mapping[str, Any]) -> str:
    target = report["port"]["target"]
    return code(target) if target else f"{escape(report['port']['kind'])} port, from Python"
