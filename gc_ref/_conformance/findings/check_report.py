"""One check's entry in a report, and the verdict that all of them make."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gc_ref._conformance.checks.registry import Check
    from gc_ref._conformance.findings.outcome import Outcome
    from gc_ref._conformance.known_failures.expectations import Expectation

__all__ = ["CheckReport", "verdict_of"]


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
    counterexample : mapping or None
        The smallest parameter that shows it: gradients, expected, got, bound.
    rerun : str
        Command (or line of Python) that gives the same result again.
    replay : str
        Program that shows the counterexample without gc-ref; empty where there is none.
    expectation : Expectation or None
        What was known of this check before the run: ``reason``, ``issue``, ``deviation``.
    found : str
        What the check said by itself, where the expectation made another status of it.

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
    counterexample: Mapping[str, Any] | None
    rerun: str
    replay: str = ""
    expectation: Expectation | None = None
    found: str = ""

    @classmethod
    def of(cls, check: Check, outcome: Outcome, rerun: str) -> CheckReport:
        """Entry for a check and its outcome."""
        shown = outcome.counterexample
        replay = shown.get("replay", "") if shown else ""
        if shown:
            shown = {k: v for k, v in shown.items() if k != "replay"}
        return cls(
            check.id, check.clause, check.sentence, outcome.status, outcome.message,
            outcome.ratio, outcome.ulps, shown, rerun, replay,
        )  # fmt: skip

    def to_json(self) -> dict[str, Any]:
        """Return the entry as the JSON report has it."""
        entry = {
            "id": self.id,
            "clause": self.clause,
            "status": self.status,
            "message": self.message,
            "ratio": _number(self.ratio),
            "ulps": _number(self.ulps),
            "counterexample": self.counterexample,
            "rerun": self.rerun,
        }
        if self.replay:
            entry["replay"] = self.replay
        if self.expectation:
            entry["expectation"] = self.expectation.to_json()
        return entry

    @property
    def said_something(self) -> bool:
        """Whether the check said something about the port."""
        return (self.found or self.status) not in ("not-applicable", "error")


def verdict_of(statuses: Iterable[str]) -> str:
    """Return the verdict on a port whose checks have these statuses."""
    found = set(statuses)
    if "error" in found:
        return "error"
    if found & {"failed", "unexpected-pass", "indeterminate"}:
        return "deviates"
    return "conforms"


def _number(value: float | None) -> float | str | None:
    if value is None or math.isfinite(value):
        return value
    return "inf" if value > 0 else "nan" if math.isnan(value) else "-inf"
