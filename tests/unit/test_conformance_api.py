"""The public face of the kit: what it holds, that it is documented, and how it is called."""

import dataclasses
import inspect
import types

import pytest

from gc_ref import conformance

ADAPTERS = {
    "torch_port": "optimizer",
    "keras_port": "optimizer",
    "optax_port": "factory",
    "operator_port": "function",
    "numpy_port": "run",
    "exec_port": "command",
}
FUNCTIONS = [*ADAPTERS, "check", "output_axes", "parametrize_with_checks"]
RECORDS = [
    "Case", "Check", "CheckReport", "Counterexample", "Deviation", "Parameter", "Port", "Trajectory"
]  # fmt: skip
OTHERS = ["CHECKS", "DEVIATIONS", "PortError", "PortLoadError", "Report"]


def test_all():
    assert set(conformance.__all__) == {*FUNCTIONS, *RECORDS, *OTHERS}
    upper, mixed, lower = ([], [], [])
    for name in conformance.__all__:
        (upper if name.isupper() else mixed if name[0].isupper() else lower).append(name)
    assert conformance.__all__ == [*sorted(upper), *sorted(mixed), *sorted(lower)]
    public = {
        name
        for name, value in vars(conformance).items()
        if not name.startswith("_") and not isinstance(value, types.ModuleType)
    }
    assert public == set(conformance.__all__)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_is_documented(name):
    function = getattr(conformance, name)
    text = inspect.getdoc(function)
    for section in ("Parameters", "Returns", "Raises", "Examples"):
        assert f"\n{section}\n{'-' * len(section)}\n" in text
    assert ">>>" in text
    parameters = text.partition("Parameters\n")[2].partition("Returns\n")[0]
    for parameter in inspect.signature(function).parameters:
        assert f"\n{parameter} : " in parameters or f", {parameter} : " in parameters


@pytest.mark.parametrize("name", RECORDS)
def test_a_record_is_documented(name):
    record = getattr(conformance, name)
    text = inspect.getdoc(record)
    named = {
        field.strip()
        for line in text.partition("Attributes\n")[2].splitlines()
        if " : " in line and not line.startswith(" ")
        for field in line.partition(" : ")[0].split(",")
    }
    assert {field.name for field in dataclasses.fields(record)} <= named


@pytest.mark.parametrize("name", conformance.__all__)
def test_a_name_has_an_example(name):
    own = inspect.getdoc(getattr(conformance, name)) or ""
    assert ">>>" in own or name in conformance.__doc__


def test_the_tables_are_by_id():
    for table, kind in (
        (conformance.CHECKS, conformance.Check),
        (conformance.DEVIATIONS, conformance.Deviation),
    ):
        assert len(table) > 20
        for key, entry in table.items():
            assert isinstance(entry, kind)
            assert entry.id == key
            assert entry.sentence
            assert entry.clause
    assert {c for d in conformance.DEVIATIONS.values() for c in d.checks} <= set(conformance.CHECKS)


def test_a_failed_check_has_a_counterexample():
    report = conformance.check(conformance.operator_port(lambda g: g, name="idle"), max_examples=0)
    [failed] = [c for c in report.checks if c.id == "value/exact"]
    shown = failed.counterexample
    assert isinstance(shown, conformance.Counterexample)
    assert shown.worst.expected != shown.worst.got
    assert shown.output_axis == conformance.output_axes(
        shown.kind, len(shown.shape), layout="output-last"
    )


@pytest.mark.parametrize(("name", "first"), ADAPTERS.items())
def test_the_adapters_are_called_alike(name, first):
    found = list(inspect.signature(getattr(conformance, name)).parameters.values())
    assert (found[0].name, found[0].kind) == (first, found[0].POSITIONAL_OR_KEYWORD)
    assert {p.kind for p in found[1:]} == {found[0].KEYWORD_ONLY}
    last = {"torch_port": "output-first", "operator_port": None, "exec_port": None}
    assert {p.name: p.default for p in found[1:]} == {
        "name": None,
        "settings": None,
        "layout": last.get(name, "output-last"),
        "conventions": None,
        "target": None,
        "options": (),
    } | (
        {"framework": "numpy"} if name == "operator_port" else {"algorithm": None, "base": None}
    ) | ({"timeout": 60.0} if name == "exec_port" else {}) | (
        {"switch": None} if name in ("torch_port", "keras_port", "optax_port") else {}
    )
