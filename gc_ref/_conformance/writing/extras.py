"""Optional libraries: which extra of gc-ref brings one that is missing."""

from __future__ import annotations

from importlib.util import find_spec

#: Module to the name of its library and the extra that brings it.
LIBRARIES = {
    "jinja2": ("Jinja2", "report"),
    "jsonschema": ("jsonschema", "report"),
    "matplotlib": ("matplotlib", "report"),
    "tomlkit": ("tomlkit", "check"),
}


class MissingExtraError(ImportError):
    """A library is missing that is needed for what was asked for; the message names its extra."""


def is_installed(module: str) -> bool:
    """Whether a library can be imported."""
    return find_spec(module) is not None


def require(module: str, purpose: str) -> None:
    """Refuse what needs a library that is not installed.

    Parameters
    ----------
    module : str
        One of `LIBRARIES`.
    purpose : str
        What needs it, as the beginning of a sentence.

    Raises
    ------
    MissingExtraError
        If it is not installed.
    """
    library, extra = LIBRARIES[module]
    if not is_installed(module):
        raise MissingExtraError(
            f"{purpose} needs {library}, which is not installed: pip install 'gc-ref[{extra}]'",
            name=module,
        )
