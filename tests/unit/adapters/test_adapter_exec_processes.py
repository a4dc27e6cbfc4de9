"""Programs that are real processes: how they start, how they end, and the command line."""

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

import pytest

from gc_ref._conformance.adapters.exec import port as adapter
from gc_ref._conformance.adapters.exec import process as _exec_process
from gc_ref._conformance.cli.main import main
from gc_ref.conformance import Case, PortLoadError, exec_port

from ._exec_child import HELLO
from ._exec_talk import GRADIENTS, W


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


def test_one_that_does_not_is_ended(folder, monkeypatch):
    monkeypatch.setattr(_exec_process, "FAREWELL", 0.2)
    monkeypatch.setattr(_exec_process, "LAST_CALL", 0.2)
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
