"""What a correct port answers, from the second witness, and how far off it may be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gc_ref import bounds, exact
from gc_ref._conformance.cases.comparison import Expected
from gc_ref._conformance.ports.case import Case, Parameter
from gc_ref._conformance.ports.conventions import Conventions
from gc_ref._layouts import is_convolution, output_axes
from gc_ref._slices import matrix_shape


def axes_in_scope(
    parameter: Parameter, conventions: Conventions, *, rule: str | None = None
) -> tuple[int, ...] | None:
    """Return the output axes of a parameter under the port's conventions.

    None means that GC leaves it alone. ``rule`` takes the place of the convention ``axes_rule``.
    """
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
    fan_in = matrix_shape(parameter.shape, axes)[1]
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
    """Return exact values and allowances of one parameter of a case, after each step.

    Parameters
    ----------
    case, parameter
        The case and one of its parameters.
    axes : tuple of int or None
        Output axes (Eq. 1); None where GC leaves the parameter alone.
    algorithm : {"operator", "sgdm", "adam"}
        What is done with the centralized gradient.
    conventions, hyperparameters : mapping
        Those of the port that the algorithm needs.
    profile : gc_ref.bounds.Profile
        The port's arithmetic.
    steps : int, optional
        Only the first so many steps.
    """
    weight, hyper = parameter.value, hyperparameters
    gradients = [g[parameter.name] for g in case.gradients[:steps]]
    if algorithm == "operator":
        values = [exact.centralize(g, output_axis=axes) for g in gradients]
        taus = [bounds.centralize(g, output_axis=axes, profile=profile) for g in gradients]
        return [Expected(v, v, t) for v, t in zip(values, taus, strict=True)]
    decay = conventions.get("decay", "none")
    options: dict[str, Any] = {
        "lr": hyper["lr"],
        "output_axis": axes,
        "placement": conventions.get("placement", "gradient"),
        "weight_decay": 0.0 if decay == "none" else hyper.get("weight_decay", 0.0),
        "decay": "l2" if decay == "none" else decay,
    }
    if algorithm == "sgdm":
        options["momentum"] = hyper.get("momentum", 0.0)
        options["dampening"] = None if conventions.get("momentum", "ema") == "ema" else 0.0
        options["first_momentum"] = conventions.get("first_momentum", "zero")
        values = exact.sgdm(weight, gradients, **options)
        taus = bounds.sgdm(weight, gradients, **options, profile=profile)
        return [Expected(v, v, t) for v, t in zip(values, taus, strict=True)]
    options |= {name: hyper[name] for name in ("beta1", "beta2", "eps")}
    options["epsilon"] = conventions.get("epsilon", "outside")
    enclosed = exact.adam(weight, gradients, **options)
    taus = bounds.adam(weight, gradients, **options, profile=profile)
    return [Expected(v.lower, v.upper, t) for v, t in zip(enclosed, taus, strict=True)]
