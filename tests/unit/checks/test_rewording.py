"""The messages of checks are for readers alone: in other words everything else stays the same."""

import codecs
import re

import pytest
from _numpy_optimizers import identity, phi, rmsprop, sgdm

from gc_ref._conformance.findings.outcome import Outcome
from gc_ref._conformance.wrong_ports.make import make_port
from gc_ref.conformance import DEVIATIONS, check, numpy_port, operator_port


def wrong(name):
    return make_port(DEVIATIONS[name].forms[0], "numpy", name=name)


def swapped(g):
    return g if g.ndim < 2 else g - g.mean(axis=0, keepdims=True)


def sums_in_its_dtype(g):
    if g.ndim < 2:
        return g
    rows = g.reshape(-1, g.shape[-1])
    total = sum(rows[1:], start=rows[0])
    return (rows - total / g.dtype.type(len(rows))).reshape(g.shape)


def in_place(g):
    if g.ndim > 1:
        g -= g.mean(axis=tuple(range(g.ndim - 1)), keepdims=True)
    return g


PORTS = {
    "right": lambda: numpy_port(sgdm(), algorithm="sgdm"),
    "not-applied": lambda: wrong("not-applied"),
    "flag-ignored": lambda: wrong("flag-ignored"),
    "state-aliased": lambda: wrong("state-aliased"),
    "rank-gated": lambda: wrong("rank-gated"),
    "unknown, never applied": lambda: numpy_port(rmsprop(identity), name="port"),
    "unknown, some weights": lambda: numpy_port(
        rmsprop(lambda g: g if g.ndim == 3 else phi(g)), name="port"
    ),
    "base": lambda: numpy_port(
        rmsprop(swapped), name="port", base=numpy_port(rmsprop(identity), name="base")
    ),
    "fuzzed": lambda: operator_port(
        lambda g: 2 * phi(g) if g.size == 6 and g.ndim > 1 else phi(g), name="port"
    ),
    "shrunk by fuzzing": lambda: operator_port(swapped, name="port"),
    "half sums": lambda: operator_port(sums_in_its_dtype, name="port"),
    "in place": lambda: operator_port(in_place, name="port"),
    "another shape": lambda: operator_port(lambda g: g.ravel(), name="port"),
    "breaks down": lambda: operator_port(lambda g: 1 / 0, name="port"),
}


@pytest.fixture
def reword(monkeypatch):
    """Put other words into every outcome from here on."""

    def start():
        made = Outcome.__init__

        def reworded(self, *args, **kwargs):
            made(self, *args, **kwargs)
            object.__setattr__(self, "message", codecs.encode(self.message, "rot13"))

        monkeypatch.setattr(Outcome, "__init__", reworded)

    return start


def without_words(report):
    """The report but for its sentences; of those only how many there are."""
    found = report.to_dict()
    for entry in found["checks"]:
        entry["message"] = bool(entry["message"])
    found["diagnosis"] = len(found["diagnosis"])
    return found


@pytest.mark.parametrize("name", PORTS)
def test_nothing_changes_but_the_words(name, reword):
    examples = 20 if "fuzz" in name else 0
    plain = check(PORTS[name](), max_examples=examples)
    reword()
    other = check(PORTS[name](), max_examples=examples)
    messages = [[c.message for c in report.checks] for report in (plain, other)]
    assert messages[0] != messages[1]
    assert without_words(plain) == without_words(other)
    tags = [re.findall(r"</?\w+", report.to_html()) for report in (plain, other)]
    assert tags[0] == tags[1]
    headlines = [report.to_markdown().splitlines()[0] for report in (plain, other)]
    assert headlines[0] == headlines[1]
