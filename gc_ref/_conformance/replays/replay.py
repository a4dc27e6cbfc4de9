"""Replay a counterexample without gc-ref: a program of the user's framework and NumPy.

It trains the one parameter that shows the mistake, and asserts the expected number. Before it
is written, the port is run on that parameter alone and must give the number that the judge
saw: a port may go wrong only beside other parameters.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from gc_ref._conformance.findings.counterexample import Element, Replay
from gc_ref._conformance.judging.matching import Match
from gc_ref._conformance.judging.trial import Trial
from gc_ref._conformance.ports.case import Case
from gc_ref._conformance.ports.port import PortError, SkippedError
from gc_ref._conformance.replays.imports import imported
from gc_ref._conformance.replays.programs import PROGRAMS, Scene

#: Numbers that a program may hold: a longer one would not be read.
LARGEST = 400
TOO_LARGE = "# Too large to show ({} numbers): use the rerun command.\n"
WHOLE_MODEL = "# It does not show on this parameter alone: use the rerun command.\n"


def replay(trial: Trial, match: Match, shown: Element) -> Replay | None:
    """Return a program that shows the worst element of a mismatch, or why there is none.

    None where the adapter does not know how the user makes what it drives, or where no plain
    loop drives it.
    """
    port, p = trial.port, match.parameter
    if port.construction is None:
        return None
    count = p.value.size * (shown.step + (not trial.operator))
    if count > LARGEST:
        return Replay(TOO_LARGE.format(count), "reason")
    alone = _alone(match, shown.step)
    for driven in (port, port.off):
        if driven is None or driven.construction is None:
            continue
        try:
            found = trial.run(alone, port=driven)
        except (PortError, SkippedError):
            continue
        if not found.plain:
            return None
        value = found.steps[-1][p.name][shown.index]
        if np.array_equal(float(value), shown.got, equal_nan=True):
            made = driven.construction
            origin = imported(made.function, port.target)
            scene = Scene(made, origin, driven.layout, trial.handed(alone), p, shown)
            form = "with-gc-ref" if origin.needs_gc_ref else "standalone"
            return Replay(PROGRAMS[made.program](scene), form)
    return Replay(WHOLE_MODEL, "reason")


def _alone(match: Match, steps: int) -> Case:
    """Return the case with one parameter only, and its first steps."""
    case, p = match.case, match.parameter
    gradients = tuple({p.name: g[p.name]} for g in case.gradients[:steps])
    return replace(case, id=f"{case.id}-alone", parameters=(p,), gradients=gradients)
