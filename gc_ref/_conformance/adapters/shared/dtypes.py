"""The dtypes in which parameters come back."""

from __future__ import annotations

from gc_ref._conformance.ports.case import Case


class Dtypes:
    """The dtype of each parameter after a run: another than the case's, if it ever had one.

    Examples
    --------
    >>> dtypes = Dtypes(Case("three-steps", (), ()))
    >>> for found in ("float32", "float64", "float32"):
    ...     dtypes.add("dense_0.kernel", found)
    >>> dtypes.found
    {'dense_0.kernel': 'float64'}
    """

    def __init__(self, case: Case) -> None:
        self._wanted = case.dtype
        self.found: dict[str, str] = {}

    def add(self, name: str, dtype: str) -> None:
        """Add the dtype of a parameter after a step."""
        if self.found.get(name, self._wanted) == self._wanted:
            self.found[name] = dtype
