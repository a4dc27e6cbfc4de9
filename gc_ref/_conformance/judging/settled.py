"""What a port is held to, and how one of its parameters matches that."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from gc_ref._conformance.cases.comparison import Comparison
from gc_ref._conformance.ports.case import Parameter
from gc_ref._conformance.ports.conventions import Conventions

__all__ = ["Match", "Settled"]


@dataclass(frozen=True)
class Settled:
    """What the port is held to: its algorithm, conventions, and what was assumed."""

    mode: str  # "operator", "sgdm", "adam", "base" or "unknown"
    conventions: Conventions
    assumed: Mapping[str, float] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()
    #: Kinds whose treatment the conventions leave open, with what the port does.
    free_kinds: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Match:
    """One parameter of one case, held against one reading of it, over all steps."""

    parameter: Parameter
    step: int
    comparison: Comparison
    inexact: int
    undecided: int
    elements: int

    @property
    def within(self) -> bool:
        """Whether every element of every step is within its bound."""
        return self.comparison.within
