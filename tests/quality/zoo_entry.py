"""What one entry of the zoo of correct ports is."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from gc_ref.conformance import Port

DTYPES = ("float16", "bfloat16", "float32", "float64")
#: Those that NumPy has by itself.
NUMPY_DTYPES = ("float16", "float32", "float64")


@dataclass(frozen=True)
class Entry:
    """One correct way of writing GC.

    Attributes
    ----------
    name : str
        Unique in the zoo, fit for a test id.
    make : callable
        Makes the port; its frameworks are imported then, not before.
    kind : str
        ``"operator"`` or ``"optimizer"``.
    needs : tuple of str
        Modules without which ``make`` cannot run.
    dtypes : tuple of str
        Dtypes in which the port is judged; bfloat16 in NumPy only where ml_dtypes is.
    follows : mapping
        Conventions that the report must name, field to value.
    cost : str
        ``"cheap"``: some seconds; ``"dear"``: it compiles at its first run, which takes more.
    probe : callable
        Says why the entry cannot run although its modules are there, or nothing.
    """

    name: str
    make: Callable[[], Port]
    kind: str = "operator"
    needs: tuple[str, ...] = ()
    dtypes: tuple[str, ...] = DTYPES
    follows: Mapping[str, str] = field(default_factory=dict)
    cost: str = "cheap"
    probe: Callable[[], str] = str

    def unavailable(self) -> str:
        """Say why this entry cannot run here; nothing where it can."""
        missing = [n for n in self.needs if importlib.util.find_spec(n) is None]
        return f"needs {', '.join(missing)}" if missing else self.probe()


def has_bfloat16() -> bool:
    """Whether NumPy can be taught bfloat16 (by ml_dtypes)."""
    return importlib.util.find_spec("ml_dtypes") is not None
