"""Judge every catalogued deviation: what the kit cannot catch, it must not claim to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from gc_ref._conformance.catalogue.checks import CHECKS
from gc_ref._conformance.catalogue.deviations import ABSURD, CONTROL, DEVIATIONS, Deviation, Form
from gc_ref._conformance.judging.shared_results import Known
from gc_ref._conformance.reports.report import Report
from gc_ref._conformance.running.judge_port import RunOptions, judge_port
from gc_ref._conformance.wrong_ports.make import FRAMEWORKS, make_port

__all__ = ["Row", "caught", "installed", "judged_forms", "legend", "line", "rows"]

#: What the matrix shows, before the numbers of its columns.
LEGEND = """\
Each row is a port, wrong in the way that it is called after; control is a right one, absurd
answers 0 everywhere. Each mark is a check, in the order of the numbers below:
  X fails, and is there for this deviation   + fails besides   . does not fail
ok: judged as it must be. identified: the report names this deviation, and no other.

"""


@dataclass(frozen=True)
class Row:
    """One line of the kill matrix."""

    deviation: Deviation | None  # None for the control and the absurd port
    name: str
    framework: str
    report: Report
    killed: bool  # caught as it must be; the control: not accused

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
    return tuple(name for name, framework in FRAMEWORKS.items() if framework.installed)


def rows(
    frameworks: Iterable[str],
    *,
    seed: int = 0,
    only: Callable[[str], bool] = lambda id: True,
    controls: bool = True,
    known: Known | None = None,
) -> Iterator[Row]:
    """Judge the control, the absurd port and every deviation, framework by framework.

    ``only`` chooses deviations by id; ``controls`` says whether the two other ports are judged;
    ``known`` is what is right, shared with the judges of other ports.
    """
    for framework in frameworks:
        shared = known or Known()
        for name, form in (("control", CONTROL), ("absurd", ABSURD)) if controls else ():
            report = _judge(form, framework, False, name, seed, shared)
            right = report.verdict == ("conforms" if form is CONTROL else "deviates")
            yield Row(None, name, framework, report, right)
        for deviation in DEVIATIONS.values():
            if not only(deviation.id):
                continue
            for form, operator in judged_forms(deviation, framework):
                name = f"{form.id} (operator)" if operator else form.id
                report = _judge(form, framework, operator, name, seed, shared)
                yield Row(deviation, name, framework, report, caught(deviation, report))


def judged_forms(deviation: Deviation, framework: str) -> Iterator[tuple[Form, bool]]:
    """Yield the forms of a deviation that are judged, and whether as a bare operator.

    Where every run compiles a model, that is the main form alone.
    """
    made_in = FRAMEWORKS[framework]
    forms = [p for p in deviation.forms if framework in p.frameworks]
    for form in forms[:1] if made_in.compiles else forms:
        if form.operator and made_in.operator_layout:
            yield form, True
        yield form, False


def _judge(
    form: Form, framework: str, operator: bool, name: str, seed: int, known: Known
) -> Report:
    port = make_port(form, framework, operator=operator, name=name)
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
    """Say what rows, columns and marks of the matrix are."""
    words = [f"{i:2} {id}" for i, id in enumerate(CHECKS, 1)]
    height = -(-len(words) // 3)
    table = (words[i::height] for i in range(height))
    columns = "\n".join("  ".join(f"{w:32}" for w in row).rstrip() for row in table)
    return f"{LEGEND}{columns}"


def line(row: Row) -> str:
    """Return one line of the matrix.

    ``X``: a check that is there for the deviation fails; ``+``: another fails; ``.``: none.
    """
    failed = {c.id for c in row.report.with_status("failed")}
    marks = "".join("X" if c in row.named else "+" if c in failed else "." for c in CHECKS)
    verdict = "ok" if row.killed else "NOT CAUGHT" if row.name != "control" else "ACCUSED"
    known = "identified" if row.identified else "" if row.deviation is None else "not identified"
    return f"{row.framework:6} {row.name:36} {marks}  {verdict:10} {known}".rstrip()
