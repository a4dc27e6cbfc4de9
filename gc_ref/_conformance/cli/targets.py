"""Targets of the command line: KIND:MODULE_OR_FILE.py:ATTRIBUTE, loaded into ports."""

from __future__ import annotations

import ast
import contextlib
import hashlib
import importlib
import importlib.util
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from gc_ref._conformance.adapters.exec.port import exec_port
from gc_ref._conformance.adapters.keras.port import keras_port, select_backend
from gc_ref._conformance.adapters.numpy import numpy_port
from gc_ref._conformance.adapters.operator import operator_port
from gc_ref._conformance.adapters.optax.port import optax_port
from gc_ref._conformance.adapters.shared.calls import one_line, quietly
from gc_ref._conformance.adapters.torch.port import torch_port
from gc_ref._conformance.ports.port import Port, PortLoadError

__all__ = ["KINDS", "UsageError", "load_attribute", "make_port", "parse_settings", "parse_target"]

KINDS = ("operator", "torch", "keras", "optax", "numpy", "exec")


class UsageError(Exception):
    """The command line itself is wrong."""


def parse_target(target: str) -> tuple[str, str, str]:
    """Split a target into kind, module or file, attribute; ``exec:COMMAND`` has none.

    Raises
    ------
    UsageError
        If the target is not of the form KIND:MODULE_OR_FILE.py:ATTRIBUTE.

    Examples
    --------
    >>> parse_target("torch:my/optim.py:GCSGD")
    ('torch', 'my/optim.py', 'GCSGD')
    """
    kind, _, rest = target.partition(":")
    where, _, attribute = rest.rpartition(":")
    if kind not in KINDS:
        raise UsageError(
            f"target {target!r}: unknown kind {kind!r}; a target is "
            f"KIND:MODULE_OR_FILE.py:ATTRIBUTE with KIND one of {', '.join(KINDS[:-1])}, "
            "or exec:COMMAND"
        )
    if kind == "exec":
        if not rest.strip():
            raise UsageError(f"target {target!r} has no command, for instance exec:./my_port sgdm")
        return kind, rest, ""
    if not where or not attribute:
        raise UsageError(
            f"target {target!r} is not of the form KIND:MODULE_OR_FILE.py:ATTRIBUTE, "
            f"for instance {kind}:my_module.py:MyPort"
        )
    return kind, where, attribute


def load_attribute(where: str, attribute: str, *, here: Path | None = None) -> Any:
    """Import a module or a file and get an attribute, dots allowed.

    Files and modules are looked for in ``here``, the working directory by default: a base
    that was loaded before may have changed that one.

    Raises
    ------
    PortLoadError
        If the file is missing, the import fails, or the attribute does not exist.
    """
    is_file = where.endswith(".py") or "/" in where or "\\" in where
    try:
        with quietly():
            found: Any = _load_file(where, here) if is_file else _load_module(where, here)
    except (PortLoadError, KeyboardInterrupt):
        raise
    except BaseException as error:
        raise PortLoadError(f"{where} cannot be imported: {one_line(error)}") from error
    for part in attribute.split("."):
        if not hasattr(found, part):
            names = [n for n in dir(found) if not n.startswith("_")][:12]
            known = ", ".join(names) or "nothing public"
            raise PortLoadError(f"{where} has no attribute {attribute!r}; it has: {known}")
        found = getattr(found, part)
    return found


def _load_file(where: str, here: Path | None) -> Any:
    path = (here or Path()) / where
    if not path.is_file():
        raise PortLoadError(f"no file {where}: a target names a file that exists, or a module")
    resolved = path.resolve()  # now: the module may change the working directory
    # One module per file, whatever its name: it may be called like an installed package.
    digest = hashlib.sha256(str(resolved).encode()).hexdigest()[:12]
    name = f"_gc_ref_target_{digest}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise PortLoadError(f"{where} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        with _on_path(str(resolved.parent)):  # as `python FILE.py` does
            spec.loader.exec_module(module)
    except BaseException:
        sys.modules.pop(name, None)
        raise
    return module


def _load_module(name: str, here: Path | None) -> Any:
    place = str(here or Path.cwd())
    if place in sys.path:
        return importlib.import_module(name)
    with _on_path(place):  # the command is run where the user's module lies
        return importlib.import_module(name)


@contextlib.contextmanager
def _on_path(place: str) -> Iterator[None]:
    """Look for modules in this place first."""
    sys.path.insert(0, place)
    try:
        yield
    finally:
        with contextlib.suppress(ValueError):  # the module may have changed the path
            sys.path.remove(place)


def parse_settings(words: Iterable[str], option: str) -> dict[str, Any]:
    """Read NAME=VALUE words; a value is a Python literal, or else a string.

    Raises
    ------
    UsageError
        If a word has no ``=`` or no name.

    Examples
    --------
    >>> parse_settings(["use_gc=True", "betas=(0.9, 0.99)", "mode=fast"], "--set")
    {'use_gc': True, 'betas': (0.9, 0.99), 'mode': 'fast'}
    """
    found: dict[str, Any] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not name.isidentifier():
            raise UsageError(f"{option} {word!r}: expected NAME=VALUE")
        try:
            found[name] = ast.literal_eval(value)
        except (ValueError, SyntaxError):
            found[name] = value
    return found


def make_port(
    target: str,
    *,
    settings: Mapping[str, Any],
    framework: str = "numpy",
    layout: str | None = None,
    algorithm: str | None = None,
    base: Port | None = None,
    conventions: Mapping[str, str] | None = None,
    options: Iterable[str] = (),
    here: Path | None = None,
    timeout: float | None = None,
) -> Port:
    """Make the port that a target names.

    Raises
    ------
    UsageError
        For a malformed target.
    PortLoadError
        If the port cannot be loaded.
    """
    kind, where, attribute = parse_target(target)
    common: dict[str, Any] = {
        "settings": dict(settings),
        "conventions": dict(conventions or {}),
        "target": target,
        "options": tuple(options),
    }
    if layout is not None:
        common["layout"] = layout
    if kind == "exec":
        if timeout is not None:
            common["timeout"] = timeout
        try:
            return exec_port(where, algorithm=algorithm, base=base, **common)
        except ValueError as error:  # only now is it known what the program is
            raise UsageError(f"--convention: {error}") from error
    common["name"] = attribute
    if kind == "keras":  # before anything imports keras: it reads its backend then
        select_backend()
    loaded = load_attribute(where, attribute, here=here)
    if kind == "operator":
        return operator_port(loaded, framework=framework, **common)
    maker = {
        "torch": torch_port,
        "keras": keras_port,
        "optax": optax_port,
        "numpy": numpy_port,
    }[kind]
    return maker(loaded, algorithm=algorithm, base=base, **common)
