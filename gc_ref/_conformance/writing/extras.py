"""Optional libraries: which extra of gc-ref brings one that is missing."""

from __future__ import annotations

from importlib.util import find_spec

#: Extra of gc-ref to what it brings. Messages name this, as gc-ref is on no package index.
EXTRAS = {
    "check": "hypothesis pytest tomlkit",
    "report": "jinja2 jsonschema matplotlib",
}
#: Module to the name of its library and the extra that brings it.
LIBRARIES = {
    "hypothesis": ("Hypothesis", "check"),
    "jinja2": ("Jinja2", "report"),
    "jsonschema": ("jsonschema", "report"),
    "matplotlib": ("matplotlib", "report"),
    "tomlkit": ("tomlkit", "check"),
}


class MissingExtraError(ImportError):
    """A library is missing that is needed for what was asked for: what it is, how to get it."""


def is_installed(module: str) -> bool:
    """Whether a library can be imported."""
    return find_spec(module) is not None


def require(module: str, purpose: str, otherwise: str = "") -> None:
    """Refuse what needs a library that is not installed.

    Parameters
    ----------
    module : str
        One of `LIBRARIES`.
    purpose : str
        What needs it, as the beginning of a sentence.
    otherwise : str, optional
        What can be done without it, as the end of one.

    Raises
    ------
    MissingExtraError
        If it is not installed.
    """
    library, extra = LIBRARIES[module]
    if not is_installed(module):
        raise MissingExtraError(
            f"{purpose} needs {library}, which is not installed: pip install {EXTRAS[extra]} "
            f"(gc-ref's extra {extra!r}){otherwise}",
            name=module,
        )
