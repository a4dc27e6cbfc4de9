"""A port in any language: a program that answers questions about cases, a line of JSON each."""

from __future__ import annotations

import json
import math
import os
import shlex
import weakref
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from gc_ref._conformance.adapters.exec.hello import LONGEST_HELLO, Hello, hello_line, read_hello
from gc_ref._conformance.adapters.exec.process import Program, ProgramError
from gc_ref._conformance.adapters.exec.protocol import longest_answer, read_answer, run_line
from gc_ref._conformance.ports.case import Case, Trajectory
from gc_ref._conformance.ports.conventions import parse_conventions, refuse_meaningless
from gc_ref._conformance.ports.port import (
    Construction,
    Port,
    PortError,
    PortLoadError,
    SkippedError,
)
from gc_ref._conformance.ports.serialization import ProtocolError, clean

#: Ways of driving that a check asks for, and that check.
CHECKED_BY = {
    "reuse-gradients": "hygiene/state",
    "twin": "hygiene/state",
    "checkpoint": "hygiene/checkpoint",
}


def exec_port(
    command: str | Sequence[str],
    *,
    name: str | None = None,
    algorithm: str | None = None,
    base: Port | None = None,
    settings: Mapping[str, Any] | None = None,
    layout: str | None = None,
    conventions: Mapping[str, str] | None = None,
    timeout: float = 60.0,
    target: str | None = None,
    options: Iterable[str] = (),
) -> Port:
    """Make a port of a program that speaks the protocol of conformance/PROTOCOL.md.

    The program is started at once, asked what it is, and kept until the port is gone. It
    reads questions from its standard input and answers each on its standard output, one
    line of JSON each. Once it has broken the protocol, every later run says so again.

    Parameters
    ----------
    command : str or sequence of str
        The command and its arguments. A string is split as a shell would, and no shell
        is involved.
    name : str, optional
        Name in reports; what the program calls itself by default.
    algorithm : {"sgdm", "adam"}, optional
        Hold it to Algorithm 1 or 2; by default to the one that the program names, if any.
    base : Port, optional
        Hold it to this optimizer fed with Φ(g).
    settings : mapping, optional
        Handed to the program with the first question.
    layout : {"output-first", "output-last"}, optional
        Where the weights keep their outputs; what the program says by default.
    conventions : mapping, optional
        Declared conventions, besides those that the program declares.
    timeout : float
        Seconds that the program may take for its start and for each case.
    target : str, optional
        Command-line target, for the rerun command.
    options : iterable of str, optional
        Command-line options that make the same port again.

    Returns
    -------
    Port
        Of kind ``"exec"``.

    Raises
    ------
    PortLoadError
        If the program cannot be started, or does not say what it is.
    ValueError
        For a ``timeout`` that is no positive number, or a convention that is unknown or
        means nothing for such a port.

    Examples
    --------
    >>> exec_port("./no-such-program --fast")
    Traceback (most recent call last):
    gc_ref._conformance.ports.port.PortLoadError: ./no-such-program --fast: there is no command ...
    """
    words = _split_command(command)
    if not 0 < timeout < math.inf:
        raise ValueError(f"timeout must be a positive number of seconds, got {timeout!r}")
    given = dict(settings or {})
    session = _Session(words, timeout)
    hello = session.open(given)
    if hello.kind == "operator" and (algorithm or base):
        raise PortLoadError(
            f"{session.label} is an operator, which takes no steps: "
            "an algorithm or a base goes with an optimizer"
        )
    algorithm = algorithm or (None if base else hello.algorithm)
    try:
        said = parse_conventions(hello.conventions)
        refuse_meaningless(said, algorithm, operator=hello.kind == "operator")
    except ValueError as error:
        raise PortLoadError(f"{session.label}: its hello's conventions: {error}") from error

    def make(*, centralized: bool) -> Port:
        detail = json.dumps([given, sorted(hello.hyperparameters), centralized])
        return Port(
            name=(name or hello.name) + ("" if centralized else " with GC off"),
            kind="exec",
            run=lambda case: session.run(case, hello, centralized=centralized),
            operator=hello.kind == "operator",
            layout=layout or hello.layout,
            takes=hello.hyperparameters,
            fixed=hello.fixed,
            algorithm=algorithm,
            base=base,
            conventions=said | dict(conventions or {}),
            dtypes=hello.dtypes,
            drives=hello.drives,
            most_elements=100_000,  # a megabyte of text a step
            flush_to_zero=hello.flush_to_zero,
            broken=session.broken,
            breaks_for_good=True,
            shows_gradient=False,
            environment={**_own(hello.versions), "numpy": np.__version__, **_hint(hello)},
            construction=Construction("exec", tuple(words), dict, detail),
        )

    off = make(centralized=False) if hello.switch else None
    return replace(make(centralized=True), off=off, target=target, options=tuple(options))


def _split_command(command: str | Sequence[str]) -> list[str]:
    """Split a command into words as a shell would; raise PortLoadError if that is impossible."""
    try:
        words = shlex.split(command) if isinstance(command, str) else [str(w) for w in command]
    except ValueError as error:
        raise PortLoadError(f"command {command!r} cannot be split into words: {error}") from error
    if not words:
        raise PortLoadError("the command is empty: give a program and its arguments")
    return words


def _hint(hello: Hello) -> dict[str, str]:
    """Say which checks want a way of driving that the program does not offer."""
    missing = [f'"{way}" ({id})' for way, id in CHECKED_BY.items() if way not in hello.drives]
    if hello.kind == "operator" or not missing:
        return {}
    words = f'its hello leaves out of "drives" {", ".join(missing)}'
    return {"hint": f"{words}: heed one as PROTOCOL.md says, name it, and that check judges it"}


def _own(versions: Mapping[str, str]) -> dict[str, str]:
    """Rename those of a program's versions that have the name of one of the kit's own."""
    taken = ("gc_ref", "python", "numpy", "platform", "hint")
    return {f"program's {k}" if k in taken else k: v for k, v in versions.items()}


class _Session:
    """One running program and the number of its questions; once broken, it stays broken."""

    def __init__(self, words: Sequence[str], timeout: float) -> None:
        self.label, self.timeout = clean(shlex.join(words), 100), timeout
        self.asked, self._broken, self._last = 0, "", f"{self.label} at its start"
        if os.name != "posix":
            raise PortLoadError(f"{self.label}: programs are run on POSIX systems only")
        try:
            self.program = Program(words)
        except ProgramError as error:
            raise PortLoadError(f"{self.label}: {error}") from error
        weakref.finalize(self, self.program.stop)

    def broken(self) -> str:
        """Return what broke it, or an empty text; lines that nobody asked for break it too."""
        if not self._broken:
            try:
                self.program.lines.refuse_unasked()
            except ProgramError as error:
                self._broken = self._break(error, self._last)
        return self._broken

    def open(self, settings: dict[str, Any]) -> Hello:
        """Ask the program what it is."""
        try:
            line = hello_line(settings)
        except (TypeError, ValueError) as error:
            self.program.stop(at_once=True)
            raise PortLoadError(f"{self.label}: settings must fit into JSON: {error}") from error
        try:
            hello = read_hello(self._ask(line, LONGEST_HELLO))
            self.program.lines.refuse_more()
            return hello
        except PortError as error:
            self.program.stop()
            raise PortLoadError(f"{self.label} cannot run: {error}") from error
        except (ProgramError, ProtocolError) as error:
            raise PortLoadError(f"{self.label} {self._break(error, 'at its start')}") from error
        except BaseException:
            self.program.stop(at_once=True)
            raise

    def run(self, case: Case, hello: Hello, *, centralized: bool) -> Trajectory:
        """Drive the program through a case."""
        if self._broken:
            raise PortError(self._broken)
        self.asked += 1
        where = f"in case {case.id} ({case.dtype})"
        self._last = f"{hello.name} {where}"
        try:
            line = run_line(self.asked, case, hello.hyperparameters, centralized=centralized)
            found = read_answer(self._ask(line, longest_answer(case)), self.asked, case)
            self.program.lines.refuse_more()
            return found
        except SkippedError as error:
            raise SkippedError(f"{hello.name} skips case {case.id}: {error}") from error
        except PortError as error:
            raise type(error)(f"{hello.name} {where}: {error}") from error
        except (ProgramError, ProtocolError) as error:
            self._broken = f"{hello.name} {self._break(error, where)}"
            raise PortError(self._broken) from error
        except BaseException:  # its answer may still come, and would be taken for the next one
            self._broken = f"{hello.name} was interrupted {where}"
            self.program.stop(at_once=True)
            raise

    def _ask(self, line: bytes, longest: int) -> bytes:
        return self.program.lines.ask(line, longest=longest, seconds=self.timeout)

    def _break(self, error: Exception, where: str) -> str:
        """End the program, and return what happened in words."""
        last = self.program.lines.last_words()
        self.program.stop(at_once=True)
        return f"{where}: {error}" + (f"; its standard error ends: {last}" if last else "")
