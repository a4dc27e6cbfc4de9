"""What a program that is a fake says and hears, and a case to ask it about."""

import json
import math

import numpy as np

from gc_ref.conformance import Case, Parameter, exec_port

from ._exec_child import HELLO
from ._exec_fake import use

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


def fake_port(monkeypatch, hello, run=echo, heard=None, **options):
    """Make a port of a hello and a function of the run."""
    use(monkeypatch, talk(hello, run, heard))
    return exec_port("fake", **options)
