"""What runs each check of the catalogue."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from gc_ref._conformance.checks import hygiene, law, scope, step, value
from gc_ref._conformance.findings.outcome import Outcome
from gc_ref._conformance.judging.judge import Judge

#: Check id to the function that runs the check on a judged port.
RUNS: Mapping[str, Callable[[Judge], Outcome]] = {
    **hygiene.RUNS,
    **law.RUNS,
    **scope.RUNS,
    **step.RUNS,
    **value.RUNS,
}
