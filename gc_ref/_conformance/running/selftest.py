"""Judge every catalogued deviation: what the kit cannot catch, it must not claim to."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from gc_ref._conformance.catalogue.checks import CHECKS
from gc_ref._conformance.catalogue.deviations import ABSURD, CONTROL, DEVIATIONS, Deviation, Plant
from gc_ref._conformance.judging.known import Known
from gc_ref._conformance.reports.report import Report
from gc_ref._conformance.running.judgment import RunOptions, judge_port
from gc_ref._conformance.wrong_ports.numpy import FRAMEWORKS, make_plant

__all__ = ["Row", "caught", "forms", "installed", "legend", "line", "rows"]

MODULES = {"numpy": ("numpy",), "torch": ("torch",), "jax": ("jax", "optax"), "keras": ("keras",)}
#: Frameworks whose every run compiles a model judge the main form of each deviation only.
COMPILED = ("jax", "keras")


@dataclass(frozen=True)
class Row:
    """One line of the kill matrix.

    Attributes
    ----------
    deviation : Deviation or None
        None for the control and the absurd port.
    name, framework : str
        The port, and where it ran.
    report : Report
        What the kit found.
    killed : bool
        Whether it was caught as it must be (for the control: not accused).
    """

    deviation: Deviation | None
    name: str
    framework: str
    report: Report
    killed: bool

    @property
    def named(self) -> tuple[str, ...]:
        """Failed checks that are there for this deviation."""
        checks = self.deviation.checks if self.deviation else ()
        return tuple(c.id for c in self.report.with_status("failed") if c.id in checks)

    @property
    def identified(self) -> bool:
        """Whether the report names this deviation, and no other."""
        return self.deviation is not None and self.report.identified == (self.deviation.id,)


def installed() -> tuple[str, ...]:
    """Return the frameworks that can be imported here."""
    return tuple(
        f for f in FRAMEWORKS if all(importlib.util.find_spec(m) is not None for m in MODULES[f])
    )


def rows(
    frameworks: Iterable[str],
    *,
    seed: int = 0,
    only: Callable[[str], bool] = lambda id: True,
    controls: bool = True,
    known: Known | None = None,
) -> Iterator[Row]:
    """Judge the control, the absurd port and every deviation, framework by framework.

    Parameters
    ----------
    frameworks : iterable of str
        Some of `FRAMEWORKS`.
    seed : int
        Seed of all random cases.
    only : callable
        Which deviations, by id.
    controls : bool
        Whether to judge the control and the absurd port too.
    known : Known, optional
        What is right, shared with the judges of other ports; by default with these alone.

    Yields
    ------
    Row
    """
    for framework in frameworks:
        if framework == "keras":  # it reads its backend when it is imported
            from gc_ref._conformance.adapters.keras.port import select_backend

            select_backend()
        shared = known or Known()
        for name, plant in (("control", CONTROL), ("absurd", ABSURD)) if controls else ():
            report = _judge(plant, framework, False, name, seed, shared)
            right = report.verdict == ("conforms" if plant is CONTROL else "deviates")
            yield Row(None, name, framework, report, right)
        for deviation in DEVIATIONS.values():
            if not only(deviation.id):
                continue
            for plant, operator in forms(deviation, framework):
                name = "/".join(w for w in (deviation.id, plant.label) if w)
                name += " (operator)" if operator else ""
                report = _judge(plant, framework, operator, name, seed, shared)
                yield Row(deviation, name, framework, report, caught(deviation, report))


def forms(deviation: Deviation, framework: str) -> Iterator[tuple[Plant, bool]]:
    """Yield the plants of a deviation in a framework, and whether as a bare operator."""
    plants = [p for p in deviation.plants if framework in p.frameworks]
    for plant in plants[:1] if framework in COMPILED else plants:
        if plant.operator and framework != "keras":
            yield plant, True
        yield plant, False


def _judge(
    plant: Plant, framework: str, operator: bool, name: str, seed: int, known: Known
) -> Report:
    port = make_plant(plant, framework, operator=operator, name=name)
    return judge_port(port, RunOptions(seed=seed, max_examples=0), known=known)


def caught(deviation: Deviation, report: Report) -> bool:
    """Whether a report catches a deviation: by two checks that name it, or one and a reason.

    A port that could not be driven is not caught.
    """
    if report.verdict != "deviates":
        return False
    named = sum(c.id in deviation.checks for c in report.with_status("failed"))
    return named >= 2 or (named == 1 and bool(deviation.only))


def legend() -> str:
    """Return the numbers of the matrix's columns."""
    words = [f"{i:2} {id}" for i, id in enumerate(CHECKS, 1)]
    half = -(-len(words) // 3)
    table = (words[i::half] for i in range(half))
    return "\n".join("  ".join(f"{w:32}" for w in row).rstrip() for row in table)


def line(row: Row) -> str:
    """Return one line of the matrix.

    ``X``: a check that is there for the deviation fails; ``+``: another fails; ``.``: none.
    """
    failed = {c.id for c in row.report.with_status("failed")}
    marks = "".join("X" if c in row.named else "+" if c in failed else "." for c in CHECKS)
    verdict = "ok" if row.killed else "NOT CAUGHT" if row.name != "control" else "ACCUSED"
    known = "identified" if row.identified else "" if row.deviation is None else "not identified"
    return f"{row.framework:6} {row.name:36} {marks}  {verdict:10} {known}".rstrip()
