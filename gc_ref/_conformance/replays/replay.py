"""Replay a counterexample without gc-ref: a program of the user's framework and NumPy.

It trains the one parameter that shows the mistake, and asserts the expected number. That it
shows the same number as the judge saw is tried before it is written: a port that goes wrong
only beside other parameters is not shown by one alone.
"""

from __future__ import annotations

import ast
import os
import sys
import textwrap
from dataclasses import replace
from functools import partial
from types import FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from gc_ref._conformance.findings.counterexample import Replay
from gc_ref._conformance.ports.case import Array, Case
from gc_ref._conformance.ports.port import Construction, Port, PortError, SkippedError
from gc_ref._conformance.replays.imports import from_file, from_module, from_own_module
from gc_ref._conformance.replays.programs import PROGRAMS, Scene

if TYPE_CHECKING:
    from gc_ref._conformance.judging.judge import Judge
    from gc_ref._conformance.judging.settled import Match

__all__ = ["replay"]

#: Numbers that a program may hold: more are not read by anybody.
LARGEST = 400
TOO_LARGE = "# Too large to show ({} numbers): use the rerun command.\n"
WHOLE_MODEL = "# It does not show on this parameter alone: use the rerun command.\n"
UNKNOWN = ["port = ...  # put here what the port was made of"]
NEEDS = "# It needs gc-ref installed, as {} imports it: move the port to a module of its own."


def replay(judge: Judge, case: Case, match: Match) -> Replay | None:
    """Return a program that shows a mismatch without gc-ref, or why there is none.

    Nothing, where the adapter does not know how the user makes what it drives.
    """
    if judge.port.construction is None:
        return None
    p, last = match.parameter, match.step + 1
    count = p.value.size * (last + (not judge.operator))
    if count > LARGEST:
        return Replay(TOO_LARGE.format(count), "reason")
    alone = _alone(judge, case, match)
    for port in (judge.port, judge.port.off):
        if port is None or port.construction is None:
            continue
        try:
            value = judge.run(alone, port=port).steps[-1][p.name].ravel()[match.comparison.position]
        except (PortError, SkippedError):
            continue
        if np.array_equal(float(value), match.comparison.got, equal_nan=True):
            scene, imports_gc_ref = _scene(judge, port, port.construction, alone, match)
            program = PROGRAMS[port.construction.program](scene)
            return Replay(program, "with-gc-ref" if imports_gc_ref else "standalone")
    return Replay(WHOLE_MODEL, "reason")


def _alone(judge: Judge, case: Case, match: Match) -> Case:
    """Return the case with this parameter only, up to the step that shows the mistake."""
    name = match.parameter.name
    key = (id(case.gradients), f"alone-{name}-{match.step}")
    if key not in judge.cases_made:
        gradients = tuple({name: g[name]} for g in case.gradients[: match.step + 1])
        judge.cases_made[key] = replace(
            case, id=f"{case.id}-alone", parameters=(match.parameter,), gradients=gradients
        )
    return judge.cases_made[key]


def _scene(
    judge: Judge, port: Port, made: Construction, case: Case, match: Match
) -> tuple[Scene, bool]:
    """Return what the program shows, and whether what it imports needs gc-ref."""
    p, worst = match.parameter, match.comparison
    hyper = judge.handed(case).hyperparameters
    imports, name, imports_gc_ref = _import(made.function, judge.port.target)
    scene = Scene(
        imports=imports,
        name=name,
        arguments=", ".join(f"{k}={_literal(v)}" for k, v in made.arguments(hyper).items()),
        hyperparameters=dict(hyper),
        parameter=p,
        case=case,
        layout=port.layout,
        weight=_array(p.value),
        gradients=[_array(g[p.name]) for g in case.gradients],
        index=tuple(int(i) for i in np.unravel_index(worst.position, p.shape)) if p.shape else (),
        expected=float(worst.expected),
        got=worst.got,
        bound=worst.tau,
        detail=made.detail,
        words=made.function if isinstance(made.function, tuple) else (),
    )
    return scene, imports_gc_ref


def _import(function: Any, target: str | None) -> tuple[list[str], str, bool]:
    """Return the lines that import what the user gave, its name then, and whether they need us."""
    lines, name = _imported(function, target)
    module = sys.modules.get(getattr(_unwrapped(function), "__module__", None) or "")
    if module is not None and lines != UNKNOWN and _needs_gc_ref(module):
        file = os.path.basename(getattr(module, "__file__", None) or module.__name__)
        return [NEEDS.format(file), *lines], name, True
    return lines, name, False


def _imported(function: Any, target: str | None) -> tuple[list[str], str]:
    if target is not None:
        _, _, rest = target.partition(":")
        where, _, attribute = rest.rpartition(":")
        is_file = where.endswith(".py") or "/" in where
        return from_file(where, attribute) if is_file else from_module(where, attribute)
    if isinstance(function, partial):
        return _import_partial(function)
    module: str = getattr(function, "__module__", None) or ""
    name: str = getattr(function, "__qualname__", "")
    found: Any = sys.modules.get(module)
    file = getattr(found, "__file__", None)
    for part in name.split("."):
        found = getattr(found, part, None)
    if found is not function or found is None:
        return UNKNOWN, "port"
    if module == "__main__":
        return from_file(os.path.relpath(file), name) if file else ([], name)
    return from_own_module(module, file, name)


def _import_partial(function: partial[Any]) -> tuple[list[str], str]:
    lines, name = _imported(function.func, None)
    if lines == UNKNOWN:
        return lines, name
    words = [_literal(v) for v in function.args]
    words += [f"{k}={_literal(v)}" for k, v in function.keywords.items()]
    made = f"port = partial({', '.join([name, *words])})"
    return ["from functools import partial", "", *lines, "", made], "port"


def _unwrapped(function: Any) -> Any:
    return function.func if isinstance(function, partial) else function


def _needs_gc_ref(module: ModuleType) -> bool:
    """Whether a module has imported gc_ref, or something from it, or is part of it."""
    values = list(vars(module).values())
    homes = [v.__name__ if isinstance(v, ModuleType) else _home(v) for v in values]
    return any(h.partition(".")[0] == "gc_ref" for h in [module.__name__, *homes])


def _home(value: object) -> str:
    """Return the module that made a value, or its class: a port is made by gc_ref."""
    home = value.__module__ if isinstance(value, type | FunctionType) else type(value).__module__
    return home if isinstance(home, str) else ""


def _literal(value: Any) -> str:
    text = repr(value)
    try:
        same = ast.literal_eval(text) == value
    except (SyntaxError, ValueError):
        same = False
    return text if same else "...  # as the port was made\n"


def _array(array: Array) -> str:
    """Write an array down, exactly."""
    values = ", ".join(_number(v) for v in array.ravel())
    inner, shape = f"[{values}]", ""
    if len(values) > 56:
        lines = textwrap.wrap(values, 84, break_long_words=False, break_on_hyphens=False)
        inner = "\n".join(["[", *(f"        {line}" for line in lines), "    ]"])
    if array.ndim != 1 or not array.size:
        shape = f".reshape{array.shape}" if array.ndim > 1 else f".reshape({array.shape})"
    return f'np.array({inner}, dtype="{array.dtype}"){shape}'


def _number(value: Any) -> str:
    """Return the shortest digits that are read back as the same number."""
    if not np.isfinite(value):
        return "np.nan" if np.isnan(value) else "np.inf" if value > 0 else "-np.inf"
    short = str(value)
    return short if type(value)(float(short)) == value else repr(float(value))
