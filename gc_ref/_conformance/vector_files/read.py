"""Read files of vectors that users have made, and check everything in them.

The checks are written by hand, and not left to the JSON Schema beside the frozen vectors: they
hold members against each other too, and each problem is one sentence that names the vector.
"""

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
from gc_ref._conformance.ports.storage import STORAGE
from gc_ref._conformance.writing.files import read_regular
from gc_ref._layouts import KINDS, LAYOUTS, VECTOR_KINDS

#: Values that a member may have.
KNOWN = {
    "algorithm": tuple(FILES),
    "kind": (*KINDS, *VECTOR_KINDS),
    "layout": LAYOUTS,
    "dtype": tuple(STORAGE),
}


def load(path: Path | str) -> tuple[Vector, ...]:
    """Read a file of vectors that a user has made; raise VectorError if it cannot be used."""
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
    """The vectors that a user gave, and the files that they are from."""

    files: tuple[str, ...] = ()
    vectors: tuple[Vector, ...] = ()


def load_all(paths: Sequence[Path | str]) -> UserVectors:
    """Read several files; the same vector in two of them counts once.

    Raises
    ------
    VectorError
        If a file cannot be used, or two vectors with one id differ.
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
    """Read a file that holds one JSON object; raise VectorError if it does not."""
    try:
        text = read_regular(path).decode("utf-8-sig")
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
    """Return the vector of a user's file; raise VectorError, from ``where``, if it is wrong."""
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
        _require_members(raw)
        vector = Vector(raw)
        _require_numbers(vector)
    except (ProtocolError, TypeError, ValueError) as error:
        raise VectorError(f"{where}: {error}") from error
    return vector


def _require_members(raw: dict[str, Any]) -> None:
    """Raise ValueError unless every member is of its kind, and all go together."""

    def require(condition: bool, name: str, expected: str) -> None:
        if not condition:
            raise ValueError(f'"{name}" is {short(raw[name])}{expected}')

    for name in ("id", "since", "clause", "says"):
        require(isinstance(raw[name], str) and bool(raw[name].strip()), name, ", expected a text")
    for name, known in KNOWN.items():
        require(raw[name] in known, name, f"; known: {', '.join(known)}")
    for name in ("flags", "kills"):
        texts = isinstance(raw[name], list) and all(isinstance(v, str) for v in raw[name])
        require(texts, name, ", expected a list of texts")
    for name in ("conventions", "hyperparameters"):
        require(isinstance(raw[name], dict), name, ", expected an object")
    shape, axes = raw["shape"], raw["output_axes"]
    sizes = isinstance(shape, list) and all(type(n) is int and n > 0 for n in shape)
    require(sizes, "shape", ", expected a list of numbers above 0")
    if (raw["kind"] in VECTOR_KINDS) != (len(shape) < 2):
        raise ValueError(f"a {raw['kind']} of shape {tuple(shape)}")
    if axes is not None:
        fit = isinstance(axes, list) and all(type(a) is int and 0 <= a < len(shape) for a in axes)
        if not fit or len(shape) < 2 or len(set(axes)) < len(axes):
            raise ValueError(f'"output_axes" {short(axes)} do not fit the shape {tuple(shape)}')
    parse_conventions(raw["conventions"])
    if (raw["algorithm"] == "operator") == ("weight" in raw):
        raise ValueError('"weight" goes with "algorithm" sgdm and adam, and they with it')
    needed = HYPERPARAMETERS[raw["algorithm"]]
    if sorted(raw["hyperparameters"]) != sorted(needed):
        raise ValueError(f'"hyperparameters" must be: {", ".join(needed) or "none"}')
    rows = {name: raw[name] for name in ("gradients", "expected", "bound")}
    for name, lists in rows.items():
        if not isinstance(lists, list) or not lists or len(lists) != len(raw["gradients"]):
            raise ValueError(f'"{name}" must have one list of numbers for each step')
    for name, lists in (rows | {"weight": [raw["weight"]] if "weight" in raw else []}).items():
        for row in lists:
            if not isinstance(row, list) or len(row) != math.prod(shape):
                expected = f"expected a list of {math.prod(shape)} numbers"
                raise ValueError(f'"{name}" has {short(row)}, {expected}')


def _require_numbers(vector: Vector) -> None:
    """Raise unless all numbers can be read, those given are finite, and the steps are right."""
    for row in (*vector.raw["expected"], *vector.raw["bound"]):
        for text in row:
            read_number(text)
    given = [*vector.gradients, vector.weight, np.array(list(vector.hyperparameters.values()))]
    if not all(np.isfinite(values).all() for values in given):
        raise ValueError("gradients, weight and hyperparameters must be finite")
    if vector.algorithm == "operator" and len(vector.gradients) != 1:
        raise ValueError('an "operator" has one gradient')
