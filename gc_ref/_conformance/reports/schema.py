"""The JSON Schema of reports, and a small validator for the words of JSON Schema that it uses.

Whoever joins reports needs no library for that; tests hold it against the ``jsonschema`` library.
"""

from __future__ import annotations

import json
from functools import cache
from importlib import resources
from typing import Any

__all__ = ["problem", "report_schema", "schema_text"]

TYPES: dict[str, type | tuple[type, ...]] = {
    "object": dict, "array": list, "string": str, "boolean": bool, "null": type(None),
    "integer": int, "number": (int, float),
}  # fmt: skip


def schema_text() -> str:
    """Return the JSON Schema of ``gc-ref-report/1`` as it is shipped."""
    folder = resources.files("gc_ref._conformance.reports") / "schemas"
    return (folder / "report-1.schema.json").read_text(encoding="utf-8")


@cache
def report_schema() -> dict[str, Any]:
    """Return the JSON Schema of ``gc-ref-report/1``."""
    schema: dict[str, Any] = json.loads(schema_text())
    return schema


def problem(value: Any, schema: dict[str, Any] | None = None, where: str = "") -> str:
    """Say what is wrong with a report, and in which field.

    Parameters
    ----------
    value : object
        What was read from JSON.
    schema : dict, optional
        A part of the schema of reports; the whole by default.
    where : str
        Path of the value.

    Returns
    -------
    str
        Empty where nothing is wrong; else ``checks[3].status: 'fine' is none of ...``.
    """
    schema = report_schema() if schema is None else schema
    if "$ref" in schema:
        schema = report_schema()["$defs"][schema["$ref"].rpartition("/")[2]]
    at = where or "the report"
    if "type" in schema and (wrong := _type(value, schema["type"])):
        return f"{at}: {wrong}"
    if "const" in schema and value != schema["const"]:
        return f"{at}: {_shown(value)} is not {schema['const']!r}"
    if "enum" in schema and value not in schema["enum"]:
        return f"{at}: {_shown(value)} is none of {', '.join(map(repr, schema['enum']))}"
    if "minimum" in schema and value < schema["minimum"]:
        return f"{at}: {_shown(value)} is less than {schema['minimum']}"
    if len(value) < schema.get("minLength", 0) if isinstance(value, str) else False:
        return f"{at}: is empty"
    if "if" in schema:
        met = not problem(value, schema["if"])
        return problem(value, schema["then" if met else "else"], where)
    if "anyOf" in schema:
        found = [problem(value, s, where) for s in schema["anyOf"]]
        return "" if "" in found else found[0]
    if isinstance(value, dict):
        return _object(value, schema, where)
    return _array(value, schema, where) if isinstance(value, list) else ""


def _type(value: Any, wanted: str | list[str]) -> str:
    names = [wanted] if isinstance(wanted, str) else wanted
    for name in names:
        is_bool = isinstance(value, bool)
        if isinstance(value, TYPES[name]) and (name == "boolean" or not is_bool):
            return ""
        if name == "integer" and isinstance(value, float) and value.is_integer():
            return ""  # 1.0 is an integer in JSON Schema
    return f"{_shown(value)} is no {' or '.join(names)}"


def _object(value: dict[str, Any], schema: dict[str, Any], where: str) -> str:
    prefix = f"{where}." if where else ""
    for name in schema.get("required", ()):
        if name not in value:
            return f"{prefix}{name}: is missing"
    known = schema.get("properties", {})
    for name, item in value.items():
        inner = known.get(name, schema.get("additionalProperties", True))
        if inner is False:
            return f"{prefix}{name}: is not known here"
        if inner is not True and (found := problem(item, inner, f"{prefix}{name}")):
            return found
    return ""


def _array(value: list[Any], schema: dict[str, Any], where: str) -> str:
    at = where or "the report"
    if len(value) < schema.get("minItems", 0):
        return f"{at}: has {len(value)} items, at least {schema['minItems']} are needed"
    if len(value) > schema.get("maxItems", len(value)):
        return f"{at}: has {len(value)} items, at most {schema['maxItems']} are allowed"
    for i, item in enumerate(value):
        if "items" in schema and (found := problem(item, schema["items"], f"{where}[{i}]")):
            return found
    return ""


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
