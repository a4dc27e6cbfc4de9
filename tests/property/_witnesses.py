"""The two witnesses behind one face: the array implementation and exact scalars."""

from fractions import Fraction

import hypothesis.strategies as st
import numpy as np

import gc_ref
from gc_ref import bounds, exact
from gc_ref.strategies import gradient_cases, gradients

WITNESSES = ("array", "exact")
#: NumPy has no bfloat16: steps of the array witness are run in these.
ARRAY_DTYPES = ("float16", "float32", "float64")


def frozen(array):
    """The array, read-only."""
    array.flags.writeable = False
    return array


def rounded(values, dtype):
    """Float32 values rounded once to bfloat16; of another dtype, as they are."""
    if dtype != "bfloat16":
        return values
    flat = [exact.round_to(float(x), dtype) for x in values.ravel()]
    return np.array(flat, "float32").reshape(values.shape)


def held_to(law, witness, case, *others, **options):
    """Put Φ of one witness to a law, on a case and further gradients of its shape."""
    axis = case.output_axis
    grads = [frozen(g) for g in (case.gradient, *others)]
    if witness == "exact":

        def phi(g):
            return exact.centralize(g, output_axis=axis)

        return law(phi, *map(exact.exactly, grads), output_axis=axis, **options)

    def phi(g):
        return rounded(gc_ref.centralize(g, output_axis=axis), case.dtype)

    profile = bounds.profile(case.dtype)
    return law(phi, *grads, output_axis=axis, profile=profile, **options)


@st.composite
def pairs(draw, regime):
    """A gradient of a real layer in one regime, and another of its shape in any."""
    rule = draw(st.sampled_from(["by-rank", "by-kind"]))
    case = draw(gradient_cases(regime=regime, axes_rule=rule, zero_size=True, max_size=128))
    options = {"output_axis": case.output_axis, "dtype": case.dtype}
    return case, draw(gradients(case.gradient.shape, **options))


def profile_of(case):
    """Profile of the NumPy reference: hyperparameters are held in the dtype it computes in."""
    held = "float64" if case.dtype == "float64" else "float32"
    return bounds.profile(case.dtype, hyperparameters=held)


def array_sgdm(case, *, dampening=None, inside=0.0):
    """Weights after each step of the array witness; ``inside``: L2 decay that enters Φ."""
    w, state, weights = frozen(case.weight), gc_ref.sgdm_init(case.weight), []
    for g in case.gradients:
        if inside:
            wide = np.promote_types(g.dtype, np.float32)
            g = (g.astype(wide) + wide.type(inside) * w.astype(wide)).astype(g.dtype)
        w, state = gc_ref.sgdm_step(
            w,
            frozen(g),
            state,
            dampening=dampening,
            output_axis=case.output_axis,
            **case.hyperparameters,
        )
        weights.append(w)
    return weights


def array_adam(case):
    """Weights after each step of the array witness."""
    w, state, weights = frozen(case.weight), gc_ref.adam_init(case.weight), []
    for g in case.gradients:
        w, state = gc_ref.adam_step(
            w, frozen(g), state, output_axis=case.output_axis, **case.hyperparameters
        )
        weights.append(w)
    return weights


def worst_ratio(got, lower, upper, tau):
    """Largest distance of got from [lower, upper] over tau, where tau is finite; 0/0 is 0."""
    worst = 0.0
    values = exact.exactly(got).fractions()
    ends = zip(lower.fractions(), upper.fractions(), strict=True)
    for x, (low, high), allowed in zip(values, ends, tau.ravel().tolist(), strict=True):
        error = max(low - x, x - high, Fraction(0))
        if error and np.isfinite(allowed):
            worst = max(worst, float(error / Fraction(allowed)) if allowed else np.inf)
    return worst
