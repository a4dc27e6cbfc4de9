"""What a correct port answers, from the second witness, and how far off it may be."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from gc_ref import bounds, exact
from gc_ref._conformance.cases.comparison import Expected
from gc_ref._conformance.ports.case import Array, Case, Parameter
from gc_ref._conformance.ports.conventions import Conventions
from gc_ref._layouts import is_convolution, output_axes
from gc_ref._slices import from_rows, matrix_shape, to_rows

#: Weights of more elements are worked out once for each distinct output neuron.
LARGE = 4096


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
    gradients = [g[parameter.name] for g in case.gradients[:steps]]
    options = _options(algorithm, conventions, hyperparameters)
    if case.rates:
        velocity = conventions.get("momentum") == "velocity"
        rates = case.rates[:steps]
        return _under_rates(
            parameter.value, gradients, axes, algorithm, options, profile, rates, velocity
        )
    if parameter.value.size > LARGE:
        return _of_neurons(parameter.value, gradients, axes, algorithm, options, profile)
    return _steps(parameter.value, gradients, axes, algorithm, options, profile)


def _options(
    algorithm: str, conventions: Mapping[str, str], hyper: Mapping[str, float]
) -> dict[str, Any]:
    """Return what exact steps and their bounds are called with, besides weight and gradients."""
    if algorithm == "operator":
        return {}
    decay = conventions.get("decay", "none")
    options: dict[str, Any] = {
        "lr": hyper["lr"],
        "placement": conventions.get("placement", "gradient"),
        "weight_decay": 0.0 if decay == "none" else hyper.get("weight_decay", 0.0),
        "decay": "l2" if decay == "none" else decay,
    }
    if algorithm == "sgdm":
        options["momentum"] = hyper.get("momentum", 0.0)
        options["dampening"] = None if conventions.get("momentum", "ema") == "ema" else 0.0
        options["first_momentum"] = conventions.get("first_momentum", "zero")
        return options
    options |= {name: hyper[name] for name in ("beta1", "beta2", "eps")}
    options["epsilon"] = conventions.get("epsilon", "outside")
    return options


def _steps(
    weight: Array,
    gradients: Sequence[Array],
    axes: Any,
    algorithm: str,
    options: Mapping[str, Any],
    profile: bounds.Profile,
) -> list[Expected]:
    """Return exact values and allowances of a weight."""
    values = _values(weight, gradients, axes, algorithm, options)
    taus = _taus(weight, gradients, axes, algorithm, options, profile)
    return [Expected(v.lower, v.upper, t) for v, t in zip(values, taus, strict=True)]


def _values(
    weight: Any, gradients: Sequence[Any], axes: Any, algorithm: str, options: Mapping[str, Any]
) -> list[exact.Enclosure]:
    if algorithm == "adam":
        return exact.adam(weight, gradients, output_axis=axes, **options)
    if algorithm == "sgdm":
        found = exact.sgdm(weight, gradients, output_axis=axes, **options)
    else:
        found = [exact.centralize(g, output_axis=axes) for g in gradients]
    return [exact.Enclosure(v, v) for v in found]


def _taus(
    weight: Array,
    gradients: Sequence[Array],
    axes: Any,
    algorithm: str,
    options: Mapping[str, Any],
    profile: bounds.Profile,
) -> list[Array]:
    if algorithm == "operator":
        return [bounds.centralize(g, output_axis=axes, profile=profile) for g in gradients]
    bound: Mapping[str, Callable[..., list[Array]]] = {"sgdm": bounds.sgdm, "adam": bounds.adam}
    return bound[algorithm](weight, gradients, output_axis=axes, profile=profile, **options)


def _under_rates(
    weight: Array,
    gradients: Sequence[Array],
    axes: tuple[int, ...] | None,
    algorithm: str,
    options: Mapping[str, Any],
    profile: bounds.Profile,
    rates: Sequence[float],
    velocity: bool,
) -> list[Expected]:
    """Return exact values and allowances where the learning rate changes, without weight decay.

    Without decay no direction depends on the weights: each step is lr times that of lr = 1. A
    velocity takes lr in with the gradient, v = βv + lr ĝ: as heavy-ball does with the gradient
    lr g at lr = 1; powers of two only, as lr g must be a number of the dtype.
    """
    assert not options["weight_decay"], "a step depends on the weights where they decay"
    if velocity:
        scaled = [rate * np.asarray(g) for rate, g in zip(rates, gradients, strict=True)]
        return _steps(weight, scaled, axes, algorithm, {**options, "lr": 1.0}, profile)
    plain = _values(weight, gradients, axes, algorithm, {**options, "lr": 1})
    taus = _taus(weight, gradients, axes, algorithm, {**options, "lr": list(rates)}, profile)
    low = high = low_before = high_before = exact.exactly(weight).fractions()
    found = []
    for value, tau, rate in zip(plain, taus, rates, strict=True):
        low_after, high_after = value.lower.fractions(), value.upper.fractions()
        low = [
            w + Fraction(rate) * (a - b)
            for w, a, b in zip(low, low_after, high_before, strict=True)
        ]
        high = [
            w + Fraction(rate) * (a - b)
            for w, a, b in zip(high, high_after, low_before, strict=True)
        ]
        low_before, high_before = low_after, high_after
        found.append(Expected(exact.exactly(low), exact.exactly(high), tau))
    return found


# ---- large weights


def _of_neurons(
    weight: Array,
    gradients: Sequence[Array],
    axes: tuple[int, ...] | None,
    algorithm: str,
    options: Mapping[str, Any],
    profile: bounds.Profile,
) -> list[Expected]:
    """Return the same as `_steps`: each distinct output neuron is worked out once.

    What becomes of an output neuron depends on its own weights and gradients alone (Eq. 1). Among
    the inputs of the distinct neurons, what becomes of one depends on its weight and its entries
    of Φ(g) alone, as long as Φ acts on the gradient.
    """
    shape = weight.shape
    if axes is None or len(shape) < 2:  # each element is a neuron of its own
        axes = None
        matrices = [a.reshape(-1, 1) for a in (weight, *gradients)]
    else:
        matrices = [to_rows(a, axes) for a in (weight, *gradients)]
    fan_in = matrices[0].shape[1]
    first, kind = _distinct(np.concatenate(matrices, axis=1))
    few, *grads = (m[first] for m in matrices)
    where = kind[:, None] * fan_in + np.arange(fan_in)
    where = where.ravel() if axes is None else from_rows(where, shape, axes).ravel()
    row_axis = None if axes is None else 0
    taus = _taus(few, grads, row_axis, algorithm, options, profile)
    decayed_inside = options.get("placement") != "gradient" and options.get("weight_decay")
    if algorithm == "adam" and options["placement"] != "update" and not decayed_inside:
        values, alike = _of_inputs(few, grads, row_axis, options)
        places = alike[where]
    else:
        values, places = _values(few, grads, row_axis, algorithm, options), where
    return [
        Expected(v.lower, v.upper, np.ravel(t)[where].reshape(shape), places)
        for v, t in zip(values, taus, strict=True)
    ]


def _distinct(rows: Array) -> tuple[Array, Array]:
    """Return the place of one of each distinct row, and for each row which of these it is."""
    bits = np.ascontiguousarray(rows).view(f"V{rows.itemsize * rows.shape[1]}")
    _, first, kind = np.unique(bits.ravel(), return_index=True, return_inverse=True)
    return first, kind.ravel()


def _of_inputs(
    weight: Array, gradients: Sequence[Array], axes: int | None, options: Mapping[str, Any]
) -> tuple[list[exact.Enclosure], Array]:
    """Return Adam's steps of each distinct input, and for each element which of these it is."""
    given = [exact.exactly(weight), *(exact.centralize(g, output_axis=axes) for g in gradients)]
    known: dict[tuple[int, ...], int] = {}
    columns = zip(*(a.numerators for a in given), strict=True)
    alike = np.array([known.setdefault(column, len(known)) for column in columns])
    inputs = [
        exact.ExactArray((len(known),), list(numerators), a.denominator)
        for numerators, a in zip(zip(*known, strict=True), given, strict=True)
    ]
    return _values(inputs[0], inputs[1:], None, "adam", options), alike
