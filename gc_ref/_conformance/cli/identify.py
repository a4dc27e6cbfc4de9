"""``gc-ref identify``: judge a port and print the diagnosis alone."""

from __future__ import annotations

import argparse

from gc_ref._conformance.cli.check import add_judging_options, judge

__all__ = ["add_options", "run"]

DESCRIPTION = """\
Say in words which semantics a port has: the mean over which axes, of which weights, at which
steps, and what its optimizer makes of it. TARGET and options are as for gc-ref check.
"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the words of ``gc-ref identify``."""
    parser.description = DESCRIPTION
    add_judging_options(parser)


def run(options: argparse.Namespace) -> int:
    """Judge the port and print the diagnosis."""
    return judge(options, identify=True)
