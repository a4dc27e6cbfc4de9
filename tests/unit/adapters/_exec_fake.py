"""A program that is a thread of this process: the real pipes and messages, without a start."""

import os
import threading
from contextlib import suppress

from gc_ref._conformance.adapters.exec import port as adapter
from gc_ref._conformance.adapters.exec.process import Lines


class FakeProgram:
    """Stands in for `Program`: ``reply(number, line)`` gives the bytes to write, or None to exit.

    Question 0 is the hello. Bytes that do not end a line are the last ones, and ``hangs`` says
    whether the program lives on after them.
    """

    def __init__(self, reply, *, hangs=False):
        self._reply, self._hangs, self._how = reply, hangs, ""
        self._questions, stdin = os.pipe()
        stdout, self._answers = os.pipe()
        stderr, self._stderr = os.pipe()
        files = [os.fdopen(stdin, "wb", 0), os.fdopen(stdout, "rb", 0), os.fdopen(stderr, "rb", 0)]
        self.lines = Lines(*files, lambda: self._how)
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self):
        with os.fdopen(self._questions, "rb") as questions, suppress(BrokenPipeError):
            for number, line in enumerate(questions):
                answer = self._reply(number, line)
                rest = memoryview(answer or b"")
                while rest:
                    rest = rest[os.write(self._answers, rest) :]
                if answer is None or not answer.endswith(b"\n"):
                    if self._hangs:
                        questions.read()  # until nobody asks any more
                    break
        self._how = "exited with status 0"
        os.close(self._answers)
        os.close(self._stderr)

    def stop(self, *, at_once=False):
        """Close the harness's side, and wait for the thread: it cannot outlive its pipes."""
        del at_once
        self.lines.close()
        self._thread.join(60)
        assert not self._thread.is_alive()


def use(monkeypatch, reply, **options):
    """Let exec_port start this fake whatever the command."""
    monkeypatch.setattr(adapter, "Program", lambda words: FakeProgram(reply, **options))
