"""A thousand sessions with something wrong in them: a clear error or the right verdict, always.

One session of a right program is recorded. Each example spoils a copy of what the program wrote,
and plays it back through real pipes. Where every question gets a usable answer, the verdict
must be that of the numbers that were written, as a plain reading of the JSON has them.
"""

import json
import random
import re
from collections import Counter

import numpy as np
import pytest

from gc_ref._conformance.cases.layers import INTEGER_LAYERS
from gc_ref._conformance.checks import vectors as _vectors_judge
from gc_ref._conformance.diagnosis.diagnose import Diagnosis
from gc_ref._conformance.judging import trial as _trial
from gc_ref._conformance.running import compose as _compose
from gc_ref._conformance.running import judge_port as _judging
from gc_ref.conformance import Port, PortLoadError, Trajectory, exec_port

from ._exec_child import HELLO, answer
from ._exec_fake import use

SESSIONS = 1000
#: Few layers and checks: a session is short, so that a spoiled place is likely to matter.
LAYERS = tuple(layer for layer in INTEGER_LAYERS if layer.name in ("dense_0", "conv2d_2", "norm_0"))
CHECKS = ("hygiene/shape", "hygiene/dtype", "scope/every-weight", "value/exact")


@pytest.fixture
def short(monkeypatch):
    """Judge few layers by few checks, without the frozen vectors or replays."""
    for layers in ("INTEGER_LAYERS", "SIZED_LAYERS"):
        monkeypatch.setattr(_trial, layers, LAYERS)
    chosen = {name: entry for name, entry in _judging.CHECKS.items() if name in CHECKS}
    monkeypatch.setattr(_judging, "CHECKS", chosen)
    monkeypatch.setattr(_vectors_judge, "_frozen", lambda judge, check: ())
    # A failing port is asked for more, to see what it does: the verdict does not depend on that.
    monkeypatch.setattr(_compose, "diagnose", lambda judge, checks: Diagnosis())


def as_line(message):
    return json.dumps(message).encode("ascii") + b"\n"


def honest(number, line):
    """What a right program with two dtypes writes."""
    if number == 0:
        return as_line(HELLO | {"dtypes": ["float32", "float64"]})
    ask = json.loads(line)
    found = answer(ask)
    if ask["dtype"] == "float64":
        found["dtype"] = "float64"
    return as_line(found)


def judge(timeout=5.0):
    port = exec_port("fake", timeout=timeout)
    return _judging.judge_port(port, _judging.RunOptions(max_examples=0))


@pytest.fixture
def session(short, monkeypatch):
    """Lines of a right session, the hello first, and its report."""
    lines = []

    def record(number, line):
        lines.append(honest(number, line))
        return lines[-1]

    use(monkeypatch, record)
    report = judge()
    assert report.verdict == "conforms"
    assert [c.status for c in report.checks] == ["passed"] * len(CHECKS)
    assert len(lines) >= 3
    assert sum(map(len, lines)) < 10_000  # short indeed
    return lines


def flip(rng, lines):
    """Change some bytes, anywhere but in the line ends."""
    for _ in range(rng.choice([1, 1, 1, 2, 5])):
        i = rng.randrange(len(lines))
        at = rng.randrange(len(lines[i]) - 1)
        new = rng.choice([rng.randrange(256), ord(rng.choice('0123456789abcdefpx+-."[]{},:'))])
        lines[i] = lines[i][:at] + bytes([new]) + lines[i][at + 1 :]


def drop(rng, lines):
    del lines[rng.randrange(len(lines))]


def duplicate(rng, lines):
    """Write a line twice: at once, or in answer to the next question."""
    i = rng.randrange(len(lines))
    if rng.random() < 0.5:
        lines[i] *= 2
    else:
        lines.insert(i, lines[i])


def truncate(rng, lines):
    """Lose the end of a line, with or without its end."""
    i = rng.randrange(len(lines))
    lines[i] = lines[i][: rng.randrange(len(lines[i]))] + rng.choice([b"", b"\n"])


def swap(rng, lines):
    i, j = rng.sample(range(len(lines)), 2)
    lines[i], lines[j] = lines[j], lines[i]


def insert(rng, lines):
    """Write noise into a line, or as one."""
    i = rng.randrange(len(lines))
    noise = rng.choice([rng.randbytes(rng.randrange(1, 40)), b"\n", b" ", b"{}\n", b"[[[[", b"nan"])
    at = rng.choice([0, rng.randrange(len(lines[i])), len(lines[i])])
    lines[i] = lines[i][:at] + noise + lines[i][at:]


def cut_out(rng, lines):
    """Lose some bytes in the middle of a line."""
    i = rng.randrange(len(lines))
    at = rng.randrange(len(lines[i]) - 1)
    lines[i] = lines[i][:at] + lines[i][at + rng.randrange(1, 30) :]


def change_power(rng, lines):
    """Change one number's power of two: the line stays a sound answer."""
    i = rng.randrange(1, len(lines))
    at = rng.choice([m.end() for m in re.finditer(rb"p[+-]", lines[i])])
    lines[i] = lines[i][:at] + rng.choice([b"0", b"1", b"2", b"3"]) + lines[i][at + 1 :]


WAYS = (change_power, flip, flip, flip, drop, duplicate, truncate, swap, insert, cut_out)


def plain_verdict(lines):
    """The verdict on the numbers in the lines, read without our code; the hello must be sound."""
    answers = iter(lines[1:])

    def run(case):
        found = json.loads(next(answers).partition(b"\n")[0])  # more may come too late to be seen
        steps = [
            {
                name: np.array(list(map(float.fromhex, array["values"]))).reshape(array["shape"])
                for name, array in step.items()
            }
            for step in found["steps"]
        ]
        dtype = found.get("dtype", case.dtype)
        return Trajectory(tuple(steps), dtypes={p.name: dtype for p in case.parameters})

    hello = json.loads(lines[0])
    port = Port(
        name=hello["name"], kind="exec", run=run, operator=True, layout=hello["layout"],
        dtypes=tuple(sorted(hello["dtypes"])), breaks_for_good=True, most_elements=100_000,
    )  # fmt: skip
    return _judging.judge_port(port, _judging.RunOptions(max_examples=0))


def as_compared(report):
    return [(c.id, c.status, c.message, c.counterexample) for c in report.checks]


def outcome(monkeypatch, lines, *, hangs):
    """Judge a program that writes these lines, one for each question, and say how it ended."""
    use(monkeypatch, lambda n, _: lines[n] if n < len(lines) else None, hangs=hangs)
    try:
        report = judge(timeout=0.1 if hangs else 5.0)
    except PortLoadError as error:
        message = str(error)
        return "refused" if message.startswith("fake ") and "\n" not in message else message
    if report.verdict == "error":
        [failing] = report.with_status("error")
        assert "\n" not in failing.message
        assert "in case " in failing.message
        return "error"
    assert as_compared(report) == as_compared(plain_verdict(lines))
    assert report.to_text().startswith(report.verdict.upper())
    return report.verdict


def test_a_thousand_spoiled_sessions_end_well(session, monkeypatch):
    ends = Counter()
    for seed in range(SESSIONS):
        rng = random.Random(seed)
        lines = list(session)
        rng.choice(WAYS)(rng, lines)
        ends[outcome(monkeypatch, lines, hangs=rng.random() < 0.2)] += 1
    # The corruptions are neither all harmless nor all fatal.
    assert set(ends) == {"refused", "error", "conforms", "deviates"}
    assert min(ends.values()) >= 20, ends


def test_the_recorded_session_plays_back(session, monkeypatch):
    assert outcome(monkeypatch, list(session), hangs=False) == "conforms"


def test_another_number_is_another_verdict(session, monkeypatch):
    """The fake can deviate: one value of the first answer is off."""
    found = json.loads(session[1])
    found["steps"][0]["dense_0.kernel"]["values"][0] = "0x1p+9"
    lines = [session[0], as_line(found), *session[2:]]
    assert outcome(monkeypatch, lines, hangs=False) == "deviates"
