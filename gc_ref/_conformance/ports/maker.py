"""How a user makes what a port drives: enough to write a program of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Maker"]


@dataclass(frozen=True)
class Maker:
    """What the user gave to an adapter, and how the adapter calls it.

    Attributes
    ----------
    program : str
        Which program shows a run of it (see `_replay_programs`): ``"torch"``, ``"keras"``,
        ``"optax"``, ``"numpy"``, or ``"operator"`` and the framework, as in ``"operator-jax"``.
    function : object
        The class, factory or function; for a program in any language its words.
    arguments : callable
        Hyperparameters to the keyword arguments that it is called with.
    detail : str
        What else the program must know: the backend of Keras, ``"scaled"`` for an optax
        transformation that takes no learning rate.
    """

    program: str
    function: Any
    arguments: Callable[[Mapping[str, float]], Mapping[str, Any]]
    detail: str = ""
