"""Algorithm 2 of the paper: Adam with gradient centralization."""

from __future__ import annotations

import math
from types import ModuleType
from typing import Any, NamedTuple

from ._arrays import (
    compute_dtype,
    elementwise,
    hyperparameter,
    namespace_of,
    require_same,
    require_state,
)
from ._centralize import centralize

__all__ = ["AdamState", "adam_init", "adam_step"]

Array = Any


class AdamState(NamedTuple):
    """What `adam_step` carries from one step to the next.

    Parameters
    ----------
    first_moment : array
        The m of Algorithm 2, of the weight's shape and dtype; float32 for weights of
        a half type.
    second_moment : array
        The v of Algorithm 2, likewise.
    step : int or 0-D integer array
        Number t of steps made; an array where JAX traces it.

    Examples
    --------
    >>> import numpy as np
    >>> AdamState(first_moment=np.zeros(2), second_moment=np.zeros(2), step=0).step
    0
    """

    first_moment: Array
    second_moment: Array
    step: Any


def adam_init(weight: Array) -> AdamState:
    """Start Algorithm 2: m = 0, v = 0, t = 0.

    Parameters
    ----------
    weight : array
        The weight to be trained, of any shape and any real floating dtype.

    Returns
    -------
    AdamState
        Zeros of the weight's shape, dtype and device; float32 for half types.

    Raises
    ------
    TypeError
        If `weight` is no array or not real floating.

    Examples
    --------
    >>> import numpy as np
    >>> adam_init(np.ones(1))
    AdamState(first_moment=array([0.]), second_moment=array([0.]), step=0)
    """
    xp = namespace_of(weight=weight)
    dtype = compute_dtype(weight, xp)
    # Two arrays, not one twice: a caller may own and reuse the buffers.
    return AdamState(xp.zeros_like(weight, dtype=dtype), xp.zeros_like(weight, dtype=dtype), 0)


def adam_step(
    weight: Array,
    grad: Array,
    state: AdamState,
    *,
    lr: Any,
    beta1: Any = 0.9,
    beta2: Any = 0.999,
    eps: Any = 1e-8,
    output_axis: int | tuple[int, ...],
) -> tuple[Array, AdamState]:
    """Make one step of Adam with gradient centralization (Algorithm 2).

    Parameters
    ----------
    weight : array
        The weight w, of any real floating dtype. Nothing passed in is written to.
    grad : array
        Its gradient g, of the same shape and dtype.
    state : AdamState
        From `adam_init`, or from the step before.
    lr : float or 0-D array
        Learning rate α, not negative.
    beta1, beta2 : float or 0-D array
        Decay rates of the two moments, at least 0 and below 1.
    eps : float or 0-D array
        Small constant ε, not negative, added to √v̂ outside of the root.
    output_axis : int or tuple of int
        The axis or axes that number the output neurons (see `centralize`).

    Returns
    -------
    weight : array
        The new weight, of the same namespace, shape, dtype and device.
    state : AdamState
        The new state.

    Raises
    ------
    TypeError
        If `weight` or `grad` is no dense array or not real floating, if `state` is not of
        this kind, or an axis is no integer.
    ValueError
        If shapes or dtypes do not fit each other, an axis is out of range, or a
        hyperparameter given as a number is out of range.

    Notes
    -----
    Half types are computed in float32, and the new weight is rounded once.

    Examples
    --------
    >>> import numpy as np
    >>> weight = np.zeros((2, 1))
    >>> grad = np.asarray([[1.0], [3.0]])
    >>> weight, state = adam_step(
    ...     weight, grad, adam_init(weight), lr=0.5, beta1=0.5, beta2=0.75, eps=1.0, output_axis=-1
    ... )
    >>> weight
    array([[ 0.25],
           [-0.25]])
    """
    xp = namespace_of(weight=weight, grad=grad)
    require_state(state, AdamState, "adam_init")
    dtype = compute_dtype(weight, xp)
    require_same(
        dtype, weight, grad, first_moment=state.first_moment, second_moment=state.second_moment
    )
    lr = hyperparameter("lr", lr, dtype, xp)
    beta1 = hyperparameter("beta1", beta1, dtype, xp, below=1)
    beta2 = hyperparameter("beta2", beta2, dtype, xp, below=1)
    eps = hyperparameter("eps", eps, dtype, xp)
    t = state.step + 1
    one_minus_beta1_t = _one_minus_power(beta1, t, dtype, xp)
    one_minus_beta2_t = _one_minus_power(beta2, t, dtype, xp)

    def algorithm_2(w: Array, g_hat: Array, m: Array, v: Array) -> tuple[Array, Array, Array]:
        m = beta1 * m + (1 - beta1) * g_hat
        v = beta2 * v + (1 - beta2) * g_hat * g_hat
        m_hat = m / one_minus_beta1_t
        v_hat = v / one_minus_beta2_t
        w = w - lr * m_hat / (xp.sqrt(v_hat) + eps)
        return w, m, v

    g_hat = centralize(xp.astype(grad, dtype, copy=False), output_axis=output_axis)
    w = xp.astype(weight, dtype, copy=False)
    w, m, v = elementwise(algorithm_2, w, g_hat, state.first_moment, state.second_moment)
    return xp.astype(w, weight.dtype, copy=False), AdamState(m, v, t)


def _one_minus_power(beta: Any, t: Any, dtype: Any, xp: ModuleType) -> Any:
    """1 - βᵗ, for a step that may be a traced array."""
    if not hasattr(t, "dtype"):
        return 1 - beta**t
    t = xp.astype(t, dtype)
    if isinstance(beta, float) and beta > 0:
        # In float32, 1 - 0.999**t would lose three digits at t = 1.
        return -xp.expm1(t * math.log(beta))
    return 1 - beta**t
