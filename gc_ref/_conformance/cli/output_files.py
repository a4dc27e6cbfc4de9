"""The formats of a report, and the files that a command line names for them.

Files are refused before the run where they cannot be written, and written whole or not at all.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from gc_ref._conformance.cli.usage import UsageError
from gc_ref._conformance.reports.badge import render_badge
from gc_ref._conformance.reports.html import render_html
from gc_ref._conformance.reports.markdown import render_markdown
from gc_ref._conformance.reports.matrix import matrix_markdown
from gc_ref._conformance.reports.matrix_html import matrix_html
from gc_ref._conformance.reports.words import clean

__all__ = ["FORMATS", "Format", "OutputFiles", "add_output_options", "problem_of", "write_whole"]

JsonReport: TypeAlias = Mapping[str, Any]


class Format(NamedTuple):
    """A format that reports are written in."""

    #: What the file is, for the help.
    purpose: str
    #: Renders a report, given the least number of checks besides (``--min-checks``).
    one: Callable[[JsonReport, int], str]
    #: Renders a table of several reports, where ``gc-ref report`` offers the format.
    many: Callable[[Sequence[JsonReport]], str] | None = None


#: Option to format.
FORMATS: Mapping[str, Format] = {
    "json": Format(
        "the JSON report",
        lambda report, _: json.dumps(report, indent=2, ensure_ascii=False, allow_nan=False) + "\n",
    ),
    "markdown": Format(
        "the report in Markdown, for the summary of a CI job",
        lambda report, _: render_markdown(report),
        matrix_markdown,
    ),
    "html": Format(
        "the report as a page, with pictures where gc-ref[report] is installed",
        lambda report, _: render_html(report),
        matrix_html,
    ),
    "badge": Format(
        "JSON for a badge of shields.io", lambda report, least: render_badge(report, least=least)
    ),
}
#: Options and arguments that name files to be read: they must not be written over.
READ = {"expected": "--expected", "accept": "--accept", "vectors": "--vectors", "files": "FILE"}


def add_output_options(parser: argparse.ArgumentParser, *, many: bool = False) -> None:
    """Add the options that name files to write, of all formats or of those that join many."""
    for name, format in FORMATS.items():
        if format.many or not many:
            parser.add_argument(
                f"--{name}", metavar="FILE|-", help=f"write {format.purpose} (- for stdout)"
            )


class OutputFiles:
    """The files that a command line names, each by its option.

    They are refused (`UsageError`) if one could not be written, two are the same, one is read
    too, or two go to the standard output.
    """

    def __init__(self, options: argparse.Namespace) -> None:
        named = {name: getattr(options, name, None) for name in FORMATS}
        self.named = {name: path for name, path in named.items() if path is not None}
        for name, path in self.named.items():
            if "\0" in path:
                raise UsageError(f"--{name} {clean(path)}: no file can have this name")
        # Links are followed, and the names made absolute: a port may change the directory.
        self.paths = {n: os.path.realpath(path) for n, path in self.named.items() if path != "-"}
        direct = [name for name in self.named if name not in self.paths]
        if len(direct) > 1:
            raise UsageError(f"--{direct[0]} - and --{direct[1]} -: only one goes to stdout")
        self.stdout = direct[0] if direct else None
        seen: dict[str, str] = {}
        for name, path in self.paths.items():
            if problem := problem_of(path):
                raise UsageError(f"--{name} {self.named[name]}: {problem}")
            if path in seen and not _is_special(path):
                raise UsageError(
                    f"--{seen[path]} and --{name} name the same file, {self.named[name]}"
                )
            seen[path] = name
        for name, option in READ.items():
            value = getattr(options, name, None) or []
            for path in [value] if isinstance(value, str) else value:
                other = None if "\0" in path else seen.get(os.path.realpath(path))
                if other and not _is_special(path):
                    raise UsageError(
                        f"{option} and --{other} name the same file, {path}: it would be lost"
                    )

    def write(self, render: Callable[[str], str]) -> None:
        """Write what ``render`` makes for each format that was asked for."""
        for name, shown in self.named.items():
            text = render(name)
            try:
                if name == self.stdout:
                    _print(text)
                else:
                    write_whole(self.paths[name], text.encode("utf-8", "backslashreplace"))
            except OSError as error:
                raise UsageError(f"--{name} {shown}: {error.strerror}") from error


def _print(text: str) -> None:
    """Print in UTF-8, as Markdown, HTML and JSON declare it, whatever the terminal has."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.flush()
        sys.stdout.buffer.write(text.encode("utf-8", "backslashreplace"))
        sys.stdout.buffer.flush()
    else:
        print(text, end="", flush=True)


def _is_special(path: str) -> bool:
    """Whether a path is there and is no file: /dev/null, a pipe."""
    return os.path.exists(path) and not os.path.isfile(path)


def problem_of(path: str) -> str:
    """Say why a file cannot be written; nothing where it looks as if it can."""
    folder = os.path.dirname(path)
    if os.path.isdir(path):
        return "is a directory"
    if _is_special(path):
        return "" if os.access(path, os.W_OK) else "may not be written to"
    if not os.path.isdir(folder):
        return f"there is no directory {folder}"
    if not os.access(folder, os.W_OK | os.X_OK):
        return f"directory {folder} may not be written to"
    if os.path.exists(path) and not os.access(path, os.W_OK):
        return "may not be written to"
    return ""


def write_whole(path: str, data: bytes) -> None:
    """Write a file whole or not at all, with the permissions that it has or would get.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    if _is_special(path):
        Path(path).write_bytes(data)
        return
    mode = os.stat(path).st_mode & 0o777 if os.path.exists(path) else 0o666 & ~_umask()
    number, name = tempfile.mkstemp(dir=os.path.dirname(path), prefix=".gc-ref-")
    try:
        with open(number, "wb") as file:
            file.write(data)
        os.chmod(name, mode)
        os.replace(name, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask
