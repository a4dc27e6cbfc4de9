"""The HTML pages: one report, or many in a table; each is one file, without network or script."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from gc_ref._conformance.findings.check_report import CheckReport
from gc_ref._conformance.reports import matrix, summary
from gc_ref._conformance.reports.html import pictures
from gc_ref._conformance.reports.html.figures import Table, evidence_figures, neuron_figure
from gc_ref._conformance.reports.model import ReportData
from gc_ref._conformance.reports.worked_example import worked_example
from gc_ref._conformance.writing.extras import require
from gc_ref._conformance.writing.words import clean, short

CHECK_COLUMNS = (
    ("check", "code"),
    ("status", "status"),
    ("what must hold", "text"),
    ("found", "text"),
)


def render_html(report: ReportData) -> str:
    """Render one report as a page: the same bytes for the same report and matplotlib."""
    return _render("report.html.jinja", part=_part(report, "r", level=2))


def render_html_matrix(reports: Sequence[ReportData]) -> str:
    """Render many reports as one page: a table of ports and checks, then each report in full."""
    reports = matrix.most_failures_first(reports)
    names = matrix.labels(reports)
    return _render(
        "matrix.html.jinja",
        title=f"{matrix.ports_counted(reports)} of Gradient Centralization: "
        + matrix.verdicts_counted(reports),
        ports=_ports_table(reports, names),
        checks=_matrix_table(reports, names),
        legend=matrix.legend(reports),
        parts=[
            (name, _part(r, f"r{i}", level=3))
            for i, (name, r) in enumerate(zip(names, reports, strict=True))
        ],
    )


def _render(template: str, **values: Any) -> str:
    found: str = environment().get_template(template).render(values)
    return found


@cache
def environment() -> Any:
    """Return what renders the templates: all that it is given is cleaned and escaped.

    Without Jinja2 there is none (`MissingExtraError`).
    """
    require("jinja2", "An HTML report")
    import jinja2
    from markupsafe import Markup

    def finalize(value: object) -> object:
        return value if isinstance(value, Markup) else clean(value)

    made = jinja2.Environment(
        loader=jinja2.PackageLoader("gc_ref._conformance.reports"),
        autoescape=True,
        finalize=finalize,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters |= {
        "code_lines": lambda text: Markup("\n").join(map(clean, text.split("\n"))),
        "code_or_text": summary.code_or_text,
        "number": lambda value: value if isinstance(value, str) else short(value, 9),
    }
    return made


def _part(report: ReportData, prefix: str, *, level: int) -> dict[str, Any]:
    """Return what the template says of one report, its headings from ``level`` down.

    The ids of its pictures begin with ``prefix``.
    """
    check = report.smallest
    shown = check.counterexample if check else None
    return {
        "report": report,
        "level": level,
        "symbol": summary.VERDICT[report.verdict],
        "headline": summary.headline(report),
        "counts": summary.counts(report),
        "provenance": summary.provenance(report),
        "scope": summary.scope(report),
        "not_checked": summary.not_checked(report),
        "diagnosis": _diagnosis(report),
        "deviations": _deviations_table(report),
        "explain": summary.explain_command(report),
        "smallest": check,
        "sentences": worked_example(shown) if shown else [],
        "neuron": neuron_figure(shown, prefix) if shown else None,
        "figures": list(evidence_figures(report, prefix)),
        "drawn": pictures.available(),
        "failed": _checks_table(
            "Where the judgment ended" if report.verdict == "error" else "Checks that do not hold",
            report.failures,
        ),
        "passed": _checks_table(
            "Checks that hold",
            [*report.with_status("expected-failure"), *report.with_status("passed")],
        ),
        "skipped": _checks_table(
            "Checks that say nothing about this port, and why",
            report.with_status("not-applicable"),
        ),
        "conventions": _conventions_table(report),
    }


def _diagnosis(report: ReportData) -> list[str]:
    """Return what the port does in whole sentences."""
    said = list(summary.diagnosis(report))
    if said and report.verdict == "conforms":
        said[0] = f"It {said[0]}"
    stops = ["" if report.ambiguous else "."] + ["."] * len(said)  # or a list follows
    return [f"{s[:1].upper()}{s[1:]}{stop}" for s, stop in zip(said, stops, strict=False)]


def _deviations_table(report: ReportData) -> Table:
    columns = [("deviation", "code"), ("what such a port does", "text"), ("breaks", "text")]
    found = summary.named_deviations(report)
    rows: list[Sequence[str]] = [row[:3] for row in found]
    if any(seen for *_, seen in found):
        columns.append(("seen in", "text"))
        rows = list(found)
    return Table("Known deviations that reproduce it", columns, rows, "stack")


def _checks_table(caption: str, checks: Sequence[CheckReport]) -> Table:
    rows = []
    for check in checks:
        known = check.expectation
        reason = f"known: {known.reason} {known.issue or ''}".rstrip() if known else ""
        found = "; ".join(filter(None, (summary.finding(check), reason)))
        status = (check.status, *summary.STATUS[check.status])
        rows.append((check.id, status, summary.must_hold(check), found))
    return Table(caption, CHECK_COLUMNS, rows, "stack")


def _conventions_table(report: ReportData) -> Table:
    columns = (("convention", "code"), ("value", "code"), ("source", "text"), ("meaning", "text"))
    rows = [
        (field, entry["value"], entry["source"], summary.convention_meaning(field, entry["value"]))
        for field, entry in report.conventions.items()
    ]
    return Table("Choices of this port, which are never failures", columns, rows, "stack")


def _ports_table(reports: Sequence[ReportData], names: Sequence[str]) -> Table:
    columns = (
        ("port", "link"),
        ("framework", "text"),
        ("verdict", "status"),
        ("what is wrong", "prose"),
        ("checks", "text"),
        ("identified as", "codes"),
        ("target", "text"),
    )
    rows = []
    for i, (name, r) in enumerate(zip(names, reports, strict=True)):
        verdict = (r.verdict, summary.VERDICT[r.verdict], r.verdict + summary.variant(r))
        target = matrix.target_of(r)
        words = (summary.framework(r), verdict, summary.in_words(r))
        rows.append(((f"port-{i}", name), *words, summary.counts(r), r.identified, target))
    return Table("Verdict of each port", columns, rows, "stack")


def _matrix_table(reports: Sequence[ReportData], names: Sequence[str]) -> Table:
    columns = (("check", "id"), *((name, "status") for name in names))
    rows = []
    for id in matrix.check_ids(reports):
        found = [matrix.status_of(r, id) for r in reports]
        # A check that never ran looks like one that does not apply.
        rows.append((id, *((s or "not-applicable", *matrix.CELL[s][:2]) for s in found)))
    return Table("What each check says of each port", columns, rows, "matrix")
