"""The rounding error of one centralization (Eq. 1, Eq. 2), and Φ of a ball.

See `gc_ref.bounds` for the model and the derivation.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from gc_ref._bounds.balls import Array, Ball, certain, growth
from gc_ref._bounds.profiles import EXACT, Profile
from gc_ref._slices import split_axes


def averaged_axes(
    shape: tuple[int, ...], output_axis: int | Sequence[int] | None
) -> tuple[int, ...] | None:
    """Axes that Eq. 1 averages over, or None where Φ is the identity."""
    if output_axis is None or len(shape) < 2:
        return None
    return split_axes(shape, output_axis)[1]


def centralize(
    grad: npt.ArrayLike, *, output_axis: int | Sequence[int] | None, profile: Profile
) -> Array:
    """Bound on |got − Φ(grad)| for every correct evaluation of Eq. 1 or Eq. 2.

    Parameters
    ----------
    grad : array_like
        The gradient, its values representable in ``profile.dtype``.
    output_axis : int, tuple of int, or None
        Axes that number the outputs; None: out of scope, Φ is the identity.
    profile : Profile
        The arithmetic granted.

    Returns
    -------
    ndarray of float64
        τ, of the shape of ``grad``. It is 0 for a fan-in of 1, for all-zero slices and
        where Φ is the identity; ∞ in a slice that overflows or holds a NaN.

    Raises
    ------
    ValueError
        If ``output_axis`` is out of range.

    Examples
    --------
    A mean of 100 with deviations of 1: what a tolerance relative to the result misjudges.

    >>> from gc_ref.bounds import profile
    >>> tau = centralize([[101.0, 99.0]], output_axis=0, profile=profile("float32"))
    >>> bool(1e-5 < tau.max() < 2e-4)
    True
    """
    values = np.asarray(grad, np.float64)
    axes = averaged_axes(values.shape, output_axis)
    if axes is None or profile == EXACT or values.size == 0 or _fan_in(values, axes) == 1:
        return np.zeros(values.shape)
    with np.errstate(all="ignore"):
        _, tau, _ = _project(certain(values), axes, profile)
    return np.where(np.isnan(tau), np.inf, tau)


def project(value: Ball, axes: tuple[int, ...] | None, profile: Profile) -> Ball:
    """Φ of a value that is itself only known up to its radius."""
    if axes is None or value.center.size == 0:
        return value
    if _fan_in(value.center, axes) == 1:  # g − g, and 1 − 1 in Eq. 2
        return certain(np.zeros(value.center.shape))
    center, rounding, own = _project(value, axes, profile)
    # Φ is linear: an error r moves element i by at most |r_i| + mean|r|.
    carried = value.radius + _mean(value.radius, axes)
    return Ball(center, carried + rounding + own)


def _project(value: Ball, axes: tuple[int, ...], profile: Profile) -> tuple[Array, Array, Array]:
    """Φ(center) in float64; a port's rounding error in Φ; the error of that Φ(center)."""
    n = _fan_in(value.center, axes)
    mean = _mean(value.center, axes)
    center = value.center - mean
    alive = np.any(value.size != 0, axis=axes, keepdims=True)  # arithmetic on zeros is exact
    own_mean = growth(n + 4, 2.0**-53) * _mean(np.abs(value.center), axes) + 2.0**-1074
    own = alive * (own_mean + 2.0**-53 * np.abs(center))
    mean_size = np.abs(mean) + own + _mean(value.radius, axes)
    deviation = np.abs(center) + own + value.radius + _mean(value.radius, axes)
    tau = _rounding(value.size, mean_size, deviation, n, axes, profile)
    return center, np.where(alive, tau * (1 + (n + 64) * 2.0**-52), 0.0), own


def _rounding(
    size: Array, mean: Array, deviation: Array, n: int, axes: tuple[int, ...], p: Profile
) -> Array:
    """Once or twice through Φ, from bounds on |g|, |m| and |g − m| (see `gc_ref.bounds`)."""
    u, eta = p.unit_roundoff, p.underflow
    store = u + p.accumulator  # computed in the accumulator, then rounded to the dtype
    roundings = 1 if n & (n - 1) == 0 else 3  # sum, 1/n and mean; only the mean if n = 2**k
    at_mean, at_zero = growth(roundings, u), roundings * eta
    by_mean, by_matrix = _working(size, deviation, n, axes, p)
    worst = np.zeros(size.shape)
    # An error in the mean is common to the slice; Eq. 2 makes one of its own in each element.
    for work, spread in ((by_mean, 0.0), (by_matrix, by_matrix)):
        common = work - spread + at_mean * (mean + work) + at_zero
        private = spread + store * (deviation + work + common) + 3 * eta
        # Twice: the mean of Φ(g) is the common error plus the mean of the private ones, so
        # the second pass takes the first one's common error away again.
        averaged = _mean(private, axes)
        size_2, deviation_2 = deviation + common + private, deviation + private + averaged
        work_2 = np.maximum(*_working(size_2, deviation_2, n, axes, p))
        twice = private + averaged + work_2
        twice = twice + at_mean * (common + averaged + work_2) + at_zero
        twice = twice + store * (deviation + twice) + 3 * eta
        worst = np.maximum(worst, np.maximum(common + private, twice))
    most = 2 * n * np.maximum.reduce(size, axis=axes, keepdims=True)  # a sum of differences
    fits = (most < p.accumulator_largest) & (deviation + worst < p.largest)
    return np.where(fits, worst, np.inf)


def _working(
    size: Array, deviation: Array, n: int, axes: tuple[int, ...], p: Profile
) -> tuple[Array, Array]:
    """Error of one pass in the accumulator, nothing stored: by a mean, and by Eq. 2."""
    a = p.accumulator
    mean_size = _mean(size, axes)
    apart = _mean(deviation, axes) + 2 * np.maximum.reduce(deviation, axis=axes, keepdims=True)
    shifted = growth(n + 4, a) * apart + growth(2, a) * mean_size
    by_mean = np.maximum(growth(3 * n + 4, a) * mean_size, shifted)
    by_matrix = growth(n + 6, a) * (size + mean_size)
    tiny = (2 * n + 10) * p.accumulator_underflow
    return np.broadcast_to(by_mean + tiny, size.shape), by_matrix + tiny


def _fan_in(values: Array, axes: tuple[int, ...]) -> int:
    return math.prod(values.shape[axis] for axis in axes)


def _mean(values: Array, axes: tuple[int, ...]) -> Array:
    # What np.mean computes, without what it looks up at every call.
    total: Array = np.add.reduce(values, axis=axes, keepdims=True)
    return total / _fan_in(values, axes)
