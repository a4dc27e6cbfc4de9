"""Whatever a program does: one clear message, the right exit status, and nothing left behind."""

import gc
import itertools
import os
import re
import shlex
import shutil
import sys
import time
from pathlib import Path

import pytest

from gc_ref._conformance.adapters.exec import process
from gc_ref._conformance.adapters.exec.process import Lines
from gc_ref._conformance.cli.main import main

CHILD = Path(__file__).with_name("_exec_child.py")
#: Seconds in which a program that lives on must have been given up, on a slow machine too.
LONG = 90.0
CONFORMS, DEVIATES, NOT_DRIVEN = 0, 1, 3

# Each row: its name, the body of fault(ask, right), the exit status of a fault in a run (one at the
# start has 3), and a pattern of the message.
AT_START = [
    ("exits-at-once", "sys.exit(0)", r"exited with status 0 before it answered$"),
    ("exits-with-words", "sys.exit('no GPU')",
     r"exited with status 1 before it answered; its standard error ends: no GPU$"),
    ("exits-with-a-stack",
     "sys.exit('Error: no GPU\\n' + '    at f (/a/port.js:3:9)\\n' * 30 + '\\nNode.js v20')",
     r"standard error ends: Error: no GPU Node.js v20$"),
    ("rubbish", "say('Hello, world!\\n')", r"not JSON: 'Hello, world!'; standard output is for"),
    ("banner", "say('Welcome\\n'); say(right)", r"(not JSON|nobody asked).*'Welcome|protocol"),
    ("other-version", "say(right | {'version': 2})", r"version 2: this kit speaks .* version 1$"),
    ("other-protocol", "say(right | {'protocol': 'lsp'})", r"has protocol 'lsp'"),
    ("says-error", "say({'error': 'needs\\na licence'})", r"cannot run: needs a licence$"),
    ("no-layout", "del right['layout']; say(right)", r'hello lacks "layout"$'),
    ("unknown-layout", "say(right | {'layout': 'rows'})",
     r"\"layout\" 'rows', expected one of output-first, output-last$"),
    ("unknown-member", "say(right | {'dtype': ['float32']})",
     r"hello has 'dtype'; known: .*dtypes"),
    ("no-float32", "say(right | {'dtypes': ['float64']})", r'lacks "float32" among its "dtypes"'),
    ("unknown-dtype", "say(right | {'dtypes': ['float32', 'tf32']})",
     r'"dtypes".*list of: float16'),
    ("operator-with-lr", "say(right | {'hyperparameters': ['lr']})", r"takes no steps"),
    ("optimizer-without-lr", "say(right | {'kind': 'optimizer'})", r"without a learning rate"),
    ("unknown-convention", "say(right | {'conventions': {'momentum': 'nesterov'}})",
     r"hello's conventions: .*nesterov"),
    ("hello-as-list", "say('[1]\\n')", r"JSON that is no object: '\[1\]'"),
    ("hello-hangs", "rest()", r"gave no answer within 2 s \(--timeout sets the limit\)$"),
]  # fmt: skip
IN_A_RUN = [
    ("exits-in-the-middle", "sys.exit(0)", 3, r"exited with status 0 before it answered$"),
    ("segfaults", "os.kill(os.getpid(), signal.SIGSEGV)", 3,
     r"was killed by signal SIGSEGV before"),
    ("is-killed", "os.kill(os.getpid(), signal.SIGKILL)", 3,
     r"was killed by signal SIGKILL before"),
    ("raises", "1 / 0", 3, r"exited with status 1 .*ends: .*ZeroDivisionError: division by zero$"),
    ("hangs", "rest()", 3, r"gave no answer within 1 s \(--timeout sets the limit\)$"),
    ("hangs-and-ignores-sigterm", "deaf_to_sigterm(); rest()", 3, r"gave no answer within 1 s"),
    ("is-stopped", "os.kill(os.getpid(), signal.SIGSTOP)", 3, r"gave no answer within 1 s"),
    ("grandchild-keeps-the-pipe",
     "pid = os.fork()\n    if not pid: remember(os.getpid()); rest()\n    os._exit(5)", 3,
     r"exited with status 5 before it answered$"),
    ("grandchild-hangs-too",
     "pid = os.fork()\n    if not pid: deaf_to_sigterm(); remember(os.getpid())\n    rest()", 3,
     r"gave no answer within 1 s"),
    ("rubbish", "say('step done\\n')", 3, r"not JSON: 'step done'; standard output is for answers"),
    ("empty-line", "say('\\n')", 3, r"not JSON: ''"),
    ("half-a-line-then-exit", "say('{\"id\": 3, \"st'); sys.exit(0)", 3,
     r"exited with status 0 before it answered, after half a line: '{\"id\": 3, \"st'"),
    ("half-a-line-then-hang", "say('{\"id\": 3, \"st'); rest()", 3,
     r"within 1 s .*, only a line without its end: '{\"id\": 3, \"st'"),
    ("answers-out-of-order", "say(right | {'id': right['id'] + 1})", 3,
     r"answered with \"id\" 4 when run 3 was asked"),
    ("answers-twice", "say(json.dumps(right) + '\\n' + json.dumps(right) + '\\n')", 3,
     r"nobody asked for: '{\"id\": 3|answered run 3, for a second time or too late, when run 4"),
    ("answers-again-later", "say(right); time.sleep(0.3); say(right)", 3,
     r"nobody asked for: '{\"id\": 3|answered run 3, for a second time or too late, when run 4"),
    ("answers-the-last-run", "say(right | {'id': right['id'] - 1})", 3,
     r"answered run 2, for a second time or too late, when run 3 was asked"),
    ("id-as-text", "say(right | {'id': '3'})", 3, r"\"id\" '3' when run 3 was asked"),
    ("floods-stdout", "[write(b'x' * 10**6) for _ in range(1000)]", 3,
     r"wrote a line of more than \d+ bytes.*'xxx"),
    ("floods-stdout-with-lines", "[write(b'{}\\n' * 10**6) for _ in range(100)]", 3,
     r"answered with \"id\" null when run 3 was asked"),
    ("floods-stdout-forever", "\n    while True: write(b' ' * 4096)", 3,
     r"a line of more than \d+"),
    ("floods-stderr-and-hangs", "\n    while True: os.write(2, b'warning! ' * 400)", 3,
     r"within 1 s .*ends: \.\.\.[a-z! ]*warning!"),
    ("floods-stderr-and-answers", "os.write(2, b'warning! ' * 10**5); say(right)", 0, r"^CONFORMS"),
    ("closes-stderr", "os.close(2); say(right)", 0, r"^CONFORMS"),
    ("huge-number", "first(right)['values'][0] = '0x1p+99999'; say(right)", 3,
     r"in step 1: '0x1p\+99999' is a number that no float64 is$"),
    ("overflows-float32", "first(right)['values'][0] = '0x1p+128'; say(right)", 3,
     r"'0x1p\+128' is a number that no float32 is: round to it"),
    ("too-many-digits", "first(right)['values'][0] = '0x1.00000000000001p+0'; say(right)", 3,
     r"no float64 is$"),
    ("digits-of-a-double", "first(right)['values'][0] = '0x1.00000001p+0'; say(right)", 3,
     r"no float32 is: round to it, or say the \"dtype\""),
    ("decimal-text", "first(right)['values'][0] = '1.5'; say(right)", 3,
     r"'1.5' is not a number as the protocol writes it: a string such as"),
    ("json-numbers", "first(right)['values'][0] = 1.5; say(right)", 3, r"1.5 is not a number as"),
    ("nan-string", "first(right)['values'][0] = 'NaN'; say(right)", 3,
     r"'NaN' is not a number .*\"inf\", \"-inf\" or \"nan\"$"),
    ("nan-literal", "first(right)['values'][0] = float('nan'); say(right)", 3,
     r"answered NaN, which is not JSON"),
    ("nan-values", "first(right)['values'][0] = 'nan'; say(right)", 1,
     r"^  value/exact: .*1 of 21 parameters are off, for instance (\n *)?dense_0.kernel"),
    ("wrong-shape", "first(right)['shape'].append(1); say(right)", 1,
     r"^FAILED  hygiene/shape .*\n.*kernel in step 1 has shape \[2, 2, 1\], expected \[2, 2\]$"),
    ("wrong-count", "first(right)['values'].pop(); say(right)", 3,
     r"dense_1.kernel in step 1 has 11 values for shape \[4, 3\]"),
    ("absurd-shape", "first(right)['shape'] = [10**12, 10**12]; say(right)", 3,
     r"has shape \[1000000000000, 1000000000000\], expected a list of whole numbers"),
    ("negative-shape", "first(right)['shape'] = [-2, -2]; say(right)", 3, r"whole numbers"),
    ("wider-dtype", "say(right | {'dtype': 'float64'})", 1,
     r"^FAILED  hygiene/dtype .*\n.*of dtype float32 comes back as float64 in case integers$"),
    ("unknown-dtype", "say(right | {'dtype': ['f']})", 3, r'"dtype" is \["f"\]; known: float16'),
    ("lost-parameter", "del right['steps'][0]['dense_1.kernel']; say(right)", 3,
     r"step 1 lacks dense_1.kernel$"),
    ("extra-parameter", "right['steps'][0]['x'] = {}; say(right)", 3,
     r"step 1 has 'x'; known: dense"),
    ("too-many-steps", "right['steps'] *= 2; say(right)", 3, r'"steps" is 2, expected a list of 1'),
    ("steps-as-text", "say(right | {'steps': 'done'})", 3, r"\"steps\" is 'done', expected a list"),
    ("both-steps-and-error", "say(right | {'error': 'x'})", 3, r"answer has steps and error"),
    ("neither", "say({'id': right['id']})", 3, r"answer has neither"),
    ("unknown-member", "say(right | {'took': '1 s'})", 3, r"answer has 'took'; known: id, steps"),
    ("same-name-twice", "say('{\"id\": 3, \"id\": 3}\\n')", 3, r"an object that has 'id' twice"),
    ("says-error", "say({'id': right['id'], 'error': 'out of\\x1b[31m\\nmemory'})", 3,
     r"in case \w+ \(float32\): out of\\x1b\[31m memory$"),
    ("error-without-words", "say({'id': right['id'], 'error': ''})", 3,
     r"expected a reason in words"),
    ("lone-surrogate", "say({'id': right['id'], 'error': '\\ud800'})", 3, r": \\ud800$"),
    ("invalid-utf-8", "write(b'{\"id\": \\xff\\xfe}\\n')", 3,
     r"not UTF-8: '{\"id\": \\\\xff\\\\xfe}'"),
    ("zero-bytes", "write(b'\\0' * 100 + b'\\n')", 3, r"not JSON: '\\x00"),
    ("deep-nesting", "write(b'[' * 60000 + b'\\n')", 3, r"nested too deeply: '\[\[\["),
    ("deep-and-closed", "write(b'{\"id\": ' + b'[' * 400 + b']' * 400 + b'}\\n')", 3,
     r"answered with \"id\" a list of 1 when"),
    ("endless-integer", "write(b'{\"id\": ' + b'9' * 60000 + b'}\\n')", 3, r"not JSON"),
    ("closes-stdout", "os.close(1); rest()", 3, r"closed its standard output and still runs$"),
    ("closes-stdin", "os.close(0); say(right); rest()", 3,
     r"closed its standard input and still runs"),
]  # fmt: skip


@pytest.fixture
def program(tmp_path, monkeypatch):
    """Write a child of one fault into an empty folder and return its command."""
    monkeypatch.chdir(tmp_path)

    def write(body, when):
        shutil.copy(CHILD, tmp_path / "child.py")
        (tmp_path / "fault.py").write_text(
            "from child import *\nremember(os.getpid())\n"
            f"def fault(ask, right):\n    {body}\nserve(fault, {when})\n",
            encoding="utf-8",
        )
        return f"{shlex.quote(sys.executable)} -I -B -c {shlex.quote(ISOLATED)}"

    return write


#: Isolated, so that nothing of the test's environment slows a child down.
ISOLATED = "import sys; sys.path.insert(0, '.'); import runpy; runpy.run_path('fault.py')"


def nothing_is_left(folder):
    """Whether every process that was noted is gone: reaped, or a zombie of somebody else's."""
    gc.collect()
    pids = [int(line) for line in (folder / "pids").read_text(encoding="ascii").split()]
    deadline = time.monotonic() + LONG
    while any(map(alive, pids)) and time.monotonic() < deadline:
        time.sleep(0.01)
    own = pids[0]
    with pytest.raises(ChildProcessError):  # ours is no zombie either
        os.waitpid(own, os.WNOHANG)
    return not any(map(alive, pids))


def alive(pid):
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def shorten(monkeypatch, question):
    """Give 1 s to one question; a slow machine may take its time for those before it."""
    ask, asked = Lines.ask, itertools.count()

    def limited(self, line, *, longest, seconds):
        return ask(self, line, longest=longest, seconds=1.0 if next(asked) == question else seconds)

    monkeypatch.setattr(Lines, "ask", limited)


def judge(command, capsys, *options):
    start = time.monotonic()
    status = main(["check", f"exec:{command}", "--max-examples", "0", *options])
    took = time.monotonic() - start
    out, err = capsys.readouterr()
    assert "Traceback" not in out
    return status, out, err, took


@pytest.mark.parametrize(
    ("body", "message"), [row[1:] for row in AT_START], ids=[row[0] for row in AT_START]
)
def test_a_fault_at_the_start_is_one_message(program, tmp_path, capsys, body, message):
    limit = "2" if "within 2 s" in message else "60"
    status, out, err, took = judge(program(body, 0), capsys, "--timeout", limit)
    assert (status, out) == (NOT_DRIVEN, "")
    assert err.startswith("gc-ref: ")
    assert err.count("\n") == 1
    assert re.search(message, err.strip()), err
    assert took < LONG
    assert nothing_is_left(tmp_path)


@pytest.mark.parametrize(
    ("body", "status", "message"), [row[1:] for row in IN_A_RUN], ids=[row[0] for row in IN_A_RUN]
)
def test_a_fault_in_a_run_is_one_message(
    program, tmp_path, capsys, monkeypatch, body, status, message
):
    when = 1 if status == DEVIATES else 3  # the first run is the one that most checks look at
    if "within 1 s" in message:
        shorten(monkeypatch, when)
    if "still runs" in message:
        monkeypatch.setattr(process, "GRACE", 0.5)
    found, out, err, took = judge(program(body, when), capsys, "--timeout", "60")
    assert (found, err) == (status, ""), out
    text = re.sub(r"\n {4}", " ", out)  # the report breaks lines
    if status == NOT_DRIVEN:
        [said] = re.findall(r"^ERROR  .*\n  (child in case .*)$", text, re.MULTILINE)
        assert re.search(message, said), said
    else:
        assert re.search(message, text, re.MULTILINE), text
    assert took < LONG
    assert nothing_is_left(tmp_path)
