"""The JSON Schema of reports, and what is wrong with a report that does not follow it."""

from __future__ import annotations

import json
from functools import cache
from importlib import resources
from typing import Any

#: Characters of a message that are shown: one may hold a whole report.
LONGEST = 160


def schema_text() -> str:
    """Return the JSON Schema of ``gc-ref-report/1`` as it is shipped."""
    folder = resources.files("gc_ref._conformance.reports") / "schemas"
    return (folder / "report-1.schema.json").read_text(encoding="utf-8")


@cache
def _validator() -> Any:
    import jsonschema

    return jsonschema.Draft202012Validator(json.loads(schema_text()))


def problem(report: Any) -> str:
    """Say what is wrong with a report that was read from JSON, and in which field, in one line.

    Nothing is said where nothing is wrong; else ``checks[3].status: 'fine' is not one of ...``.
    """
    from jsonschema.exceptions import best_match

    error = best_match(_validator().iter_errors(report))
    if error is None:
        return ""
    field = error.json_path.removeprefix("$").removeprefix(".") or "the report"
    words = error.message
    if error.validator == "const":  # whose message leaves out what is there
        words = f"{error.instance!r} is not {error.validator_value!r}"
    if len(words) > LONGEST:  # what is wrong is said at its end
        words = f"{words[: LONGEST // 2]} ... {words[-LONGEST // 2 :]}"
    return f"{field}: {words}"
