"""CONTRIBUTING.md, followed: a copy of the package gets one of each thing that can be added.

The copy runs in processes of its own. A test edits the files that the page names for its thing:
all of them, and no others.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
ADDITIONS = dict(re.findall(r"^### An? ([^\n]+)\n(.*?)(?=^##|\Z)", PAGE, re.DOTALL | re.MULTILINE))


def test_the_page_begins_with_three_commands():
    commands = re.findall(r"^```sh\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)[:3]
    assert [c.split()[0] for c in commands] == ["python3", "pytest", "ruff"]
    assert PAGE.index(commands[2]) < PAGE.index("\n## ")


def test_what_can_be_added_is_told_with_three_files_at_most():
    assert set(ADDITIONS) == {"check", "deviation", "adapter", "frozen vector", "report format"}
    for name, text in ADDITIONS.items():
        assert 1 <= len(_files(text)) <= 3, name


def _files(text):
    """Files that a recipe names, one at the head of each of its points."""
    return re.findall(r"^\d\. `([^`]+)`", text, re.MULTILINE)


class Copy:
    """A copy of what the recipe for one thing edits and runs."""

    def __init__(self, folder, thing):
        self.folder, self.files = folder, _files(ADDITIONS[thing])
        self.edited = set()
        ignored = shutil.ignore_patterns("__pycache__", "node_modules", "_build")
        for name in ("gc_ref", "conformance", "docs"):
            shutil.copytree(ROOT / name, folder / name, ignore=ignored)

    def _named(self, path):
        """Note an edit of a file, which the page must name."""
        (name,) = [n for n in self.files if Path(path).match(n.replace("NAME", "*"))]
        self.edited.add(name)
        return self.folder / path

    def create(self, path, text):
        self._named(path).write_text(text, "utf-8")

    def insert(self, path, before, text):
        """Insert a text before another, which must be there once."""
        file = self._named(path)
        old = file.read_text("utf-8")
        assert old.count(before) == 1, before
        file.write_text(old.replace(before, text + before), "utf-8")

    def append(self, path, text):
        file = self._named(path)
        file.write_text(file.read_text("utf-8") + text, "utf-8")

    def python(self, *words, status=0):
        """Run Python on the copy and return what it prints."""
        ran = subprocess.run(
            [sys.executable, *words],
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(self.folder), "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            encoding="utf-8",
        )
        assert ran.returncode == status, ran.stdout + ran.stderr
        return ran.stdout

    def gc_ref(self, *words, status=0):
        return self.python("-m", "gc_ref.conformance", *words, status=status)


@pytest.fixture
def copy(tmp_path):
    """Make the copy for one thing; at the end, all files that its recipe names were edited."""
    made = []

    def make(thing):
        made.append(Copy(tmp_path, thing))
        return made[0]

    yield make
    assert made[0].edited == set(made[0].files)


def test_a_check(copy):
    here = copy("check")
    here.insert(
        "gc_ref/_conformance/catalogue/checks.py",
        'Check("effect/on"',
        'Check("hygiene/finite", "Contract", "a finite gradient gives finite weights"),\n    ',
    )
    module = "gc_ref/_conformance/checks/hygiene.py"
    here.insert(
        module,
        "#: Id of each check",
        "def finite(judge: Judge) -> Outcome:\n"
        "    for values in judge.run(judge.integers).steps:\n"
        "        for name, value in values.items():\n"
        "            if not np.all(np.isfinite(value)):\n"
        '                return failed(f"{name} is not finite")\n'
        "    return passed()\n\n\n",
    )
    here.insert(module, '"hygiene/state":', '"hygiene/finite": finite,\n    ')

    explained = here.gc_ref("explain", "hygiene/finite")
    assert "means:  a finite gradient gives finite weights" in explained
    assert "hygiene/finite" in here.gc_ref("explain")
    ids = "from gc_ref.conformance import CHECKS; print(*CHECKS)"
    assert here.python("-c", ids).split()[2] == "hygiene/finite"
    (here.folder / "ports.py").write_text("def endless(g):\n    return g / 0.0\n", "utf-8")
    for target, status, found in (((), 0, "passed"), (("operator:ports.py:endless",), 1, "failed")):
        report = here.gc_ref("check", *target, "--max-examples", "0", "--json", "-", status=status)
        statuses = {c["id"]: c["status"] for c in json.loads(report)["checks"]}
        assert statuses["hygiene/finite"] == found
    page = "import sys; sys.path.insert(0, 'docs'); import pages; print(pages.checks())"
    assert "### hygiene/finite\n\n*Contract.* A finite gradient gives" in here.python("-c", page)


def test_a_deviation(copy):
    here = copy("deviation")
    here.insert(
        "gc_ref/_conformance/catalogue/deviations.py",
        '    Deviation(\n        "stale-mean"',
        "    Deviation(\n"
        '        "largest-removed", "the largest element is subtracted", "Eq. 1", "",\n'
        '        (*MEAN, "law/linear"), (_at("largest"),), since="2026.9",\n'
        "    ),\n",
    )
    rules = "gc_ref/_conformance/catalogue/centering.py"
    here.insert(
        rules,
        "def _median(",
        "def _largest(g: Gradient) -> Any:\n"
        '    largest = g.xp.max(g.values, axis=g.parameter.axes("inputs"), keepdims=True)\n'
        "    return g.values - largest\n\n\n",
    )
    here.insert(
        rules,
        '    Rule("median"',
        '    Rule("largest", "largest-removed", "subtracts the largest element", _largest),\n',
    )
    here.insert(
        "gc_ref/_conformance/catalogue/mends.py",
        '    "stale-mean":',
        '    "largest-removed": "subtract the mean: {inputs}",\n',
    )

    explained = here.gc_ref("explain", "largest-removed")
    assert "the largest element is subtracted" in explained
    assert "to mend:  subtract the mean: dim=tuple(range(1, g.ndim)) (output-first)" in explained
    lines = here.gc_ref("selftest", "--framework", "numpy", "--deviation", "largest-removed")
    rows = [line for line in lines.splitlines() if "largest-removed" in line]
    assert len(rows) == 2, "as an operator and as an optimizer"
    assert all(re.search(r" ok +identified$", row) for row in rows), rows
    here.python("conformance/make_vectors.py")  # refuses to change a released vector


ADAPTER = '''
"""Functions on lists."""

from dataclasses import replace

import numpy as np

from gc_ref._conformance.adapters.operator import operator_port


def lists_port(function, *, name=None, settings=None, **more):
    """Make a port of a function of a gradient, which is given as nested lists."""

    def on_arrays(g):
        return np.array(function(g.tolist(), **(settings or {})), g.dtype).reshape(g.shape)

    return replace(operator_port(on_arrays, name=name or function.__name__, **more), kind="lists")
'''
LISTS = """
def centralize(rows):
    if not rows or not isinstance(rows, list) or not isinstance(rows[0], list):
        return rows
    if isinstance(rows[0][0], list):
        return idle(rows)
    means = [sum(column) / len(rows) for column in zip(*rows)]
    return [[x - m for x, m in zip(row, means)] for row in rows]


def idle(rows):
    return rows
"""


def test_an_adapter(copy):
    here = copy("adapter")
    here.create("gc_ref/_conformance/adapters/lists.py", ADAPTER)
    targets = "gc_ref/_conformance/cli/targets.py"
    importing = "from gc_ref._conformance.adapters.lists import lists_port\n"
    here.insert(targets, "from gc_ref._conformance.adapters.numpy", importing)
    here.insert(
        targets,
        '    "numpy": Kind(',
        '    "lists": Kind(lists_port, "a function of a gradient as lists", frozenset()),\n',
    )
    here.insert("gc_ref/conformance.py", "from gc_ref._conformance.adapters.numpy", importing)
    here.insert("gc_ref/conformance.py", '    "numpy_port"', '    "lists_port",\n')

    (here.folder / "ports.py").write_text(LISTS, "utf-8")
    assert "  lists     a function of a gradient as lists" in here.gc_ref("check", "--help")
    report = json.loads(
        here.gc_ref("check", "lists:ports.py:idle", "--max-examples", "0", "--json", "-", status=1)
    )
    assert report["port"] == {"name": "idle", "kind": "lists", "target": "lists:ports.py:idle"}
    assert report["identified"] == ["not-applied"]
    code = (
        "from gc_ref import conformance; import ports\n"
        "port = conformance.lists_port(ports.centralize)\n"
        "report = conformance.check(port, max_examples=0)\n"
        "print('lists_port' in conformance.__all__, port.kind, report.identified)"
    )
    assert here.python("-c", code) == "True lists ('rank-gated',)\n"


def test_a_frozen_vector(copy):
    here = copy("frozen vector")
    suite = "conformance/vector_suite.py"
    here.insert(
        suite,
        "def suite(version):",
        "def more():\n"
        '    weight = Weight(fan_in=6, fan_out=2, label="dense-six")\n'
        '    yield Plan(weight, "ordinary", "output-last")\n\n\n',
    )
    here.insert(suite, '"2026.1": (', '"2026.9": (more,), ')
    module = "gc_ref/_conformance/cases/vectors.py"
    released = "}\nLATEST ="
    here.insert(module, released, '    "2026.9": "DIGEST",\n')
    printed = here.python("conformance/make_vectors.py")
    digest = re.search(r"^2026\.9  (\w{64})$", printed, re.MULTILINE)[1]
    file = here.folder / module
    file.write_text(file.read_text("utf-8").replace("DIGEST", digest), "utf-8")

    assert here.python("conformance/make_vectors.py") == printed, "nothing has changed"
    unchanged = "conformance/vectors/2026.1/eq-1.json"
    assert (here.folder / unchanged).read_bytes() == (ROOT / unchanged).read_bytes()
    (made,) = json.loads((here.folder / "conformance/vectors/2026.9/eq-1.json").read_text("utf-8"))[
        "vectors"
    ]
    assert (made["id"], made["since"]) == ("eq1/dense-six-ordinary-last-f32", "2026.9")
    assert "not-applied" in made["kills"]
    # A port that is wrong on six inputs alone is right on all that was frozen before.
    (here.folder / "ports.py").write_text(
        "def six(g):\n"
        "    return g if g.ndim < 2 or g.shape == (6, 2) else "
        "g - g.mean(tuple(range(g.ndim - 1)), keepdims=True)\n",
        "utf-8",
    )
    words = ("check", "operator:ports.py:six", "--max-examples", "0", "--json", "-")
    assert json.loads(here.gc_ref(*words, "--suite-version", "2026.1"))["verdict"] == "conforms"
    report = json.loads(here.gc_ref(*words, status=1))
    failed = [c for c in report["checks"] if c["status"] == "failed"]
    assert [c["id"] for c in failed] == ["value/bounded"]
    assert made["id"] in failed[0]["message"]


def test_a_report_format(copy):
    here = copy("report format")
    here.create(
        "gc_ref/_conformance/reports/csv.py",
        "def render_csv(report):\n"
        '    return "".join(f"{c.id},{c.status}\\n" for c in report.checks)\n',
    )
    files = "gc_ref/_conformance/cli/output_files.py"
    here.insert(
        files,
        "from gc_ref._conformance.reports.html",
        "from gc_ref._conformance.reports.csv import render_csv\n",
    )
    here.insert(
        files,
        '    "badge": Format(',
        '    "csv": Format("a line for each check", lambda report, _: render_csv(report)),\n',
    )

    assert "write a line for each check" in " ".join(here.gc_ref("check", "--help").split())
    text = here.gc_ref("check", "--max-examples", "0", "--csv", "statuses.csv", "--json", "r.json")
    assert text.startswith("CONFORMS")
    report = json.loads((here.folder / "r.json").read_text("utf-8"))
    lines = (here.folder / "statuses.csv").read_text("utf-8").splitlines()
    assert lines == [f"{c['id']},{c['status']}" for c in report["checks"]]
    assert here.gc_ref("check", "--max-examples", "0", "--csv", "-").splitlines() == lines
    here.gc_ref("check", "--csv", "no/such/folder.csv", status=2)
