"""Make vectors of what fuzzing found, so that it is judged at every run from then on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gc_ref._conformance.cases.vectors import VectorError, dump
from gc_ref._conformance.ports.case import Array
from gc_ref._conformance.ports.serialization import ProtocolError, read_number, read_numbers
from gc_ref._conformance.vector_files.kills import kills_of
from gc_ref._conformance.vector_files.make import Inputs, freeze
from gc_ref._conformance.vector_files.read import checked, load, parse_object


def add_findings(report: Path | str, target: Path | str) -> tuple[list[str], list[str]]:
    """Add what fuzzing found in a report to a file of vectors, which is made where it is not.

    Returns
    -------
    added, known : list of str
        Ids that are new in the file, and those that it had already.

    Raises
    ------
    VectorError
        If a file cannot be used, or fuzzing found nothing in the report of ``gc-ref check``.
    """
    there = list(load(target)) if Path(target).exists() else []
    made = [_vector(report, check, port) for check, port in _findings(report)]
    if not made:
        raise VectorError(
            f"{report} has no finding of the fuzzing: other failures are of cases that are the "
            "same at every run"
        )
    ids = {v.id for v in there}
    new = list({raw["id"]: raw for raw in made if raw["id"] not in ids}.values())
    if new:
        text = dump([*(v.raw for v in there), *new], suite="user", clause="")
        try:
            Path(target).write_text(text, encoding="utf-8")
        except OSError as error:
            raise VectorError(f"{target}: {error.strerror}") from error
    added = [raw["id"] for raw in new]
    return added, sorted({raw["id"] for raw in made} - set(added))


def _findings(path: Path | str) -> list[tuple[dict[str, Any], str]]:
    """Return the checks of a report whose counterexample is a whole case, and the port's name."""
    report = parse_object(path)
    if report.get("schema") != "gc-ref-report/1" or not isinstance(report.get("checks"), list):
        raise VectorError(f'{path} is no JSON report of gc-ref check ("gc-ref-report/1")')
    port = report.get("port")
    name = str(port.get("name")) if isinstance(port, dict) else "a port"
    return [
        (check, name)
        for check in report["checks"]
        if isinstance(check, dict)
        and isinstance(check.get("counterexample"), dict)
        and "frozen" in check["counterexample"]
    ]


def _vector(path: Path | str, check: Mapping[str, Any], port: str) -> dict[str, Any]:
    """Make the vector of a finding. The expected values are computed, not read."""
    where = f"{path}: the finding of {check.get('id')}"
    found = check["counterexample"]["frozen"]

    def array(values: list[str]) -> Array:
        return read_numbers(values, found["dtype"]).reshape(found["shape"])

    try:
        text = json.dumps(found, sort_keys=True).encode()
        inputs = Inputs(
            id=f"found-{hashlib.sha256(text).hexdigest()[:8]}",
            since="user",
            says=f"found by fuzzing {port}: {check['id']}",
            flags=("found",),
            algorithm=found["algorithm"],
            kind=found["kind"],
            layout=found["layout"],
            output_axes=None if found["output_axes"] is None else tuple(found["output_axes"]),
            dtype=found["dtype"],
            gradients=[array(g) for g in found["gradients"]],
            weight=array(found["weight"]) if "weight" in found else None,
            conventions=found["conventions"],
            hyperparameters={k: read_number(v) for k, v in found["hyperparameters"].items()},
        )
        raw = freeze(inputs, check["clause"])
    except (LookupError, TypeError, ValueError, AttributeError, ProtocolError) as error:
        raise VectorError(f"{where} cannot be frozen: {error!r}") from error
    vector = checked(raw, where)
    return raw | {"kills": kills_of(vector)}
