"""The README's main command: judge a right operator and a wrong one, and say why.

It needs no framework. The exit status is 0 only if both verdicts are the expected ones.
"""

import os
import shutil
import sys
from pathlib import Path

from ports import numpy_examples

from gc_ref.conformance import DEVIATIONS, check, operator_port

EXPECTED = {"centralize": "conforms", "centralize_wrong_axes": "deviates"}
#: From where the program was started: what it prints can be run there.
FILE = os.path.relpath(numpy_examples.__file__)
INTRODUCTION = f"""\
Gradient Centralization subtracts from the gradient of each output neuron its mean over that
neuron's inputs. Two functions of {FILE} are to do that, for
weights whose last axis numbers the outputs. gc-ref holds their numbers against exact ones:
"""


def main(expected):
    """Print both verdicts; return how many of them are not the expected ones."""
    print(INTRODUCTION)
    surprises = 0
    for name, verdict in expected.items():
        target = f"operator:{FILE}:{name}"
        report = check(operator_port(getattr(numpy_examples, name), target=target))
        conforms = report.verdict == "conforms"
        print("\n".join(conforming(report) if conforms else deviating(report)))
        if report.verdict != verdict:
            surprises += 1
            print(f"UNEXPECTED: {name} should be judged {verdict!r}, not {report.verdict!r}")
        print()
    print(
        f"Not as it should be: {surprises} of {len(expected)} verdicts, see UNEXPECTED above."
        if surprises
        else "Both are as they should be: the right function conforms, the wrong one deviates."
    )
    print(
        "The report of the last in full, all ids, and how to judge your own:\n"
        f"  {command()} check {target}\n"
        f"  {command()} explain\n"
        f"  {command()} check --help"
    )
    return surprises


def conforming(report):
    """Say in a sentence what was found of a port that conforms."""
    yield f"CONFORMS: {report.port['name']} passes the {report.checks_run} checks that apply to it:"
    yield f"  it {report.diagnosis[0]}."


def deviating(report):
    """Say what a port does, its smallest counterexample and its mend."""
    failed = len(report.with_status("failed"))
    yield f"DEVIATES: {report.port['name']} fails {failed} of {report.checks_run} checks."
    shown = report.smallest.counterexample
    gradient = shown.easiest.gradient[0]
    mean = sum(gradient) / len(gradient)
    yield (
        f"  An output neuron of {shown.parameter}, shape {shown.shape}, has the gradient "
        f"{numbers(gradient)}; its mean is {mean:g}."
    )
    yield f"  Expected {numbers(shown.neuron.expected)}, got {numbers(shown.neuron.got)}."
    for id, mend in zip(report.identified, report.mend, strict=True):
        yield f"  Mistake: {DEVIATIONS[id].sentence} ({id})."
        yield f"  To mend: {mend}"


def numbers(values):
    """Write an array."""
    return f"[{', '.join(f'{v:g}' for v in values)}]"


def command():
    """Return the command gc-ref of this Python, as it can be called from here."""
    here = Path(sys.executable).parent / "gc-ref"
    on_path = shutil.which("gc-ref")
    if on_path and Path(on_path) == here:
        return "gc-ref"
    return os.path.relpath(here) if here.exists() else f"{sys.executable} -m gc_ref.conformance"


if __name__ == "__main__":
    sys.exit(min(main(EXPECTED), 1))
