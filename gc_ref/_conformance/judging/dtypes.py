"""What is granted in dtypes other than that of the main cases: to refuse them, and half sums."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from gc_ref._conformance.cases.comparison import compare
from gc_ref._conformance.cases.expected import expected_steps
from gc_ref._conformance.ports.case import Case, Parameter
from gc_ref._conformance.ports.port import PortError, ShapeChangedError

if TYPE_CHECKING:
    from gc_ref._conformance.judging.judge import Judge

__all__ = ["ACCUMULATES", "HALF", "driven", "granted", "sums_in_half"]

HALF = ("float16", "bfloat16")
#: Note on a port whose half-precision sums are not in float32, as they need to be.
ACCUMULATES = "accumulates {0} sums in {0}; training in it needs float32 sums"


def driven(judge: Judge, case: Case) -> bool:
    """Whether the port runs a case: in the main dtype it must; another that it refuses is noted."""
    try:
        judge.run(case)
    except ShapeChangedError:
        raise
    except PortError as error:
        if case.dtype == judge.integers.dtype:
            raise
        judge.note(f"could not be driven in {case.dtype}: {error}")
        judge.refused.add(case.dtype)
        return False
    return True


def sums_in_half(judge: Judge, case: Case, parameters: Iterable[Parameter]) -> bool:
    """Whether an operator's answer is what sums in a half type give: noted, not failed."""
    if case.dtype not in HALF or not judge.operator:
        return False
    profile = judge.profile(case.dtype, accumulator=case.dtype)
    answer, settled = judge.run(case).steps[0], judge.settled
    for p in parameters:
        axes = judge.axes(p, judge.rule_for(p, settled))
        [wanted] = expected_steps(
            case, p, axes, algorithm="operator", conventions={}, hyperparameters={},
            profile=profile,
        )  # fmt: skip
        if not compare(answer[p.name], wanted, case.dtype).within:
            return False
    judge.note(ACCUMULATES.format(case.dtype))
    return True


def granted(judge: Judge) -> str:
    """Return the arithmetic profiles that the port was granted (see `gc_ref.bounds.profile`)."""
    parts = []
    for dtype in (d for d in judge.port.dtypes if d not in judge.refused):
        sums = dtype if ACCUMULATES.format(dtype) in judge.notes else "float32"
        parts.append(f"{dtype} (sums in {sums})" if dtype in HALF else dtype)
    words = ", ".join(parts)
    if not judge.operator:
        words += "; hyperparameters in float32 or wider"
    flush = judge.port.flush_to_zero
    return words + ("; subnormals may be flushed to zero" if flush else "; subnormals kept")
