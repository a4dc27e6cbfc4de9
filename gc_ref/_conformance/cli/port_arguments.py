"""The arguments that say which port is judged, and the port made of them."""

from __future__ import annotations

import argparse
import ast
import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from gc_ref._conformance.cli.reference_port import reference_port
from gc_ref._conformance.cli.targets import KINDS, base_named, make_port, parse_target
from gc_ref._conformance.cli.usage import UsageError, not_empty, usage_error_for
from gc_ref._conformance.ports.conventions import parse_conventions, refuse_meaningless
from gc_ref._conformance.ports.port import Port

__all__ = ["add_port_arguments", "parse_settings", "port_of", "refuse_base_without_kind"]

#: Options that are repeated in the command that gives the same report again.
ONCE = ("framework", "layout", "algorithm", "base", "switch", "timeout")
ALGORITHMS = ("sgdm", "adam")
MANY = ("set", "base_set", "convention")


def add_port_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the target and the options that say how its port is made, and what it is held to."""
    parser.add_argument("target", nargs="?", metavar="TARGET", help="the port, as above")
    port = parser.add_argument_group("the port")
    port.add_argument(
        "--framework", choices=("numpy", "torch", "jax"), help="arrays of an operator (numpy)"
    )
    port.add_argument(
        "--layout",
        choices=("output-first", "output-last"),
        help="where the weights keep their outputs (torch: first, others: last)",
    )
    port.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="argument of the port: of its constructor, factory or function (repeatable)",
    )
    port.add_argument("--switch", metavar="NAME", help="its argument that switches GC")
    port.add_argument(
        "--timeout", type=_seconds, metavar="SECONDS", help="limit of a program's case (60)"
    )
    held = parser.add_argument_group("what it is held to")
    held.add_argument(
        "--algorithm",
        type=_algorithm,
        metavar="{sgdm,adam}",
        help="Algorithm 1 or 2 of the paper; sgdm is plain SGD, too: its momentum is 0",
    )
    held.add_argument(
        "--base",
        type=not_empty,
        metavar="TARGET",
        help="another optimizer without GC, fed with Phi(g): a target of the same kind",
    )
    held.add_argument(
        "--base-set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="argument of the constructor or factory of --base (repeatable)",
    )
    held.add_argument(
        "--convention",
        action="append",
        default=[],
        metavar="FIELD=VALUE",
        help="declare a choice; gc-ref explain lists them (repeatable)",
    )


def port_of(options: argparse.Namespace) -> Port:
    """Make the port that the arguments name.

    They are refused (`UsageError`) where they contradict each other; a port that cannot be
    loaded is a `PortLoadError`.
    """
    conventions = _conventions(options)
    again = tuple(_same_arguments(options))
    if options.target is None:
        of_target = ("base", "set", "base_set", "switch", "framework", "timeout")
        if any(getattr(options, name) for name in of_target):
            names = "--base, --set, --base-set, --switch, --framework and --timeout"
            raise UsageError(f"{names} need a TARGET")
        return reference_port(options.algorithm, conventions, again)
    kind, _, _ = parse_target(options.target)
    _refuse_what_does_not_go_with(kind, options)
    here = _working_directory()
    common = {"layout": conventions.get("layout"), "timeout": options.timeout}
    common = {name: value for name, value in common.items() if value is not None}
    base = None
    if options.base:
        settings = parse_settings(options.base_set, "--base-set")
        base = make_port(options.base, here=here, settings=settings, **common)
    given = {name: getattr(options, name) for name in ("framework", "algorithm", "switch")}
    given["base"] = base
    return make_port(
        options.target,
        here=here,
        settings=parse_settings(options.set, "--set"),
        conventions=conventions,
        options=again,
        **common,
        **{name: value for name, value in given.items() if value is not None},
    )


def parse_settings(words: Iterable[str], option: str) -> dict[str, Any]:
    """Read NAME=VALUE words; a value is a Python literal, or else a string.

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


def _conventions(options: argparse.Namespace) -> dict[str, str]:
    """Return the declared conventions, field to value; ``--layout`` is one of them."""
    declared: dict[str, str] = {}
    for word in options.convention:
        field, equals, value = word.partition("=")
        if not equals:
            raise UsageError(f"--convention: {word!r}: expected FIELD=VALUE")
        if declared.setdefault(field, value) != value:
            raise UsageError(f"--convention: {field} is declared twice")
    target, algorithm = options.target or "", options.algorithm
    operator = target.startswith("operator:") or not (target or algorithm)
    with usage_error_for(ValueError, prefix="--convention: "):
        conventions = parse_conventions(declared)
        refuse_meaningless(conventions, algorithm, operator=operator)
    if options.layout and conventions.setdefault("layout", options.layout) != options.layout:
        raise UsageError("--layout and --convention layout= contradict each other")
    return conventions


def _refuse_what_does_not_go_with(kind: str, options: argparse.Namespace) -> None:
    takes = KINDS[kind].takes
    if options.framework and "framework" not in takes:
        raise UsageError("--framework goes with operator targets only")
    if options.timeout and "timeout" not in takes:
        raise UsageError("--timeout goes with exec targets only")
    if options.switch and "switch" not in takes:
        raise UsageError("--switch goes with torch, keras and optax targets only")
    if (options.algorithm or options.base) and "base" not in takes:
        raise UsageError("--algorithm and --base go with optimizers, an operator has no steps")
    if options.base_set and not options.base:
        raise UsageError("--base-set goes with --base")
    other = (options.base or kind).partition(":")[0]
    if other != kind and other in KINDS:
        article = "an" if kind[0] in "aeiou" else "a"
        raise UsageError(
            f"--base {options.base}: the base of {article} {kind} port is {article} {kind} target"
        )


def _same_arguments(options: argparse.Namespace) -> Iterator[str]:
    """Yield the words, but for the target, that make the same port again."""
    for name in ONCE:
        if value := getattr(options, name):
            yield from (f"--{name}", f"{value:g}" if name == "timeout" else value)
    for name in MANY:
        for value in getattr(options, name):
            yield from (f"--{name.replace('_', '-')}", value)


def _working_directory() -> Path:
    """Return the working directory as it is now: a base may change it when it is loaded."""
    try:
        return Path.cwd()
    except OSError:  # somebody deleted it
        return Path()


def refuse_base_without_kind(options: argparse.Namespace) -> None:
    """Refuse a ``--base`` that names no kind of port: say how it is named (`UsageError`)."""
    if options.target and options.base:
        kind, _, _ = parse_target(options.target)
        if "base" in KINDS[kind].takes and (words := base_named(options.base, kind)):
            raise UsageError(words)


def _algorithm(text: str) -> str:
    if text in ALGORITHMS:
        return text
    if text.lower() in ALGORITHMS:
        way = f"did you mean {text.lower()!r}?"
    elif text.lower() == "adamw":
        way = (
            "AdamW is adam with a decoupled weight decay: --algorithm adam --convention "
            "decay=decoupled, or --base torch:torch.optim:AdamW for a port in PyTorch"
        )
    elif text.lower() == "sgd":
        way = "plain SGD is sgdm with a momentum of 0: --algorithm sgdm"
    else:
        way = (
            "hold a port of another optimizer to that optimizer without GC: "
            "--base torch:torch.optim:RMSprop, for instance"
        )
    raise argparse.ArgumentTypeError(
        f"{text!r} is no algorithm of the paper, which has sgdm (Algorithm 1) and adam "
        f"(Algorithm 2); {way}"
    )


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds above 0")
    return value
