"""What a long run shows while it goes on: a bar on a terminal, or lines that say what runs."""

from __future__ import annotations

import contextlib
import importlib.util
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, TextIO

from gc_ref._conformance.catalogue.checks import CHECKS, Check
from gc_ref._conformance.findings.check_report import CheckReport
from gc_ref._conformance.ports.case import Case, Trajectory
from gc_ref._conformance.ports.port import Port
from gc_ref._conformance.writing.words import clean, counted, shown

__all__ = ["Progress", "ProgressBar", "ProgressLines", "show_progress"]

#: Seconds between two refreshes of a bar: nobody sees more.
PAUSE = 0.1


class Progress:
    """Is told of every check and of every run of the port, and shows nothing."""

    def watch(self, port: Port) -> Port:
        """Return the port, with its runs told of."""

        def run(case: Case) -> Trajectory:
            self.port_runs(case)
            return port.run(case)

        return replace(port, run=run)

    def check_begins(self, check: Check) -> None:
        """Show that a check begins."""

    def port_runs(self, case: Case) -> None:
        """Show that the port runs a case."""

    def check_ends(self, report: CheckReport) -> None:
        """Show what the check found."""

    def diagnosis_begins(self) -> None:
        """Show that all checks are done, and the search for what they mean begins."""


class ProgressLines(Progress):
    """Says in a line each what runs; without times, so that two runs say the same."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._checks = 0
        self._last = ""
        self._repeated = 0

    def check_begins(self, check: Check) -> None:
        """Write which check begins, and what it is about."""
        self._checks += 1
        self._write(f"[{self._checks}/{len(CHECKS)}] {check.id}: {check.sentence}")

    def port_runs(self, case: Case) -> None:
        """Write which case runs."""
        if case.id == "fuzz":  # there may be thousands, each another: one line stands for all
            self._write("  run fuzzed examples")
            return
        self._write(
            f"  run {case.id} ({case.dtype}): {counted(len(case.parameters), 'parameter')}, "
            f"{counted(len(case.gradients), 'step')}"
        )

    def check_ends(self, report: CheckReport) -> None:
        """Write how it ended."""
        self._write(f"  {report.status}" + (f": {report.message}" if report.message else ""))

    def diagnosis_begins(self) -> None:
        """Write that the diagnosis begins."""
        self._write("diagnosis: which conventions and deviations reproduce what was seen")

    def _write(self, line: str) -> None:
        if line == self._last:
            self._repeated += 1
            return
        if self._repeated:
            print(f"  {self._repeated} more such runs", file=self._stream)
        self._last, self._repeated = line, 0
        print(shown(line), file=self._stream, flush=True)


class ProgressBar(Progress):
    """A bar of tqdm: checks done, the one at work, the runs of the port so far."""

    def __init__(self, bar: Any) -> None:
        self._bar = bar
        self._runs = 0
        self._refreshed = 0.0

    def check_begins(self, check: Check) -> None:
        """Show which check is at work."""
        self._bar.set_description_str(check.id)

    def port_runs(self, case: Case) -> None:
        """Count the run."""
        self._runs += 1
        self._bar.set_postfix_str(f"run {self._runs}: {clean(case.id)}", refresh=False)
        if time.monotonic() - self._refreshed > PAUSE:
            self._refreshed = time.monotonic()
            self._bar.refresh()

    def check_ends(self, report: CheckReport) -> None:
        """Move on."""
        self._bar.update()

    def diagnosis_begins(self) -> None:
        """Show what is at work."""
        self._bar.set_description_str("diagnosis")


@contextlib.contextmanager
def show_progress(stream: TextIO | None, *, lines: bool) -> Iterator[Progress]:
    """Choose how progress is shown: lines if asked for, a bar on a terminal, else nothing.

    Without tqdm (``gc-ref[progress]``) there is no bar; ``stream`` is None where standard error
    is closed.
    """
    if stream is not None and lines:
        yield ProgressLines(stream)
    elif stream is not None and stream.isatty() and importlib.util.find_spec("tqdm"):
        from tqdm import tqdm

        layout = "{desc} {bar} {n_fmt}/{total_fmt} [{elapsed}{postfix}]"
        with tqdm(total=len(CHECKS), file=stream, leave=False, bar_format=layout) as bar:
            yield ProgressBar(bar)
    else:
        yield Progress()
