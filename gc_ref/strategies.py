"""Hypothesis strategies for gradients, layers and training runs.

Shapes are those of real layers in both layouts; gradients come in the regimes that
break wrong implementations (`REGIMES` says what each promises). Arrays are NumPy;
bfloat16 values travel as float32 arrays. Every value is representable in its dtype.
Examples shrink to few, small, simple numbers.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from gc_ref._exact.rounding import FORMATS
from gc_ref._slices import Axis, from_rows, matrix_shape
from gc_ref._strategies.hyperparameters import hyperparameters
from gc_ref._strategies.layers import Layer, layers
from gc_ref._strategies.regimes import REGIMES, build, fits

__all__ = [
    "DTYPES",
    "REGIMES",
    "GradientCase",
    "Layer",
    "TrainingCase",
    "gradient_cases",
    "gradients",
    "hyperparameters",
    "layers",
    "training_cases",
]

#: The dtypes that gradients can have.
DTYPES = tuple(FORMATS)

Array = npt.NDArray[np.floating[Any]]


class GradientCase(NamedTuple):
    """A gradient of a real layer, in one regime.

    Parameters
    ----------
    kind, layout, output_axis
        As in `Layer`.
    gradient : ndarray
        The gradient.
    dtype : str
        Its dtype; bfloat16 values are carried by float32.
    regime : str
        Its regime, a key of `REGIMES`.

    Examples
    --------
    >>> g = np.ones((1, 2))
    >>> GradientCase("dense", "output-first", (0,), g, "float64", "constant").regime
    'constant'
    """

    kind: str
    layout: str
    output_axis: tuple[int, ...]
    gradient: Array
    dtype: str
    regime: str


class TrainingCase(NamedTuple):
    """A short training run of one weight.

    Parameters
    ----------
    kind, layout, output_axis
        As in `Layer`.
    weight : ndarray
        Initial weight.
    gradients : tuple of ndarray
        One gradient per step.
    hyperparameters : dict
        Keyword arguments of the optimizer.
    dtype : str
        Of weight and gradients; bfloat16 values are carried by float32.

    Examples
    --------
    >>> w, g = np.zeros((1, 2)), np.ones((1, 2))
    >>> options = {"lr": 0.5, "momentum": 0.5}
    >>> TrainingCase("dense", "output-first", (0,), w, (g,), options, "float64").dtype
    'float64'
    """

    kind: str
    layout: str
    output_axis: tuple[int, ...]
    weight: Array
    gradients: tuple[Array, ...]
    hyperparameters: dict[str, float]
    dtype: str


@st.composite
def gradients(
    draw: DrawFn,
    shape: tuple[int, ...],
    /,
    *,
    output_axis: Axis,
    dtype: str = "float32",
    regime: str | None = None,
) -> Array:
    """Gradients of one shape in a hard regime.

    Parameters
    ----------
    shape : tuple of int
        Shape of the weight.
    output_axis : int or tuple of int
        Axes that number the outputs; a regime is about the inputs of each.
    dtype : {"float16", "bfloat16", "float32", "float64"}
        What the values are representable in.
    regime : str, optional
        A key of `REGIMES`; default: any that the shape allows.

    Returns
    -------
    ndarray
        Of ``dtype``, or float32 for bfloat16.

    Raises
    ------
    ValueError
        For an unknown dtype or regime, and for ``integers`` unless the fan-in is 2**k.

    Examples
    --------
    >>> from hypothesis import find
    >>> find(gradients((2, 3), output_axis=0, regime="constant"), lambda g: True)
    array([[1., 1., 1.],
           [1., 1., 1.]], dtype=float32)
    """
    if dtype not in FORMATS:
        raise ValueError(f"unknown dtype {dtype!r}; use one of {', '.join(FORMATS)}")
    if regime is not None and regime not in REGIMES:
        raise ValueError(f"unknown regime {regime!r}; use one of {', '.join(REGIMES)}")
    outputs, inputs = matrix_shape(shape, output_axis)
    if regime is None:
        regime = draw(st.sampled_from([name for name in REGIMES if fits(name, inputs, dtype)]))
    variant = draw(st.integers(0, 15))
    # One draw of bytes is cheap, and shrinks byte by byte towards 0.
    data = draw(st.binary(min_size=outputs * (inputs + 1), max_size=outputs * (inputs + 1)))
    numbers = np.frombuffer(data, dtype=np.uint8).astype(np.int64)
    seeds = np.where(numbers % 2, 1, -1) * np.minimum((numbers + 1) // 2, 127)
    heads, rest = seeds[:outputs], seeds[outputs:].reshape(outputs, inputs)
    return from_rows(build(regime, rest, heads, variant, dtype), shape, output_axis)


@st.composite
def gradient_cases(
    draw: DrawFn, /, *, dtype: str | None = None, regime: str | None = None, **options: Any
) -> GradientCase:
    """Gradients of real layers: a layer, a dtype, a regime, and a gradient.

    Parameters
    ----------
    dtype : str, optional
        Default: any of `DTYPES`.
    regime : str, optional
        A key of `REGIMES`; default: any.
    **options
        For `layers`.

    Returns
    -------
    GradientCase

    Examples
    --------
    >>> from hypothesis import find
    >>> case = find(gradient_cases(dtype="bfloat16", regime="integers"), lambda case: True)
    >>> case.gradient
    array([[0.]], dtype=float32)
    """
    dtype = dtype or draw(st.sampled_from(DTYPES))
    regime = regime or draw(st.sampled_from(list(REGIMES)))
    if regime == "integers":
        options["power_of_two"] = True
    layer = draw(layers(**options))
    values = gradients(layer.shape, output_axis=layer.output_axis, dtype=dtype, regime=regime)
    return GradientCase(layer.kind, layer.layout, layer.output_axis, draw(values), dtype, regime)


@st.composite
def training_cases(
    draw: DrawFn,
    /,
    *,
    algorithm: str = "sgdm",
    dtype: str | None = None,
    regime: str | None = None,
    min_steps: int = 1,
    max_steps: int = 5,
    dyadic: bool | None = None,
    **options: Any,
) -> TrainingCase:
    """Short training runs of one weight of a real layer.

    Parameters
    ----------
    algorithm : {"sgdm", "adam"}
        The optimizer whose hyperparameters are drawn.
    dtype : str, optional
        Default: any of `DTYPES`.
    regime : str, optional
        Regime of all gradients; default: any but ``huge``, each step its own.
    min_steps, max_steps : int
        Number of gradients.
    dyadic : bool, optional
        For `hyperparameters`.
    **options
        For `layers`.

    Returns
    -------
    TrainingCase

    Examples
    --------
    >>> from hypothesis import find
    >>> case = find(training_cases(algorithm="adam", dtype="float32"), lambda case: True)
    >>> len(case.gradients), case.weight.shape, sorted(case.hyperparameters)
    (1, (1, 1), ['beta1', 'beta2', 'eps', 'lr'])
    """
    dtype = dtype or draw(st.sampled_from(DTYPES))
    chosen = draw(hyperparameters(algorithm, dyadic=dyadic))
    if regime == "integers":
        options["power_of_two"] = True
    layer = draw(layers(**options))
    names = [n for n in REGIMES if n != "huge" and fits(n, layer.fan_in, dtype)]
    regimes = st.sampled_from(names) if regime is None else st.just(regime)

    def values(name: str) -> Array:
        return draw(gradients(layer.shape, output_axis=layer.output_axis, dtype=dtype, regime=name))

    weight = values(draw(st.sampled_from(("ordinary", "large-mean"))))
    steps = draw(st.integers(min_steps, max_steps))
    grads = tuple(values(draw(regimes)) for _ in range(steps))
    return TrainingCase(layer.kind, layer.layout, layer.output_axis, weight, grads, chosen, dtype)
