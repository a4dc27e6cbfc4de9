"""Strategies for the hyperparameters of SGDM and Adam."""

from __future__ import annotations

from collections.abc import Mapping

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

_TYPICAL: Mapping[str, Mapping[str, tuple[float, ...]]] = {
    "sgdm": {"lr": (0.1, 0.01, 1.0), "momentum": (0.9, 0.0, 0.99)},
    "adam": {
        "lr": (1e-3, 0.1, 3e-4),
        "beta1": (0.9, 0.0, 0.95),
        "beta2": (0.999, 0.9, 0.99),
        "eps": (1e-8, 1e-7, 1e-3),
    },
}

_DYADIC: Mapping[str, Mapping[str, tuple[float, ...]]] = {
    "sgdm": {"lr": (0.5, 0.125, 1.0), "momentum": (0.5, 0.0, 0.75)},
    "adam": {
        "lr": (0.125, 0.5),
        "beta1": (0.5, 0.0, 0.75),
        "beta2": (0.75, 0.5, 0.9375),
        "eps": (1.0, 0.0009765625),
    },
}


def hyperparameters(
    algorithm: str, *, dyadic: bool | None = None
) -> SearchStrategy[dict[str, float]]:
    """Hyperparameters of SGDM (Algorithm 1) or Adam (Algorithm 2).

    Parameters
    ----------
    algorithm : {"sgdm", "adam"}
        The optimizer that takes them.
    dyadic : bool, optional
        True: sums of few powers of two, exact in every dtype; False: values that
        people use, like 0.9; default: both.

    Returns
    -------
    strategy of dict
        Keys ``lr, momentum`` or ``lr, beta1, beta2, eps``.

    Raises
    ------
    ValueError
        For another algorithm.

    Examples
    --------
    >>> from hypothesis import find
    >>> find(hyperparameters("sgdm", dyadic=True), lambda h: True)
    {'lr': 0.5, 'momentum': 0.5}
    """
    if algorithm not in _TYPICAL:
        raise ValueError(f"unknown algorithm {algorithm!r}; use sgdm or adam")
    tables = [_DYADIC] if dyadic else [_TYPICAL] if dyadic is False else [_DYADIC, _TYPICAL]
    return st.one_of(
        *(
            st.fixed_dictionaries({k: st.sampled_from(v) for k, v in table[algorithm].items()})
            for table in tables
        )
    )
