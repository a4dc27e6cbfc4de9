"""Cases and expected values that ports share, and what makes an answer complete."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from gc_ref.conformance._compare import Expected
from gc_ref.conformance._port import (
    Array,
    Case,
    Parameter,
    Port,
    PortError,
    ShapeChangedError,
    Trajectory,
)

__all__ = ["Known", "require_complete", "run_key"]

Made = TypeVar("Made")


class Known:
    """What is right on which case: the same for all ports that are judged alike.

    Whoever judges many ports hands the same one to each judge, and nothing is computed twice.
    """

    def __init__(self) -> None:
        self.cases: dict[tuple[object, ...], Any] = {}
        self.steps: dict[tuple[object, ...], list[Expected]] = {}
        #: Cases that ``steps`` knows by their ids, which must not be given to others.
        self.alive: list[Case] = []
        #: What each law asks about a weight and its gradients.
        self.asked: dict[tuple[object, ...], list[tuple[Parameter, Array]]] = {}

    def case(self, make: Callable[..., Made], *args: Any, **kwargs: Any) -> Made:
        """Return a case (or a pack of them), made once for the same arguments."""
        key = (make, args, tuple(sorted(kwargs.items())))
        if key not in self.cases:
            self.cases[key] = make(*args, **kwargs)
        made: Made = self.cases[key]
        return made


def require_complete(case: Case, trajectory: Trajectory, port: Port) -> None:
    """Refuse an answer that lacks steps or parameters."""
    if len(trajectory.steps) != len(case.gradients):
        raise PortError(
            f"{port.name} answered {len(trajectory.steps)} steps for the {len(case.gradients)} "
            f"of case {case.id}"
        )
    for number, step in enumerate(trajectory.steps, 1):
        for p in case.parameters:
            if p.name not in step:
                raise PortError(
                    f"{port.name} lost parameter {p.name} in step {number} of {case.id}"
                )
            if tuple(np.shape(step[p.name])) != p.shape:
                raise ShapeChangedError(
                    f"{p.name} of shape {p.shape} came back with shape "
                    f"{tuple(np.shape(step[p.name]))} in step {number} of case {case.id}"
                )


def run_key(case: Case, port: Port) -> tuple[int, str, frozenset[str]]:
    """Return what tells one run of a case from another."""
    return id(port), f"{case.id}/{id(case.gradients)}", case.drive
