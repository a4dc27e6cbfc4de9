"""Fuzzing: Hypothesis looks for a case that the port gets wrong, and shrinks it."""

from __future__ import annotations

import contextlib
import math
import random
from dataclasses import replace
from typing import Any

import hypothesis
import numpy as np
from hypothesis import HealthCheck, Phase
from hypothesis.errors import Flaky, NoSuchExample

from gc_ref import strategies
from gc_ref._conformance.cases.vectors import HYPERPARAMETERS
from gc_ref._conformance.checks.make_counterexample import counterexample, inputs_of
from gc_ref._conformance.findings.outcome import Outcome, failed
from gc_ref._conformance.judging.judge import Judge
from gc_ref._conformance.judging.matching import Match, match
from gc_ref._conformance.judging.trial import Trial
from gc_ref._conformance.ports.case import Case, Parameter, describe
from gc_ref._conformance.ports.port import PortError, PortLoadError, SkippedError
from gc_ref._conformance.ports.serialization import write_number, write_numbers

#: Conventions that decide about the steps of an algorithm.
OF_ALGORITHM = {
    "operator": (),
    "sgdm": ("momentum", "first_momentum", "decay", "placement"),
    "adam": ("epsilon", "decay", "placement"),
}
#: Not the values next to overflow: how an operator fails there is not about GC.
REGIMES = tuple(name for name in strategies.REGIMES if name != "huge")
#: Largest whole number that a reader is shown in place of a fraction.
SMALL = 128
#: Kinds of weight whose output axes are the same under both rules, with their dimensions.
KINDS = {"dense": 2, "conv1d": 3, "conv2d": 4, "conv3d": 5}


def fuzz(judge: Judge) -> Outcome | None:
    """Look for a small case that a port with a formula gets wrong; None where none is found.

    One with several inputs is looked for first: what is left of a single one is 0 under any
    wrong axes, which convinces nobody.
    """
    single: list[Case] = []
    found = _find(judge, single, single_too=False)
    return _find(judge, single, single_too=True) if found is None and single else found


def _find(judge: Judge, single: list[Case], *, single_too: bool) -> Outcome | None:
    """Look for a small case, and keep in ``single`` what is wrong with one input only."""
    skipped: list[SkippedError] = []
    refused: list[PortLoadError] = []

    def wrong(example: Any) -> bool:
        trial = judge.afresh()  # Hypothesis tries an example again to see if it depends on others
        case = _case(judge, example)
        try:
            match = _match(judge, trial, case)
            if not match.within and match.axes is not None and inputs_of(match) == 1:
                single.append(case)
                return single_too
            return not match.within
        except PortLoadError as error:  # hyperparameters that its constructor does not take
            refused.append(error)
            return False
        except PortError:  # shrunken like any other finding, then reported as it is
            return True
        except SkippedError as error:
            skipped.append(error)
            return False
        finally:
            judge.writes_gradient |= trial.writes_gradient

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
        if refused:
            judge.note(f"fuzzing left out {len(refused)} examples: {refused[0]}")
        if skipped:
            raise skipped[0] from None
        return None
    except Flaky:
        return failed(
            "fuzzing found an example that is wrong once and right when it runs again: "
            "the answer depends on what the port was given before",
            fuzzed=True,
        )
    found = _match(judge, judge, _case(judge, example))  # raises what the example raises
    found = _in_whole_numbers(judge, found) or found
    return failed(
        f"fuzzing found {describe(found.parameter)} wrong from step {found.first_wrong + 1} on",
        comparison=found.comparison,
        counterexample=replace(counterexample(judge, found), frozen=_frozen(judge, found)),
        fuzzed=True,
    )


def _in_whole_numbers(judge: Judge, found: Match) -> Match | None:
    """Return the same with gradients scaled to small integers, where that is wrong as well."""
    largest = max(float(np.abs(g[found.parameter.name]).max()) for g in found.case.gradients)
    if not 0 < largest < math.inf:
        return None
    for power in range(12):
        scaled = tuple({k: g * g.dtype.type(2**power) for k, g in step.items()}
                       for step in found.case.gradients)  # fmt: skip
        if largest * 2**power > SMALL:
            return None
        if all(np.array_equal(g, np.rint(g)) for step in scaled for g in step.values()):
            with contextlib.suppress(PortError, SkippedError):
                again = _match(judge, judge, replace(found.case, gradients=scaled))
                return None if again.within else again
    return None


def _strategy(judge: Judge) -> Any:
    dtypes = [d for d in ("float32", "float64") if d in {*judge.port.dtypes} - judge.refused]
    kinds = [kind for kind, rank in KINDS.items() if rank not in judge.refused_ranks]
    where: dict[str, Any] = {"kinds": kinds, "layouts": (judge.layout,)}
    if judge.operator:
        return hypothesis.strategies.sampled_from(dtypes).flatmap(
            lambda dtype: hypothesis.strategies.sampled_from(REGIMES).flatmap(
                lambda regime: strategies.gradient_cases(dtype=dtype, regime=regime, **where)
            )
        )
    return strategies.training_cases(
        algorithm=judge.specification.mode, dtype="float32", max_steps=3, max_size=48, **where
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


def _match(judge: Judge, trial: Trial, case: Case) -> Match:
    [p] = case.parameters
    return match(trial, case, p, judge.specification.rule(p), judge.specification)


def _frozen(judge: Judge, found: Match) -> dict[str, Any]:
    """Return all that the case is, for the ``frozen`` member of a counterexample."""
    p, case, axes, held_to = found.parameter, found.case, found.axes, judge.specification
    hyper = judge.hyperparameters(case, held_to.assumed)
    chosen = {f: held_to.conventions.get(f) for f in OF_ALGORITHM[held_to.mode]}
    if "decay" in chosen and hyper["weight_decay"] == 0:
        chosen["decay"] = "none"
    if axes is None:
        chosen["scope"] = held_to.conventions.get("scope")
    if judge.fan_in(p) == 1:
        chosen["fan_in_one"] = held_to.conventions.get("fan_in_one")
    frozen: dict[str, Any] = {
        "algorithm": held_to.mode,
        "kind": p.kind,
        "layout": judge.layout,
        "shape": list(p.shape),
        "output_axes": None if axes is None else list(axes),
        "dtype": case.dtype,
        "conventions": chosen,
        "hyperparameters": {k: write_number(hyper[k]) for k in HYPERPARAMETERS[held_to.mode]},
    }
    if held_to.mode != "operator":
        frozen["weight"] = write_numbers(p.value)
    return frozen | {"gradients": [write_numbers(g[p.name]) for g in case.gradients]}
