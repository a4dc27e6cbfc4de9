"""The JSON Schema of reports: reports of every sort follow it, broken ones do not."""

import json
import math
import re
from importlib import resources

import _reports
import jsonschema
import pytest

from gc_ref._conformance.findings.outcome import STATUSES
from gc_ref._conformance.reports.schema import problem, schema_text
from gc_ref._conformance.wrong_ports.make import make_port
from gc_ref.conformance import DEVIATIONS, check

SCHEMA = json.loads(schema_text())


def refused(report):
    """Whether a report breaks the schema; what is wrong is said in one short line then."""
    found = problem(report)
    assert "\n" not in found
    assert len(found) < 300
    assert not found or re.match(r"(the report|[a-z_.0-9\[\]]+|.*\['.*'\].*): ", found), found
    return bool(found)


def test_it_is_a_schema_that_says_what_every_field_is():
    schema = SCHEMA
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["title"]

    def walk(part, where):
        for name, field in part.get("properties", {}).items():
            named = schema["$defs"].get(field.get("$ref", "").rpartition("/")[2], {})
            assert field.get("description") or named.get("description"), f"{where}.{name}"
            walk(field, f"{where}.{name}")
        for key in ("items", "then", "else", "additionalProperties"):
            if isinstance(part.get(key), dict):
                walk(part[key], f"{where}.{key}")

    for name, part in [("report", schema), *schema["$defs"].items()]:
        walk(part, name)


def test_statuses_are_those_of_the_checks():
    found = SCHEMA["$defs"]["check"]["properties"]["status"]["enum"]
    assert sorted(found) == sorted(STATUSES)


def test_it_is_shipped_as_it_is():
    folder = resources.files("gc_ref._conformance.reports") / "schemas"
    assert schema_text() == (folder / "report-1.schema.json").read_text("utf-8")


@pytest.mark.parametrize("name", _reports.NAMES, ids=lambda n: n[:9])
def test_a_report_follows_it(name):
    assert not refused(_reports.report(name))


@pytest.mark.parametrize("name", ["swapped", "sgdm-idle"])
def test_what_other_parts_of_the_kit_add_follows_it(name):
    found = _reports.with_failures_known(_reports.report(name))
    assert any(c["status"] == "expected-failure" for c in found["checks"])
    assert not refused(found)


@pytest.mark.torch
@pytest.mark.parametrize("fuzzed", [0, 5])
def test_a_report_with_programs_and_frozen_cases_follows_it(fuzzed):
    port = make_port(DEVIATIONS["not-applied"].forms[0], "torch", name="idle")
    found = json.loads(check(port, max_examples=fuzzed).to_json())
    assert any("replay" in c for c in found["checks"])
    assert not refused(found)
    assert found["evidence"]["counterexample"]["shown"]["step"] == 1


def places(value, path=()):
    """Every object and every value in a report, once for each list."""
    yield path, value
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from places(inner, (*path, key))
    elif isinstance(value, list) and value:
        yield from places(value[0], (*path, 0))


def at(report, path):
    for key in path:
        report = report[key]
    return report


WRONG = ({"no": "such field"}, [["no"]], True, None, -1, 1.5, "", "nonsense", math.pi)


def spoiled(report):
    """The report with one thing wrong, in all ways that are wrong in any place.

    It is one and the same object each time, put right again: thousands of copies would be dear.
    """
    yield from WRONG
    for path, value in list(places(report)):
        if path:
            holder = at(report, path[:-1])
            for wrong in WRONG:
                holder[path[-1]] = wrong
                yield report
            holder[path[-1]] = value
        if isinstance(value, dict):
            value["unheard-of"] = 1
            yield report
            del value["unheard-of"]
            for key in list(value):
                kept = value.pop(key)
                yield report
                value[key] = kept


def shortened(value):
    """The same with one element in each list, as `places` looks at no more."""
    if isinstance(value, dict):
        return {key: shortened(inner) for key, inner in value.items()}
    return [shortened(value[0])] if isinstance(value, list) and value else value


@pytest.mark.parametrize("name", ["swapped", "sgdm", "raises"])
def test_what_is_wrong_in_any_place_is_refused(name):
    report = _reports.report(name)
    report["checks"] = sorted(report["checks"], key=lambda c: c["counterexample"] is None)
    report = shortened(report)
    tried = [refused(other) for other in spoiled(report)]
    assert not refused(report)
    assert len(tried) > 300
    assert sum(tried) > 0.8 * len(tried)


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (("schema",), "gc-ref-report/2", ["schema", "gc-ref-report/2", "gc-ref-report/1"]),
        (("verdict",), "fine", ["verdict", "'fine'", "conforms"]),
        (("seed",), -1, ["seed", "-1"]),
        (("seed",), True, ["seed", "integer"]),
        (("checks",), {}, ["checks", "array"]),
        (("checks", 3, "status"), "ok", ["checks[3].status: 'ok' is not one of ['passed'"]),
        (("checks", 3, "ratio"), "large", ["checks[3].ratio"]),
        (("checks", 0, "rerun"), "", ["checks[0].rerun", "empty"]),
        (("port", "name"), None, ["port.name", "string"]),
        (("evidence", "means", "weights"), [], ["evidence.means.weights", "non-empty"]),
        (("evidence", "means", "weights", 0, "port"), [0] * 9, ["weights[0].port", "too long"]),
        (("evidence", "drift", "omitted"), 5, ["evidence.drift.omitted", "string"]),
        (("colour",), "red", ["the report", "'colour' was unexpected"]),
    ],
)
def test_the_wrong_field_is_named(path, value, words):
    report = _reports.report("swapped")
    at(report, path[:-1])[path[-1]] = value
    assert refused(report)
    assert all(word in problem(report) for word in words), problem(report)


@pytest.mark.parametrize("key", ["schema", "port", "checks", "evidence"])
def test_a_missing_field_is_named(key):
    report = _reports.report("plain")
    del report[key]
    assert refused(report)
    assert problem(report) == f"the report: {key!r} is a required property"


def test_a_number_that_json_lacks_is_spelled_out():
    def refuse(word):
        raise AssertionError(f"{word} is no number of JSON")

    json.loads(_reports.text("nan"), parse_constant=refuse)
    assert '"nan"' in json.dumps(_reports.report("nan")["evidence"])
