"""Judge a port: all checks, one report."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from gc_ref._conformance.cases.vectors import versions_up_to
from gc_ref._conformance.catalogue.checks import CHECKS, Check
from gc_ref._conformance.checks.registry import RUNS
from gc_ref._conformance.findings.check_report import CheckReport
from gc_ref._conformance.findings.outcome import Outcome, failed, not_applicable
from gc_ref._conformance.judging.judge import Judge
from gc_ref._conformance.judging.runs import Known
from gc_ref._conformance.known_failures.expectations import (
    Expectations,
    KnownFailures,
    expectations_of,
)
from gc_ref._conformance.known_failures.holding import hold_report
from gc_ref._conformance.ports.port import Port, PortError, ShapeChangedError, SkippedError
from gc_ref._conformance.reports.report import Report
from gc_ref._conformance.running.compose import compose_report
from gc_ref._conformance.running.progress import Watch
from gc_ref._conformance.vector_files.read import UserVectors, load_all

__all__ = [
    "DEFAULT_EXAMPLES",
    "SUITES",
    "check",
    "judge_port",
    "outcome_of",
    "report_of",
    "rerun_command",
]

SUITES = ("quick", "full")
#: Fuzzed examples per check, unless told otherwise.
DEFAULT_EXAMPLES = {"quick": 40, "full": 1000}


def check(
    port: Port,
    *,
    suite: str = "quick",
    seed: int = 0,
    max_examples: int | None = None,
    suite_version: str | None = None,
    vectors: Sequence[str | Path] = (),
    expected: KnownFailures | None = None,
) -> Report:
    """Judge a port.

    Parameters
    ----------
    port : Port
        Made by `operator_port`, `torch_port`, `keras_port`, `optax_port`, `numpy_port` or
        `exec_port`.
    suite : {"quick", "full"}
        Seconds, or a thorough run for the night.
    seed : int
        Seed of all random cases, not negative: the same seed gives the same report.
    max_examples : int, optional
        Fuzzed examples for each check that fuzzes; 40 in the quick suite, 1,000 in the
        full one. Ports whose every run compiles a model (Keras, optax) are not fuzzed.
    suite_version : str, optional
        Suite of frozen vectors, such as ``"2026.1"``: those that came later are left out.
        The latest by default. Ports whose every run compiles a model are held against
        frozen vectors in the full suite, or where a version is named.
    vectors : sequence of path
        Files of further vectors, as ``gc-ref vectors add`` makes them.
    expected : path or mapping, optional
        Known failures: a TOML file (see `gc-ref check --expected`), or check id to the reason,
        or to a mapping with ``reason``, ``issue`` and ``deviation``. A listed check that fails
        is an ``expected-failure``; one that passes makes the port deviate.

    Returns
    -------
    Report
        With ``verdict`` ``"conforms"``, ``"deviates"`` or ``"error"`` (the port could
        not be driven to the end), and one entry per check.

    Raises
    ------
    ValueError
        For an unknown suite or suite version, a negative seed or number of examples, a
        file of vectors that cannot be used, or for known failures that name no check, or
        give no reason.

    Examples
    --------
    >>> from gc_ref.conformance import check, operator_port
    >>> def half_centralized(g):
    ...     return g if g.ndim < 2 else g - g.mean(axis=0, keepdims=True) / 2
    >>> check(operator_port(half_centralized), max_examples=0).verdict
    'deviates'
    """
    return judge_port(
        port, suite=suite, seed=seed, max_examples=max_examples, suite_version=suite_version,
        given=load_all(vectors),
        expectations=expectations_of(port.name, expected), replays=True,
    )  # fmt: skip


def judge_port(
    port: Port,
    *,
    suite: str = "quick",
    seed: int = 0,
    max_examples: int | None = None,
    suite_version: str | None = None,
    given: UserVectors | None = None,
    known: Known | None = None,
    watch: Watch | None = None,
    expectations: Expectations | None = None,
    unshrunk: Iterable[str] = (),
    replays: bool = False,
) -> Report:
    """Judge a port as `check` does; ``known`` is shared by whoever judges many.

    ``watch`` is told of each check and each run.
    """
    if suite not in SUITES:
        raise ValueError(f"unknown suite {suite!r}; known: {', '.join(SUITES)}")
    if seed < 0:
        raise ValueError(f"seed must not be negative, got {seed}")
    if max_examples is None:
        max_examples = DEFAULT_EXAMPLES[suite]
    if max_examples < 0:
        raise ValueError(f"max_examples must not be negative, got {max_examples}")
    versions_up_to(suite_version)  # an unknown one is said before anything runs
    watch, given = watch or Watch(), given or UserVectors()
    judge = Judge(
        watch.over(port), seed=seed, suite=suite, max_examples=max_examples, known=known,
        suite_version=suite_version, vectors=given.vectors,
        unshrunk=expectations.entries if expectations else unshrunk, replays=replays,
    )  # fmt: skip
    rerun = rerun_command(
        port, suite=suite, seed=seed, max_examples=max_examples, suite_version=suite_version,
        files=given.files, expectations=expectations,
    )  # fmt: skip
    found: list[CheckReport] = []
    for number, entry in enumerate(CHECKS.values(), 1):
        watch.begins(entry, number, len(CHECKS))
        found.append(report_of(judge, entry, found, rerun))
        watch.ends(found[-1])
        if found[-1].status == "error":  # a port that cannot be driven says nothing more
            break
    watch.diagnoses()
    return hold_report(compose_report(judge, found, suite=suite), expectations)


def report_of(judge: Judge, entry: Check, before: Sequence[CheckReport], rerun: str) -> CheckReport:
    """Run one check and report what it found."""
    outcome = _unless_broken(judge, outcome_of(judge, entry, before))
    return CheckReport.of(entry, outcome, rerun)


def outcome_of(judge: Judge, entry: Check, before: Sequence[CheckReport] = ()) -> Outcome:
    """Run one check; a port that fails to run is one clear message, not a traceback."""
    try:
        return RUNS[entry.id](judge)
    except ShapeChangedError as error:
        if any(c.id == "hygiene/shape" and c.status == "failed" for c in before):
            return not_applicable("a shape changed: see hygiene/shape")
        return failed(str(error))  # a shape that changes in this check's own case only
    except SkippedError as error:
        return not_applicable(str(error))
    except PortError as error:
        return Outcome("error", str(error))


def _unless_broken(judge: Judge, outcome: Outcome) -> Outcome:
    """A port that broke down in a run says nothing, also where a refusal would be tolerated."""
    for port in (judge.port, judge.port.base):
        if port is not None and port.broken():
            return Outcome("error", port.broken())
    return outcome


def rerun_command(
    port: Port, *, suite: str, seed: int, max_examples: int, suite_version: str | None = None,
    files: Sequence[str] = (), expectations: Expectations | None = None,
) -> str:  # fmt: skip
    """Return the command, or the line of Python, that gives the same report again."""
    options: dict[str, Any] = {"suite": suite, "seed": seed}
    if max_examples != DEFAULT_EXAMPLES[suite]:
        options["max_examples"] = max_examples
    if expectations:
        options["expected"] = expectations.source or {
            id: entry.reason for id, entry in expectations.entries.items()
        }
    if suite_version is not None:
        options["suite_version"] = suite_version
    if port.target is None and not port.by_command:
        options |= {"vectors": list(files)} if files else {}
        arguments = ", ".join(f"{k}={v!r}" for k, v in options.items())
        return f"check({port.name}, {arguments})"
    words = ["gc-ref", "check", *([port.target] if port.target else []), *port.options]
    for key, value in options.items():
        words += [f"--{key.replace('_', '-')}", str(value)]
    for file in files:
        words += ["--vectors", file]
    import shlex

    return shlex.join(words)
