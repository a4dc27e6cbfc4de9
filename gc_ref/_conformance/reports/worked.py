"""The smallest counterexample, worked so that a reader can follow it by hand.

Each sentence with arithmetic in it is said only if that arithmetic comes to the expected value.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from gc_ref._conformance.ports.case import KIND_NAMES
from gc_ref._conformance.reports.words import clean, finite, listed, short

__all__ = ["place", "worked"]

Numbers = Sequence[float | str]


def place(shown: Mapping[str, Any]) -> int | None:
    """Position of a counterexample's element among the listed inputs of its output neuron."""
    axes = shown["output_axis"] or ()
    at = 0
    if len(shown["index"]) != len(shown["shape"]):
        return None
    for axis, (length, i) in enumerate(zip(shown["shape"], shown["index"], strict=True)):
        if axis not in axes:
            at = at * length + i
    return at if at < len(shown["gradient"][0]) else None


def worked(shown: Mapping[str, Any], neuron: Mapping[str, Any]) -> list[str]:
    """Say in sentences what the smallest counterexample shows.

    Parameters
    ----------
    shown : mapping
        A check's ``counterexample``.
    neuron : mapping
        The report's ``evidence.counterexample``.

    Returns
    -------
    list of str
        Plain text.
    """
    return [s.replace("....", "...") for s in _sentences(shown, neuron)]


def _sentences(shown: Mapping[str, Any], neuron: Mapping[str, Any]) -> Iterator[str]:
    kind = KIND_NAMES.get(shown["kind"], shown["kind"])
    shape = ", ".join(map(str, shown["shape"]))
    what = f"{clean(shown['parameter'])} ({clean(kind)}, shape ({shape}))"
    axes, gradient = shown["output_axis"], shown["gradient"][0]
    many = len(shown["gradient"]) > 1
    when = " at step 1" if many else ""
    if axes is None:
        yield (f"{what} has fewer than two dimensions, so GC leaves it alone. Its gradient"
               f"{when}: {listed(gradient)}.")  # fmt: skip
    else:
        word = "axis" if len(axes) == 1 else "axes"
        where = f"{word} {', '.join(map(str, axes))}"
        yield f"Take one output neuron of {what}; its outputs are on {where}."
        yield from _mean(gradient, when)
    yield from _answer(shown, neuron, many)
    expected, got, bound = shown["expected"], shown["got"], shown["bound"]
    if finite(expected, got, bound):
        allowed = f"at most {short(bound, 3)}" if bound else "nothing here"
        yield f"The port is off by {short(abs(got - expected), 4)}. Rounding allows {allowed}."


def _mean(gradient: Numbers, when: str) -> Iterator[str]:
    if not gradient or not finite(*gradient) or len(gradient) == 64:  # 64: there may be more
        yield f"The gradients of its inputs{when}: {listed(gradient)}."
        return
    values = [float(v) for v in gradient]
    mean = math.fsum(values) / len(values)
    less = [v - mean for v in values]
    yield (
        f"The gradients of its {len(values)} inputs{when} are {listed(gradient)}; their mean is "
        f"{short(mean)}. Eq. 1 takes it from each: {listed(less)}."
    )


def _answer(shown: Mapping[str, Any], neuron: Mapping[str, Any], many: bool) -> Iterator[str]:
    """Say what must come out and what did: the whole neuron where it is known."""
    expected, got, weight = shown["expected"], shown["got"], shown["weight"]
    if weight is None:
        if neuron["expected"] and 1 < len(neuron["expected"]) <= 12:
            wanted, answered = listed(neuron["expected"]), listed(neuron["got"])
            yield f"Expected {wanted}; the port answered {answered}."
            yield from _taken(shown["gradient"][0], neuron["got"])
        else:
            where = f"at index {_index(shown)}"
            yield f"Expected {short(expected, 9)} {where}; the port answered {short(got, 9)}."
        return
    yield f"The weight at index {_index(shown)} starts at {short(weight)}."
    if not many:
        yield from _first_step(shown, neuron)
    after = f"After step {shown['step']} it must be {short(expected, 9)}"
    yield f"{after}; the port has {short(got, 9)}."


def _taken(gradient: Numbers, got: Numbers) -> Iterator[str]:
    """Say what a function must have taken from each gradient of one output neuron."""
    if not finite(*gradient, *got) or len(gradient) != len(got):
        return
    values = [float(v) for v in gradient]
    taken = [g - float(a) for g, a in zip(values, got, strict=True)]
    if not any(taken):
        yield "These are the gradients as they came in: nothing was taken from them."
    elif not any(got):
        yield "It answered 0 everywhere: the whole gradient is erased."
    elif not _same(taken):
        yield f"It took {listed(taken)} from them, where Eq. 1 takes the same mean from all."
    elif not _same([*taken, math.fsum(values) / len(values)]):
        yield f"It took {short(taken[0])} from each, which is not their mean."


def _same(values: Sequence[float]) -> bool:
    """Whether numbers are one number, up to the rounding of float32."""
    return max(values) - min(values) <= 1e-5 * max(map(abs, values))


def _first_step(shown: Mapping[str, Any], neuron: Mapping[str, Any]) -> Iterator[str]:
    """Algorithm 1's first step from a known gradient, if it comes to the expected value."""
    at, gradient = place(shown), shown["gradient"][0]
    hyper, weight = neuron["hyperparameters"], shown["weight"]
    if (
        neuron["algorithm"] != "sgdm"
        or at is None
        or not finite(*gradient, shown["expected"], weight)
    ):
        return
    if (
        len(gradient) == 64
        or hyper.get("weight_decay")
        or not finite(hyper["lr"], hyper["momentum"])
    ):
        return
    mean = 0.0 if shown["output_axis"] is None else math.fsum(gradient) / len(gradient)
    direction, lr, beta = gradient[at] - mean, hyper["lr"], hyper["momentum"]
    for share, text in ((1 - beta, f" × (1 - {short(beta)})"), (1.0, "")):
        moved = -lr * share * direction
        if moved and math.isclose(weight + moved, shown["expected"], rel_tol=1e-9, abs_tol=1e-12):
            text = "" if share == 1 else text
            yield (
                f"The first step with learning rate {short(lr)} and momentum {short(beta)} moves "
                f"it by -{short(lr)}{text} × {_signed(direction)} = {short(moved)}."
            )
            yield from _used(shown, neuron, -lr * share, mean)
            return


def _used(
    shown: Mapping[str, Any], neuron: Mapping[str, Any], factor: float, mean: float
) -> Iterator[str]:
    """Say what the port must have used in place of Φ(g), if all inputs of the neuron agree on it.

    One element alone does not tell: where a gradient is 0, the gradient itself and an erased
    one are the same.
    """
    at, gradient, got = place(shown), [float(v) for v in shown["gradient"][0]], shown["got"]
    if at is None or not finite(got):
        return
    wanted = [g - mean for g in gradient]
    slack = max(2 * shown["bound"] / abs(factor) if finite(shown["bound"]) else 0.0,
                1e-5 * max(map(abs, wanted)))  # fmt: skip
    used = (got - shown["weight"]) / factor
    said = f"The port moved as if {short(wanted[at])} were {short(_or_zero(used, slack))}"
    pairs = neuron["expected"], neuron["got"]
    if any(len(v) != len(gradient) or not finite(*v) for v in pairs):
        yield f"{said}."
        return
    # Every weight began where the exact step, taken back, leads.
    all_used = [w + (g - e) / factor for w, e, g in zip(wanted, *pairs, strict=True)]
    readings = {
        "in every input it used the gradient itself, its mean not taken off": gradient,
        "it is 0 everywhere: the whole gradient is erased": [0.0] * len(gradient),
        "": wanted,
    }
    fit = [name for name, values in readings.items()
           if all(abs(u - v) <= slack for u, v in zip(all_used, values, strict=True))]  # fmt: skip
    if len(gradient) > 1 and len(fit) == 1 and fit[0]:
        yield f"{said}; {fit[0]}."
        return
    yield f"{said}."
    if 1 < len(gradient) <= 12:
        shown_used = listed([_or_zero(u, slack) for u in all_used])
        yield f"In all inputs of that neuron, as if {listed(wanted)} were {shown_used}."


def _or_zero(value: float, slack: float) -> float:
    return 0.0 if abs(value) <= slack else value


def _index(shown: Mapping[str, Any]) -> str:
    return f"({', '.join(map(str, shown['index']))})"


def _signed(value: float) -> str:
    return short(value) if value >= 0 else f"({short(value)})"
