"""The messages of the protocol for programs, conformance/PROTOCOL.md: written and read.

Whatever a program writes that is no message of the protocol raises `ProtocolError` with one
clear message.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from typing import Any

from gc_ref._conformance.adapters.exec.process import preview
from gc_ref._conformance.ports.case import Array, Case, Parameter, Trajectory
from gc_ref._conformance.ports.port import PortError, ShapeChangedError, SkippedError
from gc_ref._conformance.ports.serialization import (
    ProtocolError,
    RepeatedError,
    clean,
    members,
    read_numbers,
    short,
    write_number,
    write_numbers,
)
from gc_ref._conformance.ports.storage import STORAGE

#: Bytes that an answer may take: for each number, each array, and the whole.
PER_NUMBER, PER_ARRAY, PER_ANSWER = 64, 512, 1 << 16


def read_object(line: bytes) -> dict[str, Any]:
    """Read one line as a JSON object in which no name is twice and every number is finite."""
    advice = "standard output is for answers only, anything else goes to standard error"
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ProtocolError(f"answered a line that is not UTF-8: {preview(line)}") from error
    try:
        found = json.loads(text, object_pairs_hook=members, parse_constant=_no_constant)
    except RepeatedError as error:
        raise ProtocolError(f"answered {error}") from error
    except RecursionError as error:
        raise ProtocolError(f"answered JSON that is nested too deeply: {preview(line)}") from error
    except ValueError as error:
        raise ProtocolError(
            f"answered a line that is not JSON: {preview(line)}; {advice}"
        ) from error
    if not isinstance(found, dict):
        raise ProtocolError(f"answered JSON that is no object: {preview(line)}; {advice}")
    return found


def _no_constant(word: str) -> float:
    raise ProtocolError(f'answered {word}, which is not JSON: a number is a string such as "nan"')


def refuse_unknown(found: Mapping[str, Any], known: Iterable[str], what: str) -> None:
    """Raise unless all members of an object are known, so that no misspelt one is ignored."""
    known = tuple(known)
    for name in found:
        if name not in known:
            raise ProtocolError(f"{what} has {short(name)}; known: {', '.join(known)}")


def run_line(number: int, case: Case, takes: frozenset[str], *, centralized: bool) -> bytes:
    """Return the question that asks a program to run a case."""
    message = {
        "type": "run",
        "id": number,
        "case": case.id,
        "dtype": case.dtype,
        "gc": centralized,
        "hyperparameters": {
            k: write_number(v) for k, v in case.hyperparameters.items() if k in takes
        },
        "drive": sorted(case.drive),
        "parameters": [
            {"name": p.name, "kind": p.kind, **_write_array(p.value)} for p in case.parameters
        ],
        "gradients": [
            {p.name: _write_array(g[p.name]) for p in case.parameters} for g in case.gradients
        ],
    }
    return json.dumps(message).encode("ascii")


def _write_array(array: Array) -> dict[str, Any]:
    return {"shape": list(array.shape), "values": write_numbers(array)}


def longest_answer(case: Case) -> int:
    """Return how many bytes the answer to a case may have: far more than it needs."""
    arrays = sum(PER_ARRAY + 6 * len(p.name) + PER_NUMBER * p.value.size for p in case.parameters)
    return PER_ANSWER + arrays * len(case.gradients)


def read_answer(line: bytes, number: int, case: Case) -> Trajectory:
    """Read the answer to a case.

    Raises
    ------
    ProtocolError
        If the answer is not one of the protocol.
    SkippedError, PortError
        If the program says that it skips the case, or that it failed.
    ShapeChangedError
        If an array has another shape than its parameter.
    """
    found = read_object(line)
    _require_id(found.get("id"), number)
    kinds = [k for k in ("steps", "skipped", "error") if k in found]
    if len(kinds) != 1:
        said = " and ".join(kinds) or "neither"
        raise ProtocolError(f'its answer has {said}: "steps", "skipped" or "error", one of them')
    if kinds != ["steps"]:
        refuse_unknown(found, ("id", *kinds), "its answer")
        reason = found[kinds[0]]
        if not isinstance(reason, str) or not reason.strip():
            raise ProtocolError(f'"{kinds[0]}" is {short(reason)}: expected a reason in words')
        raise (SkippedError if kinds == ["skipped"] else PortError)(clean(reason))
    refuse_unknown(found, ("id", "steps", "dtype"), "its answer")
    dtype = found.get("dtype", case.dtype)
    if not isinstance(dtype, str) or dtype not in STORAGE:
        raise ProtocolError(f'"dtype" is {short(dtype)}; known: {", ".join(STORAGE)}')
    steps = found["steps"]
    if not isinstance(steps, list) or len(steps) != len(case.gradients):
        count = len(steps) if isinstance(steps, list) else short(steps)
        raise ProtocolError(f'"steps" is {count}, expected a list of {len(case.gradients)}')
    read = tuple(_read_step(s, i, case, dtype) for i, s in enumerate(steps, 1))
    return Trajectory(read, dtypes={p.name: dtype for p in case.parameters})


def _require_id(found: object, number: int) -> None:
    if type(found) is int and found == number:
        return
    if type(found) is int and 0 < found < number:
        said = f"answered run {found}, for a second time or too late,"
    else:
        said = f'answered with "id" {short(found)}'
    raise ProtocolError(f"{said} when run {number} was asked")


def _read_step(step: object, number: int, case: Case, dtype: str) -> dict[str, Array]:
    if not isinstance(step, dict):
        raise ProtocolError(f"step {number} is {short(step)}, expected an object of arrays")
    refuse_unknown(step, (p.name for p in case.parameters), f"step {number}")
    found = {}
    for p in case.parameters:
        if p.name not in step:
            raise ProtocolError(f"step {number} lacks {p.name}")
        found[p.name] = _read_array(step[p.name], f"{p.name} in step {number}", p, dtype)
    return found


def _read_array(found: object, where: str, p: Parameter, dtype: str) -> Array:
    if not isinstance(found, dict) or not {"shape", "values"} <= set(found):
        raise ProtocolError(f'{where} is {short(found)}, expected "shape" and "values"')
    refuse_unknown(found, ("shape", "values"), where)
    shape, values = found["shape"], found["values"]
    if not isinstance(shape, list) or len(shape) > 32 or not all(map(_is_length, shape)):
        raise ProtocolError(f"{where} has shape {short(shape)}, expected a list of whole numbers")
    if not isinstance(values, list):
        raise ProtocolError(f"{where} has values {short(values)}, expected a list of strings")
    if len(values) != math.prod(shape):
        raise ProtocolError(f"{where} has {len(values)} values for shape {short(shape)}")
    if tuple(shape) != p.shape:
        raise ShapeChangedError(f"{where} has shape {short(shape)}, expected {list(p.shape)}")
    try:
        return read_numbers(values, dtype).reshape(p.shape)
    except ProtocolError as error:
        raise ProtocolError(f"{where}: {error}") from error


def _is_length(value: object) -> bool:
    return type(value) is int and 0 <= value < 2**31
