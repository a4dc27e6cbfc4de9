"""One explanation of a port's behavior: a point of the space, its deviations, its words."""

from __future__ import annotations

from dataclasses import dataclass

from gc_ref._conformance.catalogue.centers import CENTERS
from gc_ref._conformance.catalogue.semantics import GATES, MISTAKES, SCHEDULES, Semantics
from gc_ref._conformance.diagnosis.decode import Reading

__all__ = ["Explanation", "distinct", "simplest"]


@dataclass(frozen=True)
class Explanation:
    """A point of the space that reproduces all that was observed."""

    what: Semantics
    reading: Reading

    @property
    def deviations(self) -> tuple[str, ...]:
        """Ids of the deviations it is made of, in the order of how much they explain."""
        what = self.what
        found = [CENTERS[what.center].deviation]
        if what.center != "model":
            found.append({"mean": "vectors-too", "erase": "vectors-erased"}.get(what.vectors, ""))
        found.append(GATES[what.gate].deviation if what.gate else "")
        found.append("intermittent" if what.schedule else "")
        found.append(what.mistake)
        return tuple(dict.fromkeys(d for d in found if d))

    @property
    def words(self) -> tuple[str, ...]:
        """What such a port does, one sentence for each part that is not as it should be."""
        what = self.what
        first = self.reading.conventions.get("layout") == "output-first"
        ends = {"out": "first", "far": "last"} if first else {"out": "last", "far": "first"}
        said = [CENTERS[what.center].words.format(amount=what.amount, **ends)]
        if what.vectors == "mean" and what.center != "model":
            said.append("vectors lose their own mean")
        elif what.vectors == "erase":
            said.append("the gradients of vectors and scalars become 0")
        if what.gate:
            said.append(GATES[what.gate].words.format(k=what.gate_number))
        if what.schedule:
            said.append(SCHEDULES[what.schedule].words.format(k=what.schedule_number))
        if what.mistake:
            said.append(MISTAKES[what.mistake])
        return tuple(said)


def distinct(found: list[Explanation]) -> list[Explanation]:
    """Drop explanations that say the same as an earlier one."""
    seen: dict[tuple[object, ...], Explanation] = {}
    for e in found:
        w = e.what
        key = (w.center, w.amount, w.vectors, w.gate, w.gate_number, w.schedule,
               w.schedule_number, w.mistake)  # fmt: skip
        seen.setdefault(key, e)
    return list(seen.values())


def simplest(found: list[Explanation]) -> list[Explanation]:
    """Keep the explanations with the fewest deviations; named ones before fitted ones."""
    if not found:
        return []

    def cost(e: Explanation) -> tuple[int, bool]:
        return len(e.deviations), bool(CENTERS[e.what.center].fitted)

    least = min(cost(e) for e in found)
    return [e for e in found if cost(e) == least]
