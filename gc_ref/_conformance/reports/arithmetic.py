"""The arithmetic of a counterexample, step by step, so that a person can do it again.

A line is said only where the arithmetic gives the expected value.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from gc_ref._conformance.findings.counterexample import Counterexample
from gc_ref._conformance.writing.words import finite, short

#: A counterexample holds so many gradients at most: there may be more than these.
MOST = 64
#: Steps whose lines are shown, the last of them.
SHOWN = 3


@dataclass(frozen=True)
class _Line:
    """What one step does to the element: the words, and the weight after it."""

    words: str
    weight: float


def position(shown: Counterexample) -> int | None:
    """Position of the element among the inputs of its output neuron, if it is listed."""
    index = shown.easiest.index
    if len(index) != len(shown.shape):
        return None
    at = 0
    for axis, (length, i) in enumerate(zip(shown.shape, index, strict=True)):
        if axis not in (shown.output_axis or ()):
            at = at * length + i
    return at if at < len(shown.easiest.gradient[0]) else None


def arithmetic(shown: Counterexample) -> list[str]:
    """Return a line of arithmetic for each of the last steps, if they give the expected value."""
    element, at = shown.easiest, position(shown)
    rows = element.gradient
    if at is None or not all(0 < len(row) < MOST and finite(*row) for row in rows):
        return []
    centralized = [_phi(row, at, centralize=shown.output_axis is not None) for row in rows]
    mode, hyper = shown.neuron.algorithm, shown.neuron.hyperparameters
    if mode == "operator":
        return [f"Φ(g) = {centralized[0][0]}"]
    if mode == "base" and shown.case != "decay":  # there it may be Φ of the decayed gradient
        first = len(rows) - SHOWN
        return [
            f"step {t}: the base optimizer is given Φ(g) = {words}"
            for t, (words, _) in enumerate(centralized, 1)
            if t > first
        ]
    if mode not in FORMS or element.weight is None or hyper.get("weight_decay"):
        return []
    for form in FORMS[mode]:
        lines = list(form(element.weight, centralized, hyper))
        if math.isclose(lines[-1].weight, element.expected, rel_tol=1e-9, abs_tol=1e-12):
            first = len(lines) - SHOWN
            return [f"step {t}: {x.words}" for t, x in enumerate(lines, 1) if t > first]
    return []


def _phi(row: Sequence[float], at: int, *, centralize: bool) -> tuple[str, float]:
    """Φ(g) at one input of an output neuron: how it comes about, and what it is."""
    if not centralize:  # a vector, which GC leaves alone
        return short(row[at]), row[at]
    mean = math.fsum(row) / len(row)
    value = row[at] - mean
    return f"{short(row[at], 9)} - {_term(mean, 9)} = {short(value)}", value


def _term(value: float, digits: int = 6) -> str:
    """Return a number as a later term of a sum or product: a negative one in parentheses."""
    return short(value, digits) if value >= 0 else f"({short(value, digits)})"


Phis = Sequence[tuple[str, float]]
Hyper = Mapping[str, float]


def _sgdm(
    share: Callable[[int, float], float],
) -> Callable[[float, Phis, Hyper], Iterator[_Line]]:
    """SGDM whose momentum takes up a share of Φ(g) that may depend on the step."""

    def lines(w: float, phis: Phis, hyper: Hyper) -> Iterator[_Line]:
        lr, beta, m = hyper["lr"], hyper["momentum"], 0.0
        for t, (words, phi) in enumerate(phis, 1):
            part = share(t, beta)
            before, m = m, beta * m + part * phi
            taken = _term(phi) if part == 1 else f"(1 - {short(beta)}) × {_term(phi)}"
            after = w - lr * m
            yield _Line(
                f"Φ(g) = {words}; m = {short(beta)} × {_term(before)} + {taken} = {short(m)}; "
                f"w = {short(w)} - {short(lr)} × {_term(m)} = {short(after, 9)}",
                after,
            )
            w = after

    return lines


def _adam(*, hat: bool) -> Callable[[float, Phis, Hyper], Iterator[_Line]]:
    """Adam, with ε beside the corrected root, or beside the uncorrected one."""

    def lines(w: float, phis: Phis, hyper: Hyper) -> Iterator[_Line]:
        lr, b1, b2, eps = (hyper[k] for k in ("lr", "beta1", "beta2", "eps"))
        m = v = 0.0
        for t, (words, phi) in enumerate(phis, 1):
            m0, v0 = m, v
            m, v = b1 * m + (1 - b1) * phi, b2 * v + (1 - b2) * phi * phi
            c1, c2 = 1 - b1**t, 1 - b2**t
            inside = eps / math.sqrt(c2) if hat else eps
            after = w - lr * (m / c1) / (math.sqrt(v / c2) + inside)
            small = f"{short(eps)}/√(1 - {short(b2)}^{t})" if hat else short(eps)
            yield _Line(
                f"Φ(g) = {words}; m = {short(b1)} × {_term(m0)} + (1 - {short(b1)}) × {_term(phi)}"
                f" = {short(m)}; v = {short(b2)} × {short(v0)} + (1 - {short(b2)}) × {_term(phi)}²"
                f" = {short(v)}; m̂ = m/(1 - {short(b1)}^{t}) = {short(m / c1)}; "
                f"v̂ = v/(1 - {short(b2)}^{t}) = {short(v / c2)}; w = {short(w)} - {short(lr)} × "
                f"{_term(m / c1)}/(√{short(v / c2)} + {small}) = {short(after, 9)}",
                after,
            )
            w = after

    return lines


#: The forms that each algorithm may have: the one that gives the expected value is said.
FORMS: Mapping[str, Sequence[Callable[[float, Phis, Hyper], Iterator[_Line]]]] = {
    "sgdm": (
        _sgdm(lambda t, beta: 1 - beta),
        _sgdm(lambda t, beta: 1.0),
        _sgdm(lambda t, beta: 1.0 if t == 1 else 1 - beta),
    ),
    "adam": (_adam(hat=False), _adam(hat=True)),
}
