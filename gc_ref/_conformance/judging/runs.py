"""The runs of a port, each made once; and what is right, which ports share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from typing import Any, TypeVar

import numpy as np

from gc_ref._conformance.cases.comparison import Expected
from gc_ref._conformance.ports.case import Array, Case, Parameter, Trajectory
from gc_ref._conformance.ports.port import Port, PortError, ShapeChangedError

__all__ = ["WRITES_GRADIENT", "Known", "Runs"]

#: Note on a port that does so.
WRITES_GRADIENT = "writes to the gradient it is given"

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


class Runs:
    """A port, and what it answered: each case is run once.

    Parameters
    ----------
    port : Port
        The port.
    """

    def __init__(self, port: Port) -> None:
        self.port = port
        self._runs: dict[tuple[int, str, frozenset[str]], tuple[Case, Trajectory]] = {}
        self.notes: list[str] = []
        #: Whether the port wrote to a gradient that it was given.
        self.writes_gradient = False
        #: Dtypes that the port has refused: noted, and not tried again.
        self.refused: set[str] = set()

    def run(self, case: Case, *, port: Port | None = None) -> Trajectory:
        """Drive the port (or another) through a case; the same run is never made twice."""
        port = port or self.port
        key = _key(case, port)
        if key not in self._runs:
            trajectory = port.run(self.handed(case))
            _require_complete(case, trajectory, port)
            self._runs[key] = (case, trajectory)  # the case is kept alive: its id is the key
            if port is self.port:
                for text in trajectory.notes:
                    self.note(text)
                if trajectory.writes_gradient:
                    self.writes_gradient = True
                    self.note(WRITES_GRADIENT)
        return self._runs[key][1]

    def has_run(self, case: Case, *, port: Port | None = None) -> bool:
        """Whether a run is there already, so that asking for it costs nothing."""
        return _key(case, port or self.port) in self._runs

    def cases_run(self) -> list[Case]:
        """Cases that the port has been driven through in the plain way, in order."""
        return [c for (who, _, drive), (c, _) in self._runs.items()
                if who == id(self.port) and not drive]  # fmt: skip

    def run_again(self, case: Case) -> Trajectory:
        """Drive the port through a case once more, whatever it answered before."""
        return self.port.run(self.handed(case))

    def handed(self, case: Case) -> Case:
        """Return the case with hyperparameters that a port and its base both take.

        What only one of them takes stays as its author set it: the two are compared.
        """
        base = self.port.base
        if base is None or self.algorithm:
            return case
        common = self.port.takes & base.takes
        hyper = {k: v for k, v in case.hyperparameters.items() if k in common}
        return replace(case, hyperparameters=hyper)

    @property
    def operator(self) -> bool:
        """Whether the port is a bare function, gradient to centralized gradient."""
        return self.port.operator

    @cached_property
    def algorithm(self) -> str | None:
        """Algorithm whose hyperparameters suit the port: declared, or None for all."""
        return self.port.algorithm

    @property
    def layout(self) -> str:
        """Layout of the weights: declared, never inferred."""
        return self.port.layout

    def note(self, text: str) -> None:
        """Note what is not judged, once."""
        if text not in self.notes:
            self.notes.append(text)


def _require_complete(case: Case, trajectory: Trajectory, port: Port) -> None:
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


def _key(case: Case, port: Port) -> tuple[int, str, frozenset[str]]:
    """Return what tells one run of a case from another."""
    return id(port), f"{case.id}/{id(case.gradients)}", case.drive
