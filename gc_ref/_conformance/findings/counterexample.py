"""The counterexample that a failed check hands over: given, expected, got."""

from __future__ import annotations

import math
from collections.abc import Iterator, KeysView, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

#: What the text of a `Replay` is: a program that needs the framework alone, one that imports
#: gc-ref too, or the reason why there is no program.
REPLAY_FORMS = ("standalone", "with-gc-ref", "reason")


def named(value: float) -> float | str:
    """Return a number that JSON can hold: non-finite ones by name."""
    value = float(value)
    if math.isfinite(value):
        return value
    return "nan" if math.isnan(value) else "inf" if value > 0 else "-inf"


def numeric(value: float | str) -> float:
    """Return the number of `named`."""
    return float(value)


@dataclass(frozen=True)
class Element:
    """One element of a parameter after one step, beside what it must be.

    Attributes
    ----------
    step : int
        Number of the step, from 1.
    index : tuple of int
        Index into the parameter.
    gradient : tuple of tuple of float
        For each step up to this one, the gradients of all inputs of the element's output
        neuron (of a vector: of all its elements); the first 64 of them.
    weight : float or None
        The element before the first step; None for an operator, which has no weights.
    expected, got : float
        What must come out, and what did.
    bound : float
        How far apart the two may be.
    """

    step: int
    index: tuple[int, ...]
    gradient: tuple[tuple[float, ...], ...]
    weight: float | None
    expected: float
    got: float
    bound: float

    @classmethod
    def from_json(cls, entry: Mapping[str, Any]) -> Element:
        """Read the inverse of `to_json`; other members are left alone."""
        return cls(
            step=entry["step"],
            index=tuple(entry["index"]),
            gradient=tuple(_numbers(step) for step in entry["gradient"]),
            weight=None if entry["weight"] is None else numeric(entry["weight"]),
            expected=numeric(entry["expected"]),
            got=numeric(entry["got"]),
            bound=numeric(entry["bound"]),
        )


@dataclass(frozen=True)
class Neuron:
    """All inputs of one output neuron after one step; empty where they are not known.

    Attributes
    ----------
    algorithm : str
        ``"operator"``, ``"sgdm"``, ``"adam"``, ``"base"``, or empty.
    hyperparameters : mapping
        What that algorithm was run with, under canonical names.
    expected, got : tuple of float
        What must come out and what did, in the order of the inputs; the first 64 of them.
    """

    algorithm: str = ""
    hyperparameters: Mapping[str, float] = field(default_factory=dict)
    expected: tuple[float, ...] = ()
    got: tuple[float, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the neuron as the JSON report has it."""
        found: dict[str, Any] = _as_json(vars(self))
        return found

    @classmethod
    def from_json(cls, entry: Mapping[str, Any], *, whole: bool = True) -> Neuron:
        """Read the inverse of `to_json`, or only what was run; other members are left alone."""
        return cls(
            algorithm=entry.get("algorithm", ""),
            hyperparameters={k: numeric(v) for k, v in entry.get("hyperparameters", {}).items()},
            expected=_numbers(entry["expected"]) if whole else (),
            got=_numbers(entry["got"]) if whole else (),
        )


@dataclass(frozen=True)
class Replay:
    """A program that shows a counterexample again, or why there is none.

    Attributes
    ----------
    text : str
        The program, or the reason in a line.
    form : str
        One of `REPLAY_FORMS`.
    """

    text: str
    form: str = "standalone"

    @property
    def reason(self) -> str:
        """Why there is no program; empty where there is one."""
        return self.text.removeprefix("# ").strip() if self.form == "reason" else ""


@dataclass(frozen=True)
class Counterexample:
    """What a failed check shows: one element of one parameter in one case.

    Attributes
    ----------
    case, dtype : str
        The case, and the dtype of its arrays.
    parameter, kind : str
        Name and kind of the parameter (see `gc_ref._layouts`).
    shape : tuple of int
        Its shape.
    output_axis : tuple of int or None
        Axes that number its output neurons; None where GC leaves it alone.
    worst : Element
        The element that is shown: of those that are wrong after the first wrong step, the
        easiest to work by hand.
    easiest : Element
        The same. (In a report of an earlier release ``worst`` was the one furthest off.)
    neuron : Neuron
        The whole output neuron of ``easiest``.
    frozen : mapping or None
        The whole case, for ``gc-ref vectors add``: of what only fuzzing found.
    replay : Replay or None
        A program that shows it without the kit.
    """

    case: str
    dtype: str
    parameter: str
    kind: str
    shape: tuple[int, ...]
    output_axis: tuple[int, ...] | None
    worst: Element
    easiest: Element
    neuron: Neuron = Neuron()
    frozen: Mapping[str, Any] | None = None
    replay: Replay | None = None

    def __getitem__(self, name: str) -> Any:
        """Return a member as the JSON report has it."""
        return self.to_json()[name]

    def __contains__(self, name: object) -> bool:
        """Whether the JSON report has a member of this name."""
        return name in self.to_json()

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names of the members in the JSON report."""
        return iter(self.to_json())

    def keys(self) -> KeysView[str]:
        """Return the names of the members in the JSON report, for ``dict(counterexample)``."""
        return self.to_json().keys()

    def to_json(self) -> dict[str, Any]:
        """Return the ``counterexample`` of a check as the JSON report has it."""
        return self._to_json(self.worst)

    def easiest_to_json(self) -> dict[str, Any]:
        """Return the same with the element that is easiest to work by hand."""
        return self._to_json(self.easiest)

    @classmethod
    def from_json(
        cls, entry: Mapping[str, Any], evidence: Mapping[str, Any] | None = None
    ) -> Counterexample:
        """Read the ``counterexample`` of a check from a JSON report.

        Parameters
        ----------
        entry : mapping
            That member.
        evidence : mapping, optional
            The report's ``evidence.counterexample``, where it is of the same check.
        """
        return cls(
            case=entry["case"],
            dtype=entry["dtype"],
            parameter=entry["parameter"],
            kind=entry["kind"],
            shape=tuple(entry["shape"]),
            output_axis=None if entry["output_axis"] is None else tuple(entry["output_axis"]),
            worst=Element.from_json(entry),
            easiest=Element.from_json(evidence["shown"] if evidence else entry),
            neuron=Neuron.from_json(evidence or entry, whole=evidence is not None),
            frozen=entry.get("frozen"),
        )

    def _to_json(self, shown: Element) -> dict[str, Any]:
        members = ("case", "dtype", "parameter", "kind", "shape", "output_axis")
        found = {name: getattr(self, name) for name in members} | vars(shown)
        if self.neuron.algorithm:
            found["algorithm"] = self.neuron.algorithm
            found["hyperparameters"] = self.neuron.hyperparameters
        if self.frozen is not None:
            found["frozen"] = self.frozen
        entry: dict[str, Any] = _as_json(found)
        return entry


def _as_json(value: Any) -> Any:
    """Return what JSON can hold: tuples as lists, non-finite numbers by name."""
    if isinstance(value, Mapping):
        return {k: _as_json(v) for k, v in value.items()}
    if isinstance(value, tuple | list):
        return [_as_json(v) for v in value]
    return named(value) if isinstance(value, float) else value


def _numbers(values: Sequence[float | str]) -> tuple[float, ...]:
    return tuple(numeric(v) for v in values)
