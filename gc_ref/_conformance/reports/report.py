"""The report: what was checked, what was found, what was not checked and why."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

import gc_ref
from gc_ref._conformance.cases.vectors import LATEST
from gc_ref._conformance.diagnosis.diagnose import diagnose
from gc_ref._conformance.evidence.collect import collect
from gc_ref._conformance.findings.check_report import CheckReport
from gc_ref._conformance.findings.outcome import verdict_of
from gc_ref._conformance.judging.dtypes import granted
from gc_ref._conformance.ports.port import PortError, SkippedError

if TYPE_CHECKING:
    from gc_ref._conformance.judging.judge import Judge

__all__ = ["SCHEMA", "Report"]

SCHEMA = "gc-ref-report/1"


@dataclass(frozen=True)
class Report:
    """The result of judging one port.

    Attributes
    ----------
    port : mapping
        ``name``, ``kind`` and ``target``.
    suite, seed : str, int
        What was run.
    conventions : mapping
        Field to ``{"value", "source"}``: declared or inferred choices of the port.
    checks : tuple of CheckReport
        One entry per check, in the order they ran.
    identified : tuple of str
        Ids of the known deviations that the port shows, nearest first.
    notes : tuple of str
        What was noticed and is not judged, and what was assumed.
    environment : mapping
        Versions that matter for seeing the same again, and under ``arithmetic`` what
        rounding the port was granted: sums, hyperparameters, subnormal numbers.
    recognized : bool
        Whether the optimizer is one that there is a formula or a base for.
    diagnosis : tuple of str
        What the port does, in sentences.
    suite_version : str
        Suite of the frozen vectors.
    vectors : int
        Number of vectors that the port was held against and passed.
    evidence : mapping
        What the pictures show: means left, ratios to the bounds, sums of weights over the
        steps, the smallest counterexample's whole output neuron.
    known_from : str
        The file that lists the known failures, where there is one.

    Examples
    --------
    >>> from gc_ref.conformance import check, operator_port
    >>> report = check(operator_port(lambda g: g, name="idle"), max_examples=0)
    >>> report.verdict
    'deviates'
    >>> [c.id for c in report.with_status("failed")][:2]
    ['effect/on', 'scope/every-weight']
    """

    port: Mapping[str, str | None]
    suite: str
    seed: int
    conventions: Mapping[str, Mapping[str, str]]
    checks: tuple[CheckReport, ...]
    identified: tuple[str, ...]
    notes: tuple[str, ...]
    environment: Mapping[str, str]
    recognized: bool = True
    diagnosis: tuple[str, ...] = ()
    suite_version: str = LATEST
    vectors: int = 0
    evidence: Mapping[str, Any] = field(default_factory=dict)
    known_from: str = ""

    @classmethod
    def of(cls, judge: Judge, checks: Sequence[CheckReport], *, suite: str) -> Report:
        """Report for a judge and what its checks found."""
        port = judge.port
        conventions: Mapping[str, Mapping[str, str]] = {}
        recognized = True
        notes = list(judge.notes)
        if "hint" in port.environment:
            notes.append(port.environment["hint"])
        if not any(c.status == "error" for c in checks):
            try:
                specification = judge.specification
                conventions = specification.conventions.to_json()
                recognized = specification.mode != "unknown"
                notes = [*specification.remarks, *notes]
            except (PortError, SkippedError):  # a shape changed, or nothing ran at all
                pass
        environment = {
            "gc_ref": gc_ref.__version__,
            "python": platform.python_version(),
            "numpy": np.__version__,
            "platform": f"{platform.system()} {platform.machine()}",
            **{k: v for k, v in port.environment.items() if k != "hint"},
            "arithmetic": granted(judge),
        }
        diagnosis = diagnose(judge, checks)
        return cls(
            {"name": port.name, "kind": port.kind, "target": port.target},
            suite, judge.seed, conventions, tuple(checks), diagnosis.identified, tuple(notes),
            environment, recognized, diagnosis.words, judge.suite_version or LATEST,
            len(judge.vectors_held), collect(judge, checks),
        )  # fmt: skip

    @property
    def verdict(self) -> str:
        """``"conforms"``, ``"deviates"``, or ``"error"`` where the port could not be driven."""
        return verdict_of(c.status for c in self.checks)

    @property
    def checks_run(self) -> int:
        """Number of checks that said something about the port."""
        return sum(c.said_something for c in self.checks)

    def with_status(self, *statuses: str) -> tuple[CheckReport, ...]:
        """Return the checks of these statuses.

        Parameters
        ----------
        *statuses : str
            See `CheckReport`.

        Returns
        -------
        tuple of CheckReport
            In the order they ran.

        Examples
        --------
        >>> from gc_ref.conformance import check, operator_port
        >>> report = check(operator_port(lambda g: g, name="idle"), max_examples=0)
        >>> "law/zero-mean" in [c.id for c in report.with_status("failed")]
        True
        """
        return tuple(c for c in self.checks if c.status in statuses)

    def to_dict(self) -> dict[str, Any]:
        """Return the report as the schema ``gc-ref-report/1`` has it.

        Returns
        -------
        dict
            Of what JSON can hold; numbers that are not finite are given by name.

        Examples
        --------
        >>> from gc_ref.conformance import check, operator_port
        >>> report = check(operator_port(lambda g: g, name="idle"), max_examples=0)
        >>> report.to_dict()["schema"], report.to_dict()["identified"]
        ('gc-ref-report/1', ['not-applied'])
        """
        return {
            "schema": SCHEMA,
            "suite": self.suite,
            "suite_version": self.suite_version,
            "seed": self.seed,
            "port": dict(self.port),
            "verdict": self.verdict,
            "conventions": {k: dict(v) for k, v in self.conventions.items()},
            "identified": list(self.identified),
            "diagnosis": list(self.diagnosis),
            "recognized": self.recognized,
            "checks": [c.to_json() for c in self.checks],
            "notes": list(self.notes),
            "environment": dict(self.environment),
            "evidence": dict(self.evidence),
        }

    def to_json(self) -> str:
        """Return `to_dict` as text: the same run gives the same bytes.

        Returns
        -------
        str
            JSON, ends with a newline.

        Examples
        --------
        >>> from gc_ref.conformance import check, operator_port
        >>> report = check(operator_port(lambda g: g, name="idle"), max_examples=0)
        >>> print(report.to_json()[:31])
        {
          "schema": "gc-ref-report/1"
        """
        return json.dumps(self.to_dict(), indent=2, ensure_ascii=False, allow_nan=False) + "\n"

    def to_markdown(self) -> str:
        """Return the report in Markdown, for the summary of a CI job.

        Returns
        -------
        str
            GitHub flavored Markdown; what a port says of itself is escaped.

        Examples
        --------
        >>> from gc_ref.conformance import check, operator_port
        >>> report = check(operator_port(lambda g: g, name="idle"), max_examples=0)
        >>> print(report.to_markdown().splitlines()[0])
        ## ✗ idle deviates: GC is never applied: nothing calls it
        """
        from gc_ref._conformance.reports.markdown import render_markdown

        return render_markdown(self.to_dict())

    def to_html(self) -> str:
        """Return the report as one page that needs nothing else: no network, no other file.

        Returns
        -------
        str
            HTML, with its pictures inside where ``gc-ref[report]`` is installed.

        Examples
        --------
        >>> from gc_ref.conformance import check, operator_port
        >>> report = check(operator_port(lambda g: g, name="idle"), max_examples=0)
        >>> report.to_html().startswith("<!DOCTYPE html>")
        True
        """
        from gc_ref._conformance.reports.html import render_html

        return render_html(self.to_dict())

    def to_badge(self, *, least: int = 1) -> str:
        """Return JSON for a badge, as an endpoint of shields.io takes it.

        Parameters
        ----------
        least : int, default 1
            The badge is not green if fewer checks ran.

        Returns
        -------
        str
            JSON with ``label``, ``message`` and ``color``.

        Examples
        --------
        >>> import json
        >>> from gc_ref.conformance import check, operator_port
        >>> report = check(operator_port(lambda g: g, name="idle"), max_examples=0)
        >>> json.loads(report.to_badge())["color"]
        'red'
        """
        from gc_ref._conformance.reports.badge import render_badge

        return render_badge(self.to_dict(), least=least)

    def to_text(self, *, identify: bool = False) -> str:
        """Return the report that a port's author reads.

        Parameters
        ----------
        identify : bool, default False
            The diagnosis alone, without the checks.

        Returns
        -------
        str
            Plain text; the verdict is its first line.

        Examples
        --------
        >>> from gc_ref.conformance import check, operator_port
        >>> report = check(operator_port(lambda g: g, name="idle"), max_examples=0)
        >>> print(report.to_text(identify=True).partition(" (")[0])
        DEVIATES: idle fails 6 of 19 checks
        """
        from gc_ref._conformance.reports.text import render, render_diagnosis

        return render_diagnosis(self) if identify else render(self)

    def __str__(self) -> str:
        """Return the text report."""
        return self.to_text()
