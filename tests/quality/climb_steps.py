"""Climbing on trajectories: styles of stepping, hyperparameters, weights and gradients."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from _correct_centralize import WAYS, Way
from _correct_steps import STYLES, Port, Style
from _hard_data import Format, Rows, ratios

from gc_ref import bounds, exact

from .climb import BREED, PATIENCE, STARTS, Found, Tau, bred, by_row, changed, fresh
from .zoo_sums import OTHER_WAYS, SUM_WAYS


@dataclass(frozen=True)
class Run:
    """A style and its hyperparameters (of all rows), weights and gradients (of each row)."""

    style: Style
    options: dict[str, Any]
    weight: Rows
    grads: tuple[Rows, ...]

    def at(self, rows: Any) -> Run:
        return replace(self, weight=self.weight[rows], grads=tuple(g[rows] for g in self.grads))


PHIS: tuple[Way, ...] = (*WAYS, *SUM_WAYS, *OTHER_WAYS)


def drawn_style(rng: np.random.Generator, style: Style | None = None) -> Style:
    """Change one choice of a style, or draw one of those that the tests are made with."""
    if style is None:
        return STYLES[int(rng.integers(len(STYLES)))]
    moments = ("direct", "lerp", "lerp-end", "scaled", "velocity", "late")
    choices: dict[str, tuple[Any, ...]] = {
        "phi": PHIS,
        "moment": moments if style.moment in moments else (style.moment,),
        "quotient": ("hats", "folded", "root", "reciprocal"),
        "shrink": ("factor", "subtract"),
        "hyper": (np.float64, np.float32),
        "step_stored": (False, True),
        "term_stored": (False, True),
        "master": (False, True),
    }
    key = list(choices)[int(rng.integers(len(choices)))]
    value = choices[key][int(rng.integers(len(choices[key])))]
    return replace(style, name="mixed", **{key: value})


def tau_of_steps(algorithm: str, run: Run, name: str) -> Any:
    profile = bounds.profile(name, hyperparameters=np.dtype(run.style.hyper).name)
    bound = getattr(bounds, algorithm)
    return bound(run.weight, run.grads, output_axis=0, profile=profile, **run.options)


def climb_steps(
    algorithm: str, name: str, elements: int, rng: np.random.Generator,
    options: Callable[[str, np.random.Generator], dict[str, Any]], *,
    tau: Tau = tau_of_steps, climb: bool = True, rows: int = 12,
) -> Found:  # fmt: skip
    """Search styles, hyperparameters and data for the worst ratio of a trajectory."""
    form, found = Format(name), Found()

    def start() -> Run:
        n, count = int(rng.choice((2, 3, 4, 8))), int(rng.choice((1, 1, 2, 3)))
        grads = tuple(fresh(rng, (rows, n), form) for _ in range(count))
        scale = rng.choice([0, 1e-3, 1, 10])
        weight = form.once(rng.standard_normal((rows, n)) * scale)
        return Run(drawn_style(rng), options(algorithm, rng), weight, grads)

    def measured(run: Run) -> Any:
        try:
            truths = getattr(exact, algorithm)(
                run.weight.astype(float), [g.astype(float) for g in run.grads],
                output_axis=0, **run.options,
            )  # fmt: skip
        except ArithmeticError:  # l2 decay through 1/√v with v near 0: nobody could tell
            return np.full(rows, -1.0)
        with np.errstate(all="ignore"):
            outs = getattr(Port(run.style, form, run.options), algorithm)(run.weight, run.grads)
        best = np.zeros(rows)
        for got, truth, bound in zip(outs, truths, tau(algorithm, run, name), strict=True):
            low, high = (truth, truth) if algorithm == "sgdm" else truth
            values = ratios(got, low, high, bound)
            undecided = int(np.isinf(bound).sum())
            found.add(max(values), described(run), got.size, undecided)
            best = np.maximum(best, by_row(values, rows))
        return best

    while found.elements < elements:
        runs = [start() for _ in range(STARTS)]
        bests = [measured(run) for run in runs]
        best, run = max(zip(bests, runs, strict=True), key=lambda pair: pair[0].max())
        step = gained = 0
        while climb and step - gained < PATIENCE and found.elements < elements:
            step, before = step + 1, best.max()
            run, best = climbed(run, best, measured, rng, form, options, algorithm)
            gained = step if best.max() > before else gained
            if step % BREED == 0:
                run, best = run.at(bred(best)), best[bred(best)]
    return found


def climbed(
    run: Run, best: Any, measured: Any, rng: Any, form: Format, options: Any, algorithm: str
) -> tuple[Run, Any]:
    """Change what rows have in common, kept if the best row gains; or each row's own data."""
    if rng.random() < 0.2:
        new = replace(run, style=drawn_style(rng, run.style))
        if rng.random() < 0.5:
            drawn = options(algorithm, rng)
            key = list(drawn)[int(rng.integers(len(drawn)))]
            new = replace(run, options={**run.options, key: drawn[key]})
        value = measured(new)
        return (new, value) if value.max() >= best.max() else (run, best)
    grads = tuple(changed(g, rng, form) if rng.random() < 0.7 else g for g in run.grads)
    weight = changed(run.weight, rng, form) if rng.random() < 0.5 else run.weight
    value = measured(replace(run, weight=weight, grads=grads))
    better = (value >= best)[:, None]
    kept = replace(
        run,
        weight=np.where(better, weight, run.weight),
        grads=tuple(np.where(better, a, b) for a, b in zip(grads, run.grads, strict=True)),
    )
    return kept, np.maximum(best, value)


def described(run: Run) -> str:
    style = run.style
    parts = [style.moment, style.quotient, style.shrink, style.phi.__name__]
    parts += [k for k in ("step_stored", "term_stored", "master") if getattr(style, k)]
    return f"{style.name} ({', '.join(parts)}), n = {run.weight.shape[1]}, {run.options}"
