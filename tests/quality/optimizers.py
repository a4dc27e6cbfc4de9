"""SGDM and Adam in NumPy on output-last weights: every convention, and known mistakes."""

import numpy as np

from .operators import (
    almost_the_mean,
    bfloat16_mean,
    channels_only,
    half_the_mean,
    layout_swapped,
    misses_conv1d,
    not_applied,
    offset,
    plain,
    second_dimension_gated,
    small_gated,
    vectors_erased,
    vectors_too,
    whole_tensor,
    wrong_divisor,
)


def conv_only(g):
    return plain(g) if g.ndim > 2 else g


def keeps_single_inputs(g):
    return g if g.ndim > 1 and g.size == g.shape[-1] else plain(g)


class Optimizer:
    """One algorithm with its conventions; ``mistake`` names what is wrong with it."""

    def __init__(self, algorithm, phi=plain, *, mistake="", **conventions):
        self.algorithm, self.phi, self.mistake = algorithm, phi, mistake
        self.conventions = conventions
        self.__name__ = "_".join(
            [algorithm, phi.__name__, *map(str, conventions.values()), mistake]
        ).strip("_")

    def __call__(self, case):
        weights = {p.name: p.value.copy() for p in case.parameters}
        state = {k: (np.zeros_like(w), np.zeros_like(w)) for k, w in weights.items()}
        if self.mistake == "shared-state":
            zero = {}
            for k, w in weights.items():
                zero.setdefault(w.shape, (np.zeros_like(w), np.zeros_like(w)))
                state[k] = zero[w.shape]
        steps = []
        for t, gradients in enumerate(case.gradients, 1):
            for i, (k, w) in enumerate(weights.items()):
                h = {n: w.dtype.type(v) for n, v in case.hyperparameters.items()}
                if self.mistake == "lr-twice":
                    h["lr"] *= h["lr"]
                skip = {
                    "every-second-step": t % 2 == 0,
                    "first-steps-only": t > 2,
                    "from-third-step": t < 3,
                    "first-half-of-parameters": i >= len(weights) // 2,
                }.get(self.mistake, False)
                phi = not_applied if skip else self.phi
                weights[k], state[k] = self.step(w, gradients[k], *state[k], h, t, phi)
            steps.append({k: v.copy() for k, v in weights.items()})
        return steps

    def step(self, w, g, m, v, h, t, phi):
        raw, one = g, w.dtype.type(1)
        decay, placement = self.conventions.get("decay"), self.conventions.get("placement")
        decayed = g + h["weight_decay"] * w if decay == "l2" else g
        if placement == "decayed-gradient":
            g = phi(decayed)
        elif placement == "update":
            g = decayed
        else:
            g = phi(g) + (h["weight_decay"] * w if decay == "l2" else 0)
        if decay == "decoupled":
            scale = 10 if self.mistake == "decay-distorted" and t == 1 else 1
            w = w - h["lr"] * h["weight_decay"] * w * w.dtype.type(scale)
        if self.algorithm == "sgdm":
            heavy = self.conventions.get("momentum") == "heavy-ball"
            first = self.conventions.get("first_momentum") == "gradient" and t == 1
            m[...] = h["momentum"] * m + (one if heavy or first else one - h["momentum"]) * g
            update = m.copy()
        else:
            square = raw if self.mistake == "second-moment-raw" else g
            m[...] = h["beta1"] * m + (one - h["beta1"]) * g
            v[...] = h["beta2"] * v + (one - h["beta2"]) * square * square
            c1, c2 = one - h["beta1"] ** t, one - h["beta2"] ** t
            if self.mistake == "bias-correction-missing":
                c1 = c2 = one
            if self.conventions.get("epsilon") == "hat":
                update = np.sqrt(c2) / c1 * m / (np.sqrt(v) + h["eps"])
            else:
                update = (m / c1) / (np.sqrt(v / c2) + h["eps"])
        if self.mistake == "base-dropped":
            update = g
        if placement == "update":
            update = phi(update)
        w = (w - h["lr"] * update).astype(w.dtype)
        if self.mistake == "weights-centralized":
            w = phi(w)
        return w, (m, v)


CORRECT = (
    *(
        Optimizer("sgdm", momentum=m, first_momentum=f)
        for m, f in (("ema", "zero"), ("ema", "gradient"), ("heavy-ball", "zero"))
    ),
    *(
        Optimizer("sgdm", momentum="heavy-ball", decay="l2", placement=p)
        for p in ("gradient", "decayed-gradient", "update")
    ),
    Optimizer("sgdm", momentum="heavy-ball", decay="decoupled"),
    *(Optimizer("adam", epsilon=e) for e in ("outside", "hat")),
    *(
        Optimizer("adam", decay=d, placement=p)
        for d in ("l2", "decoupled")
        for p in ("gradient", "decayed-gradient", "update")
    ),
    Optimizer("adam", epsilon="hat", placement="update"),
    Optimizer("sgdm", conv_only),
    Optimizer("adam", conv_only),
    Optimizer("sgdm", keeps_single_inputs),
)
WRONG = (
    *(
        Optimizer(a, phi)
        for a in ("sgdm", "adam")
        for phi in (
            not_applied, layout_swapped, channels_only, whole_tensor, vectors_too, vectors_erased,
            second_dimension_gated, small_gated, misses_conv1d, offset, half_the_mean,
            almost_the_mean, wrong_divisor, bfloat16_mean,
        )
    ),
    *(
        Optimizer(a, mistake=m)
        for a in ("sgdm", "adam")
        for m in (
            "shared-state", "lr-twice", "every-second-step", "first-steps-only",
            "from-third-step", "first-half-of-parameters", "base-dropped", "weights-centralized",
        )
    ),
    Optimizer("adam", mistake="second-moment-raw"),
    Optimizer("adam", mistake="bias-correction-missing"),
    Optimizer("adam", mistake="decay-distorted", decay="decoupled"),
)  # fmt: skip
