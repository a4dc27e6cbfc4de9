"""Many reports beside each other, checks down and ports across: what Markdown and HTML show."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from gc_ref._conformance.catalogue.checks import CHECKS
from gc_ref._conformance.reports.model import ReportData
from gc_ref._conformance.reports.summary import VERDICT
from gc_ref._conformance.writing.words import clean, counted

Reports = Sequence[ReportData]
#: Of each status the symbol, a short word and what it means: a symbol alone is not read out, a
#: color alone is not seen. The empty one is that of a check that never ran.
CELL = {
    "passed": ("✓", "pass", "the check holds"),
    "failed": ("✗", "FAIL", "it does not"),
    "expected-failure": ("≈", "known", "it fails, as is known"),
    "unexpected-pass": ("!", "UNEXPECTED", "it was known to fail, and holds"),
    "not-applicable": ("–", "n/a", "it says nothing about this port"),
    "indeterminate": ("?", "UNDECIDED", "bounds too wide to decide"),
    "error": ("‼", "ERROR", "the port could not be driven"),
    "": ("·", "not run", "the port was not driven that far"),
}


def most_failures_first(reports: Reports) -> list[ReportData]:
    """Return the reports in the order in which a reader looks at them."""
    return sorted(reports, key=lambda r: -len(r.failures))


def labels(reports: Reports) -> list[str]:
    """Return a name for each report that no other has: with what differs, where ports share one."""
    names = [clean(r.port["name"]) for r in reports]
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
    all_keys = dict.fromkeys(k for run in runs for k in run)
    keys = [k for k in all_keys if len({run.get(k) for run in runs}) > 1]

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


def _run(report: ReportData) -> dict[str, str]:
    """Return what a run was made with, without the port itself."""
    own = {"suite": report.suite, "suite_version": report.suite_version, "seed": report.seed}
    return {clean(k): clean(v) for k, v in {**report.environment, **own}.items()}


def ports_counted(reports: Reports) -> str:
    """Return how many ports these are of, or how many reports where some are of the same port."""
    ports = {(r.port["name"], r.port["kind"], r.port["target"]) for r in reports}
    return counted(len(reports), "port" if len(ports) == len(reports) else "report")


def verdicts_counted(reports: Reports) -> str:
    """Return how many reports have which verdict."""
    found = Counter(r.verdict for r in reports)
    said = {
        "conforms": counted(found["conforms"], "conforms", "conform"),
        "deviates": counted(found["deviates"], "deviates", "deviate"),
        "error": f"{found['error']} could not be judged",
    }
    return ", ".join(said[v] for v in VERDICT if found[v])


def check_ids(reports: Reports) -> list[str]:
    """Return the ids of all checks, ours in their order, then those that are not known here."""
    there = {c.id for r in reports for c in r.checks}
    return [i for i in CHECKS if i in there] + sorted(there - set(CHECKS))


def status_of(report: ReportData, id: str) -> str:
    """Return the status of a check; empty where it never ran."""
    return next((c.status for c in report.checks if c.id == id), "")


def legend(reports: Reports) -> list[str]:
    """Return what the cells mean that are there."""
    there = {status_of(r, i) for r in reports for i in check_ids(reports)}
    return [f"{symbol} {word}: {means}" for s, (symbol, word, means) in CELL.items() if s in there]


def target_of(report: ReportData) -> str:
    """Return where the port comes from; of one made in Python, its kind."""
    return report.port["target"] or f"{report.port['kind']} port, from Python"
