"""A program that skips a case, fails or breaks: what is said of it, and what is kept."""

import contextlib
import json
import os
import time
from functools import partial

import pytest

from gc_ref._conformance.adapters.exec import process as _exec_process
from gc_ref._conformance.cli.main import main
from gc_ref._conformance.ports.port import PortLoadError, SkippedError
from gc_ref.conformance import PortError, check, exec_port

from ._exec_child import HELLO, answer
from ._exec_fake import FakeProgram, use
from ._exec_talk import CASE, OPTIMIZER, echo, fake_port, line, talk


@pytest.fixture
def fake(monkeypatch):
    """Make a port of a hello and a function of the run."""
    return partial(fake_port, monkeypatch)


class TestSkipped:
    """A case that a program skips says nothing: a check that needs it is not applicable."""

    def statuses(self, fake, skips, hello=HELLO, **options):
        def run(ask):
            return {"id": ask["id"], "skipped": "no\nroom"} if skips(ask) else answer(ask)

        report = check(fake(hello, run), **{"max_examples": 0} | options)
        return report, {c.id: c.status for c in report.checks}

    def test_one_run(self, fake):
        port = fake(HELLO, lambda ask: {"id": ask["id"], "skipped": "no\nroom"})
        with pytest.raises(SkippedError, match=r"^child skips case probe: no room$"):
            port.run(CASE)

    def test_everything(self, fake, monkeypatch, capsys):
        report, found = self.statuses(fake, lambda ask: True)
        assert set(found.values()) == {"not-applicable"}
        assert report.checks_run == 0
        assert "no room" in report.to_text()
        use(monkeypatch, talk(HELLO, lambda ask: {"id": ask["id"], "skipped": "no room"}))
        assert main(["check", "exec:fake"]) == 4
        assert "no check said anything of the port" in capsys.readouterr().err

    @pytest.mark.parametrize(
        ("case", "check_id"),
        [
            ("bounded", "value/bounded"),
            ("isolation", "scope/slices-isolated"),
            ("laws", "law/linear"),
            ("turned", "hygiene/state"),
        ],
    )
    def test_the_case_of_one_check(self, fake, case, check_id):
        report, found = self.statuses(fake, lambda ask: ask["case"] == case)
        assert found[check_id] == "not-applicable"
        assert found["value/exact"] == "passed"
        [entry] = [c for c in report.checks if c.id == check_id]
        assert entry.message == f"child skips case {case}: no room"

    def test_a_dtype(self, fake):
        hello = HELLO | {"dtypes": ["float32", "float64"]}
        _, found = self.statuses(fake, lambda ask: ask["dtype"] == "float64", hello)
        for needs_all in ("hygiene/dtype", "value/exact", "value/bounded"):
            assert found[needs_all] == "not-applicable"
        assert found["scope/every-weight"] == "passed"

    def test_a_fuzzed_example(self, fake):
        _, found = self.statuses(fake, lambda ask: ask["case"] == "fuzz", max_examples=5)
        assert found["value/bounded"] == "not-applicable"

    def test_a_skip_hides_no_failure(self, fake):
        def run(ask):
            if ask["dtype"] == "float64":
                return {"id": ask["id"], "skipped": "no room"}
            return echo(ask)

        hello = HELLO | {"dtypes": ["float32", "float64"]}
        found = {c.id: c.status for c in check(fake(hello, run), max_examples=0).checks}
        assert found["value/exact"] == found["effect/on"] == "failed"


def test_an_error_ends_the_run_and_not_the_program(fake):
    def run(ask):
        return {"id": ask["id"], "error": "no luck"} if ask["id"] == 1 else echo(ask)

    port = fake(OPTIMIZER, run)
    with pytest.raises(PortError, match=r"^child in case probe \(float32\): no luck$"):
        port.run(CASE)
    assert port.broken() == ""
    assert len(port.run(CASE).steps) == 2


def test_a_broken_port_stays_broken(fake):
    port = fake(OPTIMIZER, lambda ask: {"id": ask["id"], "steps": []})
    for _ in range(2):
        with pytest.raises(PortError, match='"steps" is 0, expected a list of 2') as error:
            port.run(CASE)
        assert port.broken() == str(error.value)


@pytest.mark.parametrize("kind", ["port", "base"])
def test_a_breakdown_is_no_refusal(fake, kind):
    """Adapters may refuse a case; a program that breaks on one is not judged.

    The port breaks on a NaN, the base on the case that shows whether it centralizes by itself.
    """
    case = "isolation" if kind == "port" else "small-mirrored"

    def breaks(ask):
        return {"id": 0} if ask["case"] == case else answer_all(ask)

    def answer_all(ask):
        steps = [answer({"id": 0, "gradients": [g]})["steps"][0] for g in ask["gradients"]]
        return {"id": ask["id"], "steps": steps}

    hello = OPTIMIZER | {"algorithm": "sgdm"}
    base = fake(hello, breaks if kind == "base" else answer_all)
    port = fake(hello, answer_all if kind == "base" else breaks, base=base)
    report = check(port, max_examples=0)
    assert report.verdict == "error"
    [entry] = report.with_status("error")
    assert 'answered with "id" 0 when run' in entry.message


def test_an_interrupted_question_breaks_the_port(fake, monkeypatch):
    port = fake(OPTIMIZER)

    def interrupt(*args, **options):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(_exec_process.Lines, "ask", interrupt)
        with pytest.raises(KeyboardInterrupt):
            port.run(CASE)
    with pytest.raises(PortError, match="was interrupted in case probe"):
        port.run(CASE)


def test_an_early_answer_is_refused():
    """The question is longer than a pipe holds, and the child does not read it."""
    program = FakeProgram(lambda number, question: None)
    try:
        os.write(program._answers, b"{}\n")  # before it could know
        with pytest.raises(_exec_process.ProgramError, match="nobody asked for"):
            program.lines.ask(b"x", longest=100, seconds=60)
    finally:
        program.stop()


def test_memory_is_bounded():
    """A hundred megabytes come in, and a few chunks are kept."""
    longest = 1 << 16

    def flood(number, question):
        os.write(program._stderr, b"e" * 50_000)
        return b"x" * 10**8

    program = FakeProgram(flood)
    try:
        with pytest.raises(_exec_process.ProgramError, match="a line of more than 65536 bytes"):
            program.lines.ask(b"go", longest=longest, seconds=60)
        assert len(program.lines._answer) <= longest + _exec_process.CHUNK
        assert len(program.lines.last_words()) < 400
        assert len(program.lines._tail) <= _exec_process.TAIL
    finally:
        program.stop()


@pytest.mark.parametrize("version", [True, 1.0, "1", None])
def test_the_version_is_a_whole_number(monkeypatch, version):
    with pytest.raises(PortLoadError, match="this kit speaks"):
        fake_port(monkeypatch, HELLO | {"version": version})


def test_a_line_after_the_last_answer_breaks_the_program(monkeypatch):
    """There is no further question that would find it."""

    def reply(number, question):
        if number == 0:
            return line(OPTIMIZER)
        return line(echo(json.loads(question))) + line({"id": 1, "steps": []})

    use(monkeypatch, reply)
    port = exec_port("fake")
    with contextlib.suppress(PortError):  # where it is there at once
        port.run(CASE)
    for _ in range(1000):
        if port.broken():
            break
        time.sleep(0.01)
    assert 'wrote what nobody asked for: \'{"id": 1' in port.broken()
