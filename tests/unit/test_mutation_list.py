"""The list of equivalent mutants is about the code as it is."""

import inspect
import pkgutil
import tomllib
from pathlib import Path

import pytest

LIST = Path(__file__).parents[1] / "mutation" / "equivalent.toml"


@pytest.mark.parametrize(
    "entry",
    tomllib.loads(LIST.read_text(encoding="utf-8"))["equivalent"],
    ids=lambda entry: entry["function"],
)
def test_every_listed_line_is_in_its_function(entry):
    function = pkgutil.resolve_name(f"gc_ref.{entry['function']}")
    source = " ".join(line.strip() for line in inspect.getsource(function).splitlines())
    assert entry["why"].strip()
    assert len(set(entry["changes"])) == len(entry["changes"]) > 0
    for change in entry["changes"]:
        old, new = change.split(" => ")
        assert old in source
        assert old != new
