"""All checks on one port, and the report of what they found."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from gc_ref._conformance.cases.vectors import versions_up_to
from gc_ref._conformance.catalogue.checks import CHECKS, Check
from gc_ref._conformance.checks.registry import RUNS
from gc_ref._conformance.findings.check_report import CheckReport
from gc_ref._conformance.findings.outcome import Outcome, failed, not_applicable
from gc_ref._conformance.judging.judge import Judge
from gc_ref._conformance.judging.shared_results import Known
from gc_ref._conformance.known_failures.expectations import (
    Expectations,
    KnownFailures,
    expectations_of,
)
from gc_ref._conformance.known_failures.holding import hold_report
from gc_ref._conformance.ports.port import Port, PortError, ShapeChangedError, SkippedError
from gc_ref._conformance.reports.report import Report
from gc_ref._conformance.running.compose import compose_report
from gc_ref._conformance.running.progress import Progress
from gc_ref._conformance.running.replaced import replaced_functions
from gc_ref._conformance.vector_files.read import UserVectors, load_all
from gc_ref._conformance.writing.extras import require

__all__ = [
    "DEFAULT_EXAMPLES",
    "RunOptions",
    "check",
    "judge_port",
    "outcome_of",
    "report_of_check",
    "rerun_command",
]

#: Suite to its number of fuzzed examples per check, unless another is asked for.
DEFAULT_EXAMPLES: Mapping[str, int] = {"quick": 40, "full": 1000}


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
    ImportError
        Without Hypothesis, if anything is to be fuzzed.
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
    options = RunOptions(suite, seed, max_examples, suite_version)
    known = expectations_of(port.name, expected)
    return judge_port(port, options, given=load_all(vectors), expectations=known, replays=True)


@dataclass(frozen=True)
class RunOptions:
    """How much is run: see `check`; wrong values are a `ValueError`."""

    suite: str = "quick"
    seed: int = 0
    max_examples: int | None = None
    suite_version: str | None = None

    def __post_init__(self) -> None:
        """Refuse what does not exist."""
        if self.suite not in DEFAULT_EXAMPLES:
            raise ValueError(f"unknown suite {self.suite!r}; known: {', '.join(DEFAULT_EXAMPLES)}")
        if self.seed < 0:
            raise ValueError(f"seed must not be negative, got {self.seed}")
        if self.examples < 0:
            raise ValueError(f"max_examples must not be negative, got {self.examples}")
        versions_up_to(self.suite_version)

    @property
    def examples(self) -> int:
        """Fuzzed examples per check."""
        default = DEFAULT_EXAMPLES[self.suite]
        return default if self.max_examples is None else self.max_examples

    def judge(self, port: Port, **more: Any) -> Judge:
        """Return a judge of a port that runs as much."""
        return Judge(port, **{**asdict(self), "max_examples": self.examples, **more})

    def chosen(self) -> dict[str, Any]:
        """Return the options that a rerun must be given: suite, seed, and what is no default."""
        options: dict[str, Any] = {"suite": self.suite, "seed": self.seed}
        if self.examples != DEFAULT_EXAMPLES[self.suite]:
            options["max_examples"] = self.examples
        return options


def judge_port(
    port: Port,
    options: RunOptions | None = None,
    *,
    given: UserVectors | None = None,
    known: Known | None = None,
    progress: Progress | None = None,
    expectations: Expectations | None = None,
    unshrunk: Iterable[str] = (),
    replays: bool = False,
) -> Report:
    """Judge a port as `check` does.

    ``given`` are further vectors. ``known`` is what was worked out for other ports and holds for
    this one too; it is added to. ``progress`` is told of each check and each run. No smaller
    counterexample is looked for in the checks of ``unshrunk``, or that are expected to fail.
    """
    options = options or RunOptions()
    if options.examples and port.per_run_cost == "cheap":
        require("hypothesis", "Fuzzing", "; without it: --max-examples 0 (max_examples=0)")
    progress = progress or Progress()
    given = given or UserVectors()
    judge = options.judge(
        progress.watch(port),
        known=known,
        vectors=given.vectors,
        unshrunk=expectations.entries if expectations else unshrunk,
        replays=replays,
    )
    rerun = rerun_command(port, options, files=given.files, expectations=expectations)
    found: list[CheckReport] = []
    for entry in CHECKS.values():
        progress.check_begins(entry)
        found.append(report_of_check(judge, entry, found, rerun))
        progress.check_ends(found[-1])
        if found[-1].status == "error":  # a port that cannot be driven says nothing more
            break
    progress.diagnosis_begins()
    return hold_report(compose_report(judge, found, suite=options.suite), expectations)


def report_of_check(
    judge: Judge, entry: Check, before: Sequence[CheckReport], rerun: str
) -> CheckReport:
    """Run one check, after those ``before``, and report what it found."""
    try:
        outcome = outcome_of(judge, entry, before)
    except Exception as error:
        if not replaced_functions():
            raise
        outcome = Outcome("error", type(error).__name__)  # the reason follows
    # The check may have tolerated the run that broke the port, or what the kit computes with.
    for broken in (replaced_functions, judge.port.broken, getattr(judge.port.base, "broken", str)):
        if words := broken():
            outcome = Outcome("error", words)
            break
    return CheckReport.of(entry, outcome, rerun)


def outcome_of(judge: Judge, entry: Check, before: Sequence[CheckReport] = ()) -> Outcome:
    """Run one check; a port that fails to run is one clear message, not a traceback."""
    changes = len(judge.dtype_changes)
    try:
        outcome = RUNS[entry.id](judge)
    except ShapeChangedError as error:
        if any(c.id == "hygiene/shape" and c.status == "failed" for c in before):
            return not_applicable("a shape changed: see hygiene/shape")
        return failed(str(error))  # a shape that changes in this check's own case only
    except SkippedError as error:
        return not_applicable(str(error))
    except PortError as error:
        message, way_out = str(error), judge.port.way_out
        return Outcome("error", f"{message.rstrip('.')}. {way_out}" if way_out else message)
    changed = list(judge.dtype_changes.values())[changes:]
    kept = any(c.id == "hygiene/dtype" and c.status == "passed" for c in before)
    if changed and kept and outcome.status == "passed":
        return failed(changed[0])  # a dtype that changes in this check's own case only
    return outcome


def rerun_command(
    port: Port,
    options: RunOptions,
    *,
    files: Sequence[str] = (),
    expectations: Expectations | None = None,
) -> str:
    """Return the command, or the line of Python, that gives the same report again."""
    chosen = options.chosen()
    if expectations:
        reasons = {id: entry.reason for id, entry in expectations.entries.items()}
        chosen["expected"] = expectations.source or reasons
    if options.suite_version is not None:
        chosen["suite_version"] = options.suite_version
    if port.target is None and not port.by_command:
        if files:
            chosen["vectors"] = list(files)
        return f"check(port, {', '.join(f'{k}={v!r}' for k, v in chosen.items())})"
    words = [f"{name}={value}" for name, value in port.variables.items()]
    words += ["gc-ref", "check", *([port.target] if port.target else []), *port.options]
    for name, value in chosen.items():
        words += [f"--{name.replace('_', '-')}", str(value)]
    for file in files:
        words += ["--vectors", file]
    return shlex.join(words)
