"""Fuzzing: Hypothesis looks for a case that the port gets wrong, and shrinks it."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import hypothesis
from hypothesis import HealthCheck, Phase
from hypothesis.errors import Flaky, NoSuchExample

from gc_ref import strategies
from gc_ref._conformance.findings.outcome import FUZZED, Outcome, counterexample, describe, failed
from gc_ref._conformance.ports.port import Case, Parameter, PortError, SkippedError
from gc_ref._conformance.vector_files.found import whole_case

if TYPE_CHECKING:
    from gc_ref._conformance.judging.judge import Judge
    from gc_ref._conformance.judging.settled import Match

__all__ = ["fuzz"]

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
            f"{FUZZED} an example that is wrong once and right when it runs again: "
            "the answer depends on what the port was given before"
        )
    case = _case(judge, example)
    match = _match(judge, case)  # raises again what the smallest example raises
    axes = judge.axes(match.parameter, judge.rule_for(match.parameter, judge.settled))
    return failed(
        f"{FUZZED} {describe(match.parameter)} wrong at step {match.step + 1}",
        comparison=match.comparison,
        counterexample=counterexample(judge, case, match, axes)
        | {"frozen": whole_case(judge, case, match)},
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
