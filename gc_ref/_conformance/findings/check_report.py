"""One check's entry in a report: what it found, what was known of it, how to see it again."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from gc_ref._conformance.catalogue.checks import CHECKS, Check
from gc_ref._conformance.findings.counterexample import Counterexample, Replay, named, numeric
from gc_ref._conformance.findings.outcome import Outcome


@dataclass(frozen=True)
class Expectation:
    """One known failure of one port.

    Attributes
    ----------
    reason : str
        Why the check fails.
    issue : str or None
        Where that is tracked.
    deviation : str or None
        Id of the deviation that explains it.
    """

    reason: str
    issue: str | None = None
    deviation: str | None = None

    def to_json(self) -> dict[str, str]:
        """Return the entry as the JSON report and the file have it."""
        entry = {"reason": self.reason, "issue": self.issue, "deviation": self.deviation}
        return {key: value for key, value in entry.items() if value is not None}

    def __str__(self) -> str:
        """Return the reason, and where it is tracked."""
        return self.reason + (f" ({self.issue})" if self.issue else "")


@dataclass(frozen=True)
class CheckReport:
    """One check's entry in a report.

    Attributes
    ----------
    id, clause, sentence : str
        The check, the clause that it holds the port to, and what that says.
    status : str
        ``passed``, ``failed``, ``expected-failure``, ``unexpected-pass``,
        ``not-applicable``, ``indeterminate`` or ``error``.
    message : str
        What was found, or why the check does not apply.
    ratio : float or None
        Largest error in units of its bound; more than 1 fails.
    ulps : float or None
        The same error in units in the last place of the expected value.
    counterexample : Counterexample or None
        The smallest parameter that shows it: gradients, expected, got, bound.
    rerun : str
        Command (or line of Python) that gives the same result again.
    expectation : Expectation or None
        What was known of this check before the run: ``reason``, ``issue``, ``deviation``.
    found : str
        Status that the check gave by itself, where the expectation made another of it.
    fuzzed : bool
        Whether only fuzzing saw the failure, so that another run may see none.

    Examples
    --------
    >>> from gc_ref.conformance import check, operator_port
    >>> report = check(operator_port(lambda g: g, name="idle"), max_examples=0)
    >>> next(c.clause for c in report.checks if c.id == "law/zero-mean")
    'Eq. 2'
    """

    id: str
    clause: str
    sentence: str
    status: str
    message: str
    ratio: float | None
    ulps: float | None
    counterexample: Counterexample | None
    rerun: str
    expectation: Expectation | None = None
    found: str = ""
    fuzzed: bool = False

    @classmethod
    def of(cls, check: Check, outcome: Outcome, rerun: str) -> CheckReport:
        """Entry for a check and its outcome."""
        return cls(
            id=check.id,
            clause=check.clause,
            sentence=check.sentence,
            status=outcome.status,
            message=outcome.message,
            ratio=outcome.ratio,
            ulps=outcome.ulps,
            counterexample=outcome.counterexample,
            rerun=rerun,
            fuzzed=outcome.fuzzed,
        )

    @classmethod
    def from_json(
        cls, entry: Mapping[str, Any], evidence: Mapping[str, Any] | None = None
    ) -> CheckReport:
        """Read an entry of a JSON report.

        Parameters
        ----------
        entry : mapping
            One of its ``checks``.
        evidence : mapping, optional
            Its ``evidence.counterexample``, where that is of this check.
        """
        shown = entry["counterexample"]
        found = None if shown is None else Counterexample.from_json(shown, evidence)
        if found is not None and "replay" in entry:
            form = entry.get("replay_form", "standalone")
            found = replace(found, replay=Replay(entry["replay"], form))
        known = CHECKS.get(entry["id"])
        expectation = entry.get("expectation")
        return cls(
            id=entry["id"],
            clause=entry["clause"],
            sentence=entry.get("sentence", known.sentence if known else ""),
            status=entry["status"],
            message=entry["message"],
            ratio=None if entry["ratio"] is None else numeric(entry["ratio"]),
            ulps=None if entry["ulps"] is None else numeric(entry["ulps"]),
            counterexample=found,
            rerun=entry["rerun"],
            expectation=Expectation(**expectation) if expectation else None,
            found=entry.get("found", ""),
            fuzzed=entry.get("fuzzed", False),
        )

    @property
    def replay(self) -> str:
        """Program that shows the counterexample without gc-ref; empty where there is none."""
        shown = self.counterexample
        return shown.replay.text if shown and shown.replay else ""

    def to_json(self) -> dict[str, Any]:
        """Return the entry as the JSON report has it."""
        shown = self.counterexample
        entry: dict[str, Any] = {
            "id": self.id,
            "clause": self.clause,
            "status": self.status,
            "message": self.message,
            "ratio": None if self.ratio is None else named(self.ratio),
            "ulps": None if self.ulps is None else named(self.ulps),
            "counterexample": None if shown is None else shown.to_json(),
            "rerun": self.rerun,
            "sentence": self.sentence,
        }
        if self.found:
            entry["found"] = self.found
        if self.fuzzed:
            entry["fuzzed"] = True
        if shown and shown.replay and shown.replay.text:
            entry["replay"], entry["replay_form"] = shown.replay.text, shown.replay.form
        if self.expectation:
            entry["expectation"] = self.expectation.to_json()
        return entry

    @property
    def said_something(self) -> bool:
        """Whether the check said something about the port."""
        return (self.found or self.status) not in ("not-applicable", "error")


def smallest(
    checks: Sequence[CheckReport],
    statuses: Sequence[str] = ("failed", "indeterminate", "unexpected-pass"),
) -> CheckReport | None:
    """Return the check of these statuses whose counterexample is the easiest to work by hand.

    Finite numbers come first, then weights before vectors, several inputs before one, whole
    numbers, a mean that is not 0, few inputs, an early step, and the order of the checks.
    """

    def key(check: CheckReport) -> tuple[object, ...]:
        shown = check.counterexample
        assert shown is not None
        worst, first = shown.worst, shown.worst.gradient[0]
        odd = not all(map(math.isfinite, (worst.expected, worst.got, worst.bound)))
        whole = all(math.isfinite(g) and g == round(g) for g in first)
        plain = whole and sum(first) != 0
        vector, single = shown.output_axis is None, len(first) < 2
        return odd, vector, single, not whole, not plain, len(first), worst.step

    shown = [c for c in checks if c.counterexample and c.status in statuses]
    return min(shown, key=key, default=None)
