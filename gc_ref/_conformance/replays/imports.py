"""The import lines of the programs of `_replay`: as a user writes them who runs a program here."""

from __future__ import annotations

import os
import sys
from pathlib import Path

__all__ = ["from_file", "from_module", "from_own_module"]

#: Names that the programs use themselves.
TAKEN = frozenset({
    "bound", "case", "expected", "g", "got", "gradient", "gradients", "index", "jax", "jnp",
    "keras", "model", "np", "optax", "optimizer", "os", "parameter", "params", "partial", "port",
    "Probe", "probe", "runpy", "SimpleNamespace", "state", "steps", "sys", "torch", "updates",
    "weight",
})  # fmt: skip

Lines = tuple[list[str], str]


def from_module(module: str, attribute: str) -> Lines:
    """Return the lines that import an attribute of a module, and the name it has then."""
    first, dot, rest = attribute.partition(".")
    if first in TAKEN:
        return [f"from {module} import {first} as port"], f"port{dot}{rest}"
    return [f"from {module} import {first}"], attribute


def from_file(where: str, attribute: str) -> Lines:
    """Return the same for a file that was run or named, by its path from here."""
    path = Path(where)
    if path.name == "__init__.py":
        return _from_folder(*_package(path), attribute)
    if not path.stem.isidentifier() or path.suffix != ".py":
        first, dot, rest = attribute.partition(".")
        return [
            "import runpy",
            "",
            f"port = runpy.run_path({where!r})[{first!r}]",
        ], f"port{dot}{rest}"
    return _from_folder(path.parent, path.stem, attribute)


def from_own_module(module: str, file: str | None, attribute: str) -> Lines:
    """Return the same for an imported module, which need not be found from here."""
    if not file or _installed(module, file):
        return from_module(module, attribute)
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


def _from_folder(folder: Path, module: str, attribute: str) -> Lines:
    lines, name = from_module(module, attribute)
    if folder != Path():
        lines = ["import sys", "", f"sys.path.insert(0, {str(folder)!r})", *lines]
    return lines, name


def _installed(module: str, file: str) -> bool:
    own = not any(part in ("site-packages", "dist-packages") for part in Path(file).parts)
    return not own or module.partition(".")[0] in sys.stdlib_module_names
