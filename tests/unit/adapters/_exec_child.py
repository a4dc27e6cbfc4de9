"""A right program in plain Python, and ways for it to go wrong: copied to a folder and run."""

import json
import os
import signal
import struct
import sys
import time

HELLO = {
    "protocol": "gc-ref-exec",
    "version": 1,
    "name": "child",
    "kind": "operator",
    "layout": "output-last",
    "dtypes": ["float32"],
}


def rounded(x):
    return struct.unpack("f", struct.pack("f", x))[0]


def centralized(shape, values):
    if len(shape) < 2:
        return values
    outputs = shape[-1]
    means = [sum(values[i::outputs]) * outputs / len(values) for i in range(outputs)]
    return [rounded(v - means[i % outputs]) for i, v in enumerate(values)]


def answer(ask):
    """Answer a run as an operator with the outputs last should."""
    step = {}
    for name, array in ask["gradients"][0].items():
        values = [float.fromhex(v) for v in array["values"]]
        values = [v.hex() for v in centralized(array["shape"], values)]
        step[name] = {"shape": array["shape"], "values": values}
    return {"id": ask["id"], "steps": [step]}


def say(message):
    """Write a message as a line, or text as it is."""
    text = message if isinstance(message, str) else json.dumps(message) + "\n"
    sys.stdout.write(text)
    sys.stdout.flush()


def write(data):
    """Write bytes as they are."""
    while data:
        data = data[os.write(1, data) :]


def first(ask_or_answer):
    """The first array of an answer's first step."""
    return next(iter(ask_or_answer["steps"][0].values()))


def serve(fault=None, when=None):
    """Answer every question right, except that number ``when`` meets ``fault(ask, right)``."""
    for number, line in enumerate(sys.stdin):
        ask = json.loads(line)
        right = HELLO if ask["type"] == "hello" else answer(ask)
        if number == when:
            fault(ask, right)
        else:
            say(right)


def rest():
    """Live on for longer than anybody waits."""
    time.sleep(600)


def deaf_to_sigterm():
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


def remember(pid):
    """Note a process for the test to look for."""
    with open("pids", "a", encoding="ascii") as file:
        file.write(f"{pid}\n")
