"""The command as a process: a child does the work, and says as its last act that it has finished.

A port runs inside the process that judges it, and may end it at any time and with any status:
``os._exit(0)``, a crash, a library that calls ``exit``. So the exit status of that process says
nothing. Its parent, which loads no port, returns the status that was told through a pipe, and
without one says that the port was not driven. What a port does on purpose to deceive is not
prevented: gc-ref is no sandbox.

Where processes cannot be forked, the command runs in this one.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import signal
import sys
from collections.abc import Callable
from types import FrameType

from gc_ref._conformance.cli.output import keep_standard_output, write_error
from gc_ref._conformance.cli.usage import NOT_DRIVEN, StoppedError

__all__ = ["run"]

#: Seconds for the child to end once it was stopped, or once it has said that it has finished.
GRACE = 5
#: What asks a process to stop.
STOPPING = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP"))
#: The option of prctl(2) that names the signal for when the parent dies.
PR_SET_PDEATHSIG = 1


def run() -> int:
    """Run the command with the words of this process, and return its exit status.

    Called by the program ``gc-ref`` and by ``python -m gc_ref.conformance``.
    """
    if not hasattr(os, "fork"):
        return _main()
    _open_what_is_closed()
    reader, writer = os.pipe()
    seal = os.urandom(8)  # so that what a port writes to any descriptor is never taken for it
    child = os.fork()  # before anything is loaded that starts threads
    if child == 0:
        os.close(reader)
        return _work(writer, seal)
    os.close(writer)
    return _wait(child, reader, seal)


def _main() -> int:
    # Hypothesis caches what it has seen of the sources: not in a folder of the user's.
    os.environ.setdefault("HYPOTHESIS_STORAGE_DIRECTORY", os.path.join(os.devnull, "nowhere"))
    module = importlib.import_module("gc_ref._conformance.cli.main")  # loads NumPy
    status: int = module.main()
    return status


def _open_what_is_closed() -> None:
    """Open the standard files that the caller closed, so that the pipe does not get their place."""
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(number)


# ---- in the child


def _work(writer: int, seal: bytes) -> int:
    """Run the command, tell the parent its status, and return it."""
    _stop_when_asked()
    keep_standard_output()
    status = _main()
    with contextlib.suppress(OSError):  # the port may have closed it: then nothing was told
        os.write(writer, seal + bytes([status]))
        os.close(writer)
    # All is done: a thread or an exit handler of the port must not keep the process.
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(GRACE)
    return status


def _stop_when_asked() -> None:
    """Raise `StoppedError` where one of STOPPING comes, so that all is closed on the way out."""
    own = os.getpid()

    def stop(number: int, frame: FrameType | None) -> None:
        if os.getpid() != own:  # a process that the port has forked: as if nobody had asked
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
            return
        _on_stopping(lambda number, frame: None)
        raise StoppedError(number)

    _on_stopping(stop)
    with contextlib.suppress(Exception):  # Linux only
        import ctypes

        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def _on_stopping(handle: Callable[[int, FrameType | None], None]) -> None:
    """Handle STOPPING, but for those that the caller wants ignored (nohup)."""
    for number in STOPPING:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, handle)


# ---- in the parent


def _wait(child: int, reader: int, seal: bytes) -> int:
    """Wait for the child, and return the status that it told."""
    asked: list[int] = []

    def stop(number: int, frame: FrameType | None) -> None:
        asked.append(number)
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, number)
        signal.alarm(GRACE)

    def kill(number: int, frame: FrameType | None) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)

    signal.signal(signal.SIGALRM, kill)
    _on_stopping(stop)
    _, how = os.waitpid(child, 0)
    signal.alarm(0)
    told = _told(reader)
    if told[:-1] == seal:
        return told[-1]
    if asked:
        name = signal.Signals(asked[0]).name
        write_error(f"gc-ref: stopped by {name}; the port did not let go, and was killed\n")
        return 128 + asked[0]
    write_error(
        f"gc-ref: the process that did the work {_in_words(how)} before it had finished: "
        "the port ended or broke it, or a library that the port loads, or the system did "
        "(out of memory); there is no verdict\n"
    )
    return NOT_DRIVEN


def _told(reader: int) -> bytes:
    os.set_blocking(reader, False)  # a process that the port forked may hold the other end
    try:
        return os.read(reader, 64)
    except BlockingIOError:
        return b""


def _in_words(how: int) -> str:
    status = os.waitstatus_to_exitcode(how)
    if status >= 0:
        return f"exited with status {status}"
    try:
        return f"was killed by {signal.Signals(-status).name}"
    except ValueError:
        return f"was killed by signal {-status}"


if __name__ == "__main__":
    sys.exit(run())
