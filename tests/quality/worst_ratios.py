"""How near do correct implementations come to the bounds? Prints the worst |err|/τ found.

    python tests/quality/worst_ratios.py --elements 1000000 [--seed 0] [--examples 1000]

A table in Markdown, one row per stage and dtype: how many elements were compared (at least
``--elements``), and the worst ratio found by each of three searches. *Drawn*: every way and
style of the tests, on data of every regime. *Climbing*: hill climbing on the summation tree,
the form of the mean or the style of stepping, the hyperparameters and the data (climb.py).
*Hypothesis*: its `target()` on the ratio. Elements that the bound cannot decide (τ = ∞) are
counted apart. Below the table stands where each row's worst was. Exits with 1 if any ratio
is above 1.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

if __package__ in (None, ""):  # run as a program
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    import quality  # noqa: F401  (makes tests/unit importable)

from _correct_centralize import WAYS, flushed
from _correct_steps import STYLES, Port
from _hard_data import DTYPES, REGIMES, Format, draw, worst_ratio

from gc_ref import bounds, exact
from quality.climb import Found
from quality.climb_by_hypothesis import climb_by_hypothesis
from quality.climb_steps import climb_steps
from quality.climb_trees import climb_trees
from quality.zoo_sums import OTHER_WAYS, SUM_WAYS

FAN_INS = (1, 2, 3, 4, 5, 7, 8, 16, 33, 64)
STAGES = ("centralize", "sgdm", "adam")


def centralizations(name: str, rng: np.random.Generator) -> Iterator[Found]:
    """Every way of Eq. 1 and Eq. 2, every regime, every fan-in."""
    form = Format(name)
    for regime in rng.permutation(REGIMES):
        for n in rng.permutation(FAN_INS):
            g = draw(regime, rng, (6, n), form)
            truth = exact.centralize(g.astype(float), output_axis=0)
            for way in (*WAYS, *SUM_WAYS, *OTHER_WAYS, flushed):
                granted = bounds.profile(name, flush_to_zero=way is flushed)
                tau = bounds.centralize(g, output_axis=0, profile=granted)
                ratio = worst_ratio(way(g, form.store), truth, truth, tau)
                where = f"{way.__name__}, {regime}, n = {n}"
                yield Found(ratio, where, g.size, int(np.isinf(tau).sum()))


def steps(algorithm: str, name: str, rng: np.random.Generator) -> Iterator[Found]:
    """Every style of one trajectory, with conventions drawn at random."""
    form = Format(name)
    regime = str(rng.choice([r for r in REGIMES if r != "huge"]))
    n, count = int(rng.choice([1, 2, 3, 5, 8, 16])), int(rng.choice([1, 2, 3, 6, 12]))
    grads = [draw(regime, rng, (2, n), form) for _ in range(count)]
    w = form.once(rng.standard_normal((2, n)) * rng.choice([0, 1e-3, 1, 10]))
    o = options(algorithm, rng)
    wide = [g.astype(float) for g in grads]
    try:
        truths = getattr(exact, algorithm)(w.astype(float), wide, output_axis=0, **o)
    except ArithmeticError:  # l2 decay through 1/√v with v near 0: nobody could tell
        return
    for style in STYLES:
        granted = bounds.profile(name, hyperparameters=np.dtype(style.hyper).name)
        taus = getattr(bounds, algorithm)(w, grads, output_axis=0, profile=granted, **o)
        with np.errstate(all="ignore"):
            outs = getattr(Port(style, form, o), algorithm)(w, grads)
        for t, (got, truth, tau) in enumerate(zip(outs, truths, taus, strict=True), 1):
            low, high = (truth, truth) if algorithm == "sgdm" else truth
            where = f"{style.name}, {regime}, n = {n}, step {t}, {o}"
            ratio = worst_ratio(got, low, high, tau)
            yield Found(ratio, where, got.size, int(np.isinf(tau).sum()))


def options(algorithm: str, rng: np.random.Generator) -> dict[str, Any]:
    """Hyperparameters and conventions, typical and dyadic ones."""

    def pick(*values: Any) -> Any:
        return values[int(rng.integers(len(values)))]

    common = {
        "lr": pick(0.1, 0.125, 1e-3, 1.0, 3e-5),
        "placement": pick("gradient", "decayed-gradient", "update"),
        "decay": pick("l2", "decoupled"),
        "weight_decay": pick(0.0, 0.01, 0.1, 0.25),
    }
    if algorithm == "sgdm":
        return common | {
            "momentum": pick(0.9, 0.5, 0.99, 0.0, 0.3),
            "dampening": pick(None, None, 0, 0.1),
            "first_momentum": pick("zero", "gradient"),
        }
    return common | {
        "beta1": pick(0.9, 0.5, 0.3, 0.0, 0.99),
        "beta2": pick(0.999, 0.75, 0.99, 0.4),
        "eps": pick(1e-8, 1e-3, 1.0),
        "epsilon": pick("outside", "hat"),
    }


def drawn(stage: str, name: str, elements: int, rng: np.random.Generator) -> Found:
    """Run one stage in one dtype until that many elements are compared."""
    total = Found()
    while total.elements < elements:
        batch = centralizations(name, rng) if stage == "centralize" else steps(stage, name, rng)
        for found in batch:
            total.merge(found)
            if total.elements >= elements:
                break
    return total


def climbing(stage: str, name: str, elements: int, rng: np.random.Generator) -> Found:
    if stage == "centralize":
        return climb_trees(name, elements, rng)
    return climb_steps(stage, name, elements, rng, options)


def searches(stage: str, name: str, elements: int, examples: int, seed: int) -> list[Found]:
    """Drawn, climbing and Hypothesis: no fewer elements than asked for in all."""
    rng = np.random.default_rng([seed, STAGES.index(stage), DTYPES.index(name)])
    with np.errstate(all="ignore"):
        third = climb_by_hypothesis(stage, name, examples, seed)
        rest = max(0, elements - third.elements)
        second = climbing(stage, name, rest // 2, rng)
        first = drawn(stage, name, max(1, rest - second.elements), rng)
    return [first, second, third]


def main() -> int:
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument(
        "--elements", type=int, default=1_000_000, help="for each stage and dtype; default 10^6"
    )
    parser.add_argument("--examples", type=int, default=1000, help="of Hypothesis; default 1000")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    print("| stage | dtype | elements | undecided | drawn | climbing | Hypothesis |")
    print("|---|---|---|---|---|---|---|")
    places, high = [], 0.0
    for stage in STAGES:
        for name in DTYPES:
            found = searches(stage, name, asked.elements, asked.examples, asked.seed)
            count, undecided = (
                sum(getattr(f, k) for f in found) for k in ("elements", "undecided")
            )
            shown = " | ".join(f"{f.ratio:.2f}" for f in found)
            print(f"| {stage} | {name} | {count:,} | {undecided:,} | {shown} |", flush=True)
            worst = max(found, key=lambda f: f.ratio)
            high = max(high, worst.ratio)
            places.append(f"- {stage}, {name}: {worst.ratio:.4f} by {worst.where}")
    print("", "Where the worst of each row was:", "", *places, sep="\n")
    return int(high > 1)


if __name__ == "__main__":
    raise SystemExit(main())
