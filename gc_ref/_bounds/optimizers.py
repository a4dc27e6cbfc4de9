"""The bounds of SGDM and Adam with GC (Algorithms 1 and 2), carried from step to step.

See `gc_ref.bounds` for the derivation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from gc_ref._bounds import balls
from gc_ref._bounds.balls import Array, Units
from gc_ref._bounds.centralize import averaged_axes, project
from gc_ref._bounds.profiles import EXACT, FLOAT64, Profile

_CHOICES = {
    "placement": ("gradient", "decayed-gradient", "update", "decayed-update"),
    "decay": ("l2", "decoupled"),
    "first_momentum": ("zero", "gradient"),
    "epsilon": ("outside", "hat"),
}


def sgdm(
    weight: npt.ArrayLike,
    grads: Sequence[npt.ArrayLike],
    *,
    lr: float | Sequence[float],
    momentum: float = 0.9,
    dampening: float | None = None,
    output_axis: int | Sequence[int] | None,
    first_momentum: str = "zero",
    weight_decay: float = 0.0,
    decay: str = "l2",
    placement: str = "gradient",
    profile: Profile,
) -> list[Array]:
    """Bound on |w_got − w_exact| after each step of SGDM with GC (Algorithm 1).

    Parameters
    ----------
    weight : array_like
        Initial weight, exactly as the port gets it.
    grads : sequence of array_like
        One gradient per step, of the shape of ``weight``.
    lr : float or sequence of float
        α, exactly as the port gets it; a sequence has one for each step.
    momentum : float
        β, exactly as the port gets it.
    dampening : float, optional
        None: m = βm + (1−β)ĝ, Algorithm 1; else m = βm + (1−dampening)ĝ.
    output_axis : int, tuple of int, or None
        Axes that number the outputs; None: Φ is the identity.
    first_momentum : {"zero", "gradient"}
        What m is after the first step: the formula from m = 0, or ĝ.
    weight_decay : float
        λ.
    decay : {"l2", "decoupled"}
        Whether λw joins the gradient, or w shrinks by lr·λ·w first.
    placement : {"gradient", "decayed-gradient", "update", "decayed-update"}
        Φ(g) + λw, Φ(g + λw), Φ of the final direction, or of that with a decoupled λw.
    profile : Profile
        The arithmetic granted.

    Returns
    -------
    list of ndarray
        τ after each step, float64, of the shape of ``weight``.

    Raises
    ------
    ValueError
        For an unknown option or a gradient of another shape.

    Examples
    --------
    >>> from gc_ref.bounds import profile
    >>> port = profile("float32")
    >>> taus = sgdm([[1.0], [2.0]], [[[3.0], [5.0]]] * 2, lr=0.1, output_axis=1, profile=port)
    >>> bool(0 < taus[0].max() < taus[1].max() < 2e-6)
    True
    """
    start, gradients = _same_shape(weight, grads)
    _check(placement=placement, decay=decay, first_momentum=first_momentum)
    axes = averaged_axes(start.shape, output_axis)
    take = 1 - (momentum if dampening is None else dampening)
    l2, decoupled, inside = _decays(weight_decay, decay, placement)

    rates = _rates(lr, len(gradients))

    def run(profile: Profile) -> Iterator[Array]:
        units = Units.of(profile, min(rates, key=abs, default=0.0))
        w = balls.certain(start)
        m = raw = balls.certain(np.zeros(start.shape))  # momentum of Φ(g), and of g
        for step, (g, lr) in enumerate(zip(map(balls.certain, gradients), rates, strict=True)):
            w = balls.shrunk(w, lr, decoupled, units)
            if placement == "gradient":
                g_hat = balls.decayed(project(g, axes, profile), w, l2, units)
            else:
                g = balls.decayed(g, w, l2, units)
                g_hat = project(g, axes, profile)
            if step == 0 and first_momentum == "gradient":
                m, raw = g_hat, g
            else:
                lost = units.eta * units.per_lr  # by a term, or lr times it, that is stored
                m = balls.average(m, g_hat, momentum, take, units, underflow=lost)
                raw = balls.average(raw, g, momentum, take, units, underflow=lost)
            direction = m
            if placement != "gradient" or l2 == 0:
                # Φ of the momentum: the same mathematics, other roundings.
                late = balls.stored(raw, units) if placement.endswith("update") else raw
                late = balls.joined(late, w, inside, units)
                late = project(late, axes, units.scaled(profile))
                direction = late if inside else balls.either(m, late)
            w = balls.moved(w, direction, lr, units)
            yield w.radius

    return _bound(run, profile, start, len(gradients))


def adam(
    weight: npt.ArrayLike,
    grads: Sequence[npt.ArrayLike],
    *,
    lr: float | Sequence[float],
    beta1: float = 0.9,
    beta2: float = 0.999,
    eps: float = 1e-8,
    output_axis: int | Sequence[int] | None,
    epsilon: str = "outside",
    weight_decay: float = 0.0,
    decay: str = "l2",
    placement: str = "gradient",
    profile: Profile,
) -> list[Array]:
    """Bound on |w_got − w_exact| after each step of Adam with GC (Algorithm 2).

    Parameters
    ----------
    weight, grads, output_axis, weight_decay, decay, placement, profile
        As for `sgdm`.
    lr : float or sequence of float
        α, as for `sgdm`.
    beta1, beta2, eps : float
        β1, β2 and ε, exactly as the port gets them.
    epsilon : {"outside", "hat"}
        m̂/(√v̂ + ε), or √(1−β2ᵗ)/(1−β1ᵗ)·m/(√v + ε).

    Returns
    -------
    list of ndarray
        τ after each step, float64, of the shape of ``weight``; ∞ where the denominator
        cannot be told from zero.

    Raises
    ------
    ValueError
        For an unknown option or a gradient of another shape.

    Examples
    --------
    A slice that is constant up to rounding decides nothing: its first step may be ±lr.

    >>> from gc_ref.bounds import profile
    >>> flat = [[0.3], [0.3], [0.3 + 2**-24]]
    >>> tau, = adam([[0.0]] * 3, [flat], lr=1.0, output_axis=1, profile=profile("float32"))
    >>> bool(tau.min() > 1)
    True
    """
    start, gradients = _same_shape(weight, grads)
    _check(placement=placement, decay=decay, epsilon=epsilon)
    axes = averaged_axes(start.shape, output_axis)
    l2, decoupled, inside = _decays(weight_decay, decay, placement)

    rates = _rates(lr, len(gradients))

    def run(profile: Profile) -> Iterator[Array]:
        units = Units.of(profile, min(rates, key=abs, default=0.0))
        w = balls.certain(start)
        m = v = balls.certain(np.zeros(start.shape))
        for t, (g, lr) in enumerate(zip(map(balls.certain, gradients), rates, strict=True), 1):
            w = balls.shrunk(w, lr, decoupled, units)
            if placement == "gradient":
                g = project(g, axes, profile)
            g = balls.decayed(g, w, l2, units)
            if placement == "decayed-gradient":
                g = project(g, axes, profile)
            m = balls.average(m, g, beta1, 1 - beta1, units, underflow=units.eta)
            v = balls.average(v, balls.squared(g, units), beta2, 1 - beta2, units)
            direction = balls.quotient(m, v, t, beta1, beta2, eps, epsilon == "hat", units)
            if placement.endswith("update"):
                late = balls.joined(balls.stored(direction, units), w, inside, units)
                direction = project(late, axes, units.scaled(profile))
            w = balls.moved(w, direction, lr, units)
            yield w.radius

    return _bound(run, profile, start, len(gradients))


def _decays(weight_decay: float, decay: str, placement: str) -> tuple[float, float, float]:
    """λ where it joins the gradient, where it shrinks the weight, and inside Φ of the update."""
    if decay == "l2":
        return weight_decay, 0.0, 0.0
    if placement == "decayed-update":
        return 0.0, 0.0, weight_decay
    return 0.0, weight_decay, 0.0


def _bound(
    run: Callable[[Profile], Iterator[Array]], profile: Profile, start: Array, steps: int
) -> list[Array]:
    """Radius of the port about the center, plus radius of the exact value about it."""
    if profile == EXACT:
        return [np.zeros(start.shape) for _ in range(steps)]
    with np.errstate(all="ignore"):
        pairs = zip(run(profile), run(FLOAT64), strict=True)
        sums = [(port + own) * (1 + 2.0**-40) for port, own in pairs]
    return [np.where(np.isnan(tau), np.inf, tau) for tau in sums]


def _same_shape(weight: npt.ArrayLike, grads: Sequence[npt.ArrayLike]) -> tuple[Array, list[Array]]:
    start, gradients = np.asarray(weight, np.float64), [np.asarray(g, np.float64) for g in grads]
    for step, g in enumerate(gradients, 1):
        if g.shape != start.shape:
            raise ValueError(
                f"gradient of step {step} has shape {g.shape}, the weight {start.shape}; "
                "give one gradient of the weight's shape per step"
            )
    return start, gradients


def _rates(lr: float | Sequence[float], steps: int) -> list[float]:
    """Return the learning rate of each step."""
    if not isinstance(lr, Sequence):
        return [lr] * steps
    if len(lr) != steps:
        raise ValueError(f"{len(lr)} learning rates for {steps} steps; give one for each step")
    return list(lr)


def _check(**chosen: str) -> None:
    for name, value in chosen.items():
        if value not in _CHOICES[name]:
            raise ValueError(f"{name} {value!r} is unknown; use one of {', '.join(_CHOICES[name])}")
