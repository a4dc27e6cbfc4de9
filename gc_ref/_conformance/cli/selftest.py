"""``gc-ref selftest``: judge every catalogued wrong port and print the kill matrix."""

from __future__ import annotations

import argparse

from gc_ref._conformance.catalogue.deviations import DEVIATIONS
from gc_ref._conformance.cli.output import write
from gc_ref._conformance.cli.usage import CONFORMS, DEVIATES, UsageError, whole_number
from gc_ref._conformance.running import selftest
from gc_ref._conformance.writing.words import did_you_mean
from gc_ref._conformance.wrong_ports.make import FRAMEWORKS

__all__ = ["add_options", "run"]

DESCRIPTION = """\
Judge every catalogued wrong port, in every framework that is installed, and print the kill
matrix. The exit status is 0 only if each is caught by two checks that are there for it (or by
one, where the catalogue says why only one can), a correct control port passes and an absurd one
fails.
"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the words of ``gc-ref selftest``."""
    parser.description = DESCRIPTION
    parser.add_argument(
        "--framework", action="append", choices=FRAMEWORKS, help="only this one (may be repeated)"
    )
    parser.add_argument(
        "--deviation", action="append", metavar="ID", help="only this one (may be repeated)"
    )
    parser.add_argument("--seed", type=whole_number, default=0, metavar="N")


def run(options: argparse.Namespace) -> int:
    """Print a line of the kill matrix for each wrong port, as soon as it is judged."""
    chosen = options.deviation or list(DEVIATIONS)
    if unknown := sorted(set(chosen) - set(DEVIATIONS)):
        near = did_you_mean(unknown[0], DEVIATIONS)
        raise UsageError(f"--deviation {unknown[0]}: unknown; known: {', '.join(DEVIATIONS)}{near}")
    installed = selftest.installed()
    frameworks = options.framework or installed
    if missing := sorted(set(frameworks) - set(installed)):
        raise UsageError(f"--framework {missing[0]}: not installed")
    write(f"{selftest.legend()}\n\n")
    missed = total = 0
    for row in selftest.rows(frameworks, seed=options.seed, only=chosen.__contains__):
        write(f"{selftest.line(row)}\n")
        total, missed = total + 1, missed + (not row.killed)
    absent = ", ".join(f for f in FRAMEWORKS if f not in frameworks)
    rest = f"not judged: {absent}" if absent else "in all frameworks"
    write(f"\n{total - missed} of {total} ports judged as they must be; {rest}\n")
    return DEVIATES if missed else CONFORMS
