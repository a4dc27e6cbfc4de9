"""A child process that is asked one line and answers one line.

Whatever the child does instead, nothing here waits or grows without a limit: pipes do not
block, every question has a time limit, every answer a longest length, and of the standard error
only the end is kept. The child leads a process group of its own, which is killed as a whole.
"""

from __future__ import annotations

import contextlib
import os
import re
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from typing import IO

from gc_ref._conformance.ports.serialization import printable

#: How much is read at once; how much of the standard error is kept for messages.
CHUNK, TAIL = 1 << 16, 4096
#: A stack frame as Node and Java print them, after the message: they would crowd it out.
FRAME = re.compile(r"^\s+at .*$", re.MULTILINE)
#: Seconds between looks at a silent child: after its end a grandchild may keep the pipes open.
TICK = 0.05
#: Seconds for the child to exit after a pipe broke, so that the message can say how it ended.
GRACE = 2.0
#: Seconds for the child to exit after its input was closed, and after SIGTERM.
FAREWELL, LAST_CALL = 2.0, 1.0


class ProgramError(Exception):
    """What a program did instead of answering, in words."""


def preview(line: bytes | bytearray, longest: int = 60) -> str:
    """Show the beginning of what a program wrote, on one line of printable characters."""
    text = line[: 4 * longest].decode("utf-8", "backslashreplace")
    shown = repr(text[:longest])
    return f"{shown}..." if len(text) > longest or len(line) > 4 * longest else shown


class Lines:
    """Questions and answers, a line each, over three pipes.

    Parameters
    ----------
    stdin, stdout, stderr : binary files
        Our ends of the pipes. They are taken over, and no longer block.
    ended : callable
        Returns how the child ended (``"exited with status 0"``), or an empty text while it runs.
    """

    def __init__(
        self, stdin: IO[bytes], stdout: IO[bytes], stderr: IO[bytes], ended: Callable[[], str]
    ) -> None:
        self._stdin, self._stdout, self._stderr, self._ended = stdin, stdout, stderr, ended
        self._selector = selectors.DefaultSelector()
        for pipe in (stdin, stdout, stderr):
            os.set_blocking(pipe.fileno(), False)
        for pipe in (stdout, stderr):
            self._selector.register(pipe, selectors.EVENT_READ)
        self._outgoing = memoryview(b"")
        self._answer, self._tail = bytearray(), bytearray()
        #: The pipe that broke, and the time when it did.
        self._broken: dict[str, float] = {}

    def ask(self, line: bytes, *, longest: int, seconds: float) -> bytes:
        """Write a line, and return the line that comes back, without its end.

        Raises
        ------
        ProgramError
            Unless a line of at most ``longest`` bytes comes in time, after the question; and
            if the child wrote something before it was asked.
        """
        deadline = time.monotonic() + seconds
        self.refuse_unasked()
        if "standard input" not in self._broken:
            self._outgoing = memoryview(line + b"\n")
            self._selector.register(self._stdin, selectors.EVENT_WRITE)
        while b"\n" not in self._answer:
            self._refuse_length(longest)
            left = deadline - time.monotonic()
            if left <= 0:
                raise ProgramError(self._late(seconds))
            self._refuse_the_dead(longest)
            self._pump(min(left, TICK))
        end = self._answer.index(b"\n")
        self._refuse_length(longest, end)
        if self._outgoing:
            early = preview(self._answer)
            raise ProgramError(
                "answered before it had read the question to its end, what nobody asked for: "
                + early
            )
        answer = bytes(self._answer[:end])
        del self._answer[: end + 1]
        return answer

    def refuse_more(self) -> None:
        """Raise if more than the answer has come in from the child."""
        if self._answer:
            raise ProgramError(f"wrote what nobody asked for: {preview(self._answer)}")

    def refuse_unasked(self) -> None:
        """Raise if the child has written something since its last answer."""
        self._pump(0.0)
        self.refuse_more()

    def last_words(self) -> str:
        """Return the end of what the child wrote to its standard error, on one line."""
        for _ in range(16):  # no more: the child may write without end
            self._pump(0.0)
        text = bytes(self._tail).decode("utf-8", "backslashreplace")
        text = printable(FRAME.sub("", text))
        return f"...{text[-300:]}" if len(text) > 300 else text

    def close(self) -> None:
        """Close all three pipes."""
        self._selector.close()
        for pipe in (self._stdin, self._stdout, self._stderr):
            with contextlib.suppress(OSError):
                pipe.close()

    def _refuse_length(self, longest: int, length: int | None = None) -> None:
        if (len(self._answer) if length is None else length) > longest:
            raise ProgramError(
                f"wrote a line of more than {longest} bytes, more than the answer needs: "
                f"{preview(self._answer)}"
            )

    def _late(self, seconds: float) -> str:
        words = f"gave no answer within {seconds:g} s (--timeout sets the limit)"
        if self._answer:
            return f"{words}, only a line without its end: {preview(self._answer)}"
        return words if not self._outgoing else f"{words}; it did not read the question to its end"

    def _refuse_the_dead(self, longest: int) -> None:
        """Raise if the child ended, or closed one of its pipes."""
        how = self._ended()
        if how:
            before = -1
            while before < len(self._answer) <= longest and b"\n" not in self._answer:
                before = len(self._answer)  # the end of its answer may still be in the pipe
                self._pump(0.0)
            if b"\n" in self._answer or len(self._answer) > longest:
                return
            half = f", after half a line: {preview(self._answer)}" if self._answer else ""
            raise ProgramError(f"{how} before it answered{half}")
        for what, since in self._broken.items():
            if time.monotonic() - since > GRACE:
                raise ProgramError(f"closed its {what} and still runs")

    def _pump(self, seconds: float) -> None:
        """Read and write what the pipes have or take; wait at most so long for the first byte."""
        for key, _ in self._selector.select(seconds):
            if key.fileobj is self._stdin:
                self._write()
            else:
                self._read(key.fd, is_answer=key.fileobj is self._stdout)

    def _write(self) -> None:
        try:
            count = os.write(self._stdin.fileno(), self._outgoing[:CHUNK])
        except BlockingIOError:
            return
        except OSError:
            self._broken["standard input"] = time.monotonic()
            count = len(self._outgoing)
        self._outgoing = self._outgoing[count:]
        if not self._outgoing:
            self._selector.unregister(self._stdin)

    def _read(self, descriptor: int, *, is_answer: bool) -> None:
        try:
            found = os.read(descriptor, CHUNK)
        except BlockingIOError:
            return
        except OSError:
            found = b""
        if not found:
            self._selector.unregister(self._stdout if is_answer else self._stderr)
            if is_answer:
                self._broken["standard output"] = time.monotonic()
        elif is_answer:
            self._answer += found
        else:
            self._tail = (self._tail + found)[-TAIL:]


class Program:
    """A running command.

    Parameters
    ----------
    words : sequence of str
        The command and its arguments.

    Raises
    ------
    ProgramError
        If it cannot be started.
    """

    def __init__(self, words: Sequence[str]) -> None:
        try:
            self._process = subprocess.Popen(
                words,
                bufsize=0,
                start_new_session=True,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
        except FileNotFoundError as error:
            raise ProgramError(
                f"there is no command {words[0]!r}, or what its first line names is missing: "
                "build it, or give its path"
            ) from error
        except PermissionError as error:
            raise ProgramError(f"{words[0]!r} may not be executed: chmod +x it") from error
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise ProgramError(f"{words[0]!r} cannot be started: {reason}") from error
        self.pid, self._owner, self._stopped = self._process.pid, os.getpid(), False
        stdin, stdout, stderr = self._process.stdin, self._process.stdout, self._process.stderr
        assert stdin is not None
        assert stdout is not None
        assert stderr is not None
        self.lines = Lines(stdin, stdout, stderr, self._ended)
        self._stdin = stdin

    def stop(self, *, at_once: bool = False) -> None:
        """End the program and all of its process group, politely unless ``at_once``.

        May be called again, and never raises.
        """
        if self._stopped or os.getpid() != self._owner:  # a fork of ours must not end it
            return
        self._stopped = True
        with contextlib.suppress(OSError):
            self._stdin.close()
        if not at_once and not self._wait(FAREWELL):
            self._signal(signal.SIGTERM)
            self._wait(LAST_CALL)
        self._signal(signal.SIGKILL)  # also those that outlived their leader
        self.lines.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(10)  # no zombie

    def _signal(self, number: signal.Signals) -> None:
        # Until the leader is reaped, no other process can have its number.
        if self._process.returncode is None:
            with contextlib.suppress(OSError):
                os.killpg(self.pid, number)

    def _wait(self, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while not self._ended():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.005)
        return True

    def _ended(self) -> str:
        """Return how the program ended, or an empty text, without reaping it."""
        if not hasattr(os, "waitid"):  # macOS before Python 3.13
            return _how(self._process.poll())
        try:
            flags = os.WEXITED | os.WNOHANG | os.WNOWAIT
            found = os.waitid(os.P_PID, self.pid, flags)
        except ChildProcessError:
            return "ended"
        if found is None:
            return ""
        exited = found.si_code == os.CLD_EXITED
        return _how(found.si_status if exited else -found.si_status)


def _how(status: int | None) -> str:
    """Say in words how a program ended: with a status, or (negative) by a signal."""
    if status is None:
        return ""
    if status >= 0:
        return f"exited with status {status}"
    try:
        name = signal.Signals(-status).name
    except ValueError:
        name = str(-status)
    return f"was killed by signal {name}"
