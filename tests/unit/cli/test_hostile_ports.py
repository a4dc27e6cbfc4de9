"""A port that ends, breaks or fools the process that judges it gets no verdict that is not its own.

In a process of its own runs only what would end the one of the tests.
"""

import errno
import io
import json
import os
import signal
import subprocess
import sys

import pytest

from gc_ref._conformance.cli import output
from gc_ref._conformance.cli import selftest as selftest_command
from gc_ref._conformance.cli.main import main
from gc_ref._conformance.running import judge_port
from gc_ref._conformance.writing import files
from gc_ref._conformance.writing.words import shown

from ._cli_command import command, quick

ENDS = ["ports.py:exits", "ports.py:exits_in_c", "ports.py:crashes", "ports.py:closes_all",
        "exits_at_once.py:f"]  # fmt: skip


@pytest.mark.parametrize("target", ENDS)
def test_a_port_that_ends_the_process_is_not_driven(here, target):
    ran = command(*quick(f"operator:{target}", "--json", "r.json"))
    assert ran.returncode == 3, ran.stderr
    last = ran.stderr.decode().splitlines()[-1]
    assert last.startswith("gc-ref: the process that did the work ")
    assert last.endswith("there is no verdict")
    assert b"Traceback" not in ran.stderr


def test_identify_is_guarded_as_check_is(here):
    assert command("identify", "operator:exits_at_once.py:f").returncode == 3


def test_a_port_may_shut_the_standard_output(here):
    ran = command(*quick("operator:ports.py:closes_stdout", "--json", "-"))
    assert (ran.returncode, ran.stderr) == (0, b"")
    assert json.loads(ran.stdout)["verdict"] == "conforms"


def test_a_port_that_forks_is_judged_once(here):
    ran = command(*quick("operator:ports.py:forks_once", "--json", "-"))
    assert (ran.returncode, ran.stderr) == (0, b"")
    assert json.loads(ran.stdout)["verdict"] == "conforms"


def test_threads_and_exit_handlers_do_not_write_into_the_report(here):
    ran = command(*quick("operator:talking.py:plain", "--json", "-"))
    assert (ran.returncode, ran.stderr) == (0, b"")
    assert json.loads(ran.stdout)["verdict"] == "conforms"


# ---- signals

#: Runs Python with the words after the first, the number of a signal that it shall not ignore, as
#: it would where the tests run under nohup.
LISTEN = """
import os, signal, sys
signal.signal(int(sys.argv[1]), signal.SIG_DFL)
os.execv(sys.executable, [sys.executable, *sys.argv[2:]])
"""


@pytest.mark.parametrize(
    ("target", "number", "words"),
    [
        ("operator:ports.py:hangs", signal.SIGTERM, "gc-ref: stopped by SIGTERM\n"),
        ("operator:ports.py:hangs", signal.SIGINT, "gc-ref: stopped by SIGINT\n"),
        (
            "operator:ports.py:hangs_deaf",
            signal.SIGHUP,
            "gc-ref: stopped by SIGHUP; the port did not let go, and was killed\n",
        ),
    ],
)
def test_a_signal_is_one_line_and_leaves_nothing(here, target, number, words):
    words_of_it = ["-m", "gc_ref.conformance", *quick(target, "--json", "r.json")]
    program = [sys.executable, "-c", LISTEN, str(int(number)), *words_of_it]
    with subprocess.Popen(program, stderr=subprocess.PIPE, text=True, start_new_session=True) as p:
        while p.stderr.readline() != "hangs\n":
            pass
        p.send_signal(number)
        _, err = p.communicate(timeout=60)
    assert (p.returncode, err.replace("hangs\n", "")) == (128 + number, words)
    with pytest.raises(ProcessLookupError):
        os.killpg(p.pid, 0)
    assert not (here / "r.json").exists()
    assert not list(here.glob(".gc-ref-*"))


# ---- mistakes of gc-ref


@pytest.mark.parametrize("verbose", [False, True])
def test_an_internal_error_is_no_verdict(run, here, monkeypatch, verbose):
    def broken(*_, **__):
        raise IndexError("list index out of range")

    monkeypatch.setattr(judge_port, "compose_report", broken)
    words = ["--verbose"] if verbose else []
    status, out, err = run(*quick("operator:ports.py:plain", "--json", "r.json", *words))
    assert (status, out) == (70, "")
    assert (
        "gc-ref: this is a mistake of gc-ref, and no verdict on the port: IndexError: list" in err
    )
    assert ("Traceback" in err) is verbose
    assert err.count("\n") == 1 or verbose
    assert not (here / "r.json").exists()


def test_a_command_without_verbose_shows_the_traceback_at_once(run, monkeypatch):
    monkeypatch.setattr(selftest_command.selftest, "legend", lambda: [][0])
    status, out, err = run("selftest", "--framework", "numpy")
    assert (status, out) == (70, "")
    assert "Traceback" in err
    assert "report it with the command, the port and this traceback" in err


# ---- words


@pytest.mark.parametrize("option", ["--expected", "--accept", "--vectors", "--base", "--json"])
def test_an_empty_name_is_refused(run, option):
    """As where a variable of a script is not set: without the option less would be judged."""
    status, out, err = run(*quick("numpy:ports.py:plain_sgdm", option, ""))
    assert (status, out) == (2, "")
    assert err.startswith(f"gc-ref: argument {option}: is given, and empty")


@pytest.mark.parametrize("target", ["operator:ports.py:plain", "operator:ports:plain",
                                    "exec:python ports.py"])  # fmt: skip
def test_the_file_of_a_port_is_not_written_over(run, here, target):
    before = (here / "ports.py").read_bytes()
    status, out, err = run(*quick(target, "--html", "./ports.py"))
    assert (status, out) == (2, "")
    assert "TARGET and --html name the same file, ports.py: it would be lost" in err
    assert (here / "ports.py").read_bytes() == before


def test_results_are_not_written_over(run, here):
    (here / "r.json").write_text("{}", "utf-8")
    status, out, err = run("vectors", "verify", "r.json", "--json", "./r.json")
    assert (status, out) == (2, "")
    assert "r.json and --json name the same file" in err


READING = [
    ("check", "--expected"), ("check", "--vectors"), ("vectors", "verify"), ("report",)
]  # fmt: skip


@pytest.mark.parametrize("words", READING, ids=" ".join)
def test_only_regular_files_of_a_size_are_read(run, here, monkeypatch, words):
    monkeypatch.setattr(files, "LARGEST", 1000)
    os.mkfifo(here / "pipe")
    (here / "large").write_bytes(b" " * 1001)
    for name, needed in (
        ("/dev/zero", "is no regular file, but a pipe or a device"),
        ("pipe", "is no regular file, but a pipe or a device"),
        ("large", "is larger than 0 MiB"),
        (".", "directory"),
    ):
        status, out, err = run(*words, name)
        assert (status, out) == (2, ""), err
        assert f"{name}: " in err
        assert needed in err


def test_a_number_with_thousands_of_digits(run, here):
    (here / "known.toml").write_text(f"a = {'9' * 5000}\n", "utf-8")
    status, out, err = run(*quick("operator:ports.py:plain", "--expected", "known.toml"))
    assert (status, out) == (2, "")
    assert err.startswith("gc-ref: known.toml is not TOML: ")


def test_a_working_directory_that_was_deleted(run, here, monkeypatch):
    (here / "gone").mkdir()
    monkeypatch.chdir(here / "gone")
    (here / "gone").rmdir()
    for words, expected in (
        (quick(f"operator:{here}/ports.py:plain"), 0),
        (quick("operator:ports.py:plain"), 3),
        (quick("operator:ports:plain"), 3),
        (quick(f"operator:{here}/ports.py:plain", "--json", "r.json"), 2),
        (quick(f"operator:{here}/ports.py:plain", "--expected", "r.toml"), 2),
        (("report", "r.json"), 2),
        (("explain",), 0),
    ):
        status, _, err = run(*words)
        assert status == expected, (words, err)
    monkeypatch.chdir(here)


@pytest.mark.parametrize(
    "words", [("explain",), ("report", "--schema"), ("--help",), ("vectors", "--help"),
              quick("operator:ports.py:plain"), quick("operator:ports.py:plain", "--json", "-")]
)  # fmt: skip
@pytest.mark.parametrize("number", [errno.EPIPE, errno.ENOSPC])
def test_a_standard_output_that_takes_nothing(capsys, monkeypatch, words, number):
    class Full(io.StringIO):
        def write(self, text):
            raise OSError(number, os.strerror(number))

    monkeypatch.setattr(sys, "stdout", Full())
    closed = number == errno.EPIPE  # by its reader, who knows
    assert main(list(words)) == (141 if closed else 2)
    said = "" if closed else f"gc-ref: standard output: {os.strerror(number)}\n"
    assert capsys.readouterr().err == said


@pytest.mark.parametrize(
    "words",
    [
        ("explain",),
        quick("operator:ports.py:half", "--json", "out.json", "--accept", "known.toml"),
        quick("operator:ports.py:half", "--json", "-", "--html", "out.html", "--accept", "a.toml"),
    ],
)
def test_a_pipe_that_is_closed(here, words):
    reader, writer = os.pipe()
    os.close(reader)
    ran = subprocess.run(
        [sys.executable, "-m", "gc_ref.conformance", *words],
        check=False, stdout=writer, stderr=subprocess.PIPE,
    )  # fmt: skip
    os.close(writer)
    assert ran.returncode == 141
    if "out.json" in words:  # the files are whole all the same
        assert json.loads((here / "out.json").read_text("utf-8"))["verdict"] == "deviates"
        assert ran.stderr.startswith(b"gc-ref: known.toml: 7 known failures of half; fill in")
        assert '[ports."half"."law/zero-mean"]' in (here / "known.toml").read_text("utf-8")
    elif "out.html" in words:
        assert "</html>" in (here / "out.html").read_text("utf-8")
        assert '[ports."half"."law/zero-mean"]' in (here / "a.toml").read_text("utf-8")
    else:
        assert ran.stderr == b""


def test_a_device_that_is_full(here):
    with open("/dev/full", "w") as full:
        ran = subprocess.run(
            [sys.executable, "-m", "gc_ref.conformance", "explain"],
            check=False, stdout=full, stderr=subprocess.PIPE,
        )  # fmt: skip
    said = b"gc-ref: standard output: No space left on device\n"
    assert (ran.returncode, ran.stderr) == (2, said)


# ---- characters


def test_what_a_terminal_obeys_is_shown():
    text = "".join(map(chr, [*range(32), *range(127, 160), 0x202E, 0x2066, 0xD800, 0xE9]))
    assert shown(text).replace("\n", "").replace("\t", "").isprintable()
    assert shown("é Φ\n\t") == "é Φ\n\t"
    assert json.loads('"' + shown("\x7f\x9b") + '"') == "\x7f\x9b"


@pytest.mark.parametrize(
    "words",
    [
        quick("operator:ports.py:escapes"),
        quick("operator:ports.py:escapes", "--json", "-"),
        quick("operator:ports.py:escapes", "--markdown", "-"),
        quick("operator:ports.py:escapes", "--verbose"),
        quick("operator:red\x1b[31m.py:f"),
        quick("operator:ports.py:scaled", "--set", "\x1b[31m=2"),
        quick("operator:ports.py:scaled", "--set", "scale='\x1b[31m'"),
        quick("operator:ports.py:plain", "--expected", "\x1b[31m\x9b"),
        quick("operator:ports.py:plain", "--suite", "\x1b[31m"),
        quick("operator:ports.py:half", "--expected", "reasons.toml"),
        ("explain", "\x1b[31m"),
        ("report", "\x1b[31m"),
        ("\x1b[31m",),
    ],
)
def test_control_characters_never_reach_the_terminal(run, here, words):
    reason = "[ports.half]\n'value/exact' = \"\\u001b[31m \\u0007 \\u202e\"\n"
    (here / "reasons.toml").write_text(reason, "utf-8")
    _, out, err = run(*words)
    assert out + err
    assert (out + err).replace("\n", "").isprintable()


def test_the_bytes_that_are_written(capsysbinary):
    output.write("Φ \x9b\n", utf8=True)
    assert capsysbinary.readouterr().out.endswith("Φ \\u009b\n".encode())
