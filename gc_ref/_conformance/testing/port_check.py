"""One check of one port, as a test calls it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from gc_ref._conformance.cases.vectors import LATEST
from gc_ref._conformance.findings.check_report import CheckReport
from gc_ref._conformance.ports.port import Port
from gc_ref._conformance.reports.findings_text import render_finding
from gc_ref._conformance.reports.report import Report
from gc_ref._conformance.testing.judged_port import JudgedPort, name_of_test
from gc_ref._conformance.writing.words import shown

__all__ = ["PortCheck"]


class PortCheck:
    """One check of one port, which a test calls: ``check(port)``.

    Parameters
    ----------
    id : str
        Id of the check.
    judged : JudgedPort
        Shared by all checks of the port.
    """

    #: How the plugin knows these objects without importing this package.
    gc_ref_check = True

    def __init__(self, id: str, judged: JudgedPort) -> None:
        self.id, self.judged = id, judged
        #: What the last call found; the plugin reads it, and sets the id of the test before.
        self.last: CheckReport | None = None
        self.test_id = ""
        #: Folder that ids of tests begin in, from where pytest was started; set by the plugin.
        self.place = "."

    def __repr__(self) -> str:
        """Return the id."""
        return f"<check {self.id}>"

    def __call__(self, port: Port) -> None:
        """Run the check: pass, or tell pytest what to make of what was found."""
        __tracebackhide__ = True
        if port is not self.judged.port:
            raise TypeError(f"call check(port) with the port of the same test, not {port!r:.80}")
        test = self.test_id or os.environ.get("PYTEST_CURRENT_TEST", "").rpartition(" ")[0]
        self.last = replace(self.judged.hold(self.id), rerun=self.judged.rerun(test, self.place))
        wrong = self.last.status in ("failed", "indeterminate")
        _tell_pytest(self.last, self.judged.report_if_cheap() if wrong else None)

    def entry(self) -> Mapping[str, Any] | None:
        """Return what the last call found, as JSON that travels between processes."""
        if self.last is None:
            return None
        port, options = self.judged.port, self.judged.options
        narrowed = self.judged.narrowed() if self.id == "scope/every-weight" else ""
        return {
            "port": {"name": port.name, "kind": port.kind, "target": port.target},
            "suite": options.suite,
            "suite_version": LATEST,
            "seed": options.seed,
            "tests": name_of_test("", self.id, self.test_id),
            "said_something": self.last.said_something,
            "check": self.last.to_json(),
            "narrowed": narrowed,
        }


def _tell_pytest(found: CheckReport, report: Report | None) -> None:
    """Turn the status of a check into an outcome of pytest, whatever its xfail_strict says."""
    __tracebackhide__ = True
    import pytest

    if found.status == "passed":
        return
    if found.status == "not-applicable":
        pytest.skip(shown(f"{found.id}: {found.message}"))
    if found.status == "expected-failure":
        pytest.xfail(shown(f"{found.id}: {found.expectation}"))  # does nothing under --runxfail
    pytest.fail(shown(render_finding(found, report)), pytrace=False)
