"""How a replay imports its port: from modules, packages and partial functions."""

import importlib
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from gc_ref._conformance.cli.targets import make_port
from gc_ref.conformance import check, operator_port

from ._replays import OPERATOR, run

ROOT = Path(__file__).parents[3]


def own_module(folder, name, source):
    """Write a module and import it from its folder, as pytest does."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(source, encoding="utf-8")


@pytest.fixture
def importing(tmp_path, monkeypatch):
    """Import modules of a folder, which are forgotten afterwards."""
    monkeypatch.chdir(tmp_path)
    before = set(sys.modules)

    def load(module, root="."):
        monkeypatch.syspath_prepend(str(tmp_path / root))
        return importlib.import_module(module)

    yield load
    for name in set(sys.modules) - before:
        if name.startswith("replayed"):
            del sys.modules[name]


def first_replay(port):
    (first, *_) = check(port, max_examples=0).with_status("failed")
    return first.replay, str(check(port, max_examples=0))


WRONG = OPERATOR.format(imports="import numpy", axes="0", keep="keepdims")


@pytest.mark.parametrize(
    ("file", "module", "root", "line"),
    [
        ("replayed_pkg/__init__.py", "replayed_pkg", ".", "from replayed_pkg import centralize\n"),
        (
            "src/replayed_pkg/__init__.py", "replayed_pkg", "src",
            "sys.path.insert(0, 'src')\nfrom replayed_pkg import centralize\n",
        ),
        (
            "src/replayed_pkg/sub/gc.py", "replayed_pkg.sub.gc", "src",
            "sys.path.insert(0, 'src')\nfrom replayed_pkg.sub.gc import centralize\n",
        ),
        ("replayed_alone.py", "replayed_alone", ".", "\nfrom replayed_alone import centralize\n"),
    ],
)  # fmt: skip
def test_a_port_in_a_package(tmp_path, importing, file, module, root, line):
    own_module(tmp_path, file, WRONG)
    replay, _ = first_replay(operator_port(importing(module, root).centralize))
    assert line in replay
    assert ("sys.path" in replay) == (root != ".")
    done = run(replay, tmp_path)
    assert "AssertionError: got " in done.stderr.splitlines()[-1], done.stderr


def test_the_init_file_of_a_package_on_the_command_line(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    own_module(tmp_path, "src/replayed_pkg/__init__.py", WRONG)
    port = make_port("operator:src/replayed_pkg/__init__.py:centralize", settings={})
    replay, _ = first_replay(port)
    assert "sys.path.insert(0, 'src')\nfrom replayed_pkg import centralize\n" in replay
    assert "AssertionError: got " in run(replay, tmp_path).stderr


@pytest.mark.parametrize(
    "line", ["import gc_ref.conformance", "from gc_ref import centralize as _"]
)
def test_a_module_that_imports_gc_ref_is_said_to(tmp_path, importing, line):
    own_module(tmp_path, "replayed_test.py", f"{line}\n{WRONG}")
    replay, text = first_replay(operator_port(importing("replayed_test").centralize))
    assert "# It needs gc-ref installed, as replayed_test.py imports it: move" in replay
    assert "  replay:\n" in text
    assert "without gc-ref" not in text
    program = f"import sys\nsys.path.insert(0, {str(ROOT)!r})\n{replay}"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert "AssertionError: got " in done.stderr.splitlines()[-1], done.stderr


def test_a_partial_is_written_out(tmp_path, importing):
    source = (
        "def scaled(factor, g, *, axis):\n    return factor * (g - g.mean(axis, keepdims=True))"
    )
    own_module(
        tmp_path, "replayed_partial.py", source.replace("return", "return g if g.ndim < 2 else")
    )
    module = importing("replayed_partial")
    replay, _ = first_replay(operator_port(partial(module.scaled, 1.0, axis=0), name="p"))
    assert "from functools import partial\n\nfrom replayed_partial import scaled\n" in replay
    assert "port = partial(scaled, 1.0, axis=0)\n" in replay
    done = run(replay, tmp_path)
    assert "AssertionError: got " in done.stderr.splitlines()[-1], done.stderr


def test_a_partial_of_what_cannot_be_imported_is_left_to_fill_in():
    port = operator_port(partial(lambda axis, g: g, 0), name="local")
    assert "port = ...  # put here what the port was made of\n" in first_replay(port)[0]
