"""What a port left in each output neuron, of one weight of each kind: a mean, or a distance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from gc_ref._conformance.findings.counterexample import named
from gc_ref._conformance.judging.base_law import fed
from gc_ref._conformance.judging.invariance import shifted
from gc_ref._conformance.judging.judge import Judge
from gc_ref._conformance.ports.case import Array, Parameter
from gc_ref._slices import to_rows

#: Output neurons that are shown of a weight.
OUTPUTS = 8
#: Share of the largest mean from which on two means are told apart.
VISIBLE = 1e-3
#: Optimizers under which the mean of a step is not that of the gradient: other steps leave a
#: mean where the gradient has none. There it is drawn how far the step is from the right one.
DISTANT = ("adam", "base", "unknown")
OF = {
    "operator": "mean over its inputs of what the function returns, for each output neuron",
    "sgdm": "mean over its inputs of how far step 1 moves the weight, for each output neuron",
} | dict.fromkeys(
    DISTANT, "distance after step 1 from the reference, the largest over its inputs, for each "
    "output neuron",
)  # fmt: skip
REFERENCE = {
    "operator": "Eq. 1, exactly",
    "sgdm": "Algorithm 1, exactly",
    "adam": "Algorithm 2, exactly",
    "base": "the base optimizer fed with Φ(g)",
    "unknown": "this port, when every neuron's gradient has another mean: the same, with GC",
}
WITHOUT = {
    "operator": "the gradient as it came in",
    "sgdm": "Algorithm 1 without GC",
    "adam": "Algorithm 2 without GC",
    "base": "the base optimizer without GC",
    "unknown": "",
}


def means(judge: Judge) -> dict[str, Any]:
    """Per-output means in the integer case, beside the reference's and those without GC.

    Parameters
    ----------
    judge : Judge
        The judge of a port that has run the integer case.

    Returns
    -------
    dict
        As the report's ``evidence.means``.
    """
    case, mode = judge.integers, judge.specification.mode
    got = judge.run(case).steps[0]
    kinds: dict[str, list[dict[str, Any]]] = {}
    for p in sorted(case.parameters, key=lambda p: p.value.size):
        rows = _rows(judge, p, got[p.name]) if judge.fan_in(p) > 1 else None
        if rows is not None:
            kinds.setdefault(p.kind, []).append(rows)
    if not kinds:
        return {"omitted": "no run of this port shows what the mean should be"}
    return {
        "case": case.id, "step": 1, "of": OF[mode],
        "quantity": "distance" if mode in DISTANT else "mean", "reference": REFERENCE[mode],
        "without": WITHOUT[mode], "weights": [_shown(judge, rows) for rows in kinds.values()],
    }  # fmt: skip


def _rows(judge: Judge, p: Parameter, got: Array) -> dict[str, Any] | None:
    """Means of one weight, in full; the choice among weights of its kind is made on them."""
    axes = judge.specification.axes(p) or judge.axes(p, "by-rank")
    assert axes is not None
    after = _reference(judge, p)
    if after is None:
        return None
    start = np.zeros(p.shape) if judge.operator else p.value.astype(np.float64)
    distant = judge.specification.mode in DISTANT

    def shown(value: Array) -> Array:
        """One number for each output neuron: a mean, or a distance."""
        wide = np.asarray(value, np.float64)
        with np.errstate(all="ignore"):
            if distant:
                farthest: Array = to_rows(np.abs(wide - after), axes).max(axis=1)
                return farthest
            mean: Array = to_rows(wide - start, axes).mean(axis=1)
        return mean

    port, reference = shown(got), shown(after)
    moved = float(np.abs(np.asarray(after, np.float64) - start).max(initial=0.0))
    with np.errstate(all="ignore"):
        sizes = [float(np.abs(port).max()), float(np.abs(reference).max())]
        scale = moved if distant else max(sizes)
        off = ~(np.abs(port - reference) <= VISIBLE * scale)
    return {"p": p, "axes": axes, "port": port, "reference": reference, "off": off, "shown": shown}


def _reference(judge: Judge, p: Parameter) -> Array | None:
    """Weight (or Φ) after one step as it should be; computed by the checks already."""
    case, specification = judge.integers, judge.specification
    if specification.mode == "unknown":
        other = shifted(judge, case, "by-rank")
        return judge.steps(other, p)[0] if judge.has_run(other) else None
    if specification.mode == "base":
        if specification.on_update:
            return None
        other = fed(judge, case, specification.rule(p), specification.placement)
        base = judge.port.base
        return judge.steps(other, p, port=base)[0] if judge.has_run(other, port=base) else None
    return judge.exact_steps(case, p)[0].floats[0].reshape(p.shape)


def _without(judge: Judge, p: Parameter) -> Array | None:
    """Weight after one step without GC, where that costs no run."""
    case, mode, base = judge.integers, judge.specification.mode, judge.port.base
    if judge.operator:
        return case.gradients[0][p.name]
    if mode in ("sgdm", "adam"):
        return judge.exact_steps(case, p, rule="none")[0].floats[0].reshape(p.shape)
    if mode == "base" and judge.has_run(case, port=base):
        return judge.steps(case, p, port=base)[0]
    return None


def _shown(judge: Judge, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """One weight of a kind: the smallest whose means are off, or else whose elements are.

    Where none is, the smallest with the most axes to average over and a few outputs: an axis
    that was forgotten shows in no other.
    """
    case = judge.integers
    found = {m.parameter.name: m for m in judge.measured.get((case.id, case.dtype), ())}

    def order(row: Mapping[str, Any]) -> tuple[bool, bool, int, bool]:
        p, match = row["p"], found.get(row["p"].name)
        averaged = sum(n > 1 for i, n in enumerate(p.shape) if i not in row["axes"])
        within = match is None or match.within
        return not row["off"].any(), within, -averaged, len(row["port"]) < 2

    row = min(rows, key=order)
    p, count = row["p"], len(row["port"])
    ratio = named(found[p.name].comparison.ratio) if p.name in found else None
    first = min(int(np.argmax(row["off"])), max(count - OUTPUTS, 0))
    window = slice(first, first + OUTPUTS)
    raw = _without(judge, p)

    def listed(values: Array) -> list[float | str]:
        return [named(float(v)) for v in values[window]]

    return {
        "parameter": p.name, "kind": p.kind, "shape": list(p.shape),
        "output_axis": list(row["axes"]), "outputs": count, "first": first,
        "off": int(row["off"].sum()), "ratio": ratio,
        "port": listed(row["port"]), "reference": listed(row["reference"]),
        "without": None if raw is None else listed(row["shown"](raw)),
    }  # fmt: skip
