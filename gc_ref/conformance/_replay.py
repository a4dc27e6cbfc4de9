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
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gc_ref.conformance._maker import Maker
from gc_ref.conformance._port import Array, Case, Port, PortError, SkippedError
from gc_ref.conformance._replay_programs import PROGRAMS, Scene

if TYPE_CHECKING:
    from gc_ref.conformance._judge import Judge
    from gc_ref.conformance._settled import Match

__all__ = ["replay"]

#: Numbers that a program may hold: more are not read by anybody.
LARGEST = 400
TOO_LARGE = "# Too large to show ({} numbers): use the rerun command.\n"
WHOLE_MODEL = "# It does not show on this parameter alone: use the rerun command.\n"
#: Names that the programs use themselves.
TAKEN = frozenset({
    "bound", "case", "expected", "g", "got", "gradient", "gradients", "index", "jax", "jnp",
    "keras", "model", "np", "optax", "optimizer", "os", "parameter", "params", "port", "Probe",
    "probe", "runpy", "SimpleNamespace", "state", "steps", "sys", "torch", "updates", "weight",
})  # fmt: skip


def replay(judge: Judge, case: Case, match: Match) -> str:
    """Return a program that shows a mismatch without gc-ref, or says why there is none."""
    if judge.port.maker is None:
        return ""
    p, last = match.parameter, match.step + 1
    count = p.value.size * (last + (not judge.operator))
    if count > LARGEST:
        return TOO_LARGE.format(count)
    alone = _alone(judge, case, match)
    for port in (judge.port, judge.port.off):
        if port is None or port.maker is None:
            continue
        try:
            value = judge.run(alone, port=port).steps[-1][p.name].ravel()[match.comparison.position]
        except (PortError, SkippedError):
            continue
        if np.array_equal(float(value), match.comparison.got, equal_nan=True):
            scene = _scene(judge, port, port.maker, alone, match)
            return PROGRAMS[port.maker.program](scene)
    return WHOLE_MODEL


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


def _scene(judge: Judge, port: Port, maker: Maker, case: Case, match: Match) -> Scene:
    p, worst = match.parameter, match.comparison
    hyper = judge.handed(case).hyperparameters
    imports, name = _import(maker.function, judge.port.target)
    return Scene(
        imports=imports,
        name=name,
        arguments=", ".join(f"{k}={_literal(v)}" for k, v in maker.arguments(hyper).items()),
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
        detail=maker.detail,
        words=maker.function if isinstance(maker.function, tuple) else (),
    )


def _import(function: Any, target: str | None) -> tuple[list[str], str]:
    """Return the lines that import what the user gave, and the name it has then."""
    if target is not None:
        _, _, rest = target.partition(":")
        where, _, attribute = rest.rpartition(":")
        is_file = where.endswith(".py") or "/" in where
        return _from_file(where, attribute) if is_file else _from_module(where, attribute)
    module: str = getattr(function, "__module__", None) or ""
    name: str = getattr(function, "__qualname__", "")
    found: Any = sys.modules.get(module)
    file = getattr(found, "__file__", None)
    for part in name.split("."):
        found = getattr(found, part, None)
    if found is not function or found is None:
        return ["port = ...  # put here what the port was made of"], "port"
    if module == "__main__" or (file and "." not in module and not _installed(file)):
        return _from_file(os.path.relpath(file), name) if file else ([], name)
    return _from_module(module, name)


def _installed(file: str) -> bool:
    return any(part in ("site-packages", "dist-packages") for part in Path(file).parts)


def _from_module(module: str, attribute: str) -> tuple[list[str], str]:
    first, dot, rest = attribute.partition(".")
    if first in TAKEN:
        return [f"from {module} import {first} as port"], f"port{dot}{rest}"
    return [f"from {module} import {first}"], attribute


def _from_file(where: str, attribute: str) -> tuple[list[str], str]:
    path = Path(where)
    if not path.stem.isidentifier() or path.suffix != ".py":
        first, dot, rest = attribute.partition(".")
        return [
            "import runpy",
            "",
            f"port = runpy.run_path({where!r})[{first!r}]",
        ], f"port{dot}{rest}"
    lines, name = _from_module(path.stem, attribute)
    if path.parent != Path():
        lines = ["import sys", "", f"sys.path.insert(0, {str(path.parent)!r})", *lines]
    return lines, name


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
