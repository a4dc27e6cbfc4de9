"""The judge: runs a port once per case, and holds what came back against what is right."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np

from gc_ref import bounds
from gc_ref._conformance.cases import standard as cases
from gc_ref._conformance.cases.comparison import Comparison, Expected, compare
from gc_ref._conformance.cases.expected import axes_in_scope, expected_steps
from gc_ref._conformance.cases.layers import FEW
from gc_ref._conformance.cases.vectors import Vector
from gc_ref._conformance.judging.base_law import base_fed_with, compare_to_base
from gc_ref._conformance.judging.runs import Known, Runs
from gc_ref._conformance.judging.settled import Match, Settled
from gc_ref._conformance.ports.case import Array, Case, Parameter, Trajectory
from gc_ref._conformance.ports.port import Port
from gc_ref._layouts import output_axes

__all__ = ["Judge"]

#: What an optimizer is assumed to use for a hyperparameter that it does not let us choose.
ABSENT: Mapping[str, float] = {
    "lr": 1.0,
    "momentum": 0.0,
    "beta1": 0.9,
    "beta2": 0.999,
    "eps": 1e-8,
    "weight_decay": 0.0,
}


class Judge(Runs):
    """One port under judgment: its runs (each made once), its cases, its verdicts.

    Parameters
    ----------
    port : Port
        The port.
    seed : int
        Seed of all random cases.
    suite : {"quick", "full"}
        How much is run.
    max_examples : int
        Number of fuzzed examples for each fuzzing check.
    known : Known, optional
        What is right, shared with the judges of other ports.
    unshrunk : iterable of str
        Checks that are expected to fail: no smaller counterexample is looked for.
    replays : bool
        Whether counterexamples get a snippet that shows them without gc-ref.
    suite_version : str, optional
        Frozen vectors up to this one; all of them by default.
    vectors : sequence of Vector
        Further vectors, of the user.
    """

    def __init__(
        self, port: Port, *, seed: int, suite: str, max_examples: int, known: Known | None = None,
        unshrunk: Iterable[str] = (), replays: bool = False,
        suite_version: str | None = None, vectors: Sequence[Vector] = (),
    ) -> None:  # fmt: skip
        super().__init__(port)
        self.seed, self.suite, self.max_examples = seed, suite, max_examples
        self.suite_version, self.vectors = suite_version, tuple(vectors)
        #: Ids of the vectors that the port was held against, and passed.
        self.vectors_held: set[str] = set()
        self.known = known or Known()
        self.unshrunk, self.replays = frozenset(unshrunk), replays
        self._matches: dict[tuple[int, int], Match] = {}
        self.cases_made: dict[tuple[int, str], Case] = {}
        #: Φ as the port shows it, by parameter and gradient: filled by the laws.
        self.answers: dict[tuple[str, bytes], Any] = {}
        #: Matches of each case and dtype that was held to a formula or a base: for the report.
        self.measured: dict[tuple[str, str], list[Match]] = {}

    # ---- cases

    @cached_property
    def integers(self) -> Case:
        """The zero-tolerance case; longer for an optimizer that rests at first (RAdam)."""
        case = self._integers(1 if self.operator else 3)
        if self.operator or self.algorithm:
            return case
        last = self.run(case).steps[-1]
        if any(np.any(last[p.name] != p.value) for p in case.parameters):
            return case
        return self._integers(16)

    def _integers(self, steps: int) -> Case:
        eps = 0.5 if self.port.usual_epsilon == "hat" else None
        return self.known.case(
            cases.integer_case,
            self.layout,
            seed=self.seed,
            algorithm=self.algorithm,
            operator=self.operator,
            eps=eps,
            steps=steps,
        )

    @cached_property
    def bounded(self) -> Case:
        """The case of hard regimes."""
        steps = 1 if self.operator else 16 if self.suite == "full" else 8
        return self.known.case(
            cases.bounded_case,
            self.layout,
            seed=self.seed,
            algorithm=self.algorithm,
            operator=self.operator,
            steps=steps,
        )

    @cached_property
    def long(self) -> Case:
        """Many steps of a few small parameters."""
        steps = 400 if self.suite == "full" else 100
        return self.known.case(
            cases.long_case, self.layout, seed=self.seed, algorithm=self.algorithm, steps=steps
        )

    @cached_property
    def decayed(self) -> Case:
        """The case with weight decay."""
        eps = 0.5 if self.port.usual_epsilon == "hat" else None
        return self.known.case(
            cases.decay_case, self.layout, seed=self.seed, algorithm=self.algorithm, eps=eps
        )

    @cached_property
    def poisoned(self) -> tuple[Case, dict[str, Array], frozenset[str]]:
        """The small case with changes that must not spread, where they may show, and NaNs."""
        return cases.poisoned_case(self.small, self.layout)

    @cached_property
    def small(self) -> Case:
        """A few layers of the integer case: a run of it is cheap where a run builds a model."""
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

    def axes(self, parameter: Parameter, rule: str) -> tuple[int, ...] | None:
        """Output axes under a rule: ``by-rank``, ``by-kind`` or ``none`` (left alone)."""
        if rule == "none":
            return None
        return output_axes(parameter.kind, len(parameter.shape), layout=self.layout, axes_rule=rule)

    def fan_in(self, parameter: Parameter) -> int:
        """Inputs of each output neuron, by rank; 1 for vectors."""
        axes = self.axes(parameter, "by-rank")
        if axes is None:
            return 1
        return math.prod(n for i, n in enumerate(parameter.shape) if i not in axes)

    def match(
        self, case: Case, parameter: Parameter, rule: str, settled: Settled,
        overrides: Mapping[str, str] | None = None,
    ) -> Match:  # fmt: skip
        """Hold one parameter's trajectory against one reading of it."""
        if settled.mode == "base":
            return self._match_base(case, parameter, rule, settled)
        trajectory = self.run(case)
        wanted = self.expected(case, parameter, rule, settled, overrides)
        key = (id(trajectory), id(wanted))  # both are kept alive, and asked for again and again
        if key not in self._matches:
            self._matches[key] = self._match_steps(case, parameter, trajectory, wanted, settled)
        return self._matches[key]

    def _match_steps(
        self, case: Case, parameter: Parameter, trajectory: Trajectory, wanted: list[Expected],
        settled: Settled,
    ) -> Match:  # fmt: skip
        worst: tuple[int, Comparison] | None = None
        inexact = undecided = 0
        for step, (values, want) in enumerate(zip(trajectory.steps, wanted, strict=True)):
            useless = self._useless(case, want, step, settled)
            found = compare(values[parameter.name], want, case.dtype, useless=useless)
            inexact += found.inexact
            undecided += found.undecided
            if worst is None or found.ratio > worst[1].ratio:
                worst = (step, found)
        assert worst is not None
        count = parameter.value.size * len(wanted)
        return Match(parameter, worst[0], worst[1], inexact, undecided, count)

    def expected(
        self, case: Case, parameter: Parameter, rule: str, settled: Settled,
        overrides: Mapping[str, str] | None = None,
    ) -> list[Expected]:  # fmt: skip
        """Exact trajectory of one parameter, with its allowances; computed once."""
        conventions = {**settled.conventions.values, **(overrides or {})}
        axes = self.axes(parameter, rule)
        used = tuple(sorted((k, conventions[k]) for k in
                            ("placement", "momentum", "first_momentum", "epsilon", "decay")
                            if k in conventions))  # fmt: skip
        hyper = self.hyperparameters(case, settled.assumed)
        key = (case.id, id(case.gradients), parameter.name, axes, settled.mode, used,
               tuple(sorted(hyper.items())), self.profile(case.dtype))  # fmt: skip
        if key not in self.known.steps:
            self.known.alive.append(case)  # its id is the key
            self.known.steps[key] = expected_steps(
                case,
                parameter,
                axes,
                algorithm=settled.mode,
                conventions=conventions,
                hyperparameters=hyper,
                profile=self.profile(case.dtype),
            )
        return self.known.steps[key]

    def _useless(self, case: Case, want: Expected, step: int, settled: Settled) -> Array | None:
        """Elements where Adam's discontinuity leaves the bound no power to decide."""
        if settled.mode != "adam":
            return None
        lr = self.hyperparameters(case, settled.assumed)["lr"]
        useless: Array = want.tau > 0.1 * lr * (step + 1)
        return useless

    def _match_base(self, case: Case, p: Parameter, rule: str, settled: Settled) -> Match:
        assert self.port.base is not None
        placement = settled.conventions.get("placement")
        found = compare_to_base(self, case, p, rule, placement)
        step, comparison = max(enumerate(found), key=lambda pair: pair[1].ratio)
        inexact = sum(c.inexact for c in found)
        return Match(p, step, comparison, inexact, 0, p.value.size * len(found))

    def fed(self, case: Case, rule: str, placement: str = "gradient") -> Case:
        """Return the same case with Φ(g) in place of g, for the base optimizer."""
        decayed = placement == "decayed-gradient" and bool(case.hyperparameters.get("weight_decay"))
        key = (id(case.gradients), f"{rule}-{decayed}")
        if key not in self.cases_made:
            self.cases_made[key] = base_fed_with(self, case, rule, decayed=decayed)
        return self.cases_made[key]

    def rule_for(self, parameter: Parameter, settled: Settled) -> str:
        """Rule that the settled conventions give a parameter."""
        if parameter.kind in settled.free_kinds and len(parameter.shape) >= 2:
            return settled.free_kinds[parameter.kind]
        declared = replace(
            settled.conventions,
            values={**settled.conventions.values, "layout": self.layout},
        )
        if axes_in_scope(parameter, declared) is None:
            return "none"
        return settled.conventions.get("axes_rule")

    @cached_property
    def settled(self) -> Settled:
        """Algorithm and conventions, declared or inferred from the integer case."""
        from gc_ref._conformance.judging.inference import settle

        return settle(self)
