"""What a port is granted in each dtype: to refuse it, and to sum half types in themselves."""

from __future__ import annotations

from collections.abc import Iterable

from gc_ref._conformance.cases.comparison import compare
from gc_ref._conformance.cases.exact_steps import expected_steps
from gc_ref._conformance.judging.judge import Judge
from gc_ref._conformance.judging.trial import Trial
from gc_ref._conformance.ports.case import Case, Parameter
from gc_ref._conformance.ports.port import Port, PortError, ShapeChangedError

HALF = ("float16", "bfloat16")


def driven(trial: Trial, case: Case, port: Port | None = None) -> bool:
    """Whether the port runs a case: a dtype that it refuses is noted, unless it is the main one.

    Its base is asked where it is given as ``port``.
    """
    try:
        trial.run(case, port=port)
    except ShapeChangedError:
        raise
    except PortError as error:
        if case.dtype == trial.integers.dtype:
            raise
        who = "" if port is None else "the base optimizer "
        trial.note(f"{who}could not be driven in {case.dtype}: {error}")
        if port is None:
            trial.refused.add(case.dtype)
        return False
    return True


def half_sums_note(dtype: str) -> str:
    """Note on a port whose half-precision sums are not in float32, as they need to be."""
    return f"accumulates {dtype} sums in {dtype}; training in it needs float32 sums"


def sums_in_half(judge: Judge, case: Case, parameters: Iterable[Parameter]) -> bool:
    """Whether an operator's answer is what sums in a half type give: noted, not failed."""
    if case.dtype not in HALF or not judge.operator:
        return False
    profile = judge.profile(case.dtype, accumulator=case.dtype)
    for p in parameters:
        [wanted] = expected_steps(
            case,
            p,
            judge.specification.axes(p),
            algorithm="operator",
            conventions={},
            hyperparameters={},
            profile=profile,
        )
        if not compare(judge.steps(case, p)[0], wanted, case.dtype).within:
            return False
    judge.half_sums.add(case.dtype)
    judge.note(half_sums_note(case.dtype))
    return True


def granted(trial: Trial) -> str:
    """Return the arithmetic profiles that the port was granted (see `gc_ref.bounds.profile`)."""
    parts = []
    for dtype in trial.port.dtypes:
        if dtype in HALF and dtype not in trial.refused:
            sums = dtype if dtype in trial.half_sums else "float32"
            parts.append(f"{dtype} (sums in {sums})")
        elif dtype not in trial.refused:
            parts.append(dtype)
    words = ", ".join(parts)
    if not trial.operator:
        words += "; hyperparameters in float32 or wider"
    flush = trial.port.flush_to_zero
    return words + ("; subnormals may be flushed to zero" if flush else "; subnormals kept")
