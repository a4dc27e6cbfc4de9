"""Search the space of semantics for those that reproduce what a port does."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from gc_ref._conformance.cases.layers import UNAMBIGUOUS
from gc_ref._conformance.catalogue.centers import CENTERS, Slot
from gc_ref._conformance.catalogue.semantics import SCHEDULES, Semantics
from gc_ref._conformance.diagnosis import cases as own_cases
from gc_ref._conformance.diagnosis.decode import Reading, Track, decode
from gc_ref._conformance.diagnosis.explanation import Explanation, distinct, simplest
from gc_ref._conformance.diagnosis.fitting import fitted_amount
from gc_ref._conformance.diagnosis.gating import Pattern, gates_for, schedules_for
from gc_ref._conformance.ports.case import Case
from gc_ref._conformance.wrong_ports.numpy import model_mean, slots_of

if TYPE_CHECKING:
    from gc_ref._conformance.judging.judge import Judge

__all__ = ["Search"]

#: Mistakes of a step that show without weight decay and on each parameter alone.
STEP_MISTAKES = {
    "operator": ("",),
    "sgdm": ("", "lr-twice", "base-dropped", "weights-centralized"),
    "adam": ("", "lr-twice", "base-dropped", "weights-centralized", "second-moment-raw",
             "bias-correction-missing"),
}  # fmt: skip
FORMS: Mapping[str, tuple[Mapping[str, str], ...]] = {
    "operator": ({},),
    "sgdm": (
        {"momentum": "heavy-ball"},
        {"momentum": "ema"},
        {"momentum": "ema", "first_momentum": "gradient"},
    ),
    "adam": tuple(
        {"epsilon": e, "placement": p} for p in ("gradient", "update") for e in ("outside", "hat")
    ),
}


class Search:
    """The search for one port: its runs on the telling cases, and what explains them."""

    def __init__(self, judge: Judge) -> None:
        self.judge = judge
        self.layout = judge.layout
        self.eps = 0.5 if judge.port.usual_epsilon == "hat" else 1.0
        self.observed: dict[str, dict[str, Track]] = {}

    # ---- what is observed

    def tracks(self, case: Case) -> dict[str, Track]:
        """Drive the port through a case, and return each parameter's track."""
        if case.id not in self.observed:
            trajectory = self.judge.run(case)
            steps, groups = trajectory.steps, trajectory.groups
            slots = slots_of(case.parameters, self.layout, groups=groups)
            named = {p.name: p for p in case.parameters}
            means = [float(model_mean(g)) for g in case.gradients]
            self.observed[case.id] = {
                k: Track(
                    slot, named[k].value, [g[k] for g in case.gradients],
                    [s[k] for s in steps], means,
                )
                for k, slot in slots.items()
            }  # fmt: skip
        return self.observed[case.id]

    def hyper(self, case: Case, reading: Reading) -> dict[str, float]:
        """Return the hyperparameters that the port ran with, under a reading."""
        return self.judge.hyperparameters(case, reading.assumed or {})

    # ---- the search

    def readings(self) -> Iterable[Reading]:
        """Yield the hypotheses about the optimizer."""
        judge = self.judge
        if judge.operator:
            algorithms: tuple[str, ...] = ("operator",)
        else:
            algorithms = (judge.port.algorithm,) if judge.port.algorithm else ("sgdm", "adam")
        takes = judge.port.takes | set(judge.port.fixed)
        declared = {**judge.port.conventions, "layout": self.layout}
        for algorithm in algorithms:
            hidden: list[dict[str, float]] = [{}]
            if algorithm == "sgdm" and "momentum" not in takes:
                hidden = [{"momentum": 0.0}, {"momentum": 0.9}]
            forms = [
                f for f in FORMS[algorithm]
                if all(declared.get(k, v) in (v, "velocity", "decayed-gradient")
                       for k, v in f.items())
            ] or FORMS[algorithm]  # fmt: skip
            for mistake in STEP_MISTAKES[algorithm]:
                for form in forms[:1] if mistake == "base-dropped" else forms:
                    for assumed in hidden:
                        yield Reading(algorithm, {**declared, **form}, mistake, assumed)

    def explanations(self) -> list[Explanation]:
        """Return all explanations of the telling case that the other cases confirm."""
        case = own_cases.telling_case(self.layout, seed=self.judge.seed, eps=self.eps)
        tracks = self.tracks(case)
        found: list[Explanation] = []
        for reading in self.readings():
            hyper = self.hyper(case, reading)
            for vectors in self._vectors(tracks, reading, hyper):
                for center, amount in self._centers(tracks, reading, hyper):
                    what = self.semantics(reading, center, amount, vectors)
                    patterns = self._patterns(tracks, what, reading, hyper)
                    if patterns is not None:
                        found += self._refine(what, reading, patterns, tracks)
        return simplest(self._confirmed(distinct(found)))

    def semantics(self, reading: Reading, center: str, amount: float, vectors: str) -> Semantics:
        """Return the semantics of a hypothesis, without gate and schedule."""
        algorithm = "sgdm" if reading.algorithm == "operator" else reading.algorithm
        return Semantics(
            center=center, amount=amount, vectors="mean" if center == "model" else vectors,
            mistake=reading.mistake, algorithm=algorithm, conventions=reading.conventions,
        )  # fmt: skip

    def _vectors(
        self, tracks: Mapping[str, Track], reading: Reading, hyper: Mapping[str, float]
    ) -> list[str]:
        """Return the treatments of vectors that explain all vectors, at every step."""
        found = []
        for vectors, center in (("none", "mean"), ("mean", "mean"), ("erase", "mean"),
                                ("model", "model")):  # fmt: skip
            what = self.semantics(reading, center, 0.0, vectors)
            least = 1 if vectors == "mean" else 0  # a scalar is erased with them or not
            listed = [t for t in tracks.values() if least <= t.slot.rank < 2]
            if vectors == "none":
                fits = (decode(t, what, reading, hyper) is not None for t in listed)
            else:
                fits = (_constant(decode(t, what, reading, hyper)) for t in listed)
            if all(fits):
                found.append(vectors)
        return found

    def _centers(
        self, tracks: Mapping[str, Track], reading: Reading, hyper: Mapping[str, float]
    ) -> Iterable[tuple[str, float]]:
        """Yield the centers to be tried, those with an amount with the amount that fits."""
        for name, center in CENTERS.items():
            if name == "rank":
                yield from ((name, float(k)) for k in (2, 3, 4, 5))
            elif center.fitted:
                amount = fitted_amount(center.fitted, tracks, reading, hyper)
                if amount is not None:
                    yield name, amount
            elif name not in ("none", "nan-leak"):  # not to be told from others here
                yield name, 0.0

    def _patterns(
        self, tracks: Mapping[str, Track], what: Semantics, reading: Reading,
        hyper: Mapping[str, float],
    ) -> dict[str, Pattern] | None:  # fmt: skip
        """Decode every weight; nothing where one is not explained."""
        patterns: dict[str, Pattern] = {}
        for name, track in sorted(tracks.items(), key=lambda item: item[1].slot.size):
            if track.slot.rank < 2:
                continue
            pattern = decode(track, what, reading, hyper)
            if pattern is None:
                return None
            patterns[name] = pattern
        return patterns

    def _refine(
        self, what: Semantics, reading: Reading, patterns: Mapping[str, Pattern],
        tracks: Mapping[str, Track],
    ) -> list[Explanation]:  # fmt: skip
        """Explain which weights are left alone, and at which steps."""
        slots = {k: tracks[k].slot for k in patterns if tracks[k].slot.fan_in > 1}
        acting = [s for k, s in slots.items() if True in patterns[k]]
        idle = [s for k, s in slots.items() if False in patterns[k] and True not in patterns[k]]
        mixed = [patterns[k] for k in slots if {True, False} <= set(patterns[k])]
        if not acting:
            if what.center != "mean":
                return []  # then any center would do
            return [Explanation(replace(what, center="none") if idle else what, reading)]
        schedules: list[tuple[str, int]] = [("", 0)]
        if mixed:
            used = [patterns[k] for k in slots if True in patterns[k]]
            schedules = self._schedules(what, reading, used)
        gates = [("", 0)] if not idle else self._gates(what, reading, acting, idle)
        return [
            Explanation(
                replace(what, gate=g, gate_number=k, schedule=s, schedule_number=n), reading
            )
            for g, k in gates
            for s, n in schedules
        ]

    def _schedules(
        self, what: Semantics, reading: Reading, used: list[Pattern]
    ) -> list[tuple[str, int]]:
        found = schedules_for(used)
        if self.judge.operator or len(found) < 2:
            return found
        case = self.judge.long
        tracks, hyper = self.tracks(case), self.hyper(case, reading)
        patterns = self._patterns(tracks, what, reading, hyper)
        return schedules_for(patterns.values()) if patterns else found

    def long_schedules(self, found: Explanation) -> list[Explanation]:
        """Return what the long run shows of a port that is right at first."""
        case, what, reading = self.judge.long, found.what, found.reading
        patterns = self._patterns(self.tracks(case), what, reading, self.hyper(case, reading))
        if not patterns or all(False not in p for p in patterns.values()):
            return []
        return [
            Explanation(replace(what, schedule=s, schedule_number=n), reading)
            for s, n in schedules_for(patterns.values())
        ]

    def _gates(
        self, what: Semantics, reading: Reading, acting: list[Slot], idle: list[Slot]
    ) -> list[tuple[str, int]]:
        case = own_cases.gates_case(self.layout, seed=self.judge.seed, eps=self.eps)
        tracks, hyper = self.tracks(case), self.hyper(case, reading)
        patterns = self._patterns(tracks, what, reading, hyper)
        if patterns:
            acting = acting + [tracks[k].slot for k, p in patterns.items() if p == (True,)]
            idle = idle + [tracks[k].slot for k, p in patterns.items() if p == (False,)]
        return gates_for(acting, idle)

    def nearest(self) -> tuple[Explanation, list[str]] | None:
        """Return the hypothesis that explains most parameters, and those that it does not."""
        case = own_cases.telling_case(self.layout, seed=self.judge.seed, eps=self.eps)
        tracks = self.tracks(case)
        best: tuple[Explanation, list[str]] | None = None
        for reading in self.readings():
            hyper = self.hyper(case, reading)
            for center, amount in self._centers(tracks, reading, hyper):
                what = self.semantics(reading, center, amount, "none")
                off = [k for k, t in tracks.items() if not self._explains(t, what, reading, hyper)]
                if best is None or len(off) < len(best[1]):
                    best = (Explanation(what, reading), off)
        return best if best and len(best[1]) < len(tracks) else None

    def _explains(
        self, track: Track, what: Semantics, reading: Reading, hyper: Mapping[str, float]
    ) -> bool:
        pattern = decode(track, what, reading, hyper)
        return pattern is not None and (track.slot.rank < 2 or True in pattern)

    # ---- confirmation

    def _confirmed(self, found: list[Explanation]) -> list[Explanation]:
        """Keep those that another draw with other hyperparameters confirms."""
        case = own_cases.telling_case(
            self.layout, seed=self.judge.seed, again=True, eps=self.eps
        )  # fmt: skip
        kept = [e for e in found if self._follows(e, case)]
        # What the checks saw came first: a port that has changed since then is not explained.
        kept = [e for e in kept if self._follows(e, self.judge.integers)]
        if any(e.what.center == "first-shape" for e in kept):  # is it the first, or that rank?
            case = own_cases.convolutions_case(
                self.layout, seed=self.judge.seed, eps=self.eps
            )  # fmt: skip
            kept = [e for e in kept if self._follows(e, case)]
        if any(e.what.center not in ("rank", "mean") for e in kept):
            kept = [e for e in kept if e.what.center != "rank"]  # it has a better name
        return kept

    def _follows(self, found: Explanation, case: Case) -> bool:
        """Whether every parameter of a case is as the explanation says, at every step."""
        what, reading = found.what, found.reading
        hyper = self.hyper(case, reading)
        plain = {p.name for p in case.parameters if p.layer_kind in UNAMBIGUOUS}
        for name, track in self.tracks(case).items():
            if name not in plain:  # its output axes are a matter of choice
                continue
            pattern = decode(track, what, reading, hyper)
            if pattern is None:
                return False
            for t, seen in enumerate(pattern, 1):
                test = SCHEDULES[what.schedule].test if what.schedule else None
                now = test is None or bool(test(t, what.schedule_number))
                left = what.center == "none" and track.slot.rank > 1
                expected = what.in_scope(track.slot) and now and not left
                kept = track.slot.rank > 1 and track.slot.fan_in == 1  # a convention
                kept |= track.slot.rank == 0 and what.vectors == "mean"
                if seen is not None and seen != expected and not kept:
                    return False
        return True


def _constant(pattern: Pattern | None) -> bool:
    return pattern is not None and False not in pattern
