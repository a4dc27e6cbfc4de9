"""The same search by Hypothesis: `target()` on the ratio, over bytes that make the data."""

from __future__ import annotations

from typing import Any

import numpy as np
from _correct_steps import STYLES, Port
from _hard_data import Format, ratios
from hypothesis import HealthCheck, Phase, given, seed, settings, target
from hypothesis import strategies as st

from gc_ref import exact

from .climb import Found
from .climb_steps import Run, tau_of_steps
from .climb_trees import TREE_FORMS, Trees, on_tree, tau_of_centralize

ROWS, N = 8, 8
#: One number takes four bytes: sign and exponent, and three of its fraction.
BYTES = st.binary(min_size=4 * ROWS * N, max_size=4 * ROWS * N)
RATES = {
    "sgdm": {"momentum": (0.9, 0.5, 0.0), "dampening": (None, 0)},
    "adam": {"beta1": (0.9, 0.5), "beta2": (0.999, 0.75), "eps": (1e-8, 1.0)},
}
COMMON = {
    "lr": (0.1, 1.0, 1e-3),
    "placement": ("gradient", "decayed-gradient", "update"),
    "decay": ("l2", "decoupled"),
    "weight_decay": (0.0, 0.1),
}


def numbers(raw: bytes, form: Format) -> Any:
    """Numbers of about 2⁻⁴ to 2³, with all the digits that the dtype has."""
    parts = np.frombuffer(raw, np.uint8).reshape(ROWS, N, 4).astype(float)
    head = parts[..., 0].astype(int)
    fraction = 1 + (parts[..., 1] + (parts[..., 2] + parts[..., 3] / 256) / 256) / 256
    return form.once(np.ldexp(fraction, head % 8 - 4) * (1 - 2 * (head // 128)))


def climb_by_hypothesis(
    stage: str, name: str, examples: int, seed_: int, *, tau: Any = None
) -> Found:
    """Let Hypothesis raise the ratio for some examples; return the worst that it met."""
    form, found = Format(name), Found()
    one_stage = _centralize if stage == "centralize" else _steps

    @seed(seed_)
    @settings(
        max_examples=examples, database=None, deadline=None, phases=(Phase.generate, Phase.target),
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(data=st.data())
    def search(data: Any) -> None:
        worst = one_stage(data.draw, stage, form, found, tau)
        if np.isfinite(worst):
            target(worst)

    search()
    return found


def _centralize(draw: Any, stage: str, form: Format, found: Found, tau: Any) -> float:
    g, shape = numbers(draw(BYTES), form), draw(st.sampled_from(TREE_FORMS))
    trees = Trees.drawn(np.random.default_rng(draw(st.integers(0, 2**16))), ROWS, N)
    bound = (tau or tau_of_centralize)(g, form.name)
    truth = exact.centralize(g.astype(float), output_axis=0)
    worst = max(ratios(on_tree(shape, trees)(g, form.store), truth, truth, bound))
    found.add(worst, f"{shape} on a tree, n = {N}", g.size, int(np.isinf(bound).sum()))
    return worst


def _steps(draw: Any, algorithm: str, form: Format, found: Found, tau: Any) -> float:
    choices = {**COMMON, **RATES[algorithm]}
    options = {k: draw(st.sampled_from(v)) for k, v in choices.items()}
    style = draw(st.sampled_from(STYLES))
    grads = tuple(numbers(draw(BYTES), form) for _ in range(draw(st.integers(1, 2))))
    weight = numbers(draw(BYTES), form) * draw(st.sampled_from((0, 1)))
    run = Run(style, options, weight, grads)
    wide = [g.astype(float) for g in grads]
    try:
        truths = getattr(exact, algorithm)(weight.astype(float), wide, output_axis=0, **options)
    except ArithmeticError:
        return 0.0
    with np.errstate(all="ignore"):
        outs = getattr(Port(style, form, options), algorithm)(weight, grads)
    worst = 0.0
    for got, truth, bound in zip(
        outs, truths, (tau or tau_of_steps)(algorithm, run, form.name), strict=True
    ):
        low, high = (truth, truth) if algorithm == "sgdm" else truth
        here = max(ratios(got, low, high, bound))
        found.add(here, f"{style.name}, n = {N}, {options}", got.size, int(np.isinf(bound).sum()))
        worst = max(worst, here)
    return worst
