"""What a correct port does, from the second witness, and how far off one may be."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from gc_ref import bounds, exact
from gc_ref._conformance.cases.comparison import Expected
from gc_ref._conformance.ports.case import Array, Case, Parameter
from gc_ref._conformance.ports.conventions import Conventions
from gc_ref._layouts import is_convolution, output_axes

__all__ = ["axes_in_scope", "expected_steps"]


def axes_in_scope(
    parameter: Parameter, conventions: Conventions, *, rule: str | None = None
) -> tuple[int, ...] | None:
    """Output axes of a parameter under the port's conventions; None: GC leaves it alone."""
    axes = output_axes(
        parameter.kind,
        len(parameter.shape),
        layout=conventions.get("layout"),
        axes_rule=rule or conventions.get("axes_rule"),
    )
    if axes is None:
        return None
    if conventions.get("scope") == "conv-only" and not is_convolution(parameter.kind):
        return None
    fan_in = math.prod(n for i, n in enumerate(parameter.shape) if i not in axes)
    if fan_in == 1 and conventions.get("fan_in_one") == "keep":
        return None
    return axes


def expected_steps(
    case: Case,
    parameter: Parameter,
    axes: tuple[int, ...] | None,
    *,
    algorithm: str,
    conventions: Mapping[str, str],
    hyperparameters: Mapping[str, float],
    profile: bounds.Profile,
    steps: int | None = None,
) -> list[Expected]:
    """Exact values and allowances of one parameter, after each step of a case.

    Parameters
    ----------
    case, parameter
        The case and one of its parameters.
    axes : tuple of int or None
        Output axes (Eq. 1); None where GC leaves the parameter alone.
    algorithm : {"operator", "sgdm", "adam"}
        What is done with the centralized gradient.
    conventions : mapping
        Placement, momentum, first momentum, epsilon and decay of the port.
    hyperparameters : mapping
        Canonical names; all that the algorithm needs.
    profile : gc_ref.bounds.Profile
        The port's arithmetic.
    steps : int, optional
        Only the first so many steps.

    Returns
    -------
    list of Expected
    """
    gradients = [g[parameter.name] for g in case.gradients[:steps]]
    if algorithm == "operator":
        return [_operator(g, axes, profile) for g in gradients]
    if algorithm == "sgdm":
        return _sgdm(parameter.value, gradients, axes, conventions, hyperparameters, profile)
    return _adam(parameter.value, gradients, axes, conventions, hyperparameters, profile)


def _operator(grad: Array, axes: tuple[int, ...] | None, profile: bounds.Profile) -> Expected:
    value = exact.centralize(grad, output_axis=axes)
    return Expected(value, value, bounds.centralize(grad, output_axis=axes, profile=profile))


def _decay(conventions: Mapping[str, str], hyper: Mapping[str, float]) -> dict[str, object]:
    decay = conventions.get("decay", "none")
    return {
        "placement": conventions.get("placement", "gradient"),
        "weight_decay": 0.0 if decay == "none" else hyper.get("weight_decay", 0.0),
        "decay": "l2" if decay == "none" else decay,
    }


def _sgdm(
    weight: Array,
    gradients: Sequence[Array],
    axes: tuple[int, ...] | None,
    conventions: Mapping[str, str],
    hyper: Mapping[str, float],
    profile: bounds.Profile,
) -> list[Expected]:
    options: dict[str, object] = {
        "lr": hyper["lr"],
        "momentum": hyper.get("momentum", 0.0),
        "dampening": None if conventions.get("momentum", "ema") == "ema" else 0.0,
        "first_momentum": conventions.get("first_momentum", "zero"),
        "output_axis": axes,
        **_decay(conventions, hyper),
    }
    values = exact.sgdm(weight, gradients, **options)  # type: ignore[arg-type]
    taus = bounds.sgdm(weight, gradients, **options, profile=profile)  # type: ignore[arg-type]
    return [Expected(v, v, t) for v, t in zip(values, taus, strict=True)]


def _adam(
    weight: Array,
    gradients: Sequence[Array],
    axes: tuple[int, ...] | None,
    conventions: Mapping[str, str],
    hyper: Mapping[str, float],
    profile: bounds.Profile,
) -> list[Expected]:
    options: dict[str, object] = {
        "lr": hyper["lr"],
        "beta1": hyper["beta1"],
        "beta2": hyper["beta2"],
        "eps": hyper["eps"],
        "epsilon": conventions.get("epsilon", "outside"),
        "output_axis": axes,
        **_decay(conventions, hyper),
    }
    values = exact.adam(weight, gradients, **options)  # type: ignore[arg-type]
    taus = bounds.adam(weight, gradients, **options, profile=profile)  # type: ignore[arg-type]
    return [Expected(v.lower, v.upper, t) for v, t in zip(values, taus, strict=True)]
