"""Each check of each port as a test of its own, in the vocabulary of scikit-learn."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias, TypeVar

from gc_ref._conformance.catalogue.checks import CHECKS
from gc_ref._conformance.known_failures.expectations import (
    ExpectationError,
    Expectations,
    KnownFailures,
    expectations_of,
    read_file,
    sections_of,
)
from gc_ref._conformance.ports.port import Port
from gc_ref._conformance.testing.judged_port import JudgedPort
from gc_ref._conformance.testing.port_check import PortCheck

__all__ = ["parametrize_with_checks"]

#: Known failures of all ports: a file, a mapping for each of them, or a function of the port.
KnownFailuresOfAll: TypeAlias = KnownFailures | Callable[[Port], Mapping[str, Any] | None]
TestFunction = TypeVar("TestFunction", bound=Callable[..., object])


def parametrize_with_checks(
    ports: Port | Sequence[Port], *, expected_failed_checks: KnownFailuresOfAll | None = None
) -> Callable[[TestFunction], TestFunction]:
    """Make a test of each check of each port.

    The test function takes ``port`` and ``check``, and calls ``check(port)``. Its ids are
    ``my-sgd-scope/every-weight``: port, dash, check. A check that does not apply to the port
    is skipped with the reason, one that cannot decide fails.

    Parameters
    ----------
    ports : Port or sequence of Port
        What is judged; their names must differ.
    expected_failed_checks : mapping, callable or path, optional
        Known failures: check id to the reason, or to a mapping with ``reason`` and, if you
        like, ``issue`` and ``deviation``, for each of the ports; a function that returns such
        a mapping for a port; or the TOML file of ``gc-ref check --expected``, which may list
        other ports too, but must list one of these. The test of a known failure is xfailed, and
        strictly: it fails once the check passes or does not apply, if the port now fails by
        another deviation than the recorded one, and if only fuzzing found the failure.

    Returns
    -------
    pytest.MarkDecorator
        For a test function.

    Raises
    ------
    TypeError
        If one of the ports is no `Port`.
    ValueError
        If there are no ports, if two have the same name, or if a known failure names no
        check or no deviation, or gives no reason, or if a file lists none of the ports.
        pytest shows the message alone, without a traceback.

    Examples
    --------
    >>> from gc_ref import centralize
    >>> from gc_ref.conformance import operator_port, parametrize_with_checks
    >>> port = operator_port(lambda g: centralize(g, output_axis=-1), name="mine")
    >>> @parametrize_with_checks([port])
    ... def test_gc(port, check):
    ...     check(port)
    """
    import pytest

    given = [ports] if isinstance(ports, Port) else list(ports)
    names = [_name(port) for port in given]
    if not names:
        raise _refusal("parametrize_with_checks was given no port, so nothing would be judged")
    if twice := sorted({n for n in names if names.count(n) > 1}):
        raise _refusal(
            f"two ports are called {twice[0]!r}, and tests are known by that name: "
            "give each its own, torch_port(..., name=...)"
        )
    try:
        known = _known_failures(given, expected_failed_checks)
    except ExpectationError as error:
        raise _refusal(str(error)) from None
    parameters = []
    for port in given:
        judged = JudgedPort(port, known[port.name])
        parameters += [
            pytest.param(port, PortCheck(id, judged), id=f"{port.name}-{id}") for id in CHECKS
        ]
    return pytest.mark.parametrize(("port", "check"), parameters)


def _refusal(message: str) -> ValueError:
    """Return an error of which pytest shows the message alone, where it collects tests."""
    import pytest

    class CollectionError(ValueError, pytest.Collector.CollectError):
        """The arguments of `parametrize_with_checks` are wrong."""

    return CollectionError(message)


def _name(port: object) -> str:
    if not isinstance(port, Port):
        raise TypeError(
            f"{port!r:.80} is no port: make one of it with operator_port, torch_port, keras_port, "
            "optax_port, numpy_port or exec_port"
        )
    return port.name


def _known_failures(
    ports: Sequence[Port], given: KnownFailuresOfAll | None
) -> dict[str, Expectations | None]:
    """Return what is known of each port."""
    if isinstance(given, (str, os.PathLike)):
        return {**sections_of([p.name for p in ports], read_file(given), os.fspath(given))}
    found = {}
    for port in ports:
        own = given(port) if callable(given) else given
        found[port.name] = expectations_of(port.name, own, where="expected_failed_checks")
    return found
