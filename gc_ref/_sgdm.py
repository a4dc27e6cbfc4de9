"""Algorithm 1 of the paper: SGD with momentum and gradient centralization."""

from __future__ import annotations

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

__all__ = ["SGDMState", "sgdm_init", "sgdm_step"]

Array = Any


class SGDMState(NamedTuple):
    """What `sgdm_step` carries from one step to the next.

    Parameters
    ----------
    momentum : array
        The m of Algorithm 1, of the weight's shape and dtype; float32 for weights of
        a half type.

    Examples
    --------
    >>> import numpy as np
    >>> SGDMState(momentum=np.zeros(2))
    SGDMState(momentum=array([0., 0.]))
    """

    momentum: Array


def sgdm_init(weight: Array) -> SGDMState:
    """Start Algorithm 1: m = 0.

    Parameters
    ----------
    weight : array
        The weight to be trained, of any shape and any real floating dtype.

    Returns
    -------
    SGDMState
        Zeros of the weight's shape, dtype and device; float32 for half types.

    Raises
    ------
    TypeError
        If `weight` is no array or not real floating.

    Examples
    --------
    >>> import numpy as np
    >>> sgdm_init(np.ones(3, dtype=np.float16)).momentum
    array([0., 0., 0.], dtype=float32)
    """
    xp = namespace_of(weight=weight)
    return SGDMState(xp.zeros_like(weight, dtype=compute_dtype(weight, xp)))


def sgdm_step(
    weight: Array,
    grad: Array,
    state: SGDMState,
    *,
    lr: Any,
    momentum: Any = 0.9,
    dampening: Any = None,
    output_axis: int | tuple[int, ...],
) -> tuple[Array, SGDMState]:
    """Make one step of SGDM with gradient centralization (Algorithm 1).

    Parameters
    ----------
    weight : array
        The weight w, of any real floating dtype. Nothing passed in is written to.
    grad : array
        Its gradient g, of the same shape and dtype.
    state : SGDMState
        From `sgdm_init`, or from the step before.
    lr : float or 0-D array
        Learning rate α, not negative.
    momentum : float or 0-D array
        Decay rate β, at least 0 and below 1.
    dampening : float or 0-D array, optional
        Makes m into β m + (1 - dampening) ĝ. If not given it equals `momentum`, as in
        Algorithm 1; 0 gives the heavy-ball form of the authors' published code.
    output_axis : int or tuple of int
        The axis or axes that number the output neurons (see `centralize`).

    Returns
    -------
    weight : array
        The new weight, of the same namespace, shape, dtype and device.
    state : SGDMState
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
    >>> weight, state = sgdm_step(
    ...     weight, grad, sgdm_init(weight), lr=0.5, momentum=0.5, output_axis=-1
    ... )
    >>> weight
    array([[ 0.25],
           [-0.25]])
    """
    xp = namespace_of(weight=weight, grad=grad)
    require_state(state, SGDMState, "sgdm_init")
    dtype = compute_dtype(weight, xp)
    require_same(dtype, weight, grad, momentum=state.momentum)
    lr = hyperparameter("lr", lr, dtype, xp)
    beta = hyperparameter("momentum", momentum, dtype, xp, below=1)
    damping = beta if dampening is None else hyperparameter("dampening", dampening, dtype, xp)

    def algorithm_1(w: Array, g_hat: Array, m: Array) -> tuple[Array, Array]:
        m = beta * m + (1 - damping) * g_hat
        w = w - lr * m
        return w, m

    g_hat = centralize(xp.astype(grad, dtype, copy=False), output_axis=output_axis)
    w = xp.astype(weight, dtype, copy=False)
    w, m = elementwise(algorithm_1, w, g_hat, state.momentum)
    return xp.astype(w, weight.dtype, copy=False), SGDMState(m)
