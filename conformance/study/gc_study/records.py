"""The record of a study: a file of JSON lines, the first says what was run, then one a fit."""

import json
from dataclasses import asdict

from gc_study.settings import Fit


class RecordError(Exception):
    """The record cannot be used for this study."""


def heading(settings, environment):
    """Say what is run, and with what: both decide the figures."""
    return {"settings": json.loads(json.dumps(asdict(settings))), "environment": environment}


def start(path, first_line):
    """Begin a new record."""
    path.parent.mkdir(parents=True, exist_ok=True)
    _write(path, [first_line])


def resume(path, first_line, groups):
    """Return the fits on record, by fit, and drop those of groups that are not complete.

    The fits of a group need each other's weights, and their seconds are compared: a group that
    was cut off is run again, and gives the same figures.
    """
    found_first, fits = read(path)
    for key, wanted in first_line.items():
        differing = {
            name: (found_first[key].get(name), value)
            for name, value in wanted.items()
            if found_first[key].get(name) != value
        }
        if differing:
            words = "; ".join(f"{n}: {a} there, {b} now" for n, (a, b) in differing.items())
            raise RecordError(f"{path} is of another study ({words}): choose another --output")
    kept = {
        fit: fits[fit] for group in groups if all(fit in fits for fit in group) for fit in group
    }
    _write(path, [first_line, *kept.values()])
    return kept


def append(path, fit, figures):
    """Write down one finished fit."""
    record = {**fit._asdict(), **figures}
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(record) + "\n")
    return record


def read(path):
    """Return the first line and the fits; a last line that was cut off is left out."""
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    try:
        first, *records = [json.loads(line) for line in lines if line.endswith("\n")]
    except ValueError as error:
        raise RecordError(f"{path} is no record of a study: {error}") from None
    return first, {Fit(*(record[name] for name in Fit._fields)): record for record in records}


def _write(path, lines):
    whole = path.with_suffix(".part")
    whole.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    whole.replace(path)
