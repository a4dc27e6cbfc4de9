"""Search the space of semantics for those that reproduce what a port does."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from gc_ref._conformance.cases.layers import UNAMBIGUOUS
from gc_ref._conformance.catalogue.centering import RULES, Gradient, Memory
from gc_ref._conformance.catalogue.conditions import (
    BY_KIND,
    BY_SHAPE,
    SCHEDULES,
    VALUE_GATES,
    separating,
)
from gc_ref._conformance.catalogue.execution import training_loop
from gc_ref._conformance.catalogue.parameters import ParameterInfo
from gc_ref._conformance.catalogue.semantics import MISTAKES, VECTORS, Semantics
from gc_ref._conformance.diagnosis.amounts import fitted_amount
from gc_ref._conformance.diagnosis.observed import ObservedParameter, observe
from gc_ref._conformance.diagnosis.search_cases import SearchCases
from gc_ref._conformance.diagnosis.step_patterns import ROUNDINGS, Pattern, step_pattern
from gc_ref._conformance.judging.judge import Judge
from gc_ref._conformance.judging.scope_inference import rules_followed
from gc_ref._conformance.ports.case import Case

__all__ = ["SemanticsSearch"]

#: Conventions of each algorithm that are tried, where none of them is declared.
TRIED: Mapping[str, Sequence[Mapping[str, str]]] = {
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
#: Declared conventions that are not tried themselves: without weight decay, at a learning rate
#: that stays the same, each does what one of those tried does.
ALIKE = ("velocity", "decayed-gradient", "decayed-update")

Observed = Mapping[str, ObservedParameter]


class SemanticsSearch:
    """The search for the semantics of one port, whose judge keeps its runs."""

    def __init__(self, judge: Judge) -> None:
        self.judge = judge
        eps = 0.5 if judge.port.usual_epsilon == "hat" else 1.0
        self.cases = SearchCases(judge.layout, judge.seed, eps)
        self._observed: dict[str, dict[str, ObservedParameter]] = {}

    def observe(self, case: Case) -> dict[str, ObservedParameter]:
        """Drive the port through a case, once."""
        if case.digest not in self._observed:
            hyper = self.judge.hyperparameters(case, {})
            found = observe(case, self.judge.run(case), self.judge.layout, hyper)
            self._observed[case.digest] = found
        return self._observed[case.digest]

    def optimizers(self) -> Iterator[Semantics]:
        """Yield the optimizers that the port may be, all with the right centering."""
        port = self.judge.port
        if self.judge.operator:
            algorithms: tuple[str, ...] = ("operator",)
        else:
            algorithms = (port.algorithm,) if port.algorithm else ("sgdm", "adam")
        for algorithm in algorithms:
            momenta: list[dict[str, float]] = [{}]
            if algorithm == "sgdm" and "momentum" not in {*port.takes, *port.fixed}:
                momenta = [{"momentum": 0.0}, {"momentum": 0.9}]
            tried = [
                conventions
                for conventions in TRIED[algorithm]
                if all(port.conventions.get(k, v) in (v, *ALIKE) for k, v in conventions.items())
            ] or TRIED[algorithm]
            for mistake in ("", *(k for k, m in MISTAKES.items() if algorithm in m.shows_in)):
                # Plain descent knows neither momentum nor ε.
                chosen = tried[:1] if mistake == "base-dropped" else tried
                if mistake == "moment-centralized":  # elsewhere Φ has been taken already
                    chosen = [c for c in tried if c["placement"] == "update"]
                for conventions, built_in in itertools.product(chosen, momenta):
                    yield Semantics(
                        mistake=mistake,
                        algorithm=algorithm,
                        conventions={**port.conventions, **conventions},
                        built_in=built_in,
                    )

    def explanations(self) -> list[Semantics]:
        """Return the semantics that explain the telling case, and that the other cases confirm."""
        usual = self._explanations(rare=False)
        if usual and len(usual[0].deviations) <= 1:
            return usual
        return self._of_those_that_hold([*usual, *self._explanations(rare=True)])

    def _explanations(self, *, rare: bool) -> list[Semantics]:
        observed = self.observe(self.cases.telling)
        found: list[Semantics] = []
        for optimizer in self.optimizers():
            treatments = [
                *(replace(optimizer, vectors=v) for v in VECTORS),
                *_long_vectors(observed, optimizer),
            ]
            vectors = [s for s in treatments if _explains_vectors(observed, s)]
            # Where the raw gradient explains all weights, no rule is shown by any.
            raw = _patterns(observed, replace(optimizer, centering="none")) is not None
            for rule in _rules(observed, optimizer, rare=rare):
                if raw and rule.centering != "mean":
                    continue
                if rule.centering == "model" or RULES[rule.centering].on_vectors:
                    candidates = [rule] if _explains_vectors(observed, rule) else []
                else:
                    candidates = [
                        replace(rule, vectors=s.vectors, vectors_above=s.vectors_above)
                        for s in vectors
                    ]
                for semantics in candidates:
                    patterns = _patterns(observed, semantics)
                    if patterns is not None:
                        found += self._with_conditions(semantics, patterns, observed)
        return self._of_those_that_hold(found)

    def _of_those_that_hold(self, found: Iterable[Semantics]) -> list[Semantics]:
        return self.by_kind(_simplest(self._confirmed(_distinct(found))))

    def _with_conditions(
        self, semantics: Semantics, patterns: Mapping[str, Pattern], observed: Observed
    ) -> list[Semantics]:
        """Explain which weights are left alone, and at which steps."""
        infos = {k: observed[k].info for k in patterns if observed[k].info.fan_in > 1}
        acting = [p for k, p in infos.items() if True in patterns[k]]
        idle = [p for k, p in infos.items() if False in patterns[k] and True not in patterns[k]]
        if not acting:
            if semantics.centering != "mean":
                return []  # then any rule would do
            return [replace(semantics, centering="none") if idle else semantics]
        used = [patterns[k] for k in infos if True in patterns[k]]
        mixed = any(False in steps for steps in used)
        schedules = self._schedules(semantics, used) if mixed else [("", 0)]
        gates = self._gates(semantics, acting, idle) if idle else [("", 0)]
        return [
            replace(semantics, gate=gate, gate_number=k, schedule=schedule, schedule_number=n)
            for gate, k in gates
            for schedule, n in schedules
        ] or self._value_gates(semantics)

    def _value_gates(self, semantics: Semantics) -> list[Semantics]:
        """Explain by the values of their gradients which weights are left alone, and when."""
        acting: list[Gradient] = []
        idle: list[Gradient] = []
        for case in (self.cases.telling, self.cases.confirming, self.judge.integers):
            for one in self._plain(case):
                steps = step_pattern(one, semantics) if one.info.rank > 1 else ()
                if steps is None:
                    return []
                for seen, step in zip(steps, one.steps, strict=False):
                    memory = Memory(step.before, step.model_mean, step.model_norm)
                    given = Gradient(np, step.gradient, one.info, 0.0, memory, step.number)
                    if seen is not None and one.info.fan_in > 1:
                        (acting if seen else idle).append(given)
        if not acting or not idle:
            return []
        return [
            replace(semantics, value_gate=gate, value_gate_number=k)
            for gate, k in separating(VALUE_GATES, acting, idle)
        ]

    def by_kind(self, found: list[Semantics]) -> list[Semantics]:
        """Hold gates against the layers whose shape does not tell their kind.

        A port may know a weight's layer by its name: an embedding has the shape of a Dense.
        """
        judge = self.judge
        if judge.operator or judge.specification.mode == "unknown" or not found:
            return found
        if judge.specification.conventions.get("scope") == "conv-only":
            return found
        followed = rules_followed(judge, judge.specification)
        infos = {
            k: one.info
            for k, one in self.observe(judge.integers).items()
            if one.info.fan_in > 1 and one.info.rank > 1
        }
        idle = [p for k, p in infos.items() if followed[k] == "none"]
        acting = [p for k, p in infos.items() if followed[k] not in ("none", None)]
        kept = []
        for semantics in found:
            plain = semantics.centering == "mean" and not semantics.schedule
            agrees = all(map(semantics.in_scope, acting)) and not any(map(semantics.in_scope, idle))
            if not plain or semantics.value_gate or agrees:
                kept.append(semantics)
        if kept or not acting:
            return kept or found
        return [
            replace(found[0], gate=gate, gate_number=k)
            for gate, k in separating(BY_KIND, acting, idle)
        ]

    def _schedules(self, semantics: Semantics, used: list[Pattern]) -> list[tuple[str, float]]:
        found = _schedules_of(used)
        if self.judge.operator or len(found) < 2:
            return found
        patterns = _patterns(self.observe(self.judge.long), semantics)
        return _schedules_of(patterns.values()) if patterns else found

    def long_schedules(self, semantics: Semantics) -> list[Semantics]:
        """Return what the long run shows of a port that is right at first."""
        patterns = _patterns(self.observe(self.judge.long), semantics)
        if not patterns or all(False not in p for p in patterns.values()):
            return []
        return [
            replace(semantics, schedule=schedule, schedule_number=n)
            for schedule, n in _schedules_of(patterns.values())
        ]

    def _gates(
        self, semantics: Semantics, acting: list[ParameterInfo], idle: list[ParameterInfo]
    ) -> list[tuple[str, float]]:
        observed = self.observe(self.cases.gates)
        patterns = _patterns(observed, semantics) or {}
        acting = acting + [observed[k].info for k, p in patterns.items() if p == (True,)]
        idle = idle + [observed[k].info for k, p in patterns.items() if p == (False,)]
        return separating(BY_SHAPE, acting, idle)

    def with_shared_state(self) -> list[Semantics]:
        """Return the first semantics by which weights of one shape share their state, if any."""
        for optimizer in self.optimizers():
            semantics = replace(optimizer, mistake="state-aliased")
            if not optimizer.mistake and self._explains_training(semantics):
                return [semantics]
        return []

    def _explains_training(self, semantics: Semantics) -> bool:
        """Whether training all parameters together, as the semantics says, gives what was seen."""
        case = self.cases.telling
        observed = self.observe(case)
        named = {p.name: p for p in case.parameters}
        wide = replace(
            case,
            parameters=tuple(
                replace(named[k], value=one.steps[0].before) for k, one in observed.items()
            ),
            gradients=tuple(
                {k: one.steps[t].gradient for k, one in observed.items()}
                for t in range(len(case.gradients))
            ),
            hyperparameters=self.judge.hyperparameters(case, semantics.built_in),
        )
        steps = training_loop(semantics, self.judge.layout, 53)(wide)
        rounding = 2.0**-24 * len(steps) * 8192 * wide.hyperparameters["lr"]
        return all(
            np.all(np.abs(values[name] - seen.after) <= rounding * (ROUNDINGS + one.info.fan_in))
            for name, one in observed.items()
            for values, seen in zip(steps, one.steps, strict=True)
        )

    def patterns(self, semantics: Semantics) -> Mapping[str, Pattern]:
        """At which steps of the telling case each weight is as a semantics says."""
        return _patterns(self.observe(self.cases.telling), semantics) or {}

    def nearest(self) -> tuple[Semantics, list[str]] | None:
        """Return the semantics that explains most parameters, and those that it does not."""
        observed = self.observe(self.cases.telling)
        best: tuple[Semantics, list[str]] | None = None
        for optimizer in self.optimizers():
            if not _explains_a_vector(observed, optimizer):
                continue  # the port has another optimizer
            for semantics in _rules(observed, optimizer, rare=False):
                off: list[str] = []
                for name, one in observed.items():
                    if not _explains(one, semantics):
                        off.append(name)
                    if best is not None and len(off) >= len(best[1]):
                        break  # it explains no more than the best so far
                else:
                    best = semantics, off
        return best if best and len(best[1]) < len(observed) else None

    def _confirmed(self, found: list[Semantics]) -> list[Semantics]:
        """Keep those that another draw with other hyperparameters confirms."""
        kept = [s for s in found if self._follows(s, self.cases.confirming)]
        # What the checks saw came first: a port that has changed since then is not explained.
        kept = [s for s in kept if self._follows(s, self.judge.integers)]
        if any(s.centering == "first-shape" for s in kept):  # is it the first, or that rank?
            kept = [s for s in kept if self._follows(s, self.cases.convolutions)]
        if any(s.centering not in ("rank", "mean") for s in kept):
            kept = [s for s in kept if s.centering != "rank"]  # another rule does the same
        return kept

    def _follows(self, semantics: Semantics, case: Case) -> bool:
        """Whether every parameter of a case is as the semantics says, at every step."""
        return all(_follows_steps(one, semantics) for one in self._plain(case))

    def _plain(self, case: Case) -> list[ObservedParameter]:
        """Return what was seen of the layers whose output axes are no matter of choice."""
        plain = {p.name for p in case.parameters if p.layer_kind in UNAMBIGUOUS}
        return [one for name, one in self.observe(case).items() if name in plain]


def _rules(observed: Observed, optimizer: Semantics, *, rare: bool) -> Iterator[Semantics]:
    """Yield the optimizer with each centering rule, its amount fitted where it has one."""
    chosen = {k: rule for k, rule in RULES.items() if rule.rare is rare}
    for name, rule in chosen.items():
        amounts = rule.amounts
        if rule.fit is not None:
            fitted = fitted_amount(rule.fit, observed.values(), optimizer)
            if fitted is not None:
                amounts = (fitted,)
            elif rule.amounts == (0.0,):
                amounts = ()
        for amount in amounts:
            vectors = "mean" if name == "model" else optimizer.vectors
            yield replace(optimizer, centering=name, amount=amount, vectors=vectors)


def _long_vectors(observed: Observed, optimizer: Semantics) -> list[Semantics]:
    """Vectors of more than some number of elements lose their own mean: read off which do."""
    mean = replace(optimizer, vectors="mean")
    patterns = [(o.info.size, step_pattern(o, mean)) for o in observed.values() if o.info.rank == 1]
    if any(steps is None for _, steps in patterns):
        return []
    idle = [size for size, steps in patterns if steps and False in steps]
    return [replace(mean, vectors_above=max(idle))] if idle else []


def _explains_vectors(observed: Observed, semantics: Semantics) -> bool:
    """Whether a semantics explains all vectors at every step, whatever it says of weights."""
    # Where vectors lose their own mean, a scalar is erased with them or not.
    least = 1 if semantics.vectors == "mean" and semantics.centering != "model" else 0
    for one in observed.values():
        if least <= one.info.rank < 2:
            steps = step_pattern(one, semantics)
            if steps is None or (False in steps and semantics.in_scope(one.info)):
                return False
    return True


def _explains_a_vector(observed: Observed, optimizer: Semantics) -> bool:
    """Whether a port may have this optimizer: it moves some vector, however treated, as this."""
    treatments = [replace(optimizer, vectors=v) for v in VECTORS]
    vectors = [o for o in observed.values() if o.info.rank < 2]
    return not vectors or any(step_pattern(o, s) for o in vectors for s in treatments)


def _patterns(observed: Observed, semantics: Semantics) -> dict[str, Pattern] | None:
    """Return the pattern of every weight; None where one is not explained."""
    patterns: dict[str, Pattern] = {}
    for name, one in sorted(observed.items(), key=lambda item: item[1].info.size):
        if one.info.rank > 1:
            steps = step_pattern(one, semantics)
            if steps is None:
                return None
            patterns[name] = steps
    return patterns


def _schedules_of(patterns: Iterable[Pattern]) -> list[tuple[str, float]]:
    """Find the schedules that all patterns follow; undecided steps follow any."""
    decided = {(t, seen) for steps in patterns for t, seen in enumerate(steps, 1)}
    acting = [t for t, seen in decided if seen]
    return separating(SCHEDULES, acting, [t for t, seen in decided if seen is False])


def _follows_steps(one: ObservedParameter, semantics: Semantics) -> bool:
    """Whether the port centralized a parameter at the steps at which the semantics does."""
    steps, rank = step_pattern(one, semantics), one.info.rank
    if steps is None:
        return False
    if (rank == 0 and semantics.vectors == "mean") or (rank > 1 and one.info.fan_in == 1):
        return True  # what is right there is a convention
    acts = semantics.in_scope(one.info) and not (rank > 1 and semantics.centering == "none")
    return all(
        seen is None or seen == (acts and _acts(one, semantics, t))
        for t, seen in enumerate(steps, 1)
    )


def _acts(one: ObservedParameter, semantics: Semantics, t: int) -> bool:
    """Whether a semantics centralizes a weight in its scope at a step."""
    if semantics.value_gate:
        memory = Memory(one.steps[t - 1].before)
        given = Gradient(np, one.steps[t - 1].gradient, one.info, 0.0, memory, t)
        gate = VALUE_GATES[semantics.value_gate]
        if not gate.test(given, semantics.value_gate_number):
            return False
    return bool(semantics.acts_at(t))


def _explains(one: ObservedParameter, semantics: Semantics) -> bool:
    steps = step_pattern(one, semantics)
    return steps is not None and (one.info.rank < 2 or True in steps)


def _distinct(found: Iterable[Semantics]) -> list[Semantics]:
    """Drop semantics that differ from an earlier one in the optimizer's conventions only."""
    seen: list[Semantics] = []
    kept = []
    for semantics in found:
        bare = replace(semantics, algorithm="sgdm", conventions={}, built_in={})
        if bare not in seen:
            seen.append(bare)
            kept.append(semantics)
    return kept


def _simplest(found: list[Semantics]) -> list[Semantics]:
    """Keep those with the fewest deviations; of these, fitted ones only if there are no others."""

    def cost(semantics: Semantics) -> tuple[int, bool]:
        return len(semantics.deviations), RULES[semantics.centering].fit is not None

    least = min(map(cost, found), default=None)
    return [s for s in found if cost(s) == least]
