"""The smallest counterexample, worked so that a reader can follow it by hand.

A sentence with arithmetic in it is said only where that arithmetic gives the expected value.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from gc_ref._conformance.findings.counterexample import Counterexample
from gc_ref._conformance.ports.case import KIND_NAMES
from gc_ref._conformance.reports.arithmetic import MOST, arithmetic, position
from gc_ref._conformance.writing.words import clean, finite, listed, short

#: Two numbers that differ by less than this share of them are the same but for rounding.
ROUNDING = 1e-5


def worked_example(shown: Counterexample) -> list[str]:
    """Say in plain sentences what the easiest element of a counterexample shows."""
    return [s.replace("....", "...") for s in _sentences(shown)]


def _sentences(shown: Counterexample) -> Iterator[str]:
    axes, element = shown.output_axis, shown.easiest
    kind, shape = KIND_NAMES.get(shown.kind, shown.kind), ", ".join(map(str, shown.shape))
    what = f"{clean(shown.parameter)} ({clean(kind)}, shape ({shape}))"
    when = " at step 1" if len(element.gradient) > 1 else ""
    if axes is None:
        yield (
            f"{what} has fewer than two dimensions, so GC leaves it alone. Its gradient{when}: "
            f"{listed(element.gradient[0])}."
        )
    else:
        where = f"{'axis' if len(axes) == 1 else 'axes'} {', '.join(map(str, axes))}"
        yield f"Take one output neuron of {what}; its outputs are on {where}."
        yield _eq1(element.gradient[0], when)
    yield from _of_operator(shown) if element.weight is None else _of_optimizer(shown)
    if finite(element.expected, element.got, element.bound):
        allowed = f"at most {short(element.bound, 3)}" if element.bound else "nothing here"
        off = short(abs(element.got - element.expected), 4)
        yield f"The port is off by {off}. Rounding allows {allowed}."


def _eq1(gradient: Sequence[float], when: str) -> str:
    """Say what Eq. 1 makes of the gradients of one output neuron."""
    if not _whole(gradient):
        return f"The gradients of its inputs{when}: {listed(gradient)}."
    mean = _mean(gradient)
    less = listed([g - mean for g in gradient])
    return (
        f"The gradients of its {len(gradient)} inputs{when} are {listed(gradient)}; their mean is "
        f"{short(mean)}. Eq. 1 takes it from each: {less}."
    )


def _of_operator(shown: Counterexample) -> Iterator[str]:
    """Say what a function must return and what it did: for the whole neuron where it is known."""
    element, neuron = shown.easiest, shown.neuron
    if 1 < len(neuron.expected) <= 12:
        wanted, answered = listed(neuron.expected), listed(neuron.got)
        yield f"Expected {wanted}; the port answered {answered}."
        yield from _taken(element.gradient[0], neuron.got)
    else:
        expected, got = short(element.expected, 9), short(element.got, 9)
        yield f"Expected {expected} at index {_index(shown)}; the port answered {got}."


def _taken(gradient: Sequence[float], got: Sequence[float]) -> Iterator[str]:
    """Say what a function must have taken from each gradient of one output neuron."""
    if not finite(*gradient, *got) or len(gradient) != len(got):
        return
    taken = [g - a for g, a in zip(gradient, got, strict=True)]
    if not any(taken):
        yield "These are the gradients as they came in: nothing was taken from them."
    elif not any(got):
        yield "It answered 0 everywhere: the whole gradient is erased."
    elif not _same(taken):
        yield f"It took {listed(taken)} from them, where Eq. 1 takes the same mean from all."
    elif not _same([*taken, _mean(gradient)]):
        yield f"It took {short(taken[0])} from each, which is not their mean."


def _of_optimizer(shown: Counterexample) -> Iterator[str]:
    """Say where a weight starts, where it must be after the step, and where the port has it."""
    element = shown.easiest
    assert element.weight is not None
    yield f"The weight at index {_index(shown)} starts at {short(element.weight)}."
    for line in arithmetic(shown):
        yield f"{line[:1].upper()}{line[1:]}."
    if len(element.gradient) == 1:
        yield from _first_step(shown)
    expected, got = short(element.expected, 9), short(element.got, 9)
    yield f"After step {element.step} it must be {expected}; the port has {got}."


def _first_step(shown: Counterexample) -> Iterator[str]:
    """Say what the port used in Algorithm 1's first step, if that gives the expected value."""
    element, hyper, at = shown.easiest, shown.neuron.hyperparameters, position(shown)
    gradient, weight = element.gradient[0], element.weight
    if shown.neuron.algorithm != "sgdm" or at is None or weight is None:
        return
    lr, beta = hyper["lr"], hyper["momentum"]
    if not _whole(gradient) or not finite(element.expected, weight, lr, beta):
        return
    if hyper.get("weight_decay"):
        return
    mean = 0.0 if shown.output_axis is None else _mean(gradient)
    direction = gradient[at] - mean
    for share in (1 - beta, 1.0):
        moved = -lr * share * direction
        if moved and math.isclose(weight + moved, element.expected, rel_tol=1e-9, abs_tol=1e-12):
            yield from _used(shown, at, weight, -lr * share, mean)
            return


def _used(
    shown: Counterexample, at: int, weight: float, factor: float, mean: float
) -> Iterator[str]:
    """Say what the port must have used in place of Φ(g), if all inputs of the neuron agree on it.

    One element alone does not tell: where a gradient is 0, the gradient itself and an erased
    one are the same.
    """
    element, gradient = shown.easiest, shown.easiest.gradient[0]
    expected, got = shown.neuron.expected, shown.neuron.got
    if not finite(element.got):
        return
    wanted = [g - mean for g in gradient]
    allowed = 2 * element.bound / abs(factor) if finite(element.bound) else 0.0
    slack = max(allowed, ROUNDING * max(map(abs, wanted)))

    def rounded(value: float) -> float:
        return 0.0 if abs(value) <= slack else value

    used = rounded((element.got - weight) / factor)
    what = "the gradient" if shown.output_axis is None else "Φ(g)"
    said = (
        f"The port moved this weight as if {what} were {short(used)} there, where it is "
        f"{short(wanted[at])}"
    )
    if not len(expected) == len(got) == len(gradient) or not finite(*expected, *got):
        yield f"{said}."
        return
    # Every weight began where the exact step, taken back, leads.
    all_used = [w + (g - e) / factor for w, e, g in zip(wanted, expected, got, strict=True)]
    readings = {
        "at every input it used the gradient itself, its mean not taken off": gradient,
        "at every input it used 0: the whole gradient is erased": [0.0] * len(gradient),
        "": wanted,
    }
    fit = [
        name
        for name, values in readings.items()
        if all(abs(u - v) <= slack for u, v in zip(all_used, values, strict=True))
    ]
    if len(gradient) > 1 and len(fit) == 1 and fit[0]:
        yield f"{said}; {fit[0]}."
        return
    yield f"{said}."
    if 1 < len(gradient) <= 12:
        instead = listed([rounded(u) for u in all_used])
        right = listed(wanted)
        yield f"At all inputs of that neuron: as if it were {instead}, where it is {right}."


def _whole(gradient: Sequence[float]) -> bool:
    """Whether these are finite and all the gradients of an output neuron."""
    return 0 < len(gradient) < MOST and finite(*gradient)


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


def _same(values: Sequence[float]) -> bool:
    """Whether numbers are one number, up to the rounding of float32."""
    return max(values) - min(values) <= ROUNDING * max(map(abs, values))


def _index(shown: Counterexample) -> str:
    return f"({', '.join(map(str, shown.easiest.index))})"
