"""Fuzzing: Hypothesis looks for a case that the port gets wrong, and shrinks it."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import hypothesis
from hypothesis import HealthCheck, Phase
from hypothesis.errors import Flaky, NoSuchExample

from gc_ref import strategies
from gc_ref._conformance.cases.vectors import HYPERPARAMETERS
from gc_ref._conformance.checks.counterexamples import counterexample
from gc_ref._conformance.findings.outcome import Outcome, failed
from gc_ref._conformance.ports.case import Case, Parameter, describe
from gc_ref._conformance.ports.port import PortError, SkippedError
from gc_ref._conformance.ports.serialization import write_number, write_numbers

if TYPE_CHECKING:
    from gc_ref._conformance.judging.judge import Judge
    from gc_ref._conformance.judging.settled import Match

__all__ = ["fuzz"]

#: Conventions that decide about the steps of an algorithm.
_OF_STEPS = {
    "operator": (),
    "sgdm": ("momentum", "first_momentum", "decay", "placement"),
    "adam": ("epsilon", "decay", "placement"),
}
#: Both rules for the axes agree on these.
#: Not the values next to overflow: how an operator fails there is not about GC.
REGIMES = tuple(name for name in strategies.REGIMES if name != "huge")
KINDS = ("dense", "conv1d", "conv2d", "conv3d")


def fuzz(judge: Judge) -> Outcome | None:
    """Look for a small case that the port gets wrong; None where no example is found.

    Parameters
    ----------
    judge : Judge
        Of a port with a formula whose runs are cheap. Its ``max_examples`` is the number
        of examples, its seed makes the search repeatable.

    Returns
    -------
    Outcome or None
        A failed outcome with the shrunken counterexample.
    """
    raised: list[PortError] = []
    skipped: list[SkippedError] = []

    def wrong(example: Any) -> bool:
        try:
            return not _match(judge, _case(judge, example)).within
        except PortError as error:  # shrunken like any other finding, then reported as it is
            raised.append(error)
            return True
        except SkippedError as error:
            skipped.append(error)
            return False

    try:
        example = hypothesis.find(
            _strategy(judge),
            wrong,
            settings=hypothesis.settings(
                max_examples=judge.max_examples,
                database=None,
                deadline=None,
                phases=(Phase.generate, Phase.shrink),
                suppress_health_check=list(HealthCheck),
            ),
            random=random.Random(judge.seed),
        )
    except NoSuchExample:
        if skipped:
            raise skipped[0] from None
        return None
    except Flaky:
        return failed(
            "fuzzing found an example that is wrong once and right when it runs again: "
            "the answer depends on what the port was given before",
            fuzzed=True,
        )
    case = _case(judge, example)
    match = _match(judge, case)  # raises again what the smallest example raises
    axes = judge.axes(match.parameter, judge.rule_for(match.parameter, judge.settled))
    return failed(
        f"fuzzing found {describe(match.parameter)} wrong at step {match.step + 1}",
        comparison=match.comparison,
        counterexample=replace(
            counterexample(judge, case, match, axes), frozen=whole_case(judge, case, match)
        ),
        fuzzed=True,
    )


def _strategy(judge: Judge) -> Any:
    dtypes = [d for d in ("float32", "float64") if d in {*judge.port.dtypes} - judge.refused]
    where: dict[str, Any] = {"kinds": KINDS, "layouts": (judge.layout,)}
    if judge.operator:
        return hypothesis.strategies.sampled_from(dtypes).flatmap(
            lambda dtype: hypothesis.strategies.sampled_from(REGIMES).flatmap(
                lambda regime: strategies.gradient_cases(dtype=dtype, regime=regime, **where)
            )
        )
    return strategies.training_cases(
        algorithm=judge.settled.mode, dtype="float32", max_steps=3, max_size=48, **where
    )


def _case(judge: Judge, example: Any) -> Case:
    if judge.operator:
        gradients, hyper, weight = (example.gradient,), {}, 0 * example.gradient
    else:
        gradients, weight = example.gradients, example.weight
        hyper = {**example.hyperparameters, "weight_decay": 0.0}
    parameter = Parameter(f"{example.kind}_0", example.kind, weight, example.kind)
    steps = tuple({parameter.name: g} for g in gradients)
    return Case("fuzz", (parameter,), steps, hyper, example.dtype)


def _match(judge: Judge, case: Case) -> Match:
    [parameter] = case.parameters
    return judge.match(case, parameter, judge.rule_for(parameter, judge.settled), judge.settled)


def whole_case(judge: Judge, case: Case, match: Match) -> dict[str, Any]:
    """Return all that a case of one parameter is, for the ``frozen`` member of a counterexample."""
    [p], settled = case.parameters, judge.settled
    axes = judge.axes(p, judge.rule_for(p, settled))
    hyper = judge.hyperparameters(case, settled.assumed)
    chosen = {f: settled.conventions.get(f) for f in _OF_STEPS[settled.mode]}
    if "decay" in chosen and hyper["weight_decay"] == 0:
        chosen["decay"] = "none"
    chosen |= {"scope": settled.conventions.get("scope")} if axes is None else {}
    chosen |= {"fan_in_one": settled.conventions.get("fan_in_one")} if judge.fan_in(p) == 1 else {}
    found: dict[str, Any] = {
        "algorithm": settled.mode,
        "kind": p.kind,
        "layout": judge.layout,
        "shape": list(p.shape),
        "output_axes": None if axes is None else list(axes),
        "dtype": case.dtype,
        "conventions": chosen,
        "hyperparameters": {k: write_number(hyper[k]) for k in HYPERPARAMETERS[settled.mode]},
    }
    if settled.mode != "operator":
        found["weight"] = write_numbers(p.value)
    return found | {"gradients": [write_numbers(g[p.name]) for g in case.gradients]}
