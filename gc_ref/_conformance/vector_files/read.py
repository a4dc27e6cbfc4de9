"""Files of vectors that users have: read, and everything in them looked at."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from gc_ref._conformance.cases.vectors import (
    FILES,
    HYPERPARAMETERS,
    MEMBERS,
    SCHEMA,
    Vector,
    VectorError,
)
from gc_ref._conformance.ports.conventions import parse_conventions
from gc_ref._conformance.ports.serialization import (
    ProtocolError,
    RepeatedError,
    members,
    read_number,
    short,
)
from gc_ref._conformance.ports.storage import STORAGE, representable
from gc_ref._layouts import KINDS, LAYOUTS, VECTOR_KINDS

__all__ = ["UserVectors", "checked", "load", "load_all", "parse_object"]


def load(path: Path | str) -> tuple[Vector, ...]:
    """Read a file of vectors that a user has made, and look at everything in it.

    Raises
    ------
    VectorError
        If it cannot be read, or is no such file.
    """
    found = parse_object(path)
    if found.get("schema") != SCHEMA or not isinstance(found.get("vectors"), list):
        raise VectorError(f'{path} is no file of vectors: its "schema" must be "{SCHEMA}"')
    vectors = [checked(raw, f"{path}: vector {i}") for i, raw in enumerate(found["vectors"], 1)]
    seen: set[str] = set()
    for vector in vectors:
        if vector.id in seen:
            raise VectorError(f"{path} has the vector {short(vector.id)} twice")
        seen.add(vector.id)
    return tuple(vectors)


class UserVectors(NamedTuple):
    """Vectors that a user gave, and the files that they are from."""

    files: tuple[str, ...] = ()
    vectors: tuple[Vector, ...] = ()


def load_all(paths: Sequence[Path | str]) -> UserVectors:
    """Read several files; the same vector in two of them counts once.

    Raises
    ------
    VectorError
        If one cannot be used, or two vectors share an id and are not the same.
    """
    found: dict[str, Vector] = {}
    for path in paths:
        for vector in load(path):
            known = found.setdefault(vector.id, vector)
            if known.raw != vector.raw:
                raise VectorError(
                    f"{path} has another vector {short(vector.id)} than the files before"
                )
    return UserVectors(tuple(map(str, paths)), tuple(found.values()))


def parse_object(path: Path | str) -> dict[str, Any]:
    """Read a file that must hold one JSON object.

    Raises
    ------
    VectorError
        If it cannot be read, is no JSON, has a name twice, or holds something else.
    """
    try:
        text = Path(path).read_bytes().decode("utf-8-sig")
        if not text.strip():
            raise VectorError(f"{path} is empty")
        found = json.loads(text, object_pairs_hook=members)
    except OSError as error:
        raise VectorError(f"{path}: {error.strerror}") from error
    except RepeatedError as error:
        raise VectorError(f"{path} has {error}") from error
    except RecursionError as error:
        raise VectorError(f"{path} is JSON that is nested too deeply") from error
    except ValueError as error:
        raise VectorError(f"{path} is not JSON: {error}") from error
    if not isinstance(found, dict):
        raise VectorError(f"{path} must hold a JSON object, not {short(found)}")
    return found


def checked(raw: Any, where: str) -> Vector:
    """Look at everything in a vector that a user's file has."""
    if not isinstance(raw, dict):
        raise VectorError(f"{where} is {short(raw)}, expected an object")
    if isinstance(raw.get("id"), str):
        where = f"{where} ({short(raw['id'])})"
    missing = [m for m in MEMBERS if m not in raw and m != "weight"]
    unknown = [m for m in raw if m not in MEMBERS]
    if missing or unknown:
        verb = "lacks" if missing else "has"
        raise VectorError(f"{where} {verb} {short((missing + unknown)[0])}")
    try:
        return _sound(raw)
    except (ProtocolError, TypeError, ValueError) as error:
        raise VectorError(f"{where}: {error}") from error


def _sound(raw: dict[str, Any]) -> Vector:
    for name in ("id", "since", "clause", "says"):
        if not isinstance(raw[name], str) or not raw[name].strip():
            raise ValueError(f'"{name}" is {short(raw[name])}, expected a text')
    known = {"algorithm": FILES, "kind": (*KINDS, *VECTOR_KINDS), "layout": LAYOUTS,
             "dtype": STORAGE}  # fmt: skip
    for name, values in known.items():
        if raw[name] not in list(values):
            raise ValueError(f'"{name}" is {short(raw[name])}; known: {", ".join(values)}')
    for name in ("flags", "kills"):
        if not isinstance(raw[name], list) or not all(isinstance(v, str) for v in raw[name]):
            raise ValueError(f'"{name}" is {short(raw[name])}, expected a list of texts')
    _require_shape(raw)
    for name in ("conventions", "hyperparameters"):
        if not isinstance(raw[name], dict):
            raise ValueError(f'"{name}" is {short(raw[name])}, expected an object')
    parse_conventions(raw["conventions"])
    stepless = raw["algorithm"] == "operator"
    if stepless == ("weight" in raw):
        raise ValueError('"weight" goes with "algorithm" sgdm and adam, and they with it')
    needed = HYPERPARAMETERS[raw["algorithm"]]
    if sorted(raw["hyperparameters"]) != sorted(needed):
        raise ValueError(f'"hyperparameters" must be: {", ".join(needed) or "none"}')
    vector = Vector(raw)
    _require_numbers(raw, vector)
    return vector


def _require_shape(raw: dict[str, Any]) -> None:
    shape, axes = raw["shape"], raw["output_axes"]
    if not isinstance(shape, list) or not all(type(n) is int and n > 0 for n in shape):
        raise ValueError(f'"shape" is {short(shape)}, expected a list of numbers above 0')
    if (raw["kind"] in VECTOR_KINDS) != (len(shape) < 2):
        raise ValueError(f"a {raw['kind']} of shape {tuple(shape)}")
    if axes is None:
        return
    inside = isinstance(axes, list) and all(type(a) is int and 0 <= a < len(shape) for a in axes)
    if not inside or len(shape) < 2 or len(set(axes)) < len(axes):
        raise ValueError(f'"output_axes" {short(axes)} do not fit the shape {tuple(shape)}')


def _require_numbers(raw: dict[str, Any], vector: Vector) -> None:
    size, steps = math.prod(vector.shape), len(raw["gradients"])
    for name in ("gradients", "expected", "bound"):
        rows = raw[name]
        if not isinstance(rows, list) or not rows or len(rows) != steps:
            raise ValueError(f'"{name}" must have one list of numbers for each step')
        for row in rows:
            _require_row(row, name, size)
    if "weight" in raw:
        _require_row(raw["weight"], "weight", size)
    given = [v for row in (*raw["gradients"], raw.get("weight", [])) for v in map(read_number, row)]
    if not all(map(math.isfinite, [*given, *vector.hyperparameters.values()])):
        raise ValueError("gradients, weight and hyperparameters must be finite")
    with np.errstate(over="ignore"):
        stored = representable(np.array(given), vector.dtype)
    if stored.astype(np.float64).tolist() != given:
        raise ValueError(f'a number of "gradients" or "weight" is none of {vector.dtype}')
    if vector.algorithm == "operator" and steps != 1:
        raise ValueError('an "operator" has one gradient')


def _require_row(row: Any, name: str, size: int) -> None:
    if not isinstance(row, list) or len(row) != size:
        raise ValueError(f'"{name}" has {short(row)}, expected a list of {size} numbers')
    for text in row:
        read_number(text)
