"""Jitted functions that are traced anew for each run, and compiled once per program.

JAX traces a port in a tenth of the time that XLA takes to compile it. So every run traces the
port anew, which shows what it keeps in a closure or a module, and looks up the program that
results among those that are compiled already.
"""

from __future__ import annotations

import functools
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

#: Compiled programs that are kept: as many as the checks of one port come back to.
_KEPT = 12
#: Options of XLA on a CPU, the quickest first. XLA still simplifies the program and fuses its
#: loops; it skips the optimization of machine code after that, which takes most of the time.
_QUICK: tuple[dict[str, Any], ...] = (
    {"xla_backend_optimization_level": 0, "xla_cpu_use_fusion_emitters": False},
    {"xla_backend_optimization_level": 0},
)


class Programs:
    """Compiled programs, by their text."""

    def __init__(self) -> None:
        self._compiled: OrderedDict[Any, Any] = OrderedDict()

    def compile(self, lowered: Any, inputs: int) -> Any:
        """Compile a `jax.stages.Lowered` of so many input arrays, or find it compiled."""
        import jax

        text = lowered.as_text()
        if not _says_all(text, inputs):
            return _compile(lowered)
        leaves = jax.tree_util.tree_leaves(lowered.out_info)
        results = tuple(getattr(x, "weak_type", None) for x in leaves)
        key = (text, lowered.in_tree, lowered.out_tree, results)
        if key not in self._compiled:
            self._compiled[key] = _compile(lowered)
        self._compiled.move_to_end(key)
        while len(self._compiled) > _KEPT:
            self._compiled.popitem(last=False)
        return self._compiled[key]


def jitted(function: Callable[..., Any], programs: Programs) -> Callable[..., Any]:
    """Return the function under `jax.jit`, with its own traces and shared programs."""
    import jax

    traceable: Any = jax.jit(function, keep_unused=True)
    known: dict[Any, Any] = {}

    def call(*arguments: Any) -> Any:
        leaves, structure = jax.tree_util.tree_flatten(arguments)
        kind = (structure, tuple(map(_type, leaves)))
        if kind not in known:  # arguments of other types need another trace
            known[kind] = programs.compile(traceable.lower(*arguments), len(leaves))
        return known[kind](*arguments)

    return call


def _compile(lowered: Any) -> Any:
    options = _quick_options()
    return lowered.compile(compiler_options=options) if options else lowered.compile()


@functools.cache
def _quick_options() -> dict[str, Any]:
    """Find the quickest options that this XLA knows."""
    import jax

    if jax.default_backend() != "cpu":
        return {}
    trial: Any = jax.jit(lambda x: x).lower(0.0)
    for options in _QUICK:
        try:
            trial.compile(compiler_options=options)
        except Exception:  # "No such compile option": XLA has no class of its own for it
            continue
        return options
    return {}


def _says_all(text: str, inputs: int) -> bool:
    """Whether the text is the whole program: it neither calls Python nor refers to constants."""
    head = text.partition("@main(")[2].partition("->")[0]
    return "callback" not in text and head.count("%arg") == inputs


def _type(leaf: Any) -> tuple[Any, ...]:
    """Return what `jax.jit` tells arguments apart by."""
    return type(leaf), *(getattr(leaf, name, None) for name in ("shape", "dtype", "weak_type"))
