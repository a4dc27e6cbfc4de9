"""Wrong ports as people write them, without the catalogue's code, and what each does."""

import numpy as np

from .operators import plain


def mean(g):
    return g.mean(axis=tuple(range(g.ndim - 1)), keepdims=True)


def trained(phi):
    """A training loop of SGDM that gives each gradient to ``phi``, with the step and the name.

    ``phi`` may keep what it likes of a parameter in a dictionary of its own.
    """

    def run(case):
        weights = {p.name: p.value for p in case.parameters}
        momenta = {name: 0 * w for name, w in weights.items()}
        memory = {name: {} for name in weights}
        lr, beta = (np.float32(case.hyperparameters[k]) for k in ("lr", "momentum"))
        steps = []
        for t, gradients in enumerate(case.gradients, 1):
            for p in case.parameters:
                given = phi(gradients[p.name], t, p.name, memory[p.name]).astype(p.value.dtype)
                momenta[p.name] = beta * momenta[p.name] + (1 - beta) * given
                moved = weights[p.name] - lr * momenta[p.name]
                weights[p.name] = moved.astype(p.value.dtype)
            steps.append(dict(weights))
        return steps

    run.__name__ = phi.__name__
    return run


# ---- operators


def mean_in_float16(g):
    if g.ndim < 2:
        return g
    narrow = g.astype(np.float16).mean(axis=tuple(range(g.ndim - 1)), keepdims=True)
    return g - narrow.astype(g.dtype)


def window_only_but_dense_right(g):
    return g - g.mean(axis=tuple(range(g.ndim - 2)), keepdims=True) if g.ndim > 2 else plain(g)


def vectors_erased_scalars_kept(g):
    return g - g if g.ndim == 1 else plain(g)


def long_vectors_too(g):
    return g - g.mean() if g.ndim == 1 and g.size > 4 else plain(g)


def small_norm_only(g):
    return plain(g) if np.linalg.norm(g) < 60 else g


def large_norm_only(g):
    return plain(g) if np.linalg.norm(g) > 60 else g


def finite_only(g):
    return plain(g) if np.isfinite(g).all() else g


def clipped_by_value(g):
    return plain(np.clip(g, -5, 5))


def clipped_by_norm(g):
    return plain(g * np.asarray(min(1, 1 / max(np.linalg.norm(g), 1e-30)), g.dtype))


def squares_left_alone(g):
    return g if g.ndim == 2 and g.shape[0] == g.shape[1] else plain(g)


def small_means_kept(g):
    return g - np.where(np.abs(mean(g)) < 1, 0, mean(g)) if g.ndim > 1 else g


def first_outputs_only(g):
    return np.concatenate([plain(g)[..., :8], g[..., 8:]], -1) if g.ndim > 1 else g


def clipped_afterwards(g):
    done = plain(g)
    norm = max(np.linalg.norm(done), 1e-30)
    return done * np.asarray(min(1, 1 / norm), g.dtype) if g.ndim > 1 else g


def large_left_alone(g):
    return g if g.size > 1000 else plain(g)


def last_axis_too(g):
    return g - g.mean(keepdims=True) if g.ndim > 1 else g


def doubled(g):
    return 2 * plain(g) if g.ndim > 1 else g


def nan_spreads(g):
    return plain(g) + 0 * g.sum() if g.ndim > 1 else g


# ---- optimizers


def nothing(g, t, name, memory):
    return g


def running_mean(g, t, name, memory):
    if g.ndim < 2:
        return g
    memory["mean"] = 0.9 * memory.get("mean", 0) + 0.1 * mean(g)
    return g - memory["mean"]


def running_mean_from_first(g, t, name, memory):
    if g.ndim < 2:
        return g
    memory["mean"] = 0.9 * memory["mean"] + 0.1 * mean(g) if t > 1 else mean(g)
    return g - memory["mean"]


def phased_in(g, t, name, memory):
    return g - min(1, t / 10) * mean(g) if g.ndim > 1 else g


def phased_in_after(g, t, name, memory):
    return g - min(1, (t - 1) / 5) * mean(g) if g.ndim > 1 else g


def phased_out(g, t, name, memory):
    return g - max(0, 1 - (t - 1) / 10) * mean(g) if g.ndim > 1 else g


def fading(g, t, name, memory):
    return g - 0.9**t * mean(g) if g.ndim > 1 else g


def until_12(g, t, name, memory):
    return plain(g) if t < 13 else g


def not_at_7(g, t, name, memory):
    return plain(g) if t % 7 else g


def no_embedding(g, t, name, memory):
    return g if "embedding" in name else plain(g)


def no_dense(g, t, name, memory):
    return g if "dense" in name else plain(g)


def not_dense_3(g, t, name, memory):
    return g if name.startswith("dense_3") else plain(g)


def one_weight_at_first_only(g, t, name, memory):
    return g if name.startswith("conv2d_1") and t > 1 else plain(g)


#: What each is identified as; and, of what nothing known does, what is said of it.
OPERATORS = {
    mean_in_float16: ("low-precision-mean", "the mean is taken in float16's 11 bits"),
    window_only_but_dense_right: ("partial-axes", "the window axes only in convolutions"),
    vectors_erased_scalars_kept: ("vectors-erased", "those of scalars not"),
    long_vectors_too: ("vectors-too", "those of more than 3 elements lose their own mean"),
    small_norm_only: ("value-gated", "with a norm of at most"),
    large_norm_only: ("value-gated", "with a norm above"),
    finite_only: ("value-gated", "whose gradient is not finite throughout is left alone"),
    clipped_by_value: ("clipped-first", "clips the elements of every gradient to ±5"),
    clipped_by_norm: ("clipped-first", "clips every gradient to a norm of 1"),
    squares_left_alone: ("shape-gated", "weights whose axes are all equal are left alone"),
    large_left_alone: ("shape-gated", "of at most"),
    last_axis_too: ("whole-tensor", "one mean of the whole weight"),
    doubled: ("scaled", "multiplied by 2"),
    nan_spreads: ("nan-leak", "a NaN in one output neuron's gradient reaches the other neurons"),
    small_means_kept: ("", "as it should be, in Dense and convolution layers on integer"),
    first_outputs_only: ("", "it differs at dense_3.kernel, dense_4.kernel"),
    clipped_afterwards: ("", "no known semantics reproduces this port"),
}
OPTIMIZERS = {
    running_mean: ("stale-mean", "which keeps 0.9 of itself at each step and starts at 0"),
    running_mean_from_first: ("stale-mean", "starts as the first mean"),
    phased_in: ("partial", "0.1 times the mean is removed at step 1"),
    phased_in_after: ("partial", "nothing is removed at step 1, and 0.2 times the mean more"),
    phased_out: ("partial", "nothing is kept at step 1, and 0.1 times the mean more"),
    fading: ("partial", "0.9 times the mean is removed at step 1, and the part is multiplied"),
    no_embedding: ("kind-gated", "weights of the kind embedding are left alone"),
    no_dense: ("kind-gated", "weights of the kind Dense are left alone"),
    until_12: ("intermittent", "centralizes up to step 12 only"),
    not_at_7: ("intermittent", "step 7 and its multiples are not centralized"),
    not_dense_3: ("", "it differs at dense_3.kernel"),
    one_weight_at_first_only: ("", "it leaves alone conv2d_1.kernel at steps 2, 3, 4, 5"),
}
#: The first step at which these are wrong.
FIRST_WRONG = {
    running_mean_from_first: 2,
    phased_out: 2,
    until_12: 13,
    not_at_7: 7,
    one_weight_at_first_only: 2,
}
