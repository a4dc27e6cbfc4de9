"""The lines by which a program imports a port, as its user would write them in this folder."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

from gc_ref._conformance.replays.literals import literal

#: Names that the programs use themselves.
TAKEN = frozenset({
    "bound", "case", "expected", "g", "got", "gradient", "gradients", "index", "jax", "jnp",
    "keras", "model", "np", "optax", "optimizer", "os", "parameter", "params", "partial", "port",
    "Probe", "probe", "runpy", "SimpleNamespace", "state", "steps", "sys", "torch", "updates",
    "weight",
})  # fmt: skip
NEEDS = "# It needs gc-ref installed, as {} imports it: move the port to a module of its own."


@dataclass(frozen=True)
class Imported:
    """How a program gets at what the user gave.

    Attributes
    ----------
    lines : sequence of str
        Lines of source code.
    name : str
        What it is called after them.
    needs_gc_ref : bool
        Whether the lines need gc-ref installed.
    """

    lines: Sequence[str]
    name: str
    needs_gc_ref: bool = False


#: What cannot be imported, a nested function say: the user must fill it in.
UNKNOWN = Imported(("port = ...  # put here what the port was made of",), "port")


def imported(function: Any, target: str | None) -> Imported:
    """Return how a program gets at what the user gave, by the command line or in Python."""
    found = _from_target(target) if target is not None else _from_object(function)
    inner = function.func if isinstance(function, partial) else function
    module = sys.modules.get(getattr(inner, "__module__", None) or "")
    if module is None or found is UNKNOWN or not _uses_gc_ref(module):
        return found
    file = os.path.basename(getattr(module, "__file__", None) or module.__name__)
    return replace(found, lines=(NEEDS.format(file), *found.lines), needs_gc_ref=True)


def _uses_gc_ref(module: ModuleType) -> bool:
    """Whether a module has imported gc_ref, or something from it, or is part of it."""
    values = list(vars(module).values())
    homes = [v.__name__ if isinstance(v, ModuleType) else _home(v) for v in values]
    return any(h.partition(".")[0] == "gc_ref" for h in [module.__name__, *homes])


def _home(value: object) -> str:
    """Return the module that made a value, or its class: a port is made by gc_ref."""
    home = value.__module__ if isinstance(value, type | FunctionType) else type(value).__module__
    return home if isinstance(home, str) else ""


def _from_target(target: str) -> Imported:
    """Import what ``KIND:MODULE_OR_FILE.py:ATTRIBUTE`` names."""
    where, _, attribute = target.partition(":")[2].rpartition(":")
    is_file = where.endswith(".py") or "/" in where
    return _from_file(where, attribute) if is_file else _from_module(where, attribute)


def _from_object(function: Any) -> Imported:
    if isinstance(function, partial):
        return _from_partial(function)
    module: str = getattr(function, "__module__", None) or ""
    name: str = getattr(function, "__qualname__", "")
    found: Any = sys.modules.get(module)
    file = getattr(found, "__file__", None)
    for part in name.split("."):
        found = getattr(found, part, None)
    if found is not function or found is None:
        return UNKNOWN
    if module == "__main__":
        return _from_file(os.path.relpath(file), name) if file else Imported((), name)
    return _from_loaded_module(module, file, name)


def _from_partial(function: partial[Any]) -> Imported:
    inner = _from_object(function.func)
    if inner is UNKNOWN:
        return UNKNOWN
    words = [literal(v) for v in function.args]
    words += [f"{k}={literal(v)}" for k, v in function.keywords.items()]
    made = f"port = partial({', '.join([inner.name, *words])})"
    return Imported(("from functools import partial", "", *inner.lines, "", made), "port")


def _from_module(module: str, attribute: str) -> Imported:
    first, dot, rest = attribute.partition(".")
    if first in TAKEN:
        return Imported((f"from {module} import {first} as port",), f"port{dot}{rest}")
    return Imported((f"from {module} import {first}",), attribute)


def _from_file(where: str, attribute: str) -> Imported:
    """Import from a file that was run or named, by its path from here."""
    path = Path(where)
    if path.name == "__init__.py":
        return _from_folder(*_package(path), attribute)
    if not path.stem.isidentifier() or path.suffix != ".py":
        first, dot, rest = attribute.partition(".")
        run = f"port = runpy.run_path({where!r})[{first!r}]"
        if path.parent == Path():  # where the program lies: Python looks there by itself
            return Imported(("import runpy", "", run), f"port{dot}{rest}")
        place = f"sys.path.insert(0, {str(path.parent)!r})"
        return Imported(("import runpy", "import sys", "", place, run), f"port{dot}{rest}")
    return _from_folder(path.parent, path.stem, attribute)


def _from_loaded_module(module: str, file: str | None, attribute: str) -> Imported:
    """Import from a module that is loaded, but need not be found from here."""
    if not file or _installed(module, file):
        return _from_module(module, attribute)
    path = Path(os.path.relpath(file))
    whole = path.parent if path.name == "__init__.py" else path.with_suffix("")
    names = module.split(".")
    absolute = whole.absolute().parts
    if absolute[-len(names) :] != tuple(names):  # pytest's importlib mode has names of its own
        return _from_folder(*_package(path), attribute)
    folder = Path(os.path.relpath(Path(*absolute[: -len(names)])))
    return _from_folder(folder, module, attribute)


def _package(path: Path) -> tuple[Path, str]:
    """Return the folder above all packages that hold a file, and the module's name from there."""
    whole = path.absolute()
    names = [] if whole.name == "__init__.py" else [whole.stem]
    folder = whole.parent
    while (folder / "__init__.py").is_file() and folder.name.isidentifier():
        names.insert(0, folder.name)
        folder = folder.parent
    return Path(os.path.relpath(folder)), ".".join(names) or "__init__"


def _from_folder(folder: Path, module: str, attribute: str) -> Imported:
    found = _from_module(module, attribute)
    if folder == Path():
        return found
    lines = ("import sys", "", f"sys.path.insert(0, {str(folder)!r})", *found.lines)
    return replace(found, lines=lines)


def _installed(module: str, file: str) -> bool:
    own = not any(part in ("site-packages", "dist-packages") for part in Path(file).parts)
    return not own or module.partition(".")[0] in sys.stdlib_module_names
