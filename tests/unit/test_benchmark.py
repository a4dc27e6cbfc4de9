"""The benchmark of the reference runs, and writes what it says. What it measures is no test."""

import importlib.util
import json
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "benchmarks" / "bench_reference.py"


@pytest.fixture
def bench(monkeypatch):
    spec = importlib.util.spec_from_file_location("bench_reference", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "installed", lambda name: name == "matplotlib")
    monkeypatch.setattr(module, "GOAL_SHAPES", ((4, 3), (4, 3, 2, 2)))
    monkeypatch.setattr(module, "MORE_SHAPES", ((8, 2),))
    monkeypatch.setattr(module, "SIDES", (4, 8))
    monkeypatch.setattr(module, "peak_memory", lambda: 1.0)
    monkeypatch.setattr(module, "import_ratio", lambda: 1.0)
    monkeypatch.setattr(module, "smallest_times", in_turn)
    return module


def in_turn(functions, elements, seconds, clock=None):
    """Times made up: the first candidate takes 1 s, the second 2 s, and so on."""
    for function in functions.values():
        function()
    return {name: float(place) for place, name in enumerate(functions, start=1)}


def test_it_writes_three_files(bench, tmp_path, monkeypatch, capsys):
    pytest.importorskip("matplotlib")
    monkeypatch.setattr("sys.argv", ["bench_reference.py", "--output", str(tmp_path)])
    bench.main()
    results = json.loads((tmp_path / "results.json").read_text("utf-8"))
    # plain is second and gc_ref fourth, on every shape
    assert [row[:5] for row in results["goals"]] == [
        ["NumPy", layout, "gc_ref", "plain", 2.0] for layout in ("output-first", "output-last")
    ]
    shapes = {(row["layout"], row["shape"]) for row in results["rows"]}
    assert ("output-last", "2x2x3x4") in shapes
    assert len(shapes) == 6
    page = (tmp_path / "README.md").read_text("utf-8")
    assert "| NumPy | output-first | gc_ref | plain | 2.0 | <= 3.0 | met |" in page
    assert "| output-first | 4x3 | 2.00 | 3.00 | 4.00 |" in page
    assert (tmp_path / "size.svg").read_text("utf-8").startswith("<?xml")
    assert "NumPy, output-first: gc_ref is 2.0 x plain (goal 3.0)" in capsys.readouterr().out
