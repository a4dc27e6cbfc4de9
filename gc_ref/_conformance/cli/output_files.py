"""The formats of a report, and the files that a command line names for them.

Files are refused before the run where they cannot be written, and written whole or not at all.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from gc_ref._conformance.cli.output import write
from gc_ref._conformance.cli.usage import UsageError, not_empty
from gc_ref._conformance.reports.html.page import render_html, render_html_matrix
from gc_ref._conformance.reports.markdown import render_markdown, render_markdown_matrix
from gc_ref._conformance.reports.report import Report
from gc_ref._conformance.reports.summary import render_badge
from gc_ref._conformance.writing.extras import require
from gc_ref._conformance.writing.files import is_special, problem_of, write_whole
from gc_ref._conformance.writing.words import clean

__all__ = ["FORMATS", "Format", "OutputFiles", "add_output_options"]


class Format(NamedTuple):
    """A format that reports are written in."""

    #: What the file is, for the help.
    purpose: str
    #: Renders a report, given the least number of checks besides (``--min-checks``).
    one: Callable[[Report, int], str]
    #: Renders a table of several reports, where ``gc-ref report`` offers the format.
    many: Callable[[Sequence[Report]], str] | None = None
    #: Module of the optional library that it needs, if any.
    library: str = ""


#: Option to format.
FORMATS: Mapping[str, Format] = {
    "json": Format("the JSON report", lambda report, _: report.to_json()),
    "markdown": Format(
        "the report in Markdown, for the summary of a CI job",
        lambda report, _: render_markdown(report),
        render_markdown_matrix,
    ),
    "html": Format(
        "the report as a page",
        lambda report, _: render_html(report),
        render_html_matrix,
        library="jinja2",
    ),
    "badge": Format(
        "JSON for a badge of shields.io", lambda report, least: render_badge(report, least=least)
    ),
}
#: Options and arguments that name files to be read: they must not be written over.
READ = {"expected": "--expected", "accept": "--accept", "vectors": "--vectors", "files": "FILE"}


def add_output_options(parser: argparse._ActionsContainer, *, many: bool = False) -> None:
    """Add the options that name files to write, of all formats or of those that join many."""
    for name, format in FORMATS.items():
        if format.many or not many:
            parser.add_argument(
                f"--{name}",
                type=not_empty,
                metavar="FILE|-",
                help=f"write {format.purpose} (- for stdout)",
            )


class OutputFiles:
    """The files that a command line names, each by its option.

    They are refused (`UsageError`) if one could not be written, two are the same, one is read
    too, or two go to the standard output. ``read`` are the names of further files that are read,
    by the option or argument that names them.
    """

    def __init__(
        self, options: argparse.Namespace, read: Mapping[str, Sequence[str]] | None = None
    ) -> None:
        named = {name: getattr(options, name, None) for name in FORMATS}
        self.named = {name: path for name, path in named.items() if path is not None}
        for name, path in self.named.items():
            if "\0" in path:
                raise UsageError(f"--{name} {clean(path)}: no file can have this name")
        # Links are followed, and the names made absolute: a port may change the directory.
        self.paths = {
            name: _absolute(f"--{name}", path) for name, path in self.named.items() if path != "-"
        }
        direct = [name for name in self.named if name not in self.paths]
        if len(direct) > 1:
            raise UsageError(f"--{direct[0]} - and --{direct[1]} -: only one goes to stdout")
        self.stdout = direct[0] if direct else None
        seen: dict[str, str] = {}
        for name, path in self.paths.items():
            if problem := problem_of(path):
                raise UsageError(f"--{name} {self.named[name]}: {problem}")
            if path in seen and not is_special(path):
                raise UsageError(
                    f"--{seen[path]} and --{name} name the same file, {self.named[name]}"
                )
            seen[path] = name
        for name in self.named:
            if library := FORMATS[name].library:
                require(library, f"--{name}")
        for name, option in READ.items():
            value = getattr(options, name, None) or []
            self._refuse_read(option, [value] if isinstance(value, str) else value, seen)
        for option, paths in (read or {}).items():
            self._refuse_read(option, paths, seen)

    @staticmethod
    def _refuse_read(option: str, paths: Sequence[str], written: Mapping[str, str]) -> None:
        for path in paths if written else ():
            other = None if "\0" in path else written.get(os.path.realpath(path))
            if other and not is_special(path):
                raise UsageError(
                    f"{option} and --{other} name the same file, {path}: it would be lost"
                )

    def write(self, render: Callable[[str], str]) -> None:
        """Write what ``render`` makes for each format: files first, as a reader may have gone."""
        for name, shown in sorted(self.named.items(), key=lambda item: item[0] == self.stdout):
            text = render(name)
            try:
                if name == self.stdout:
                    write(text, utf8=True)
                else:
                    write_whole(self.paths[name], text.encode("utf-8", "backslashreplace"))
            except OSError as error:
                raise UsageError(f"--{name} {shown}: {error.strerror}") from error


def _absolute(option: str, path: str) -> str:
    try:
        return os.path.realpath(path)
    except OSError as error:  # the working directory was deleted
        raise UsageError(f"{option} {path}: the working directory: {error.strerror}") from error
