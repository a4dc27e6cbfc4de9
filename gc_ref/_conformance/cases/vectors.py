"""Frozen vectors: inputs, exact expected values and bounds in files (conformance/vectors/)."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from gc_ref._conformance.ports.case import Array, Case, Parameter
from gc_ref._conformance.ports.serialization import read_number, read_numbers
from gc_ref._conformance.ports.storage import STORAGE

SCHEMA = "gc-ref-vectors/1"
#: Released suites, oldest first, each with the digest over all of its files (digest.json). A
#: released suite never changes.
RELEASED: Mapping[str, str] = {
    "2026.1": "4bf4d85bfbbc9bd4cfb2dc8399ce33366dd5b68b9a3bca07f714ba95a2d1a303",
    "2026.2": "7d3945d575f304b8717ee9502a5c5701fdacd3ad6fa091b52a69df93d0701ddb",
}
LATEST = list(RELEASED)[-1]
#: Names of the files by algorithm, and the hyperparameters that a vector of it has.
FILES = {"operator": "eq-1", "sgdm": "algorithm-1", "adam": "algorithm-2"}
HYPERPARAMETERS = {
    "operator": (),
    "sgdm": ("lr", "momentum", "weight_decay"),
    "adam": ("lr", "beta1", "beta2", "eps", "weight_decay"),
}
#: Members of a vector, in the order of the files; `weight` is absent where there are no steps.
MEMBERS = (
    "id", "since", "clause", "says", "flags", "kills", "algorithm", "kind", "layout", "shape",
    "output_axes", "dtype", "conventions", "hyperparameters", "weight", "gradients", "expected",
    "bound",
)  # fmt: skip


class VectorError(ValueError):
    """A file of vectors or of results that cannot be used; says where and what is wrong."""


class Vector:
    """One frozen vector.

    Parameters
    ----------
    raw : mapping
        The vector as its file has it: see conformance/vectors/README.md.

    Examples
    --------
    >>> vector = frozen("operator")[0]
    >>> vector.algorithm, vector.clause
    ('operator', 'Eq. 1')
    """

    def __init__(self, raw: Mapping[str, Any]) -> None:
        self.raw = raw
        self.id: str = raw["id"]
        self.since: str = raw["since"]
        self.clause: str = raw["clause"]
        self.flags: tuple[str, ...] = tuple(raw["flags"])
        self.kills: tuple[str, ...] = tuple(raw["kills"])
        self.algorithm: str = raw["algorithm"]
        self.kind: str = raw["kind"]
        self.layout: str = raw["layout"]
        self.shape: tuple[int, ...] = tuple(raw["shape"])
        axes = raw["output_axes"]
        self.output_axes: tuple[int, ...] | None = None if axes is None else tuple(axes)
        self.dtype: str = raw["dtype"]
        self.conventions: Mapping[str, str] = raw["conventions"]

    @cached_property
    def hyperparameters(self) -> dict[str, float]:
        """Hyperparameters, under their canonical names."""
        return {k: read_number(v) for k, v in self.raw["hyperparameters"].items()}

    @cached_property
    def weight(self) -> Array:
        """Weight before the first step; zeros where the vector has no steps."""
        if "weight" not in self.raw:
            return np.zeros(self.shape, STORAGE[self.dtype])
        return read_numbers(self.raw["weight"], self.dtype).reshape(self.shape)

    @cached_property
    def gradients(self) -> tuple[Array, ...]:
        """Gradient of each step."""
        return tuple(read_numbers(g, self.dtype).reshape(self.shape) for g in self.raw["gradients"])

    @cached_property
    def expected(self) -> tuple[tuple[float, ...], ...]:
        """Float64 nearest to the exact value, for each step and element."""
        return tuple(tuple(map(read_number, step)) for step in self.raw["expected"])

    @cached_property
    def bound(self) -> tuple[tuple[float, ...], ...]:
        """Largest |got − expected|, in float64, of a correct port."""
        return tuple(tuple(map(read_number, step)) for step in self.raw["bound"])

    def misses(self, values: Sequence[Sequence[float]]) -> list[tuple[int, int]]:
        """Return step and position of each value that is out of its bound.

        Where the bound is infinite any value is right, NaN included.
        """
        return [
            (step, i)
            for step, (got, want, most) in enumerate(
                zip(values, self.expected, self.bound, strict=True)
            )
            for i, (g, e, b) in enumerate(zip(got, want, most, strict=True))
            if not (b == math.inf or abs(g - e) <= b)
        ]

    def parameter(self) -> Parameter:
        """Return the vector's weight as the parameter of a model."""
        layer = "".join(c if c.isalnum() else "_" for c in self.id)
        return Parameter(layer, self.kind, self.weight, "dense" if self.kind == "bias" else "")

    def case(self) -> Case:
        """Return the vector as a case of its own."""
        p = self.parameter()
        steps = tuple({p.name: g} for g in self.gradients)
        return Case(f"vector:{self.id}", (p,), steps, self.hyperparameters, self.dtype)


def folder() -> Path:
    """Return the folder of the frozen vectors: in the installed package, or in a checkout."""
    here = Path(__file__).resolve()
    inside = here.parent / "vectors"  # a wheel puts them there
    return inside if inside.is_dir() else here.parents[3] / "conformance" / "vectors"


def versions_up_to(version: str | None) -> list[str]:
    """Return the suite versions up to one (None: the latest), oldest first.

    Raises
    ------
    ValueError
        For an unknown version.
    """
    known = list(RELEASED)
    if version is not None and version not in known:
        raise ValueError(f"unknown suite version {version!r}; known: {', '.join(known)}")
    return known[: known.index(version or LATEST) + 1]


@lru_cache(maxsize=16)
def frozen(algorithm: str, version: str | None = None) -> tuple[Vector, ...]:
    """Return the frozen vectors of an algorithm (``"operator"`` for Eq. 1), up to a version."""
    found: list[Vector] = []
    for each in versions_up_to(version):
        path = folder() / each / f"{FILES[algorithm]}.json"
        if path.exists():  # a later suite may add nothing to a clause
            found += [Vector(raw) for raw in json.loads(path.read_bytes())["vectors"]]
    return tuple(found)


def dump(vectors: Iterable[Mapping[str, Any]], *, suite: str, clause: str) -> str:
    """Return the text of a file of vectors: one member a line, arrays on one line each."""
    head = f'"schema": "{SCHEMA}", "suite": {json.dumps(suite)}, "clause": {json.dumps(clause)}'
    return f'{{{head}, "vectors": [\n' + ",\n".join(map(_dump_one, vectors)) + "\n]}\n"


def _dump_one(raw: Mapping[str, Any]) -> str:
    lines = (f'"{k}": {json.dumps(raw[k], ensure_ascii=False)}' for k in MEMBERS if k in raw)
    return "{" + ",\n ".join(lines) + "}"
