"""The Markdown report, for the summary of a CI job (GitHub flavored)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from gc_ref._conformance.reports import words
from gc_ref._conformance.reports.worked import worked

__all__ = ["code", "escape", "fence", "prose", "render_markdown", "table"]

#: What Markdown or GitHub reads as more than itself: markup, mentions, issues, math, links.
SPECIAL = re.compile(r"[&<>\\`*_\[\]|~@#$]|:(?=\S)|(?<=www)\.|^[-+=]|^\d(?=\d*[.)])")
CODE = re.compile(r"`([a-z0-9./-]+)`")


def escape(text: object) -> str:
    """Return a text that Markdown shows as it is, in a table too."""
    return SPECIAL.sub(lambda found: f"&#{ord(found[0])};", words.clean(text))


def code(text: object) -> str:
    """Return a text as code, whatever is in it."""
    return f"<code>{escape(text)}</code>"


def prose(text: str) -> str:
    """Return our own sentence, with the ids between backticks as code."""
    parts = CODE.split(text)
    return "".join(code(p) if i % 2 else escape(p) for i, p in enumerate(parts))


def fence(text: str, language: str = "sh") -> str:
    """Return a fenced block that its text cannot close."""
    runs = [len(run) for run in re.findall("`+", text)]
    mark = "`" * max(3, max(runs, default=0) + 1)
    kept = "".join("�" if words.clean(c) == "�" else c for c in text.replace("\r", " "))
    return f"{mark}{language}\n{kept}\n{mark}"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Lines of a table; its cells are escaped already."""
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"


def render_markdown(report: Mapping[str, Any]) -> str:
    """Render a report, as JSON has it, in Markdown.

    Parameters
    ----------
    report : mapping
        A ``gc-ref-report/1``.

    Returns
    -------
    str
    """
    return "\n".join(_lines(report)).rstrip() + "\n"


def _lines(report: Mapping[str, Any]) -> Iterator[str]:
    yield f"## {words.VERDICT[report['verdict']]} {escape(words.headline(report))}"
    yield ""
    yield f"**{report['verdict'].capitalize()}**: {escape(words.summary(report))}."
    yield ""
    yield from _diagnosis(report)
    yield from _failed(report)
    yield from _counterexample(report)
    if words.rerun(report):
        yield from ("Run it again:", "", fence(words.rerun(report)), "")
    passed = words.with_status(report, "expected-failure", "passed")
    rows = [[_status(c), code(c["id"]), escape(c["clause"]), _found(c)] for c in passed]
    yield from _folded(f"Passed ({len(rows)})", ("status", "check", "clause", "found"), rows)
    skipped = words.with_status(report, "not-applicable")
    rows = [[code(c["id"]), escape(c["clause"]), escape(c["message"])] for c in skipped]
    yield from _folded(f"Not checked ({len(rows)})", ("check", "clause", "why"), rows)
    yield from _choices(report)
    yield f"<sub>{escape(words.judged(report))}</sub>"


def _diagnosis(report: Mapping[str, Any]) -> Iterator[str]:
    if report["verdict"] == "error":
        return
    said = report["diagnosis"] if report["verdict"] == "deviates" else report["diagnosis"][:1]
    if not said:
        return
    head = (
        "What it does" if report["identified"] or report["verdict"] == "conforms" else "Diagnosis"
    )
    yield f"**{head}:** {prose(said[0])}."
    for sentence in said[1:]:
        yield f"- {prose(sentence)}."
    yield ""


def _failed(report: Mapping[str, Any]) -> Iterator[str]:
    entries = words.failures(report)
    if not entries:
        return
    rows = []
    for c in entries:
        rows.append([_status(c), code(c["id"]), escape(words.must_hold(c)), _found(c)])
    yield from table(("status", "check", "what must hold", "found"), rows)
    yield ""


def _counterexample(report: Mapping[str, Any]) -> Iterator[str]:
    found = words.smallest_counterexample(report)
    if found is None:
        return
    check, shown, neuron = found
    yield f"**The smallest counterexample** (of {code(check['id'])}, case {code(shown['case'])}, " \
          f"{code(shown['dtype'])}), worked by hand:"  # fmt: skip
    yield ""
    for sentence in worked(shown, neuron):
        yield f"- {escape(sentence)}"
    yield ""


def _choices(report: Mapping[str, Any]) -> Iterator[str]:
    rows = [
        [code(field), code(entry["value"]), escape(entry["source"]),
         escape(words.convention_meaning(field, entry["value"]))]
        for field, entry in report["conventions"].items()
    ]  # fmt: skip
    title = f"Conventions ({len(rows)}): choices of this port, never failures"
    yield from _folded(title, ("convention", "value", "source", "meaning"), rows)
    if report["notes"]:
        yield from ("**Noted:**", "")
        yield from (f"- {escape(note)}" for note in report["notes"])
        yield ""


def _folded(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    if rows:
        yield f"<details><summary>{title}</summary>"
        yield ""
        yield from table(head, rows)
        yield ""
        yield "</details>"
        yield ""


def _status(check: Mapping[str, Any]) -> str:
    symbol, label = words.STATUS[check["status"]]
    return f"{symbol} {label}"


def _found(check: Mapping[str, Any]) -> str:
    parts = [escape(check["message"])] if check["message"] else []
    if error := words.error_words(check["ratio"]):
        parts.append(error)
    return "; ".join(parts)
