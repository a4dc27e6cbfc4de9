"""Reports in Markdown, for the summary of a CI job (GitHub flavored): one, or many as a table."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from gc_ref._conformance.findings.check_report import CheckReport
from gc_ref._conformance.reports import matrix, summary
from gc_ref._conformance.reports.model import ReportData
from gc_ref._conformance.reports.worked_example import worked_example
from gc_ref._conformance.writing.words import clean

#: What Markdown or GitHub reads as more than itself: markup, mentions, issues, math, links.
SPECIAL = re.compile(r"[&<>\\`*_\[\]|~@#$]|:(?=\S)|(?<=www)\.|^[-+=]|^\d(?=\d*[.)])")


def escape(text: object) -> str:
    """Return a text that Markdown shows as it is, in a table too."""
    return SPECIAL.sub(lambda found: f"&#{ord(found[0])};", clean(text))


def code(text: object) -> str:
    """Return a text as code, whatever is in it."""
    return f"<code>{escape(text)}</code>"


def prose(text: str) -> str:
    """Return our own sentence, with the ids between backticks as code."""
    return "".join((code if id else escape)(part) for id, part in summary.code_or_text(text))


def fence(text: str, language: str = "sh") -> str:
    """Return a fenced block that its text cannot close."""
    runs = [len(run) for run in re.findall("`+", text)]
    mark = "`" * max(3, max(runs, default=0) + 1)
    kept = "".join("�" if clean(c) == "�" else c for c in text.replace("\r", " "))
    return f"{mark}{language}\n{kept}\n{mark}"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Lines of a table; its cells are escaped already."""
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"


def render_markdown(report: ReportData) -> str:
    """Render one report."""
    return "\n".join(_lines(report)).rstrip() + "\n"


def _lines(report: ReportData) -> Iterator[str]:
    yield f"## {summary.VERDICT[report.verdict]} {escape(summary.headline(report))}"
    yield ""
    yield f"**{report.verdict.capitalize()}**: {escape(summary.counts(report))}."
    yield ""
    yield from _reach(report)
    yield from _diagnosis(report)
    yield from _failed(report)
    yield from _counterexample(report)
    if report.rerun:
        yield from ("Run it again:", "", fence(report.rerun), "")
    passed = [*report.with_status("expected-failure"), *report.with_status("passed")]
    rows = [[_status(c), code(c.id), escape(c.clause), _found(c)] for c in passed]
    yield from _folded(f"Passed ({len(rows)})", ("status", "check", "clause", "found"), rows)
    skipped = report.with_status("not-applicable")
    rows = [[code(c.id), escape(c.clause), escape(c.message)] for c in skipped]
    yield from _folded(f"Not checked ({len(rows)})", ("check", "clause", "why"), rows)
    yield from _choices(report)
    yield f"<sub>{escape(summary.provenance(report))}</sub>"


def _reach(report: ReportData) -> Iterator[str]:
    """What the verdict is about, and what was not checked."""
    for title, text in (
        ("Scope", summary.scope(report)),
        ("Not checked", summary.not_checked(report)),
    ):
        if text:
            yield f"**{title}**: {escape(text)}."
            yield ""


def _diagnosis(report: ReportData) -> Iterator[str]:
    said = summary.diagnosis(report)
    if not said:
        return
    known = report.identified or report.verdict == "conforms"
    stop = "" if report.ambiguous else "."  # a list follows, which the sentence announces
    yield f"**{'What it does' if known else 'Diagnosis'}:** {prose(said[0])}{stop}"
    yield from (f"- {prose(sentence)}." for sentence in said[1:])
    yield ""
    for words in report.mend:
        yield f"**To mend:** {escape(words)}"
        yield ""
    if command := summary.explain_command(report):
        yield f"**More:** `{command}`"
        yield ""


def _failed(report: ReportData) -> Iterator[str]:
    rows = [
        [_status(c), code(c.id), escape(summary.must_hold(c)), _found(c)] for c in report.failures
    ]
    if rows:
        yield from table(("status", "check", "what must hold", "found"), rows)
        yield ""


def _counterexample(report: ReportData) -> Iterator[str]:
    check = report.smallest
    if check is None or check.counterexample is None:
        return
    shown = check.counterexample
    yield (
        f"**The smallest counterexample** (of {code(check.id)}, case {code(shown.case)}, "
        f"{code(shown.dtype)}), worked by hand:"
    )
    yield ""
    yield from (f"- {escape(sentence)}" for sentence in worked_example(shown))
    yield ""


def _choices(report: ReportData) -> Iterator[str]:
    rows = []
    for field, entry in report.conventions.items():
        value, source = entry["value"], entry["source"]
        meaning = summary.convention_meaning(field, value)
        rows.append([code(field), code(value), escape(source), escape(meaning)])
    title = f"Conventions ({len(rows)}): choices of this port, never failures"
    yield from _folded(title, ("convention", "value", "source", "meaning"), rows)
    if report.notes:
        yield from ("**Noted:**", "")
        yield from (f"- {escape(note)}" for note in report.notes)
        yield ""


def _folded(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    if rows:
        yield from (f"<details><summary>{title}</summary>", "")
        yield from table(head, rows)
        yield from ("", "</details>", "")


def _status(check: CheckReport) -> str:
    return " ".join(summary.STATUS[check.status])


def _found(check: CheckReport) -> str:
    return escape(summary.finding(check))


def render_markdown_matrix(reports: Sequence[ReportData]) -> str:
    """Render many reports as one table."""
    return "\n".join(_matrix_lines(reports)).rstrip() + "\n"


def _matrix_lines(reports: Sequence[ReportData]) -> Iterator[str]:
    reports = matrix.most_failures_first(reports)
    names = [escape(name) for name in matrix.labels(reports)]
    ports, verdicts = matrix.ports_counted(reports), matrix.verdicts_counted(reports)
    yield f"## Gradient Centralization: {ports}, {verdicts}"
    yield ""
    rows = []
    for name, r in zip(names, reports, strict=True):
        verdict = f"{summary.VERDICT[r.verdict]} {r.verdict}{summary.variant(r)}"
        known = ", ".join(code(i) for i in r.identified)
        target = (code if r.port["target"] else escape)(matrix.target_of(r))
        words, counts = prose(summary.in_words(r)), escape(summary.counts(r))
        rows.append([name, escape(summary.framework(r)), verdict, words, counts, known, target])
    head = ("port", "framework", "verdict", "what is wrong", "checks", "identified", "target")
    yield from table(head, rows)
    yield ""
    rows = []
    for id in matrix.check_ids(reports):
        cells = (matrix.CELL[matrix.status_of(r, id)] for r in reports)
        rows.append([code(id), *(f"{symbol} {word}" for symbol, word, _ in cells)])
    yield from table(("check", *names), rows)
    yield ""
    yield f"<sub>{'; '.join(map(escape, matrix.legend(reports)))}.</sub>"
