"""One run of ``gc-ref check``, as a process of its own, and what came out."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import time
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from field.records import HERE, Row

VERDICTS = {0: "conforms", 1: "deviates", 3: "undriven"}
#: The weights are small, and the cores are for the runs at once.
ONE_THREAD = {"OMP_NUM_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}
#: Some optimizers solve an eigenvalue problem for each weight.
LIMIT = 1800.0


@dataclass(frozen=True)
class Outcome:
    """What one run said; what is compared with the record is `verdict`, `failed`, `identified`."""

    name: str
    command: list[str]
    verdict: str  # conforms, deviates, undriven; "status N" is no verdict
    failed: list[str] = field(default_factory=list)
    identified: list[str] = field(default_factory=list)
    said: str = ""  # of gc-ref, in a line: the diagnosis, or why the port could not be driven
    seconds: float = 0.0
    date: str = field(default_factory=lambda: datetime.now(UTC).date().isoformat())
    report: dict[str, Any] | None = None

    @classmethod
    def read(cls, path: Path) -> Self:
        return cls(**json.loads(path.read_text(encoding="utf-8")))

    def write(self, path: Path) -> None:
        new = path.with_suffix(".new")  # an interrupted run leaves no half file to resume from
        new.write_text(json.dumps(asdict(self)), encoding="utf-8")
        new.replace(path)


def run_name(row: Row, backend: str = "") -> str:
    """The name of one run: a row on several backends of Keras has several."""
    return f"{row.name}-{backend}" if backend else row.name


def run_names(row: Row) -> list[str]:
    """The names of all runs of a row."""
    return [run_name(row, backend) for backend in row.keras_backends or ("",)]


def differences(row: Row, outcome: Outcome) -> list[str]:
    """What differs from the record, in words."""
    said = []
    if outcome.verdict != row.verdict:
        said.append(f"{outcome.verdict}, recorded: {row.verdict or 'nothing'}")
    for what in ("failed", "identified"):
        now, then = set(getattr(outcome, what)), set(getattr(row, what))
        more, less = sorted(now - then), sorted(then - now)
        said += [f"{what} now: {', '.join(more)}"] * bool(more)
        said += [f"no longer {what}: {', '.join(less)}"] * bool(less)
    return said


def judge(row: Row, *, python: str | Path, backend: str = "") -> Outcome:
    """Run ``gc-ref check`` in ``conformance/`` under one Python."""
    name, command = run_name(row, backend), row.command
    environment = {**os.environ, **ONE_THREAD, "KERAS_BACKEND": backend or "jax"}
    # An exec port starts the `python` of its environment, not that of the shell.
    environment["PATH"] = f"{Path(python).parent}{os.pathsep}{environment['PATH']}"
    began = time.monotonic()
    try:
        done = subprocess.run(
            [str(python), "-m", "gc_ref.conformance", *command, "--json", "-"],
            cwd=HERE,
            env=environment,
            capture_output=True,
            encoding="utf-8",
            check=False,
            timeout=LIMIT,
        )
    except subprocess.TimeoutExpired:
        said = f"did not come to an end within {LIMIT / 60:.0f} minutes"
        return Outcome(name, command, "undriven", said=said, seconds=LIMIT)
    seconds = round(time.monotonic() - began, 1)
    verdict = VERDICTS.get(done.returncode, f"status {done.returncode}")
    if done.returncode not in (0, 1):
        return Outcome(name, command, verdict, said=_reason(done), seconds=seconds)
    report = json.loads(done.stdout)
    failed = sorted(c["id"] for c in report["checks"] if c["status"] == "failed")
    return Outcome(
        name,
        command,
        verdict,
        failed,
        sorted(report["identified"]),
        said="; ".join(report["diagnosis"]),
        seconds=seconds,
        report=report,
    )


def _reason(done: subprocess.CompletedProcess[str]) -> str:
    """Why there is no verdict: the error of the report, or else the last line of the command."""
    with contextlib.suppress(json.JSONDecodeError):
        report = json.loads(done.stdout)
        return next(c["message"] for c in report["checks"] if c["status"] == "error")
    lines = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    return re.sub(r"^gc-ref[a-z ]*: (error: )?", "", lines[-1].strip()) if lines else ""
