"""Arithmetic profiles, and the rounding error of one centralization (Eq. 1, Eq. 2).

See `gc_ref.bounds` for the model and the derivation.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = ["EXACT", "SHADOW", "Array", "Ball", "Profile", "as_float64", "centralize"]
__all__ += ["growth", "profile", "project", "reduced_axes"]

Array = npt.NDArray[np.float64]

#: dtype -> unit roundoff, smallest subnormal, smallest normal and largest number
_FORMATS = {
    "float16": (2.0**-11, 2.0**-24, 2.0**-14, 65504.0),
    "bfloat16": (2.0**-8, 2.0**-133, 2.0**-126, (1 - 2.0**-8) * 2.0**128),
    "float32": (2.0**-24, 2.0**-149, 2.0**-126, (1 - 2.0**-24) * 2.0**128),
    "float64": (2.0**-53, 2.0**-1074, 2.0**-1022, (1 - 2.0**-53) * 2.0**1023 * 2),
}


@dataclass(frozen=True)
class Profile:
    """The arithmetic that a port is granted. Made by `profile`.

    Attributes
    ----------
    name : str
        Name in reports.
    dtype : str
        Storage dtype: gradients, centralized gradients and weights are rounded to it.
    unit_roundoff : float
        u, the unit roundoff of ``dtype``.
    accumulator : float
        u_a, the unit roundoff in which sums run (and, for half types, optimizer state).
    hyperparameters : float
        u_h, the unit roundoff in which hyperparameters are held.
    underflow : float
        η, the absolute error that underflow can add to one operation in ``dtype``: the
        smallest subnormal, or under flush-to-zero three times the smallest normal
        number (both operands and the result may be flushed).
    accumulator_underflow : float
        The same for one operation in the accumulator.
    largest, accumulator_largest : float
        Largest finite number of ``dtype`` and of the accumulator.
    """

    name: str
    dtype: str
    unit_roundoff: float
    accumulator: float
    hyperparameters: float
    underflow: float
    accumulator_underflow: float
    largest: float
    accumulator_largest: float


def profile(
    dtype: str,
    *,
    accumulator: str | None = None,
    hyperparameters: str | None = None,
    flush_to_zero: bool = False,
) -> Profile:
    """Profile of a port that stores in ``dtype``.

    Parameters
    ----------
    dtype : {"float16", "bfloat16", "float32", "float64"}
        Dtype of gradients and weights.
    accumulator : str, optional
        Dtype of sums. Default: float32 for the half types, else ``dtype``. For a half
        type it is also the dtype of the optimizer's state.
    hyperparameters : str, optional
        Dtype in which lr, the betas and the like are held. Default: float64.
    flush_to_zero : bool
        Whether subnormal operands and results are flushed to zero.

    Returns
    -------
    Profile

    Raises
    ------
    ValueError
        For an unknown dtype name.

    Examples
    --------
    >>> profile("bfloat16").accumulator == 2.0**-24
    True
    >>> profile("float32", hyperparameters="float32", flush_to_zero=True).name
    'float32 (hyperparameters float32, flush to zero)'
    """
    sums = accumulator or ("float32" if dtype in ("float16", "bfloat16") else dtype)
    hyper = hyperparameters or "float64"
    for name in (dtype, sums, hyper):
        if name not in _FORMATS:
            raise ValueError(f"unknown dtype {name!r}; use one of {', '.join(_FORMATS)}")
    tiny = {k: 3 * f[2] if flush_to_zero else f[1] for k, f in _FORMATS.items()}
    notes = [f"sums {sums}"] if accumulator else []
    notes += [f"hyperparameters {hyper}"] if hyperparameters else []
    notes += ["flush to zero"] if flush_to_zero else []
    return Profile(
        name=f"{dtype} ({', '.join(notes)})" if notes else dtype,
        dtype=dtype,
        unit_roundoff=_FORMATS[dtype][0],
        accumulator=_FORMATS[sums][0],
        hyperparameters=_FORMATS[hyper][0],
        underflow=max(tiny[dtype], tiny[sums], tiny[hyper]),
        accumulator_underflow=tiny[sums],
        largest=_FORMATS[dtype][3],
        accumulator_largest=_FORMATS[sums][3],
    )


#: No rounding at all: every bound is zero. For the zero-tolerance class.
EXACT = Profile("exact", "float64", 0.0, 0.0, 0.0, 0.0, 0.0, math.inf, math.inf)

#: The arithmetic of this module itself.
SHADOW = profile("float64")


class Ball(NamedTuple):
    """What is known of a port's value, element by element: |got − center| ≤ radius."""

    center: Array
    radius: Array

    @property
    def size(self) -> Array:
        """Upper bound of |got|."""
        return np.abs(self.center) + self.radius


def growth(count: float, unit: float) -> float:
    """(1 + unit)**count − 1: what ``count`` roundings can do to a product (never ∞ or < 0)."""
    return math.expm1(count * math.log1p(unit))


def as_float64(values: npt.ArrayLike) -> Array:
    """Return the values as a float64 array; every dtype named here embeds in it exactly."""
    return np.asarray(values, dtype=np.float64)


def reduced_axes(
    shape: Sequence[int], output_axis: int | Sequence[int] | None
) -> tuple[int, ...] | None:
    """Axes that Eq. 1 averages over, or None where Φ is the identity."""
    if output_axis is None or len(shape) < 2:
        return None
    given = (output_axis,) if isinstance(output_axis, int) else tuple(output_axis)
    if not all(-len(shape) <= axis < len(shape) for axis in given):
        raise ValueError(f"output_axis {output_axis!r} is out of range for shape {tuple(shape)}")
    kept = {axis % len(shape) for axis in given}
    return tuple(axis for axis in range(len(shape)) if axis not in kept)


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

    >>> tau = centralize([[101.0, 99.0]], output_axis=0, profile=profile("float32"))
    >>> bool(1e-5 < tau.max() < 2e-4)
    True
    """
    values = as_float64(grad)
    axes = reduced_axes(values.shape, output_axis)
    if axes is None or profile == EXACT or values.size == 0:
        return np.zeros(values.shape)
    with np.errstate(all="ignore"):
        tau = _project(Ball(values, np.zeros(values.shape)), axes, profile)[1]
    return np.where(np.isnan(tau), np.inf, tau)


def project(value: Ball, axes: tuple[int, ...] | None, profile: Profile) -> Ball:
    """Φ of a value that is itself only known up to its radius."""
    if axes is None or value.center.size == 0:
        return value
    center, rounding, shadow = _project(value, axes, profile)
    # Φ is linear: an error r moves element i by at most |r_i| + mean|r|.
    moved = value.radius + _mean(value.radius, axes)
    if math.prod(value.center.shape[axis] for axis in axes) == 1:
        return Ball(center, np.zeros(center.shape))
    return Ball(center, moved + rounding + shadow)


def _project(value: Ball, axes: tuple[int, ...], profile: Profile) -> tuple[Array, Array, Array]:
    """Φ(center) in float64; a port's rounding error in Φ; the error of that Φ(center)."""
    n = math.prod(value.center.shape[axis] for axis in axes)
    mean = _mean(value.center, axes)
    center = value.center - mean
    if n == 1:  # g − g, and 1 − 1 in Eq. 2
        nothing = np.zeros(center.shape)
        return nothing, nothing, nothing
    alive = np.any(value.size != 0, axis=axes, keepdims=True)  # arithmetic on zeros is exact
    own = growth(n + 4, 2.0**-53) * _mean(np.abs(value.center), axes) + 2.0**-1074
    shadow = alive * (own + 2.0**-53 * np.abs(center))
    mean_size = np.abs(mean) + shadow + _mean(value.radius, axes)
    deviation = np.abs(center) + shadow + value.radius + _mean(value.radius, axes)
    tau = _rounding(value.size, mean_size, deviation, n, axes, profile)
    return center, np.where(alive, tau * (1 + (n + 64) * 2.0**-52), 0.0), shadow


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
    most = 2 * n * np.max(size, axis=axes, keepdims=True)  # a sum of differences
    fits = (most < p.accumulator_largest) & (deviation + worst < p.largest)
    return np.where(fits, worst, np.inf)


def _working(
    size: Array, deviation: Array, n: int, axes: tuple[int, ...], p: Profile
) -> tuple[Array, Array]:
    """Error of one pass in the accumulator, nothing stored: by a mean, and by Eq. 2."""
    a = p.accumulator
    mean_size = _mean(size, axes)
    apart = _mean(deviation, axes) + 2 * np.max(deviation, axis=axes, keepdims=True)
    shifted = growth(n + 4, a) * apart + growth(2, a) * mean_size
    by_mean = np.maximum(growth(3 * n + 4, a) * mean_size, shifted)
    by_matrix = growth(n + 6, a) * (size + mean_size)
    tiny = (2 * n + 10) * p.accumulator_underflow
    return np.broadcast_to(by_mean + tiny, size.shape), by_matrix + tiny


def _mean(values: Array, axes: tuple[int, ...]) -> Array:
    mean: Array = np.mean(values, axis=axes, keepdims=True)
    return mean
