"""The files that a command writes: refused before the run, written whole or not at all."""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from gc_ref._conformance.cli.port_options import working_directory
from gc_ref._conformance.cli.targets import UsageError
from gc_ref._conformance.reports.words import clean

__all__ = ["OUTPUTS", "Outputs", "add_outputs", "problem_of", "write_whole"]

#: Option to what it writes.
OUTPUTS = {
    "json": "the JSON report",
    "markdown": "the report in Markdown, for the summary of a CI job",
    "html": "the report as a page, with pictures where gc-ref[report] is installed",
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
            if path in seen and not _special(path):
                raise UsageError(
                    f"--{seen[path]} and --{name} name the same file, {self.shown[name]}"
                )
            seen[path] = name
        for name, words in READ.items():
            for path in _listed(getattr(options, name, None)):
                if (other := seen.get(_real(here, path))) and not _special(path):
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


def _special(path: str) -> bool:
    """Whether a path is there and is no file: /dev/null, a pipe."""
    return os.path.exists(path) and not os.path.isfile(path)


def problem_of(path: str) -> str:
    """Say why a file cannot be written; nothing where it looks as if it can."""
    folder = os.path.dirname(path)
    if os.path.isdir(path):
        return "is a directory"
    if _special(path):
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
    if _special(path):
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
