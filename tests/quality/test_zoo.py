"""No operator of the zoo is accused, in any of the four dtypes; and the zoo is complete."""

import importlib.util

import pytest

from gc_ref._conformance.ports.conventions import CONVENTIONS

from .judging import check
from .zoo import DTYPES, ZOO
from .zoo_entry import has_bfloat16


def cases(kind):
    """Entries of a kind, each at seeds of its own; frameworks as markers."""
    for number, entry in enumerate(e for e in ZOO if e.kind == kind):
        seeds = 2 if kind == "operator" and entry.cost == "cheap" else 1
        marks = [getattr(pytest.mark, name) for name in entry.needs]
        for seed in range(number % 5 + 1, number % 5 + 1 + seeds):
            yield pytest.param(entry, seed, marks=marks, id=f"{entry.name}-{seed}")


def judged(entry, seed):
    """Report of an entry that conforms, in all the dtypes that it claims."""
    if reason := entry.unavailable():
        pytest.skip(reason)
    report = check(entry.make(), seed=seed, max_examples=0)
    assert report.verdict == "conforms", report.to_text()
    assert not any("refuses" in note for note in report.notes), report.to_text()
    (dtypes,) = [c.message.split(", ") for c in report.checks if c.id == "hygiene/dtype"]
    expected = [d for d in entry.dtypes if d != "bfloat16" or entry.needs or has_bfloat16()]
    assert sorted(dtypes) == sorted(expected)
    for field, value in entry.follows.items():
        assert report.conventions[field]["value"] == value, report.to_text()
    return report


@pytest.mark.parametrize(("entry", "seed"), list(cases("operator")))
def test_no_correct_operator_is_accused(entry, seed):
    assert judged(entry, seed).checks_run >= 18


def test_thirty_ways_and_more():
    names = [entry.name for entry in ZOO]
    assert len(set(names)) == len(names)
    for kind in ("operator", "optimizer"):
        assert sum(entry.kind == kind for entry in ZOO) >= 30
    for dtype in DTYPES:
        assert sum(dtype in entry.dtypes for entry in ZOO) >= 30


def test_every_convention_has_an_entry_that_follows_it():
    followed = {(k, v) for entry in ZOO for k, v in entry.follows.items()}
    by_default = {("layout", "output-last"), ("scope", "all"), ("fan_in_one", "erase")}
    by_default |= {("axes_rule", "by-rank")}
    every = {(c.field, value) for c in CONVENTIONS.values() for value in c.values}
    assert every - by_default <= followed
    assert followed <= every


def test_frameworks_are_imported_when_a_port_is_made_and_not_before():
    import subprocess
    import sys
    from pathlib import Path

    program = (
        "import sys; sys.path.insert(0, sys.argv[1]); from quality.zoo import ZOO; "
        "print(sorted({'torch', 'jax', 'optax', 'ml_dtypes'} & set(sys.modules)))"
    )
    tests = str(Path(__file__).resolve().parents[1])
    done = subprocess.run(
        [sys.executable, "-c", program, tests], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


def test_an_entry_says_what_it_lacks():
    (entry,) = [e for e in ZOO if e.name == "torch: compile"]
    if importlib.util.find_spec("torch") is None:
        assert entry.unavailable() == "needs torch"
    else:
        assert "needs" not in entry.unavailable()
