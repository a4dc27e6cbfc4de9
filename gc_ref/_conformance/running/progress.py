"""What a long run shows while it goes on: a bar on a terminal, or lines that say what runs."""

from __future__ import annotations

import contextlib
import importlib.util
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from gc_ref._conformance.catalogue.checks import Check
    from gc_ref._conformance.findings.check_report import CheckReport
    from gc_ref._conformance.findings.outcome import Outcome
    from gc_ref._conformance.ports.case import Case, Trajectory
from gc_ref._conformance.ports.port import Port

__all__ = ["Bar", "Lines", "Watch", "watching"]

#: Seconds between two looks at a bar: more often than this nobody sees.
PAUSE = 0.1


class Watch:
    """Told of every check and of every run of the port; this one keeps silent."""

    def begins(self, check: Check, number: int, total: int) -> None:
        """Take note that a check begins."""

    def runs(self, case: Case) -> None:
        """Take note that the port runs a case."""

    def ends(self, outcome: Outcome | CheckReport) -> None:
        """Take note of what the check found."""

    def diagnoses(self) -> None:
        """Take note that all checks are done, and the search for what they mean begins."""

    def over(self, port: Port) -> Port:
        """Return the port as it is, but with its runs told of."""

        def run(case: Case) -> Trajectory:
            self.runs(case)
            return port.run(case)

        return replace(port, run=run)


class Lines(Watch):
    """Says in a line each what runs; without times, so that two runs say the same."""

    def __init__(self, stream: TextIO) -> None:
        self._stream, self._last, self._again = stream, "", 0

    def begins(self, check: Check, number: int, total: int) -> None:
        """Write which check begins, and what it is about."""
        self._write(f"[{number}/{total}] {check.id}: {check.sentence}")

    def runs(self, case: Case) -> None:
        """Write which case runs."""
        if case.id == "fuzz":  # thousands, maybe, each another: they are only counted
            self._write("  run fuzzed examples")
            return
        steps, parameters = len(case.gradients), len(case.parameters)
        self._write(
            f"  run {case.id} ({case.dtype}): {_count(parameters, 'parameter')}, "
            f"{_count(steps, 'step')}"
        )

    def ends(self, outcome: Outcome | CheckReport) -> None:
        """Write how it ended."""
        self._write(f"  {outcome.status}" + (f": {outcome.message}" if outcome.message else ""))

    def diagnoses(self) -> None:
        """Write that the diagnosis begins."""
        self._write("diagnosis: which conventions and deviations reproduce what was seen")

    def _write(self, line: str) -> None:
        if line == self._last:
            self._again += 1
            return
        if self._again:
            print(f"  {self._again} more such runs", file=self._stream)
        self._last, self._again = line, 0
        print(line, file=self._stream, flush=True)


class Bar(Watch):
    """A progress bar of tqdm: checks done, the one at work, the runs of the port so far."""

    def __init__(self, bar: Any) -> None:
        self._bar, self._count, self._shown = bar, 0, 0.0

    def begins(self, check: Check, number: int, total: int) -> None:
        """Show which check is at work."""
        self._bar.set_description_str(check.id)

    def runs(self, case: Case) -> None:
        """Count the run."""
        self._count += 1
        self._bar.set_postfix_str(f"run {self._count}: {case.id}", refresh=False)
        if time.monotonic() - self._shown > PAUSE:
            self._shown = time.monotonic()
            self._bar.refresh()

    def ends(self, outcome: Outcome | CheckReport) -> None:
        """Move on."""
        self._bar.update()

    def diagnoses(self) -> None:
        """Show what is at work."""
        self._bar.set_description_str("diagnosis")


@contextlib.contextmanager
def watching(stream: TextIO | None, *, total: int, verbose: bool) -> Iterator[Watch]:
    """Give the watch that suits: lines if asked for, a bar on a terminal, else silence.

    ``total`` is the number of checks.

    Without tqdm (``gc-ref[progress]``) there is no bar.
    """
    if stream is None:  # as standard error is where it was closed
        yield Watch()
        return
    if verbose:
        yield Lines(stream)
        return
    if not stream.isatty() or not importlib.util.find_spec("tqdm"):
        yield Watch()
        return
    from tqdm import tqdm

    layout = "{desc} {bar} {n_fmt}/{total_fmt} [{elapsed}{postfix}]"
    with tqdm(total=total, file=stream, leave=False, bar_format=layout) as bar:
        yield Bar(bar)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")
