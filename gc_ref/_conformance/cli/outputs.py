"""The files that a command writes: refused before the run, written whole or not at all."""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Callable, Mapping, Sequence

from gc_ref._conformance.cli.port_options import working_directory
from gc_ref._conformance.cli.targets import UsageError
from gc_ref._conformance.writing.extras import require
from gc_ref._conformance.writing.files import is_special, problem_of, write_whole
from gc_ref._conformance.writing.words import clean

__all__ = ["OUTPUTS", "Outputs", "add_outputs"]

#: Option to what it writes.
OUTPUTS = {
    "json": "the JSON report",
    "markdown": "the report in Markdown, for the summary of a CI job",
    "html": "the report as a page (needs gc-ref[report])",
    "badge": "JSON for a badge of shields.io",
}
#: What names files that are read, and must not be written over.
READ = {"expected": "--expected", "accept": "--accept", "vectors": "--vectors", "files": "FILE"}


def add_outputs(parser: argparse.ArgumentParser, *names: str) -> None:
    """Add the options that name files to write."""
    for name in names:
        parser.add_argument(
            f"--{name}", metavar="FILE|-", help=f"write {OUTPUTS[name]} (- for stdout)"
        )


class Outputs:
    """The files that a command line names, each by its option.

    Parameters
    ----------
    options : argparse.Namespace
        Of a command that takes some of `OUTPUTS`.

    Raises
    ------
    UsageError
        If a file could not be written, two are the same, one is read too, or two go to the
        standard output.
    MissingExtraError
        If a library is missing that writes one of them.
    """

    def __init__(self, options: argparse.Namespace) -> None:
        here = working_directory()  # a port may change the directory
        named = {n: getattr(options, n, None) for n in OUTPUTS}
        self.shown = {n: path for n, path in named.items() if path is not None}
        for name, path in self.shown.items():
            if "\0" in path:
                raise UsageError(f"--{name} {clean(path)}: no file can have this name")
        self.paths = {n: _real(here, path) for n, path in self.shown.items() if path != "-"}
        direct = [n for n, path in self.shown.items() if path == "-"]
        if len(direct) > 1:
            raise UsageError(f"--{direct[0]} - and --{direct[1]} -: only one goes to stdout")
        self.direct = direct[0] if direct else None
        seen: dict[str, str] = {}
        for name, path in self.paths.items():
            if problem := problem_of(path):
                raise UsageError(f"--{name} {self.shown[name]}: {problem}")
            if path in seen and not is_special(path):
                raise UsageError(
                    f"--{seen[path]} and --{name} name the same file, {self.shown[name]}"
                )
            seen[path] = name
        if "html" in self.shown:
            require("jinja2", "--html")
        for name, words in READ.items():
            for path in _listed(getattr(options, name, None)):
                if (other := seen.get(_real(here, path))) and not is_special(path):
                    raise UsageError(
                        f"{words} and --{other} name the same file, {path}: it would be lost"
                    )

    def write(self, make: Mapping[str, Callable[[], str]]) -> None:
        """Write what was asked for, each made only then.

        Raises
        ------
        UsageError
            If a file cannot be written after all.
        """
        for name in self.shown:
            text = make[name]()
            try:
                if name == self.direct:
                    _print(text)
                    continue
                write_whole(self.paths[name], text.encode("utf-8", "backslashreplace"))
            except OSError as error:
                raise UsageError(f"--{name} {self.shown[name]}: {error.strerror}") from error


def _print(text: str) -> None:
    """Print a document: in UTF-8, as it says of itself, whatever the terminal has."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.flush()
        sys.stdout.buffer.write(text.encode("utf-8", "backslashreplace"))
        sys.stdout.buffer.flush()
    else:
        print(text, end="", flush=True)


def _real(here: str, path: str) -> str:
    return os.path.realpath(os.path.join(here, path))  # what a link points to is replaced


def _listed(value: str | Sequence[str] | None) -> Sequence[str]:
    return [value] if isinstance(value, str) else value or ()
