"""Results that are computed once and kept; and those that the judges of many ports share."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

from gc_ref import bounds
from gc_ref._conformance.cases.comparison import Expected
from gc_ref._conformance.cases.exact_steps import expected_steps
from gc_ref._conformance.judging.specification import Axes, Formula
from gc_ref._conformance.ports.case import Case, Parameter

K = TypeVar("K", bound="Keeper")
P = ParamSpec("P")
R = TypeVar("R")


class Keeper:
    """An object that the results of `kept` functions are stored with, as long as it lives."""

    def __init__(self) -> None:
        self._results: dict[tuple[object, ...], Any] = {}

    def forget(self, *, above: int = 0) -> None:
        """Drop all results if there are more than so many: this bounds the memory of a caller."""
        if len(self._results) > above:
            self._results.clear()


def kept(function: Callable[Concatenate[K, P], R]) -> Callable[Concatenate[K, P], R]:
    """Make a function of a keeper compute each result once.

    The further arguments are the key: cases and parameters are told apart by their content.
    """

    @wraps(function)
    def call(keeper: K, /, *args: P.args, **kwargs: P.kwargs) -> R:
        key = (function, args, *sorted(kwargs.items()))
        results = keeper._results
        if key not in results:
            results[key] = function(keeper, *args, **kwargs)
        found: R = results[key]
        return found

    return call


class Known(Keeper):
    """Cases, and what is right on them: the same for all ports that are judged alike.

    A caller that judges many ports hands the same one to each judge, so that nothing is
    computed twice.
    """

    @kept
    def case(self, make: Callable[..., Case], layout: str, /, **options: Any) -> Case:
        """Return ``make(layout, **options)``."""
        return make(layout, **options)

    @kept
    def steps(
        self,
        case: Case,
        parameter: Parameter,
        axes: Axes | None,
        formula: Formula,
        profile: bounds.Profile,
    ) -> list[Expected]:
        """Return the exact trajectory of a parameter, with its allowances."""
        return expected_steps(
            case,
            parameter,
            axes,
            algorithm=formula.algorithm,
            conventions=dict(formula.conventions),
            hyperparameters=dict(formula.hyperparameters),
            profile=profile,
        )
