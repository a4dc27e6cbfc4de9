"""One port under judgment check by check, as a test runner asks: each check is run once."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from gc_ref._conformance.cases.vectors import LATEST
from gc_ref._conformance.catalogue.checks import CHECKS
from gc_ref._conformance.findings.check_report import CheckReport
from gc_ref._conformance.judging.judge import Judge
from gc_ref._conformance.known_failures.expectations import Expectations
from gc_ref._conformance.known_failures.holding import hold_check, hold_report
from gc_ref._conformance.ports.port import Port
from gc_ref._conformance.reports.report import Report
from gc_ref._conformance.running.compose import compose_report
from gc_ref._conformance.running.run import DEFAULT_EXAMPLES, report_of, rerun_command

__all__ = ["PortCheck", "Sitting"]

FIRST = "hygiene/shape"  # a port that changes shapes is told so once


class Sitting:
    """The judge of one port in this process, and what its checks found so far.

    Parameters
    ----------
    port : Port
        The port.
    expectations : Expectations or None
        What is known to fail.
    """

    def __init__(self, port: Port, expectations: Expectations | None) -> None:
        self.port, self.expectations = port, expectations or Expectations({})
        self.configure()

    def configure(
        self, *, suite: str = "quick", seed: int = 0, max_examples: int | None = None
    ) -> None:
        """Choose how much is run; what was found under another choice is forgotten."""
        if max_examples is None:
            max_examples = DEFAULT_EXAMPLES[suite]
        options: dict[str, Any] = {"suite": suite, "seed": seed, "max_examples": max_examples}
        if getattr(self, "options", None) == options:
            return
        self.options = options
        self.judge = Judge(self.port, **options, unshrunk=self.expectations.entries, replays=True)
        self.found: dict[str, CheckReport] = {}
        self.error: CheckReport | None = None
        self.whole: Report | None = None

    def find(self, id: str) -> CheckReport:
        """Run a check, if it has not been run, and return what it found by itself."""
        if id not in self.found and id != FIRST:
            self.find(FIRST)
        if self.error is not None and id not in self.found:  # no more is heard of such a port
            check = CHECKS[id]
            return replace(self.error, id=id, clause=check.clause, sentence=check.sentence)
        if id not in self.found:
            before = list(self.found.values())
            rerun = rerun_command(self.port, **self.options)
            self.found[id] = report_of(self.judge, CHECKS[id], before, rerun)
            if self.found[id].status == "error":
                self.error = self.found[id]
        return self.found[id]

    def hold(self, id: str) -> CheckReport:
        """Run a check and hold what it found against what is known to fail."""
        return hold_check(self.find(id), self.expectations, lambda: self.report().identified)

    def report(self) -> Report:
        """Run all checks that have not been run: what they show together tells the deviation.

        What is known to fail is not held against it here.
        """
        if self.whole is not None:
            return self.whole
        found = []
        for id in CHECKS:
            found.append(self.find(id))
            if self.error is not None:
                break
        self.whole = compose_report(self.judge, found, suite=self.options["suite"])
        return self.whole

    def known_whole(self) -> Report | None:
        """Return the report of the whole port, where it is there or costs little."""
        cheap = self.port.per_run_cost == "cheap" and self.options["suite"] == "quick"
        return self.report() if cheap or len(self.found) == len(CHECKS) else None

    def summary(self, check: str, test: str) -> dict[str, Any]:
        """Return the JSON report of the whole port, whichever of its tests were selected.

        Parameters
        ----------
        check, test : str
            A check and the id of its test: the tests of the other checks are called likewise.
        """
        report = hold_report(self.report(), self.expectations)
        checks = tuple(
            replace(c, rerun=self.rerun(likewise(check, test, c.id))) for c in report.checks
        )
        report = replace(report, checks=checks)
        return {"tests": likewise(check, test, ""), "report": report.to_dict()}

    def rerun(self, test: str) -> str:
        """Return the command that runs a test alone, with the same choices."""
        if not test:
            return rerun_command(self.port, **self.options)
        words, options = ["pytest", test], self.options
        if options["suite"] != "quick":
            words.append(f"--gc-ref-suite={options['suite']}")
        if options["seed"]:
            words.append(f"--gc-ref-seed={options['seed']}")
        if options["max_examples"] != DEFAULT_EXAMPLES[options["suite"]]:
            words.append(f"--gc-ref-max-examples={options['max_examples']}")
        return shlex.join(words)


def likewise(check: str, test: str, other: str) -> str:
    """Return the id of another check's test: ``test_gc[mine-law/linear]`` and its like."""
    head, found, tail = test.rpartition(check)
    return f"{head}{other}{tail}" if found else ""


class PortCheck:
    """One check of one port, which a test calls: ``check(port)``.

    Parameters
    ----------
    id : str
        Id of the check.
    sitting : Sitting
        Shared by all checks of the port.
    """

    def __init__(self, id: str, sitting: Sitting) -> None:
        self.id, self.sitting = id, sitting
        #: What the last call found, for the plugin; it sets the id of the test before.
        self.last: CheckReport | None = None
        self.test_id = ""

    #: How the plugin knows these objects without importing this package.
    gc_ref_check = True

    def __repr__(self) -> str:
        """Return the id."""
        return f"<check {self.id}>"

    def __call__(self, port: Port) -> None:
        """Run the check: pass, or tell pytest what to make of what was found."""
        __tracebackhide__ = True
        if port is not self.sitting.port:
            raise TypeError(f"call check(port) with the port of the same test, not {port!r:.80}")
        check = replace(self.sitting.hold(self.id), rerun=self._rerun())
        self.last = check
        wrong = check.status in ("failed", "indeterminate")
        _tell_pytest(check, self.sitting.known_whole() if wrong else None)

    def entry(self) -> Mapping[str, Any] | None:
        """Return what the last call found, in words that travel between processes."""
        if self.last is None:
            return None
        port = self.sitting.port
        return {
            "port": {"name": port.name, "kind": port.kind, "target": port.target},
            "suite": self.sitting.options["suite"],
            "suite_version": LATEST,
            "seed": self.sitting.options["seed"],
            "tests": likewise(self.id, self.test_id, ""),
            "said_something": self.last.said_something,
            "check": self.last.to_json(),
        }

    def _rerun(self) -> str:
        """Return the command that runs this test alone, with the same choices."""
        import os

        test = self.test_id or os.environ.get("PYTEST_CURRENT_TEST", "").rpartition(" ")[0]
        return self.sitting.rerun(test)


def _tell_pytest(check: CheckReport, whole: Report | None) -> None:
    """Turn the status of a check into an outcome of pytest, whatever its xfail_strict says."""
    __tracebackhide__ = True
    import pytest

    from gc_ref._conformance.reports.text import render_finding

    if check.status == "passed":
        return
    if check.status == "not-applicable":
        pytest.skip(f"{check.id}: {check.message}")
    if check.status == "expected-failure":
        pytest.xfail(f"{check.id}: {check.expectation}")  # does nothing under --runxfail
    pytest.fail(render_finding(check, whole), pytrace=False)
