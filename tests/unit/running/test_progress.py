"""What a run shows while it goes on: lines, a bar on a terminal, or nothing."""

import io
import os
import subprocess
import sys

import numpy as np
import pytest

import gc_ref
from gc_ref._conformance.cli.main import main
from gc_ref._conformance.running.judge_port import RunOptions, judge_port
from gc_ref._conformance.running.progress import show_progress
from gc_ref.conformance import CHECKS, operator_port


def centralize(gradient):
    return gc_ref.centralize(gradient, output_axis=-1)


class Terminal(io.StringIO):
    def isatty(self):
        return True


def shown(stream, *, verbose, examples=0, call=centralize):
    with show_progress(stream, lines=verbose) as progress:
        options = RunOptions(max_examples=examples)
        judge_port(operator_port(call, name="mine"), options, progress=progress)
    return stream.getvalue()


def test_lines_name_every_check_in_order_and_how_it_ended():
    lines = shown(io.StringIO(), verbose=True).splitlines()
    heads = [line for line in lines if line.startswith("[")]
    total = len(CHECKS)
    wanted = [f"[{i}/{total}] {c.id}: {c.sentence}" for i, c in enumerate(CHECKS.values(), 1)]
    assert heads == wanted
    after = lines.index(wanted[list(CHECKS).index("effect/off")]) + 1
    assert lines[after] == "  not-applicable: the port has no switch that turns GC off"
    assert lines[-1].startswith("diagnosis")


def test_lines_name_every_run_of_the_port():
    calls = []

    def counted(gradient):
        calls.append(gradient)
        return centralize(gradient)

    lines = shown(io.StringIO(), verbose=True, call=counted).splitlines()
    assert "  run integers (float32): 21 parameters, 1 step" in lines
    runs = 0
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        if line.startswith("  run "):
            parameters = int(line.split(": ")[1].split()[0])
            again = int(following.split()[0]) if following.endswith("more such runs") else 0
            runs += parameters * (1 + again)
    # Once more for determinism and the like, past the watch: those repeat a case.
    assert runs <= len(calls)
    assert runs > 0.8 * len(calls)


def test_fuzzed_examples_are_counted_not_listed():
    text = shown(io.StringIO(), verbose=True, examples=25)
    assert text.count("run fuzzed examples") == 1
    assert "more such runs" in text.split("run fuzzed examples\n")[1].splitlines()[0]


def test_a_bar_on_a_terminal_which_it_leaves_clean():
    pytest.importorskip("tqdm", reason="there is a bar with tqdm only")
    text = shown(Terminal(), verbose=False)
    assert f"0/{len(CHECKS)}" in text
    assert f"{len(CHECKS)}/{len(CHECKS)}" in text
    assert "value/bounded" in text
    assert "run 1: integers" in text
    assert text.split("\r")[-2].strip() == ""  # wiped
    assert "\n" not in text


def test_no_bar_where_nobody_looks():
    assert shown(io.StringIO(), verbose=False) == ""


def test_no_bar_without_tqdm(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert shown(Terminal(), verbose=False) == ""


def test_standard_error_may_be_closed():
    with show_progress(None, lines=True) as progress:
        options = RunOptions(max_examples=0)
        assert judge_port(operator_port(np.negative), options, progress=progress).checks


def test_verbose_prints_the_whole_report_and_says_what_runs(capsys):
    main(["check", "--max-examples", "0"])
    silent = capsys.readouterr()
    assert silent.err == ""
    main(["check", "--max-examples", "0", "--verbose"])
    verbose = capsys.readouterr()
    assert "\n  value/bounded: worst error " in verbose.out
    assert "\n  value/bounded: " not in silent.out
    assert silent.out.splitlines()[-1].startswith("--verbose: ")
    assert verbose.err.startswith("[1/")


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="this system has no pseudo-terminals")
def test_the_command_on_a_real_terminal():
    pytest.importorskip("tqdm", reason="there is a bar with tqdm only")
    import fcntl
    import struct
    import termios

    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    command = [sys.executable, "-m", "gc_ref.conformance", "check", "--max-examples", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=theirs) as process:
        os.close(theirs)
        seen = b""
        while chunk := _read(ours):
            seen += chunk
        report = process.stdout.read()
    os.close(ours)
    assert process.returncode == 0
    assert report.startswith(b"CONFORMS")
    assert b"/%d" % len(CHECKS) in seen


def _read(terminal):
    try:
        return os.read(terminal, 4096)
    except OSError:  # what Linux says at the end of a terminal
        return b""
