"""What a port is held to: an algorithm, conventions, and what was assumed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from gc_ref._conformance.cases.exact_steps import axes_in_scope
from gc_ref._conformance.ports.case import Parameter
from gc_ref._conformance.ports.conventions import Conventions
from gc_ref._layouts import output_axes

Axes = tuple[int, ...]

#: Conventions that decide about the steps of an algorithm.
OF_STEPS = ("placement", "momentum", "first_momentum", "epsilon", "decay")


def axes_under(rule: str, parameter: Parameter, layout: str) -> Axes | None:
    """Output axes under a rule: ``by-rank``, ``by-kind``, or ``none`` (left alone)."""
    if rule == "none":
        return None
    return output_axes(parameter.kind, len(parameter.shape), layout=layout, axes_rule=rule)


@dataclass(frozen=True)
class Formula:
    """An algorithm, with the conventions and hyperparameters that its steps depend on.

    The algorithm is ``"sgdm"``, ``"adam"``, or ``"operator"`` for Eq. 1 alone.
    """

    algorithm: str
    conventions: tuple[tuple[str, str], ...]
    hyperparameters: tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class Specification:
    """What a port is held to.

    Attributes
    ----------
    mode : str
        ``"operator"`` (Eq. 1), ``"sgdm"``, ``"adam"``, ``"base"`` (its base optimizer, fed
        with Φ(g)), or ``"unknown"``.
    conventions : Conventions
        Declared and inferred; the layout is always among them.
    assumed : mapping
        Hyperparameters that the port does not let a user choose, with the values assumed.
    remarks : tuple of str
        What was assumed, and what cannot be told apart, in sentences.
    free_kinds : mapping
        Kinds of weight that the conventions leave open, with the rule that the port follows.
    """

    mode: str
    conventions: Conventions
    assumed: Mapping[str, float] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()
    free_kinds: Mapping[str, str] = field(default_factory=dict)

    @property
    def placement(self) -> str:
        """Where Φ acts; on the gradient where nothing showed it."""
        return self.conventions.get("placement")

    @property
    def on_update(self) -> bool:
        """Whether Φ acts on the update instead of the gradient."""
        return self.placement in ("update", "decayed-update")

    @property
    def settled(self) -> Specification:
        """Return the same without the conventions that only come nearest."""
        return replace(self, conventions=self.conventions.without(self.conventions.nearest))

    def remark(self, *remarks: str) -> Specification:
        """Return the same with something said of it."""
        return replace(self, remarks=(*self.remarks, *remarks))

    def but(self, **chosen: str) -> Specification:
        """Return the same with other conventions."""
        values = {**self.conventions.values, **chosen}
        return replace(self, conventions=replace(self.conventions, values=values))

    def rule(self, parameter: Parameter) -> str:
        """Rule for a parameter's output axes: ``by-rank``, ``by-kind``, or ``none``."""
        if parameter.kind in self.free_kinds and len(parameter.shape) >= 2:
            return self.free_kinds[parameter.kind]
        if axes_in_scope(parameter, self.conventions) is None:
            return "none"
        return self.conventions.get("axes_rule")

    def axes(self, parameter: Parameter) -> Axes | None:
        """Output axes of a parameter; None where GC leaves it alone."""
        return axes_under(self.rule(parameter), parameter, self.conventions.get("layout"))
