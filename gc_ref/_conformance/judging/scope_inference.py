"""Infer which weights a port centralizes, over which axes, from what it did to each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from gc_ref._conformance.judging.matching import match
from gc_ref._conformance.judging.specification import Specification
from gc_ref._conformance.judging.trial import Trial
from gc_ref._conformance.ports.case import Case, Parameter
from gc_ref._layouts import is_convolution

CONV_ONLY = (
    "convolutions only (GCC) is what the port does, and nobody declared it: --convention scope=all "
    "requires every weight, --convention scope=conv-only settles it"
)


def rules_of(trial: Trial, parameter: Parameter) -> tuple[str, ...]:
    """Return the readings of one parameter's output axes that differ from each other."""
    if len(parameter.shape) < 2:
        return ("none",)
    if trial.leaves_choice(parameter):
        return ("by-rank", "by-kind", "none")
    return ("by-rank", "none")


def nearest_rule(
    trial: Trial, p: Parameter, held_to: Specification, case: Case | None = None
) -> tuple[str, float]:
    """Rule that explains a parameter, with its ratio; the nearest one where none does.

    Gradients have distinct means over every set of axes: one rule explains at most.
    """
    found = []
    for rule in rules_of(trial, p):
        ratio = match(trial, case or trial.integers, p, rule, held_to).comparison.ratio
        found.append((rule, ratio))
        if ratio <= 1:
            break
    return min(found, key=lambda f: f[1])


def rules_followed(trial: Trial, held_to: Specification) -> dict[str, str | None]:
    """Name of each weight, and the rule under which the port's answer is right.

    The rule is ``by-rank``, ``by-kind``, ``none`` (left alone), or None where none explains it.
    """
    nearest = {
        p.name: nearest_rule(trial, p, held_to)
        for p in trial.integers.parameters
        if len(p.shape) >= 2
    }
    return {name: rule if ratio <= 1 else None for name, (rule, ratio) in nearest.items()}


def looks_convolved(p: Parameter) -> bool:
    """Whether it is an attention weight that has the dimensions of a Conv1D kernel."""
    return p.kind.startswith("attention") and len(p.shape) > 2


def with_scope(trial: Trial, held_to: Specification) -> Specification:
    """Infer scope, fan_in_one and axes_rule from what was done to each weight."""
    followed = rules_followed(trial, held_to)
    weights = [p for p in trial.integers.parameters if p.name in followed]
    several = [p for p in weights if trial.fan_in(p) > 1]

    def rules(parameters: Sequence[Parameter]) -> list[str | None]:
        return [followed[p.name] for p in parameters]

    alike = [p for p in several if looks_convolved(p)]
    others = [p for p in several if not is_convolution(p.kind) and p not in alike]
    convolved = [p for p in several if p.kind == "conv2d"]
    acts = any(rule != "none" for rule in rules(several))
    gcc = any(r != "none" for r in rules(convolved)) and set(rules(others)) == {"none"}
    settled: dict[str, str] = {}
    nearest: dict[str, str] = {}
    (settled if acts else nearest)["scope"] = "conv-only" if gcc else "all"
    if not trial.operator:
        ambiguous = [p for p in weights if trial.leaves_choice(p)]
        done = [rule for rule in rules(ambiguous) if rule != "none"]
        by_rank, by_kind = done.count("by-rank"), done.count("by-kind")
        # One weight may lose the mean over its true inputs by chance, where the axes are wrong.
        if by_kind > by_rank and 2 * by_kind > len(done):
            settled["axes_rule"] = "by-kind"
        elif ambiguous:
            (settled if by_rank > by_kind else nearest)["axes_rule"] = "by-rank"
    single = [p for p in weights if trial.fan_in(p) == 1]
    if single and not gcc:
        alone = set(rules(single)) == {"none"}
        known = acts and None not in rules(single)
        (settled if known else nearest)["fan_in_one"] = "keep" if alone else "erase"
    conventions = held_to.conventions.with_inferred(settled).with_inferred(nearest, "nearest")
    free = {}
    if conventions.get("scope") == "conv-only":
        free = {p.kind: followed[p.name] or "none" for p in alike}
    found = replace(held_to, conventions=conventions, free_kinds=free)
    return found.remark(CONV_ONLY) if _is_inferred_gcc(found) else found


def _is_inferred_gcc(held_to: Specification) -> bool:
    conventions = held_to.conventions
    return (conventions.get("scope"), conventions.sources.get("scope")) == ("conv-only", "inferred")
