"""From the words of a command line to the port that they name."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gc_ref._conformance.cli.targets import (
    KINDS,
    UsageError,
    make_port,
    parse_settings,
    parse_target,
)
from gc_ref._conformance.ports.conventions import parse_conventions, refuse_meaningless
from gc_ref._conformance.ports.port import Port

__all__ = ["port_of", "working_directory"]


def port_of(options: argparse.Namespace) -> Port:
    """Make the port that the options name.

    Parameters
    ----------
    options : argparse.Namespace
        Of ``gc-ref check`` or ``gc-ref identify``.

    Returns
    -------
    Port

    Raises
    ------
    UsageError
        If the options contradict each other or the target is malformed.
    PortLoadError
        If the port cannot be loaded.
    """
    try:
        words = _pairs(options.convention)
        conventions = parse_conventions(words)
        kind = options.target.partition(":")[0] if options.target else ""
        operator = kind == "operator" or not (options.target or options.algorithm)  # Φ itself
        refuse_meaningless(conventions, options.algorithm, operator=operator)
    except ValueError as error:
        raise UsageError(f"--convention: {error}") from error
    if options.layout and conventions.setdefault("layout", options.layout) != options.layout:
        raise UsageError("--layout and --convention layout= contradict each other")
    if options.target is None:
        return _reference(options, conventions)
    parse_target(options.target)  # before what goes with it: an unknown kind is said first
    if options.framework and kind != "operator":
        raise UsageError("--framework goes with operator targets only")
    if options.timeout and kind != "exec":
        raise UsageError("--timeout goes with exec targets only")
    if kind == "operator" and (options.algorithm or options.base):
        raise UsageError("--algorithm and --base go with optimizers, an operator has no steps")
    if options.base_set and not options.base:
        raise UsageError("--base-set goes with --base")
    base, here = None, Path(working_directory())
    if options.base:
        if options.base.partition(":")[0] != kind and options.base.partition(":")[0] in KINDS:
            article = "an" if kind[0] in "aeiou" else "a"
            raise UsageError(
                f"--base {options.base}: the base of {article} {kind} port is "
                f"{article} {kind} target"
            )
        base = make_port(
            options.base,
            settings=parse_settings(options.base_set, "--base-set"),
            layout=conventions.get("layout"),
            here=here,
            timeout=options.timeout,
        )
    return make_port(
        options.target,
        settings=parse_settings(options.set, "--set"),
        framework=options.framework or "numpy",
        layout=conventions.get("layout"),
        algorithm=options.algorithm,
        base=base,
        conventions=conventions,
        options=_same_again(options),
        here=here,
        timeout=options.timeout,
    )


def working_directory() -> str:
    """Return the working directory, or nothing where it was deleted."""
    try:
        return os.getcwd()
    except OSError:
        return ""


def _reference(options: argparse.Namespace, conventions: dict[str, str]) -> Port:
    """Return the reference itself as a port: what ``gc-ref check`` judges without a target."""
    from gc_ref._conformance.cli.reference import reference_port

    words = (options.base, options.set, options.base_set, options.framework, options.timeout)
    if any(words):
        raise UsageError("--base, --set, --base-set, --framework and --timeout need a TARGET")
    return reference_port(options.algorithm, conventions, _same_again(options))


def _pairs(words: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for word in words:
        field, equals, value = word.partition("=")
        if not equals:
            raise ValueError(f"{word!r}: expected FIELD=VALUE")
        if found.setdefault(field, value) != value:
            raise ValueError(f"{field} is declared twice")
    return found


def _same_again(options: argparse.Namespace) -> tuple[str, ...]:
    """Words of this command line that make the same port again."""
    words: list[str] = []
    given: dict[str, Any] = {
        "--framework": options.framework,
        "--layout": options.layout,
        "--algorithm": options.algorithm,
        "--base": options.base,
        "--timeout": options.timeout and f"{options.timeout:g}",
    }
    for option, value in given.items():
        words += [option, value] if value else []
    for option, values in (
        ("--set", options.set),
        ("--base-set", options.base_set),
        ("--convention", options.convention),
    ):
        for value in values:
            words += [option, value]
    return tuple(words)
