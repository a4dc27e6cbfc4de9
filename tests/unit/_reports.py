"""Reports of ports of every sort, for the tests of what is made of reports."""

import copy
import json
from functools import cache

import numpy as np

from gc_ref._conformance.catalogue.deviations import CONTROL
from gc_ref._conformance.ports.port import SkippedError
from gc_ref._conformance.reports.model import ReportData
from gc_ref._conformance.wrong_ports.numpy import make_plant
from gc_ref.conformance import DEVIATIONS, check, operator_port

EVIL = "<script>alert(1)</script>|`x`*_[a](http://b)&amp;\u202e@you\x1b[31m\nline"


def plain(g):
    return g if g.ndim < 2 else g - g.mean(axis=tuple(range(g.ndim - 1)), keepdims=True)


def sums_in_its_dtype(g):
    """A correct operator whose sums are in the gradient's dtype: float16 in float16."""
    if g.ndim < 2:
        return g
    total = np.zeros(g.shape[-1], g.dtype)
    for row in g.reshape(-1, g.shape[-1]):
        total = total + row / g.dtype.type(g.size // g.shape[-1])
    return g - total


def swapped(g):
    return g if g.ndim < 2 else g - g.mean(axis=tuple(range(1, g.ndim)), keepdims=True)


def raises(g):
    raise RuntimeError("no luck")


def skips(g):
    raise SkippedError("not today")


FUNCTIONS = {
    "plain": plain, "swapped": swapped, "raises": raises, "ravel": lambda g: plain(g).ravel(),
    "nan": lambda g: g * np.nan, "vectors": lambda g: plain(g) if g.ndim != 1 else g - g.mean(),
    "idle": lambda g: g, EVIL: swapped,
}  # fmt: skip
PLANTS = {
    "sgdm": CONTROL,
    "sgdm-idle": DEVIATIONS["not-applied"].plants[0],
    "adam-raw": DEVIATIONS["second-moment-raw"].plants[0],
}
NAMES = (*FUNCTIONS, *PLANTS, "based", "unknown", "skips")


@cache
def _made(name):
    if name in FUNCTIONS:
        return operator_port(FUNCTIONS[name], name=name)
    if name in PLANTS:
        return make_plant(PLANTS[name], "numpy", name=name)
    if name == "skips":
        return operator_port(skips, name=name)
    from gc_ref.conformance import numpy_port

    loop = make_plant(CONTROL, "numpy").run
    base = numpy_port(sgdm(lambda g: g), name="sgdm")
    return numpy_port(
        lambda case: loop(case).steps, name=name, base=base if name == "based" else None
    )


def sgdm(phi):
    """Algorithm 1 with what a port has in place of Φ."""

    def run(case):
        lr, beta = case.hyperparameters["lr"], case.hyperparameters["momentum"]
        weights = {p.name: p.value for p in case.parameters}
        momenta = {k: 0 * w for k, w in weights.items()}
        steps = []
        for gradients in case.gradients:
            for k, g in gradients.items():
                momenta[k] = beta * momenta[k] + (1 - beta) * phi(g)
                weights[k] = weights[k] - lr * momenta[k]
            steps.append(dict(weights))
        return steps

    return run


@cache
def _text(name):
    return check(_made(name), max_examples=0).to_json()


def report(name):
    """The report of a port, as JSON has it: a fresh one, that a test may spoil."""
    return json.loads(_text(name))


def text(name):
    return _text(name)


def read(found):
    """A report that JSON has, as the renderers take it."""
    return ReportData.from_dict(found)


def data(name):
    return read(report(name))


def with_failures_known(found):
    """The same report, all its failures expected, with all that other keys may hold."""
    found = copy.deepcopy(found)
    for entry in found["checks"]:
        if entry["status"] == "failed":
            entry["status"] = "expected-failure"
            entry["expectation"] = {"reason": "a < b", "issue": "https://example.org/1"}
            entry["replay"] = "print('<once more>')"
            if entry["counterexample"]:
                entry["counterexample"]["frozen"] = {"id": "vector:1"}
    found["verdict"], found["suite_version"] = "conforms", "2026.1"
    return found
