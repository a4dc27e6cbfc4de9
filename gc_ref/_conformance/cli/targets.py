"""Targets of the command line: their kinds, and the port that one names.

A target is ``KIND:MODULE_OR_FILE.py:ATTRIBUTE``, or ``exec:COMMAND``.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import importlib.util
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gc_ref._conformance.adapters.exec.port import exec_port
from gc_ref._conformance.adapters.keras.port import keras_port, select_backend
from gc_ref._conformance.adapters.numpy import numpy_port
from gc_ref._conformance.adapters.operator import operator_port
from gc_ref._conformance.adapters.optax.port import optax_port
from gc_ref._conformance.adapters.shared.calls import one_line, quietly, raising
from gc_ref._conformance.adapters.torch.port import torch_port
from gc_ref._conformance.cli.usage import UsageError, usage_error_for
from gc_ref._conformance.ports.port import Port, PortLoadError
from gc_ref._conformance.writing.words import did_you_mean

__all__ = [
    "KINDS",
    "Kind",
    "base_named",
    "files_of_target",
    "import_path_kept",
    "load_attribute",
    "make_port",
    "parse_target",
]

OPTIMIZER = frozenset({"algorithm", "base"})
FACTORY = OPTIMIZER | {"switch"}


@dataclass(frozen=True)
class Kind:
    """A kind of target."""

    #: The adapter: makes a port of the object that a target names.
    make: Callable[..., Port]
    #: What the object is, for the help.
    purpose: str
    #: Which of the options framework, algorithm, base, switch and timeout go with it.
    takes: frozenset[str] = OPTIMIZER
    #: The --base that is an optimizer of the framework, with {} for its name, and such names.
    base: tuple[str, tuple[str, ...]] = ("", ())
    #: Called before the object is imported.
    prepare: Callable[[], object] | None = None


KINDS: Mapping[str, Kind] = {
    "operator": Kind(
        operator_port,
        "a function gradient -> centralized gradient, on arrays of --framework",
        frozenset({"framework"}),
    ),
    "torch": Kind(
        torch_port,
        "a torch.optim.Optimizer class, or a factory (params, **hyperparameters)",
        FACTORY,
        ("torch:torch.optim:{}", ("SGD", "Adam", "AdamW", "RMSprop", "Adagrad", "NAdam")),
    ),
    "keras": Kind(
        keras_port,
        "a keras Optimizer class, or a factory (**hyperparameters)",
        FACTORY,
        ("keras:keras.optimizers:{}", ("SGD", "Adam", "AdamW", "RMSprop", "Adagrad", "Nadam")),
        prepare=select_backend,  # keras reads its backend when it is imported
    ),
    "optax": Kind(
        optax_port,
        "a factory (**hyperparameters) -> optax.GradientTransformation",
        FACTORY,
        ("optax:optax:{}", ("sgd", "adam", "adamw", "rmsprop", "adagrad", "nadam")),
    ),
    "numpy": Kind(
        numpy_port, "a function run(case) -> trajectory", base=("numpy:my_base.py:{}", ("run",))
    ),
    "exec": Kind(exec_port, "", OPTIMIZER | {"timeout"}, base=("exec:./my_base", ("",))),
}
#: Names that a message lists at most.
MOST = 12
NAMED = [kind for kind in KINDS if kind != "exec"]


def parse_target(target: str) -> tuple[str, str, str]:
    """Split a target into kind, module or file, attribute; ``exec:COMMAND`` has none.

    >>> parse_target("torch:my/optim.py:GCSGD")
    ('torch', 'my/optim.py', 'GCSGD')
    """
    kind, _, rest = target.partition(":")
    where, _, attribute = rest.rpartition(":")
    if kind not in KINDS and _names_no_kind(target):
        where, _, attribute = target.partition(":")
        raise UsageError(
            f"target {target!r} names no kind of port; for a PyTorch optimizer it is "
            f"torch:{where}:{attribute or 'NAME'}. The kinds are {', '.join(NAMED)}, and "
            "exec:COMMAND (gc-ref check --help)"
        )
    if kind not in KINDS:
        raise UsageError(
            f"target {target!r}: unknown kind {kind!r}; a target is "
            f"KIND:MODULE_OR_FILE.py:ATTRIBUTE with KIND one of {', '.join(NAMED)}, "
            f"or exec:COMMAND{did_you_mean(kind, KINDS)}"
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


def base_named(base: str, kind: str) -> str:
    """Say how the base of a port of this kind is named; nothing where it names a kind.

    >>> base_named("torch:torch.optim:SGD", "torch"), base_named("adam", "torch")
    ('', '--base adam names no kind of port; write --base torch:torch.optim:Adam, for instance')
    """
    if base.partition(":")[0] in KINDS or not _names_no_kind(base):
        return ""
    pattern, names = KINDS[kind].base
    word = base.rpartition(":")[2].rpartition(".")[2].lower()
    name = next((n for n in names if n.lower() == word), names[0])
    if _is_file(base.partition(":")[0]):
        pattern, name = f"{kind}:{{}}", base
    example = pattern.format(name)
    return f"--base {base} names no kind of port; write --base {example}, for instance"


def _names_no_kind(target: str) -> bool:
    """Whether a target begins with its module or file, or is a bare name: its kind was left out."""
    first, _, rest = target.partition(":")
    spelled = not first or (first.isidentifier() and did_you_mean(first, KINDS))
    return ":" not in rest and not spelled


def make_port(target: str, *, here: Path | None = None, **arguments: Any) -> Port:
    """Make the port that a target names, with arguments of its adapter such as ``settings``.

    Its file or module is looked for in ``here``, the working directory by default: a base that
    was loaded before may have changed that one. Its folders stay on the import path, as a port may
    import its neighbours when it is called: `import_path_kept` gives the path back.
    """
    kind, where, attribute = parse_target(target)
    arguments |= {"target": target}
    if kind == "exec":
        with usage_error_for(ValueError, prefix="--convention: "):  # the program says what it is
            return exec_port(where, **arguments)
    adapter = KINDS[kind]
    if adapter.prepare is not None:
        adapter.prepare()
    found = load_attribute(where, attribute, here=here)
    return adapter.make(found, name=attribute, **arguments)


def load_attribute(where: str, attribute: str, *, here: Path | None = None) -> Any:
    """Import a module or a file and get an attribute, dots allowed; else a `PortLoadError`."""
    try:
        with quietly():
            found: Any = _load_file(where, here) if _is_file(where) else _load_module(where, here)
    except (PortLoadError, KeyboardInterrupt):
        raise
    except BaseException as error:
        raise PortLoadError(f"{where} cannot be imported: {one_line(error)}") from error
    for part in attribute.split("."):
        # A module's own __getattr__ and __dir__ may do anything.
        with quietly(), raising(PortLoadError, f"{where}: {attribute!r}", through=PortLoadError):
            if not hasattr(found, part):
                names = [n for n in dir(found) if not n.startswith("_")]
                more = ", ..." if len(names) > MOST else ""
                known = ", ".join(names[:MOST]) + more or "nothing public"
                raise PortLoadError(
                    f"{where} has no attribute {attribute!r}; it has: {known}"
                    f"{did_you_mean(part, names)}"
                )
            found = getattr(found, part)
    return found


def files_of_target(target: str) -> list[str]:
    """Return the files that a target may name, so that none of them is written over.

    >>> files_of_target("torch:my/optim.py:GCSGD"), files_of_target("exec:python port.py")
    (['my/optim.py'], ['python', 'port.py'])
    """
    kind, where, _ = parse_target(target)
    if kind == "exec":
        with contextlib.suppress(ValueError):
            return shlex.split(where)
        return []
    if _is_file(where):
        return [where]
    folders = where.replace(".", "/")
    return [f"{folders}.py", f"{folders}/__init__.py"]


def _is_file(where: str) -> bool:
    return where.endswith(".py") or "/" in where or "\\" in where


def _load_file(where: str, here: Path | None) -> Any:
    path = (here or Path()) / where
    if not path.is_file():
        near = [p.name for p in path.parent.glob("*.py")] if path.parent.is_dir() else []
        raise PortLoadError(
            f"no file {where}: a target names a file that exists, or a module"
            f"{did_you_mean(path.name, sorted(near))}"
        )
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
        # Its own folder as `python FILE.py` has it, the working directory as `python -m` has it.
        places = [str(resolved.parent)]
        with contextlib.suppress(OSError):  # somebody deleted it
            places.append(str((here or Path()).resolve()))
        _put_first_on_path(*places)
        spec.loader.exec_module(module)
    except BaseException:
        sys.modules.pop(name, None)
        raise
    return module


def _load_module(name: str, here: Path | None) -> Any:
    place = str(here or Path.cwd())
    if place not in sys.path:
        _put_first_on_path(place)
    return importlib.import_module(name)


def _put_first_on_path(*places: str) -> None:
    """Let a port import from these folders, while it is loaded and later, when it is called."""
    sys.path[:] = [*places, *(p for p in sys.path if p not in places)]


@contextlib.contextmanager
def import_path_kept() -> Iterator[None]:
    """Give back the folders that Python imports from, once the ports of a run are done with."""
    kept = list(sys.path)
    try:
        yield
    finally:
        sys.path[:] = kept
