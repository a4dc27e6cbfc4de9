"""The list of equivalent mutants is about the code as it is."""

import importlib
import inspect
import tomllib
from functools import reduce
from pathlib import Path

import pytest

LIST = Path(__file__).parents[1] / "mutation" / "equivalent.toml"


@pytest.mark.parametrize(
    "entry",
    tomllib.loads(LIST.read_text(encoding="utf-8"))["equivalent"],
    ids=lambda entry: entry["function"],
)
def test_every_listed_line_is_in_its_function(entry):
    module, *names = entry["function"].split(".")
    function = reduce(getattr, names, importlib.import_module(f"gc_ref.{module}"))
    source = " ".join(line.strip() for line in inspect.getsource(function).splitlines())
    assert entry["why"].strip()
    assert len(set(entry["changes"])) == len(entry["changes"]) > 0
    for change in entry["changes"]:
        old, new = change.split(" => ")
        assert old in source
        assert old != new
