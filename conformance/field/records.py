"""The records: what each port said when it was judged last, read from TOML."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from itertools import takewhile
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parents[1]
#: Published ports, and examples; every optimizer of pytorch_optimizer; ports re-created by us.
VERDICTS, REGISTRY, RECREATED = FILES = (
    "verdicts.toml",
    "pytorch_optimizer_registry.toml",
    "recreated.toml",
)
ORDINARY = "ordinary"
IN_REGISTRY = "registry-"
REGISTRY_PORT = "ports/pytorch_optimizer_registry.py"


@dataclass(frozen=True)
class Row:
    """One port with its options, as the records have it."""

    name: str
    target: str
    options: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    keras_backends: tuple[str, ...] = ()
    environment: str = ORDINARY
    ci: bool = False
    package: str = ""
    version: str = ""
    framework: str = ""
    layout: str = ""
    scope: str = ""
    verdict: str = ""
    failed: tuple[str, ...] = ()
    identified: tuple[str, ...] = ()
    because: str = ""
    todo: str = ""
    origin: str = ""

    @property
    def command(self) -> list[str]:
        """The words after ``gc-ref``, typed in ``conformance/``."""
        return ["check", self.target, *self.options, "--suite", "quick", "--seed", "0"]

    @property
    def is_registry(self) -> bool:
        """Whether it is one of pytorch_optimizer's whole list."""
        return self.name.startswith(IN_REGISTRY)


@dataclass(frozen=True)
class Records:
    """One file of records."""

    path: Path
    rows: tuple[Row, ...]
    run: Mapping[str, Any] = field(default_factory=dict)
    undriven: tuple[Mapping[str, str], ...] = ()


def read(path: Path) -> Records:
    """Read one file; a missing one has no rows."""
    if not path.is_file():
        return Records(path, ())
    data = tomllib.loads(path.read_text(encoding="utf-8"))
    make = _of_registry if path.name == REGISTRY else _of_port
    rows = tuple(make(entry) for entry in data.get("port", data.get("optimizer", [])))
    return Records(path, rows, data.get("run", {}), tuple(data.get("undriven", ())))


def read_all(folder: Path = HERE) -> dict[str, Records]:
    """Read all files of records, by their names."""
    return {name: read(folder / name) for name in FILES}


def _of_port(entry: Mapping[str, Any]) -> Row:
    return Row(**{k: tuple(v) if isinstance(v, list) else v for k, v in entry.items()})


def _of_registry(entry: Mapping[str, Any]) -> Row:
    """An entry names one optimizer of the registry; all else is the same for all."""
    name = entry["name"]
    return registry_row(name, **{k: v for k, v in entry.items() if k not in ("name", "class")})


def registry_row(name: str, **more: Any) -> Row:
    """Optimizer ``name`` with ``use_gc=True``, held to itself with ``use_gc=False``."""
    target = f"torch:{REGISTRY_PORT}:{name}"
    needed = [w for setting in more.pop("settings", ()) for w in ("--set", setting)]
    needed_by_base = [w.replace("--set", "--base-set") for w in needed]
    return _of_port(
        {
            "name": IN_REGISTRY + name,
            "target": target,
            "options": [
                *("--set", "use_gc=True", "--base", target, "--base-set", "use_gc=False"),
                *(needed + needed_by_base),
            ],
            "needs": ["torch", "pytorch_optimizer"],
            "package": "pytorch_optimizer",
            "version": "4.1.0",
            "framework": "PyTorch",
            "layout": "output-first",
            **more,
        }
    )


def write(records: Records) -> None:
    """Write a file of records; the comment at its head stays."""
    old = records.path.read_text(encoding="utf-8").splitlines(keepends=True)
    header = "".join(takewhile(lambda line: line.startswith("#"), old))
    records.path.write_text(text_of(records, header), encoding="utf-8")


def text_of(records: Records, header: str) -> str:
    """Return the text of a file of records."""
    registry = records.path.name == REGISTRY
    parts = [header] + [_table("[run]", records.run)] * bool(records.run)
    for row in records.rows:
        members = _registry_members(row) if registry else _members(row)
        parts.append(_table("[[optimizer]]" if registry else "[[port]]", members))
    parts += [_table("[[undriven]]", entry) for entry in records.undriven]
    return "\n".join(parts)


def _members(row: Row) -> dict[str, Any]:
    """All that is not as by default, verdict last."""
    return {f.name: getattr(row, f.name) for f in fields(row) if getattr(row, f.name) != f.default}


def _registry_members(row: Row) -> dict[str, Any]:
    """What an optimizer of the registry has for itself."""
    plain = registry_row(row.name.removeprefix(IN_REGISTRY))
    settings = row.options[len(plain.options) :]
    own = {"name": row.name.removeprefix(IN_REGISTRY)}
    if settings:
        own["settings"] = tuple(w for w in settings[: len(settings) // 2] if w != "--set")
    kept = ("verdict", "failed", "identified", "because", "todo")
    return own | {name: getattr(row, name) for name in kept if getattr(row, name)}


def _table(head: str, members: Mapping[str, Any]) -> str:
    lines = [head, *(f"{name} = {_value(value)}" for name, value in members.items())]
    return "\n".join(lines) + "\n"


def _value(value: Any) -> str:
    """A value as TOML; strings of JSON are strings of TOML."""
    if isinstance(value, int):  # true and false too
        return str(value).lower()
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    line = f"[{', '.join(map(_value, value))}]"
    if len(line) < 90:
        return line
    return "[\n" + "".join(f"  {_value(one)},\n" for one in value) + "]"
