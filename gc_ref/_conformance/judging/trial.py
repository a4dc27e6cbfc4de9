"""A port on trial: its runs, the cases that it runs, and what is right on them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cached_property, partial
from typing import Any

import numpy as np

from gc_ref import bounds
from gc_ref._conformance.cases import standard as cases
from gc_ref._conformance.cases.comparison import Expected
from gc_ref._conformance.cases.layers import (
    FEW,
    INTEGER_LAYERS,
    SIZED_LAYERS,
    WIDE_LAYERS,
    stored_as,
)
from gc_ref._conformance.judging.left_out import refusal, refused_ranks, without_ranks
from gc_ref._conformance.judging.shared_results import Keeper, Known
from gc_ref._conformance.judging.specification import (
    OF_STEPS,
    Axes,
    Formula,
    Specification,
    axes_under,
)
from gc_ref._conformance.ports.case import Array, Case, Parameter, Trajectory, describe
from gc_ref._conformance.ports.port import Port, PortError, ShapeChangedError

#: Note on a port that does so.
WRITES_GRADIENT = "writes to the gradient it is given, or puts another in its place"
#: What an optimizer is assumed to use for a hyperparameter that it does not let a user choose.
ABSENT: Mapping[str, float] = {
    "lr": 1.0,
    "momentum": 0.0,
    "beta1": 0.9,
    "beta2": 0.999,
    "eps": 1e-8,
    "weight_decay": 0.0,
}


class Trial(Keeper):
    """A port, the cases that it runs (each once), and what is right on them.

    Parameters
    ----------
    port : Port
        The port.
    seed : int
        Seed of all random cases.
    suite : {"quick", "full"}
        How much is run.
    known : Known, optional
        What is right, shared with the trials of other ports.
    """

    def __init__(self, port: Port, *, seed: int, suite: str, known: Known | None = None) -> None:
        super().__init__()
        self.port, self.seed, self.suite = port, seed, suite
        self.known = known or Known()
        #: What was noticed and is not judged: sentences, in order, each once.
        self.notes: dict[str, None] = {}
        #: Whether the port wrote to a gradient that it was given.
        self.writes_gradient = False
        #: Dtypes that the port refused to run.
        self.refused: set[str] = set()
        #: Half-precision dtypes that the port sums in, without a wider accumulator.
        self.half_sums: set[str] = set()
        #: Cases in which a dtype changed, and which: filled as cases are run.
        self.dtype_changes: dict[Case, str] = {}
        self._runs: dict[tuple[str, Case], Trajectory] = {}
        self._failures: dict[tuple[str, Case], PortError] = {}

    @property
    def operator(self) -> bool:
        """Whether the port is a bare function, gradient to centralized gradient."""
        return self.port.operator

    @property
    def algorithm(self) -> str | None:
        """Algorithm that the port was declared to follow, if any."""
        return self.port.algorithm

    @property
    def layout(self) -> str:
        """Layout of the weights: declared, never inferred."""
        return self.port.layout

    def note(self, text: str) -> None:
        """Note what is not judged."""
        self.notes.setdefault(text)

    # ---- runs

    def run(self, case: Case, *, port: Port | None = None) -> Trajectory:
        """Drive the port, its base, or the port with GC off through a case, if not yet done."""
        port = port or self.port
        key = (self._role(port), case)
        if key in self._failures:  # what failed once is not right because it was asked again
            raise self._failures[key]
        if key not in self._runs:
            try:
                trajectory = port.run(self.handed(case))
                _require_complete(case, trajectory, port)
            except PortError as error:
                self._failures[key] = error
                raise
            self._runs[key] = trajectory
            if port is self.port:
                if changed := changed_dtype(case, trajectory):
                    self.dtype_changes[case] = changed
                for text in trajectory.notes:
                    self.note(text)
                if trajectory.writes_gradient:
                    self.writes_gradient = True
                    self.note(WRITES_GRADIENT)
        return self._runs[key]

    def has_run(self, case: Case, *, port: Port | None = None) -> bool:
        """Whether a run has been made, so that asking for it costs nothing."""
        return (self._role(port or self.port), case) in self._runs

    def run_again(self, case: Case, *, port: Port | None = None) -> Trajectory:
        """Drive the port, or its base, through a case again, whatever it answered before."""
        return (port or self.port).run(self.handed(case))

    def afresh(self) -> Trial:
        """Return a trial of the same port that has run nothing yet; it adds to the same notes."""
        fresh = Trial(self.port, seed=self.seed, suite=self.suite, known=self.known)
        fresh.notes, fresh.dtype_changes = self.notes, self.dtype_changes
        return fresh

    def steps(self, case: Case, p: Parameter, *, port: Port | None = None) -> list[Array]:
        """Values of one parameter after each step of a run."""
        return [step[p.name] for step in self.run(case, port=port).steps]

    def handed(self, case: Case) -> Case:
        """Return the case with the hyperparameters that a port and its base both take.

        What only one of them takes stays as its author set it: the two are compared.
        """
        base = self.port.base
        if base is None or self.algorithm:
            return case
        common = self.port.takes & base.takes
        hyper = {k: v for k, v in case.hyperparameters.items() if k in common}
        return replace(case, hyperparameters=hyper)

    def _role(self, port: Port) -> str:
        roles = {"port": self.port, "base": self.port.base, "off": self.port.off}
        for role, known in roles.items():
            if port is known:
                return role
        raise ValueError(f"{port.name} is neither the port on trial, nor its base, nor with GC off")

    # ---- cases

    def case(self, make: Callable[..., Case], **options: Any) -> Case:
        """Return a case for all ports of this layout and algorithm that take its parameters."""
        return without_ranks(self._whole(make, **options), self.refused_ranks)

    @cached_property
    def refused_ranks(self) -> frozenset[int]:
        """Numbers of dimensions of parameters that neither the port nor its base can be given.

        Only a base shows that it is the optimizer that refuses them, and not what GC adds to it.
        """
        base = self.port.base
        if base is None:
            return frozenset()
        whole = self._whole(cases.integer_case, **self._zero_tolerance)
        reason = refusal(whole, self.run)
        if not reason:
            return frozenset()
        refused = refused_ranks(whole, self.run)
        if not refused <= refused_ranks(whole, partial(self.run, port=base)):
            return frozenset()  # the base does well with what the port refuses
        if names := [p.name for p in whole.parameters if len(p.shape) in refused]:
            self.note(
                f"{len(names)} of {len(whole.parameters)} parameters were left out, as the base "
                f"cannot be given them: {', '.join(names)} ({reason})"
            )
        return refused

    def _whole(self, make: Callable[..., Case], **options: Any) -> Case:
        shared: dict[str, Any] = {"seed": self.seed, "algorithm": self.algorithm}
        if make is cases.integer_case:  # the one that has layers of every kind
            shared["layers"] = stored_as(INTEGER_LAYERS, self.port.own_kinds)
        return self.known.case(make, self.layout, **shared | options)

    @cached_property
    def integers(self) -> Case:
        """The zero-tolerance case; longer for an optimizer that rests at first (RAdam)."""
        case = self.case(cases.integer_case, **self._zero_tolerance)
        if self.operator or self.algorithm:
            return case
        last = self.run(case).steps[-1]
        if any(np.any(last[p.name] != p.value) for p in case.parameters):
            return case
        return self._integers(16)

    def _integers(self, steps: int) -> Case:
        return self.case(cases.integer_case, **{**self._zero_tolerance, "steps": steps})

    @property
    def _zero_tolerance(self) -> dict[str, Any]:
        steps = 1 if self.operator else 3
        return {"operator": self.operator, "eps": self._dyadic_eps, "steps": steps}

    @property
    def _dyadic_eps(self) -> float | None:
        """ε that makes the steps of the port's framework exact; None for the usual one."""
        return 0.5 if self.port.usual_epsilon == "hat" else None

    @cached_property
    def bounded(self) -> Case:
        """The case of hard regimes."""
        steps = 1 if self.operator else 16 if self.suite == "full" else 8
        return self.case(cases.bounded_case, operator=self.operator, steps=steps)

    @cached_property
    def long(self) -> Case:
        """Many steps of a few small parameters."""
        return self.case(cases.long_case, steps=1040 if self.suite == "full" else 130)

    @cached_property
    def sized(self) -> Case:
        """The case of sizes as real models have them."""
        small = {} if self.port.most_elements is None else {"layers": SIZED_LAYERS}
        return self.case(cases.sized_case, eps=self._dyadic_eps, **small)

    @cached_property
    def wide(self) -> Case:
        """The case of sizes that optimizers may square: for ports without a formula."""
        steps = len(self.integers.gradients)
        return self.case(cases.sized_case, steps=steps, label="wide", layers=WIDE_LAYERS)

    @cached_property
    def scales(self) -> Case:
        """The case of means on every scale."""
        return self.case(cases.scales_case, operator=self.operator)

    @cached_property
    def decayed(self) -> Case:
        """The case with weight decay."""
        return self.case(cases.decay_case, eps=self._dyadic_eps)

    @cached_property
    def rates(self) -> Case:
        """The case whose learning rate changes; a second parameter group comes later."""
        case = self.case(cases.rates_case, eps=self._dyadic_eps)
        drivers = [self.port, *([self.port.base] if self.port.base else [])]
        if all("later-group" in port.drives for port in drivers):
            later = case.with_drive("later-group")
            try:
                for port in drivers:
                    self.run(later, port=port)
            except PortError as error:
                self.note(f"a parameter group that is added later was not tried: {error}")
            else:
                return later
        return case

    @cached_property
    def poisoned(self) -> tuple[Case, dict[str, Array], frozenset[str]]:
        """The small case with changes that must not spread, where they may show, and NaNs."""
        return cases.poisoned_case(self.small, self.layout)

    @cached_property
    def small(self) -> Case:
        """A few layers of the integer case: cheap also where each run compiles a model."""
        return cases.part_of(self.integers, FEW, "small")

    # ---- what is right

    def profile(self, dtype: str, *, accumulator: str | None = None) -> bounds.Profile:
        """Arithmetic that the port is allowed.

        Hyperparameters may be float32 whatever the weights are: a port may hold lr as a
        tensor, and the products of its betas as another.
        """
        return bounds.profile(
            dtype,
            accumulator=accumulator,
            hyperparameters="float32",
            flush_to_zero=self.port.flush_to_zero,
        )

    def hyperparameters(self, case: Case, assumed: Mapping[str, float]) -> dict[str, float]:
        """Values that the port really runs with: the case's, the user's, or assumed ones."""
        chosen = {k: v for k, v in case.hyperparameters.items() if k in self.port.takes}
        return {**ABSENT, **assumed, **chosen, **self.port.fixed}

    def axes(self, parameter: Parameter, rule: str) -> Axes | None:
        """Output axes under a rule: ``by-rank``, ``by-kind`` or ``none`` (left alone)."""
        return axes_under(rule, parameter, self.layout)

    def leaves_choice(self, parameter: Parameter) -> bool:
        """Whether the output axes by rank are others than those by kind."""
        return self.axes(parameter, "by-rank") != self.axes(parameter, "by-kind")

    def fan_in(self, parameter: Parameter) -> int:
        """Inputs of each output neuron, by rank; 1 for vectors."""
        axes = self.axes(parameter, "by-rank")
        if axes is None:
            return 1
        return math.prod(n for i, n in enumerate(parameter.shape) if i not in axes)

    def formula(self, case: Case, held_to: Specification) -> Formula:
        """Return what the steps of a case are to follow."""
        chosen = held_to.conventions.values
        hyper = self.hyperparameters(case, held_to.assumed)
        return Formula(
            held_to.mode,
            tuple((field, chosen[field]) for field in sorted(OF_STEPS) if field in chosen),
            tuple(sorted(hyper.items())),
        )

    def expected(
        self, case: Case, parameter: Parameter, axes: Axes | None, formula: Formula
    ) -> list[Expected]:
        """Exact trajectory of one parameter, with its allowances."""
        return self.known.steps(case, parameter, axes, formula, self.profile(case.dtype))


def changed_dtype(case: Case, trajectory: Trajectory) -> str:
    """Name the first parameter that a run gave another dtype; empty where none has one."""
    for p in case.parameters:
        got = trajectory.dtypes.get(p.name, case.dtype)
        if got != case.dtype:
            return f"{describe(p)} of dtype {case.dtype} comes back as {got} in case {case.id}"
    return ""


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
