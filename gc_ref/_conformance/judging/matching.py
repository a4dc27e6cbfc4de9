"""Hold one parameter's trajectory against a reading of the port: a formula, or its base."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from gc_ref._conformance.cases.comparison import compare
from gc_ref._conformance.findings.outcome import Comparison
from gc_ref._conformance.judging.base_decay import compare_with_decay, decays
from gc_ref._conformance.judging.base_law import compare_to_base, compared
from gc_ref._conformance.judging.shared_results import kept
from gc_ref._conformance.judging.specification import Axes, Formula, Specification
from gc_ref._conformance.judging.trial import Trial
from gc_ref._conformance.ports.case import Array, Case, Parameter


@dataclass(frozen=True)
class Match:
    """One parameter of one case, compared after each step with what it must be."""

    case: Case
    parameter: Parameter
    #: Output axes that it was held to; None where GC leaves it alone.
    axes: Axes | None
    comparisons: tuple[Comparison, ...]

    @cached_property
    def step(self) -> int:
        """Step of the largest error, from 0: the first of them."""
        ratios = [c.ratio for c in self.comparisons]
        return ratios.index(max(ratios))

    @cached_property
    def first_wrong(self) -> int:
        """First step, from 0, that is out of its bound; where none is, that of `step`."""
        wrong = (i for i, c in enumerate(self.comparisons) if not c.within)
        return next(wrong, self.step)

    @property
    def comparison(self) -> Comparison:
        """The largest error, in units of its bound."""
        return self.comparisons[self.step]

    @property
    def within(self) -> bool:
        """Whether every element of every step is within its bound."""
        return self.comparison.within

    @property
    def undecided(self) -> int:
        """Number of elements whose bound is too wide to decide anything."""
        return sum(c.undecided for c in self.comparisons)

    @property
    def elements(self) -> int:
        """Number of elements that were compared, over all steps."""
        return self.parameter.value.size * len(self.comparisons)


def match(trial: Trial, case: Case, p: Parameter, rule: str, held_to: Specification) -> Match:
    """Hold one parameter's trajectory against a reading of the port, under a rule for its axes."""
    if held_to.mode == "base":
        placement = "update" if held_to.on_update else held_to.placement  # a base decays inside
        return _match_base(trial, case, p, rule, placement)
    return _match_formula(trial, case, p, trial.axes(p, rule), trial.formula(case, held_to))


@kept
def _match_base(trial: Trial, case: Case, p: Parameter, rule: str, placement: str) -> Match:
    case = compared(trial, case, p)
    if decays(trial, case) and (placement == "update" or trial.axes(p, rule) is None):
        found = compare_with_decay(trial, case, p, rule, placement)
    else:
        found = compare_to_base(trial, case, p, rule, placement)
    return Match(case, p, trial.axes(p, rule), tuple(found))


@kept
def _match_formula(
    trial: Trial, case: Case, p: Parameter, axes: Axes | None, formula: Formula
) -> Match:
    wanted = trial.expected(case, p, axes, formula)
    lr = dict(formula.hyperparameters)["lr"]
    found = []
    for number, (got, want) in enumerate(zip(trial.steps(case, p), wanted, strict=True), 1):
        useless: Array | None = None
        if formula.algorithm == "adam":  # its discontinuity leaves some bounds no power to decide
            useless = want.tau > 0.1 * lr * number
        found.append(compare(got, want, case.dtype, useless=useless))
    return Match(case, p, axes, tuple(found))
