"""The report as data: all that is known of one judged port."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from gc_ref._conformance.cases.vectors import LATEST
from gc_ref._conformance.findings.check_report import CheckReport, smallest
from gc_ref._conformance.findings.outcome import verdict_of

SCHEMA = "gc-ref-report/1"
#: Statuses of the checks that make a port deviate, or end its judgment.
WRONG = ("error", "failed", "unexpected-pass", "indeterminate")


def no_evidence(reason: str) -> dict[str, Any]:
    """Return the ``evidence`` of a report that has no pictures, for one reason."""
    return {part: {"omitted": reason} for part in ("means", "ratios", "drift")}


@dataclass(frozen=True)
class ReportData:
    """All that is known of one judged port: what `from_dict` reads, `to_dict` writes again.

    The attributes are those of `gc_ref.conformance.Report`.
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
    evidence: Mapping[str, Any] = field(default_factory=lambda: no_evidence("none was collected"))
    known_from: str = ""
    ambiguous: bool = False
    complete: bool = True
    scope: Mapping[str, int] = field(default_factory=dict)
    mend: tuple[str, ...] = ()

    @property
    def verdict(self) -> str:
        """``"conforms"``, ``"deviates"``, or ``"error"`` where the port could not be driven."""
        found = verdict_of(c.status for c in self.checks)
        return "error" if found == "conforms" and not self.complete else found

    @property
    def checks_run(self) -> int:
        """Number of checks that said something about the port."""
        return sum(c.said_something for c in self.checks)

    @property
    def failures(self) -> tuple[CheckReport, ...]:
        """The checks that make the port deviate, or ended its judgment: the gravest first."""
        return tuple(c for status in WRONG for c in self.checks if c.status == status)

    @property
    def smallest(self) -> CheckReport | None:
        """The failed check whose counterexample is the easiest to work by hand, if any has one."""
        return smallest(self.checks)

    @property
    def rerun(self) -> str:
        """The command that gives the same report again; empty where no check ran."""
        return self.checks[0].rerun if self.checks else ""

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
        found = {
            "schema": SCHEMA,
            "suite": self.suite,
            "suite_version": self.suite_version,
            "seed": self.seed,
            "port": dict(self.port),
            "verdict": self.verdict,
            "conventions": {k: dict(v) for k, v in self.conventions.items()},
            "identified": list(self.identified),
            "diagnosis": list(self.diagnosis),
            "ambiguous": self.ambiguous,
            "recognized": self.recognized,
            "checks": [c.to_json() for c in self.checks],
            "notes": list(self.notes),
            "environment": dict(self.environment),
            "vectors": self.vectors,
            "evidence": {**self.evidence, "counterexample": self._whole_neuron()},
        }
        if self.mend:
            found["mend"] = list(self.mend)
        if self.scope:
            found["scope"] = dict(self.scope)
        if self.known_from:
            found["known_from"] = self.known_from
        if not self.complete:
            found["complete"] = False
        return found

    def _whole_neuron(self) -> dict[str, Any]:
        """The smallest counterexample with all inputs of its output neuron.

        It is of a check that fails, or of a known failure where there are no others.
        """
        check = self.smallest or smallest(self.checks, ("expected-failure",))
        if check is None or check.counterexample is None:
            return {"omitted": "no check that failed has one"}
        shown = check.counterexample
        return {"check": check.id, "shown": shown.easiest_to_json(), **shown.neuron.to_json()}

    @classmethod
    def from_dict(cls, report: Mapping[str, Any]) -> Self:
        """Read a report that follows the schema ``gc-ref-report/1``.

        Parameters
        ----------
        report : mapping
            What `to_dict` returned, or a JSON report that was read.

        Returns
        -------
        ReportData

        Examples
        --------
        >>> from gc_ref.conformance import Report, check, operator_port
        >>> report = check(operator_port(lambda g: g, name="idle"), max_examples=0)
        >>> Report.from_dict(report.to_dict()).to_dict() == report.to_dict()
        True
        """
        evidence = dict(report["evidence"])
        neuron = evidence.pop("counterexample")
        return cls(
            port=report["port"],
            suite=report["suite"],
            seed=report["seed"],
            conventions=report["conventions"],
            checks=tuple(
                CheckReport.from_json(c, neuron if neuron.get("check") == c["id"] else None)
                for c in report["checks"]
            ),
            identified=tuple(report["identified"]),
            notes=tuple(report["notes"]),
            environment=report["environment"],
            recognized=report["recognized"],
            diagnosis=tuple(report["diagnosis"]),
            suite_version=report.get("suite_version", LATEST),
            vectors=report.get("vectors", 0),
            evidence=evidence,
            known_from=report.get("known_from", ""),
            ambiguous=report.get("ambiguous", False),
            complete=report.get("complete", True),
            scope=report.get("scope", {}),
            mend=tuple(report.get("mend", ())),
        )
