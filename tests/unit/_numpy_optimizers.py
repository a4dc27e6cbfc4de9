"""Small optimizers in NumPy on output-last weights, each convention written out by itself."""

import numpy as np


def phi(g):
    """Eq. 1 with the last axis as output, whatever the layer: the rule by rank."""
    return g if g.ndim < 2 else g - g.mean(axis=tuple(range(g.ndim - 1)), keepdims=True)


def identity(g):
    return g


def trainer(step):
    """Make run(case) of ``step(w, g, state, h, t, name) -> w``; state is a dict per weight."""

    def run(case):
        weights = {p.name: np.array(p.value) for p in case.parameters}
        states = {k: {} for k in weights}
        steps = []
        for t, gradients in enumerate(case.gradients, 1):
            for k, w in weights.items():
                h = {n: w.dtype.type(v) for n, v in case.hyperparameters.items()}
                weights[k] = np.asarray(step(w, gradients[k], states[k], h, t, k), w.dtype)
            steps.append(dict(weights))
        return steps

    run.__name__ = step.__name__
    return run


def sgdm(centralize=phi, *, dampening=None, first=0, decayed=None, decoupled=False):
    """m = βm + (1-dampening)ĝ; ``decayed``: function of (g, λw) that makes ĝ."""

    def sgdm_step(w, g, state, h, t, name):
        del t, name
        beta = h.get("momentum", w.dtype.type(0))
        decay = h.get("weight_decay", w.dtype.type(0)) * w
        if decoupled:
            w = w - h["lr"] * decay
        g = centralize(g) if decayed is None else decayed(g, decay)
        share = 1 - beta if dampening is None else w.dtype.type(1 - dampening)
        if "m" not in state and first == "gradient":
            state["m"] = g
        else:
            state["m"] = beta * state.get("m", 0) + share * g
        return w - h["lr"] * state["m"]

    return trainer(sgdm_step)


def adam(centralize=phi, *, hat=False, on_update=False, decoupled=False, l2=None):
    """Algorithm 2; ``l2``: "before" (Φ(g+λw)) or "after" (Φ(g)+λw)."""

    def adam_step(w, g, state, h, t, name):
        del name
        b1, b2, one = h["beta1"], h["beta2"], w.dtype.type(1)
        decay = h.get("weight_decay", w.dtype.type(0)) * w
        if decoupled:
            w = w - h["lr"] * decay
        if l2 == "before":
            g = g + decay
        if not on_update:
            g = centralize(g)
        if l2 == "after":
            g = g + decay
        m = state["m"] = b1 * state.get("m", 0) + (one - b1) * g
        v = state["v"] = b2 * state.get("v", 0) + (one - b2) * g * g
        c1, c2 = one - b1**t, one - b2**t
        if hat:
            move = np.sqrt(c2) / c1 * m / (np.sqrt(v) + h["eps"])
        else:
            move = m / c1 / (np.sqrt(v / c2) + h["eps"])
        return w - h["lr"] * (centralize(move) if on_update else move)

    return trainer(adam_step)


def sign_momentum(centralize=phi, *, lr_power=1):
    """An optimizer that the kit has no formula for: the sign of an average, as in Lion."""

    def sign_momentum_step(w, g, state, h, t, name):
        del t, name
        g = centralize(g)
        state["m"] = w.dtype.type(0.5) * (state.get("m", 0) + g)
        return w - h["lr"] ** lr_power * np.sign(state["m"])

    return trainer(sign_momentum_step)


def rmsprop(centralize=phi, *, lr_power=1, on_update=False):
    """Another one, smooth: g / (√v + 1)."""

    def rmsprop_step(w, g, state, h, t, name):
        del t, name
        if not on_update:
            g = centralize(g)
        half = w.dtype.type(0.5)
        state["v"] = half * state.get("v", 0) + half * g * g
        move = g / (np.sqrt(state["v"]) + 1)
        return w - h["lr"] ** lr_power * (centralize(move) if on_update else move)

    return trainer(rmsprop_step)
