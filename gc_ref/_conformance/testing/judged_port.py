"""A port that a test runner judges check by check: each check is run once."""

from __future__ import annotations

import shlex
from dataclasses import replace
from typing import Any

from gc_ref._conformance.catalogue.checks import CHECKS
from gc_ref._conformance.findings.check_report import CheckReport
from gc_ref._conformance.known_failures.expectations import Expectations
from gc_ref._conformance.known_failures.holding import hold_check, hold_report
from gc_ref._conformance.ports.port import Port
from gc_ref._conformance.reports.report import Report
from gc_ref._conformance.reports.summary import ON_UPDATE, narrowed, on_update
from gc_ref._conformance.running.compose import compose_report, scope_of
from gc_ref._conformance.running.judge_port import RunOptions, report_of_check, rerun_command

__all__ = ["JudgedPort", "name_of_test"]

#: Run before any other: a port that changes shapes or dtypes is told so once.
FIRST = ("hygiene/shape", "hygiene/dtype")


class JudgedPort:
    """A port, its judge in this process, and what the checks found so far.

    Parameters
    ----------
    port : Port
        The port.
    expectations : Expectations or None
        What is known to fail.
    """

    def __init__(self, port: Port, expectations: Expectations | None) -> None:
        self.port = port
        self.expectations = expectations or Expectations({})
        self._start(RunOptions())

    def configure(self, *, suite: str, seed: int, max_examples: int | None) -> None:
        """Choose how much is run; what was found under another choice is forgotten."""
        options = RunOptions(suite, seed, max_examples)
        if options != self.options:
            self._start(options)

    def _start(self, options: RunOptions) -> None:
        self.options = options
        self.judge = options.judge(self.port, unshrunk=self.expectations.entries, replays=True)
        self.found: dict[str, CheckReport] = {}
        self._error: CheckReport | None = None
        self._report: Report | None = None

    def find(self, id: str) -> CheckReport:
        """Run a check, if it has not been run, and return what it found by itself."""
        if id not in FIRST:
            for first in FIRST:
                self.find(first)
        if id in self.found:
            return self.found[id]
        entry = CHECKS[id]
        if self._error is not None:  # a port that cannot be driven says nothing more
            return replace(self._error, id=id, clause=entry.clause, sentence=entry.sentence)
        rerun = rerun_command(self.port, self.options)
        found = report_of_check(self.judge, entry, list(self.found.values()), rerun)
        self.found[id] = found
        if found.status == "error":
            self._error = found
        return found

    def hold(self, id: str) -> CheckReport:
        """Run a check and hold what it found against what is known to fail."""
        return hold_check(self.find(id), self.expectations, lambda: self.report().identified)

    def report(self) -> Report:
        """Run all checks that have not been run: what they show together tells the deviation.

        What is known to fail is not held against it here.
        """
        if self._report is None:
            found = []
            for id in CHECKS:
                found.append(self.find(id))
                if self._error is not None:
                    break
            self._report = compose_report(self.judge, found, suite=self.options.suite)
        return self._report

    def narrowed(self) -> str:
        """Say which weights inferred conventions leave alone, of a port that the checks passed."""
        if any(c.status in ("failed", "indeterminate", "error") for c in self.found.values()):
            return ""
        held_to = self.judge.specification
        chosen = held_to.conventions.to_json()
        words = [narrowed(chosen, scope_of(self.judge))]
        if on_update(chosen, sgdm=held_to.mode == "sgdm"):
            words.append("" if chosen["placement"]["source"] == "declared" else ON_UPDATE)
        return "; ".join(filter(None, words))

    def report_if_cheap(self) -> Report | None:
        """Return the report of the whole port, where it is there or costs little."""
        cheap = self.port.per_run_cost == "cheap" and self.options.suite == "quick"
        return self.report() if cheap or len(self.found) == len(CHECKS) else None

    def summary(self, check: str, test: str, place: str = ".") -> dict[str, Any]:
        """Return the JSON report of the whole port, whichever of its tests were selected.

        Parameters
        ----------
        check, test : str
            A check and the id of its test: the tests of the other checks are called likewise.
        place : str
            Folder that ids of tests begin in.
        """
        report = hold_report(self.report(), self.expectations)
        checks = tuple(
            replace(c, rerun=self.rerun(name_of_test(c.id, check, test), place))
            for c in report.checks
        )
        report = replace(report, checks=checks)
        return {"tests": name_of_test("", check, test), "report": report.to_dict()}

    def rerun(self, test: str, place: str = ".") -> str:
        """Return the command that runs a test alone, with the same choices.

        Ids of tests begin in the folder ``place``: the command is for where pytest was started.
        """
        if not test:
            return rerun_command(self.port, self.options)
        chosen = self.options.chosen()
        defaults = RunOptions().chosen()
        words = [
            f"--gc-ref-{name.replace('_', '-')}={value}"
            for name, value in chosen.items()
            if value != defaults.get(name)
        ]
        before = [f"{name}={value}" for name, value in self.port.variables.items()]
        return shlex.join([*before, "pytest", test if place == "." else f"{place}/{test}", *words])


def name_of_test(id: str, check: str, test: str) -> str:
    """Return the id of a check's test, given another check and the id of its test.

    Examples
    --------
    >>> name_of_test("value/exact", "law/linear", "test_gc[mine-law/linear]")
    'test_gc[mine-value/exact]'
    """
    head, found, tail = test.rpartition(check)
    return f"{head}{id}{tail}" if found else ""
