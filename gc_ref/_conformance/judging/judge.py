"""The judge of a port: a trial of it, what it is held to, and what its checks share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property

from gc_ref._conformance.cases.comparison import Expected
from gc_ref._conformance.cases.vectors import Vector
from gc_ref._conformance.judging.inference import infer
from gc_ref._conformance.judging.matching import Match, match
from gc_ref._conformance.judging.shared_results import Known
from gc_ref._conformance.judging.specification import Specification
from gc_ref._conformance.judging.trial import Trial
from gc_ref._conformance.ports.case import Case, Parameter
from gc_ref._conformance.ports.port import Port

NO_STEPS = "an operator takes no steps"


class Judge(Trial):
    """One port under judgment.

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
        Whether counterexamples get a program that shows them without gc-ref.
    suite_version : str, optional
        Frozen vectors up to this one; all of them by default.
    vectors : sequence of Vector
        Further vectors, of the user.
    """

    def __init__(
        self,
        port: Port,
        *,
        seed: int,
        suite: str,
        max_examples: int,
        known: Known | None = None,
        unshrunk: Iterable[str] = (),
        replays: bool = False,
        suite_version: str | None = None,
        vectors: Sequence[Vector] = (),
    ) -> None:
        super().__init__(port, seed=seed, suite=suite, known=known)
        self.max_examples = max_examples
        self.unshrunk, self.replays = frozenset(unshrunk), replays
        self.suite_version, self.vectors = suite_version, tuple(vectors)
        #: Ids of the vectors that the port was held against, and passed.
        self.vectors_held: set[str] = set()
        #: Matches of each case and dtype that was held to a formula or a base: for the report.
        self.measured: dict[tuple[str, str], list[Match]] = {}

    @cached_property
    def specification(self) -> Specification:
        """What the port is held to, declared or inferred from the integer case."""
        return infer(self)

    @cached_property
    def unconstrained(self) -> str:
        """Reason why the weight constraint does not bind the port; empty where it does."""
        if self.operator:
            return NO_STEPS
        if self.specification.mode == "unknown":
            return "without --algorithm nothing says whether the constraint holds (not for Adam)"
        if self.specification.on_update:
            return ""
        if self.specification.mode == "base":
            return "the constraint need not hold for other optimizers than SGD and SGDM"
        if self.specification.mode == "adam":
            return "Adam's element-wise scaling leaves the hyperplane: the constraint does not hold"
        if self.port.fixed.get("weight_decay"):
            return "the settings fix a weight decay that moves the weight sums"
        return ""

    def match(
        self,
        case: Case,
        parameter: Parameter,
        *,
        rule: str | None = None,
        held_to: Specification | None = None,
    ) -> Match:
        """Hold one parameter's trajectory against what the port is held to, or another reading."""
        held_to = held_to or self.specification
        return match(self, case, parameter, rule or held_to.rule(parameter), held_to)

    def exact_steps(
        self, case: Case, parameter: Parameter, *, rule: str | None = None
    ) -> list[Expected]:
        """Exact trajectory of one parameter under the formula that the port is held to."""
        axes = self.axes(parameter, rule or self.specification.rule(parameter))
        return self.expected(case, parameter, axes, self.formula(case, self.specification))
