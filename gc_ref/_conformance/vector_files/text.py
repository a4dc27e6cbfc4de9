"""The verdict on a file of results, as text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import gc_ref
from gc_ref._conformance.catalogue.deviations import DEVIATIONS
from gc_ref._conformance.findings.counterexample import numeric
from gc_ref._conformance.vector_files.verify import Miss, Verified
from gc_ref._conformance.writing.words import short, wrapped

#: Number of failures that are shown in full; of the others only the ids are.
IN_FULL = 5


def render(found: Verified) -> str:
    """Return the text: verdict, failures, what was skipped and what is missing."""
    return "\n".join(line.rstrip() for line in _lines(found)).rstrip() + "\n"


def _lines(found: Verified) -> Iterator[str]:
    yield _verdict(found)
    yield (
        f"gc-ref {gc_ref.__version__}, vectors of suite {found.version}: {found.count} verified, "
        f"{len(found.skipped)} skipped, {len(found.missing)} missing"
    )
    if found.missed:
        yield from _diagnosis(found)
    yield ""
    smallest = sorted(found.missed, key=lambda m: (len(m.vector.expected[0]), m.vector.id))
    for miss in smallest[:IN_FULL]:
        yield from _miss(miss)
        yield ""
    if rest := [m.vector.id for m in smallest[IN_FULL:]]:
        yield from wrapped(f"Failed too ({len(rest)}): ", ", ".join(rest))
        yield ""
    if found.missing:
        advice = 'a vector that the port cannot do says {"skipped": "the reason"}'
        yield from wrapped(f"Missing ({len(found.missing)}), {advice}: ", _ids(found))
        yield ""
    for reason, count in Counter(found.skipped.values()).items():
        yield from wrapped(f"Skipped ({count}): ", reason)
    if found.inexact:
        words = (
            f"{len(found.inexact)} vectors with exact sums are within their bounds, but "
            f"not bit for bit: {', '.join(found.inexact[:3])}"
        )
        yield from wrapped("Noted: ", words)


def _verdict(found: Verified) -> str:
    if not found.count:
        return f"NOTHING VERIFIED: {found.port} has answered none of the vectors"
    if found.missed:
        ids = [m.vector.id for m in found.missed]
        shown = ", ".join(ids[:3]) + (", ..." if len(ids) > 3 else "")
        return f"DEVIATES: {found.port} fails {len(ids)} of {found.count} vectors ({shown})"
    if found.missing:
        return f"DEVIATES: {found.port} has not answered {len(found.missing)} vectors"
    return f"CONFORMS: {found.port} passes {found.count} of {found.count} vectors"


def _diagnosis(found: Verified) -> Iterator[str]:
    share, names = found.explained
    if not names:
        yield "Not identified: no known deviation fails these vectors and no others"
        return
    head = "Identified: " if found.identified else "Not identified, the nearest: "
    words = "; or: ".join(f"{DEVIATIONS[d].sentence} (`{d}`)" for d in names)
    yield from wrapped(head, words)
    if share < 1:
        yield f"  it agrees with {share:.0%} of what fails here or there"


def _miss(miss: Miss) -> Iterator[str]:
    vector = miss.vector
    yield f"FAILED  {vector.id}  [{vector.clause}] {vector.raw['says']}"
    yield f"  {miss.words}"
    if shown := miss.shown():
        expected, got, bound = (numeric(shown[key]) for key in ("expected", "got", "bound"))
        yield (
            f"  at index {tuple(shown['index'])} after step {shown['step']}: expected "
            f"{short(expected, 9)}, got {short(got, 9)}, bound {short(bound)}"
        )


def _ids(found: Verified) -> str:
    ids = [v.id for v in found.missing]
    return ", ".join(ids[:10]) + (", ..." if len(ids) > 10 else "")
