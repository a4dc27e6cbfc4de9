"""The adapter for programs: what it writes, what it reads, what it keeps and ends."""

import gc
import json
import math
import os
import shlex
import shutil
import stat
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from _exec_child import HELLO, answer
from _exec_fake import FakeProgram, use
from hypothesis import given
from hypothesis import strategies as st

from gc_ref.conformance import Case, Parameter, PortError, PortLoadError, _run, check, exec_port
from gc_ref.conformance._cli import main
from gc_ref.conformance._port import SkippedError
from gc_ref.conformance.adapters import _exec_process
from gc_ref.conformance.adapters import exec as adapter
from gc_ref.conformance.adapters._exec_numbers import (
    ProtocolError,
    read_number,
    read_numbers,
    write_number,
)

W = Parameter("dense_0", "dense", np.float32([[1], [-0.375]]), "dense")
GRADIENTS = tuple({W.name: np.float32(g)} for g in ([[1], [3]], [[0.1], [math.inf]]))
CASE = Case("probe", (W,), GRADIENTS, {"lr": 0.5, "momentum": 0.9}).with_drive("twin")
OPTIMIZER = HELLO | {"kind": "optimizer", "hyperparameters": ["lr"]}


def line(message):
    return json.dumps(message).encode("ascii") + b"\n"


def talk(hello, run=None, heard=None):
    """Make a reply: the hello, then ``run(ask)``."""

    def reply(number, question):
        ask = json.loads(question)
        if heard is not None:
            heard.append(ask)
        return line(hello) if number == 0 else line(run(ask))

    return reply


def echo(ask):
    """Answer the gradients themselves."""
    return {"id": ask["id"], "steps": ask["gradients"]}


@pytest.fixture
def fake(monkeypatch):
    """Make a port of a hello and a function of the run."""

    def make(hello, run=echo, heard=None, **options):
        use(monkeypatch, talk(hello, run, heard))
        return exec_port("fake", **options)

    return make


def test_what_a_program_is_asked_and_what_its_answer_becomes(fake):
    heard = []
    found = fake(OPTIMIZER, heard=heard, settings={"use_gc": True, "betas": (0.5, 1)}).run(CASE)
    assert heard[0] == {
        "type": "hello",
        "protocol": "gc-ref-exec",
        "versions": [1],
        "settings": {"use_gc": True, "betas": [0.5, 1]},
    }
    array = {"shape": [2, 1], "values": ["0x1p+0", "-0x1.8p-2"]}
    first = {"dense_0.kernel": {"shape": [2, 1], "values": ["0x1p+0", "0x1.8p+1"]}}
    second = {"dense_0.kernel": {"shape": [2, 1], "values": ["0x1.99999ap-4", "inf"]}}
    assert heard[1] == {
        "type": "run",
        "id": 1,
        "case": "probe",
        "dtype": "float32",
        "gc": True,
        "hyperparameters": {"lr": "0x1p-1"},  # not the momentum, which it does not take
        "drive": ["twin"],
        "parameters": [{"name": "dense_0.kernel", "kind": "dense", **array}],
        "gradients": [first, second],
    }
    for step, gradient in zip(found.steps, GRADIENTS, strict=True):
        assert step[W.name].dtype == np.float32
        assert np.array_equal(step[W.name], gradient[W.name])
    assert found.dtypes == {W.name: "float32"}
    assert found.notes == ()


def test_what_a_program_says_of_itself(fake):
    port = fake(
        OPTIMIZER
        | {
            "name": "my\nport",
            "layout": "output-first",
            "dtypes": ["float64", "float32"],
            "hyperparameters": ["lr", "beta1"],
            "fixed": {"eps": "0x1p-3"},
            "algorithm": "adam",
            "conventions": {"epsilon": "hat", "decay": "none"},
            "drives": ["checkpoint"],
            "flush_to_zero": True,
            "versions": {"rust": "1.9", "python": "2.7"},
        },
        conventions={"epsilon": "outside"},
    )
    assert (port.name, port.kind, port.operator) == ("my port", "exec", False)
    assert (port.layout, port.algorithm, port.dtypes) == (
        "output-first", "adam", ("float32", "float64"),
    )  # fmt: skip
    assert port.takes == {"lr", "beta1"}
    assert port.fixed == {"eps": 0.125}
    assert port.conventions == {"epsilon": "outside", "decay": "none"}  # the user's word wins
    assert port.drives == {"checkpoint"}
    assert port.flush_to_zero
    assert port.environment["rust"] == "1.9"
    assert "python" not in port.environment  # the report has ours under that name
    assert port.environment["program's python"] == "2.7"
    assert port.off is None


def test_the_users_words_win(fake):
    hello = OPTIMIZER | {"algorithm": "adam"}
    base = fake(OPTIMIZER)
    assert fake(hello, algorithm="sgdm").algorithm == "sgdm"
    assert fake(hello, base=base).algorithm is None  # held to its base, as was asked
    port = fake(hello, name="mine", layout="output-first", target="exec:x", options=("--a", "b"))
    assert (port.name, port.layout) == ("mine", "output-first")
    assert (port.target, port.options) == ("exec:x", ("--a", "b"))


@pytest.mark.parametrize("option", [{"algorithm": "sgdm"}, {"base": "itself"}])
def test_an_operator_takes_no_steps(fake, option):
    if "base" in option:
        option = {"base": fake(OPTIMIZER)}
    with pytest.raises(PortLoadError, match="is an operator, which takes no steps"):
        fake(HELLO, **option)


def test_gc_is_switched_off_by_a_member_of_the_run(fake):
    heard = []
    port = fake(OPTIMIZER | {"switch": True}, heard=heard)
    port.run(CASE)
    port.off.run(CASE)
    assert [ask["gc"] for ask in heard[1:]] == [True, False]
    assert [ask["id"] for ask in heard[1:]] == [1, 2]


@pytest.mark.parametrize(("works", "status"), [(True, "passed"), (False, "failed")])
def test_effect_off_of_a_program(fake, monkeypatch, works, status):
    """An SGD in plain numbers, whose switch works or does not."""
    few = (
        "effect/on",
        "effect/off",
        "value/exact",
        "step/constraint",
        "hygiene/gradient-unmutated",
    )
    monkeypatch.setattr(_run, "CHECKS", {name: _run.CHECKS[name] for name in few})

    def sgd(ask):
        lr = read_number(ask["hyperparameters"]["lr"])
        weights = {p["name"]: p["values"] for p in ask["parameters"]}
        steps = []
        for gradients in ask["gradients"]:
            phi = answer({"id": 0, "gradients": [gradients]})["steps"][0]
            fed = phi if ask["gc"] or not works else gradients
            step = {}
            for name, array in fed.items():
                pairs = zip(weights[name], array["values"], strict=True)
                moved = [np.float32(read_number(w) - lr * float.fromhex(g)) for w, g in pairs]
                step[name] = {"shape": array["shape"], "values": [float(m).hex() for m in moved]}
                weights[name] = step[name]["values"]
            steps.append(step)
        return {"id": ask["id"], "steps": steps}

    report = check(fake(OPTIMIZER | {"switch": True, "algorithm": "sgdm"}, sgd), max_examples=0)
    found = {c.id: c.status for c in report.checks}
    assert found.pop("effect/off") == status
    assert set(found.values()) == {"passed", "not-applicable"}
    assert found["hygiene/gradient-unmutated"] == "not-applicable"  # it cannot be seen


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_every_number_of_a_dtype_comes_back(fake, dtype):
    every = np.arange(2**16, dtype=np.uint16)
    if dtype == "bfloat16":
        values = (every.astype(np.uint32) << 16).view(np.float32)
    else:
        edges = np.finfo(dtype)
        more = [edges.max, edges.tiny, edges.smallest_subnormal, -edges.eps, 0.1, -0.0]
        with np.errstate(invalid="ignore"):  # signaling NaNs
            values = np.concatenate([every.view(np.float16).astype(dtype), np.array(more, dtype)])
    p = Parameter("dense_0", "dense", np.zeros_like(values)[None], "dense")
    case = Case("all", (p,), ({p.name: values[None]},), dtype=dtype)
    found = fake(HELLO).run(case).steps[0][p.name]
    assert found.dtype == values.dtype
    assert np.array_equal(found[0], values, equal_nan=True)
    finite = ~np.isnan(values)
    assert np.array_equal(np.signbit(found[0])[finite], np.signbit(values)[finite])


@given(st.floats(allow_nan=False))
def test_no_digit_is_lost(value):
    text = write_number(value)
    assert read_number(text) == value
    assert math.copysign(1, read_number(text)) == math.copysign(1, value)
    if math.isfinite(value):
        assert float.fromhex(text) == value
        assert read_number(text.upper().replace("P+", "p")) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0x1.8p+1", 3.0),
        ("0x1.8p+01", 3.0),  # Go
        ("0x1.8p1", 3.0),  # Java
        ("0xcp-2", 3.0),
        ("+0x.8p0", None),
        ("0x0.0000000000001p-1022", 5e-324),
        ("0x1p-1074", 5e-324),
        ("0x1p-1075", None),
        ("0x1.8p-1074", None),
        ("0x1.fffffffffffffp+1023", 1.7976931348623157e308),
        ("0x1p+1024", None),
        ("0x1.fffffffffffff8p+0", None),
        ("0x1.00000000000000000p+0", 1.0),
        ("-0x0p+999999", -0.0),
        ("0x1p+9999999", None),
        ("0x1p+99999", None),
        ("0x1p-99999", None),
        ("0x" + "1" * 33 + "p0", None),
        ("-inf", -math.inf),
        ("-nan", math.nan),
        *((t, None) for t in ("", "1.5", "0x1.8", "0x1.8p", "1p0", "NaN", "Infinity", "+inf")),
        *((t, None) for t in ("0x1p+0\n", " 0x1p+0", "0x1_0p+0", "0x1p+\u0661", "0x1p+0x")),
        *((t, None) for t in (1.5, 1, None, True, [], {}, ["0x1p+0"])),
    ],
)
def test_numbers(text, value):
    if value is None:
        with pytest.raises(ProtocolError):
            read_number(text)
    else:
        found = read_number(text)
        assert found == value or (math.isnan(found) and math.isnan(value))
        assert math.copysign(1, found) == math.copysign(1, value) or math.isnan(value)


@pytest.mark.parametrize(
    ("dtype", "good", "bad"),
    [
        ("float16", "0x1.ffcp+15", "0x1.ffep+15"),
        ("bfloat16", "0x1.fep+127", "0x1.ffp+127"),
        ("bfloat16", "0x1p-133", "0x1p-134"),
        ("float32", "0x1.fffffep+127", "0x1p+128"),
        ("float32", "0x1p-149", "0x1p-150"),
    ],
)
def test_a_number_must_be_one_of_the_dtype(dtype, good, bad):
    assert read_numbers([good], dtype)[0] == float.fromhex(good)
    with pytest.raises(ProtocolError, match=f"no {dtype} is: round to it"):
        read_numbers([good, bad], dtype)


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
    """Adapters may refuse a gradient with a NaN; a program that breaks on one is not judged."""

    def breaks(ask):
        return {"id": 0} if ask["case"] == "isolation" else answer_all(ask)

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


# ---- real processes


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty working directory with the child and what it needs."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(Path(__file__).with_name("_exec_child.py"), tmp_path / "child.py")
    return tmp_path


def python(code):
    """A command that runs this code beside child.py."""
    code = (
        f"import sys; sys.path.insert(0, '.'); from child import *\nremember(os.getpid())\n{code}"
    )
    return [sys.executable, "-I", "-B", "-c", code]


def test_a_polite_program_leaves_when_its_input_ends(folder, monkeypatch):
    monkeypatch.setattr(_exec_process, "FAREWELL", 60.0)  # for a slow machine
    port = exec_port(python("serve(); open('left', 'w').close()"))
    pid = int((folder / "pids").read_text(encoding="ascii"))
    os.kill(pid, 0)  # it lives as long as its port
    del port
    gc.collect()
    assert (folder / "left").exists()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_one_that_does_not_is_ended(folder):
    port = exec_port(python("deaf_to_sigterm(); serve(); rest()"))
    pid = int((folder / "pids").read_text(encoding="ascii"))
    start = time.monotonic()
    del port
    gc.collect()
    assert time.monotonic() - start < 60
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_fork_leaves_the_program_alone(folder, monkeypatch):
    """As after multiprocessing's fork: the exit handlers of a copy of us end nothing."""
    started = []
    monkeypatch.setattr(
        adapter, "Program", lambda words: started.append(_exec_process.Program(words)) or started[0]
    )
    port = exec_port(python("serve()"))
    with monkeypatch.context() as patch:
        patch.setattr(os, "getpid", lambda: 1)
        started[0].stop()
    case = Case("probe", (W,), GRADIENTS[:1])
    assert port.run(case).steps[0][W.name].ravel().tolist() == [-1, 1]


def test_without_waitid(folder, monkeypatch):
    """As on macOS before Python 3.13."""
    monkeypatch.delattr(os, "waitid")
    with pytest.raises(PortLoadError, match=r"exited with status 7 before it answered$"):
        exec_port(python("os._exit(7)"))
    with pytest.raises(PortLoadError, match=r"was killed by signal SIGABRT before it answered"):
        exec_port(python("os.abort()"))


@pytest.mark.parametrize(
    ("name", "text", "mode", "message"),
    [
        ("missing", None, 0, "there is no command './missing'"),
        ("not-executable", "#!/bin/sh\n", 0o644, "'./not-executable' may not be executed: chmod"),
        ("no-program", "just text\n", 0o755, "'./no-program' cannot be started: Exec format error"),
        ("no-interpreter", "#!/no/such/thing\n", 0o755, "what its first line names is missing"),
        ("folder/", None, 0, "'./folder/' may not be executed"),
        ("zero\0byte", None, 0, "cannot be started: embedded null byte"),
    ],
)
def test_what_cannot_be_started(folder, capsys, name, text, mode, message):
    if text is not None:
        (folder / name).write_text(text, encoding="ascii")
        (folder / name).chmod(mode)
    (folder / "folder").mkdir()
    with pytest.raises(PortLoadError) as error:
        exec_port([f"./{name}"])
    assert message in str(error.value)
    if "\0" not in name:
        assert main(["check", f"exec:./{name}"]) == 3
        out, err = capsys.readouterr()
        assert (out, err) == ("", f"gc-ref: {error.value}\n")


def test_a_command_is_split_as_a_shell_would_and_no_shell_runs(folder):
    script = folder / "a program"
    script.write_text(f"#!{sys.executable}\n{SHOWS_ITS_WORDS}", encoding="utf-8")
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    port = exec_port("'./a program' --colon=a:b '$HOME' *")
    assert port.name == "--colon=a:b|$HOME|*"


SHOWS_ITS_WORDS = f"""\
import json, sys
for line in sys.stdin:
    print(json.dumps({HELLO!r} | {{"name": "|".join(sys.argv[1:])}}), flush=True)
"""


@pytest.mark.parametrize("command", ["", "  ", [], "./port 'unclosed"])
def test_a_command_that_is_none(command):
    with pytest.raises(PortLoadError, match=r"is empty|cannot be split into words: No closing"):
        exec_port(command)


def test_a_long_command_is_shown_in_short():
    with pytest.raises(PortLoadError) as error:
        exec_port(["./no-such", "-c", "some\nlines of a script " * 1000])
    assert len(str(error.value)) < 300
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("timeout", [0, -1, math.inf, math.nan])
def test_a_limit_must_be_one(timeout):
    with pytest.raises(ValueError, match="timeout must be a positive number"):
        exec_port("true", timeout=timeout)


@pytest.mark.parametrize("setting", [{1}, math.nan, 1j, b"x"])
def test_settings_must_fit_into_json(fake, setting):
    with pytest.raises(PortLoadError, match="settings must fit into JSON"):
        fake(HELLO, settings={"a": setting})


def test_conventions_are_checked_at_once(fake, capsys):
    with pytest.raises(ValueError, match="scoped"):
        fake(HELLO, conventions={"scoped": "all"})
    with pytest.raises(ValueError, match="an operator takes none"):
        fake(HELLO, conventions={"momentum": "ema"})
    assert main(["check", "exec:fake", "--convention", "momentum=ema"]) == 2
    assert "--convention: convention momentum is about steps" in capsys.readouterr().err
    with pytest.raises(PortLoadError, match=r"its hello's conventions: .* about algorithm sgdm"):
        fake(OPTIMIZER | {"algorithm": "adam", "conventions": {"momentum": "ema"}})


def test_the_command_line(folder, capsys):
    """A target with colons and spaces, options that reach the program, the rerun line."""
    program = python("serve(lambda ask, right: say(right | {'name': repr(ask['settings'])}), 0)")
    target = f"exec:{shlex.join(program)}"
    words = ["check", target, "--set", "use_gc=True", "--set", "mode=a b", "--timeout", "33.5"]
    assert main([*words, "--max-examples", "0", "--json", "-"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["port"] == {
        "name": "{'use_gc': True, 'mode': 'a b'}",
        "kind": "exec",
        "target": target,
    }
    rerun = shlex.split(report["checks"][0]["rerun"])
    assert rerun[:3] == ["gc-ref", "check", target]
    assert sorted(rerun[3:]) == sorted([*words[2:], "--suite", "quick", "--seed", "0",
                                        "--max-examples", "0"])  # fmt: skip


def test_the_same_run_gives_the_same_bytes(folder, capsys):
    words = ["check", f"exec:{shlex.join(python('serve()'))}", "--max-examples", "3"]
    assert [main(words), main(words)] == [0, 0]
    out = capsys.readouterr().out
    assert out[: len(out) // 2] == out[len(out) // 2 :]
