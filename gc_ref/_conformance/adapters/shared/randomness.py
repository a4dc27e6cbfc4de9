"""Random numbers that a port draws: the same in each run, whatever else is run beside it."""

from __future__ import annotations

import contextlib
import random
import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

#: Name under which Keras 3 keeps the generator of those who name none.
_OF_KERAS = "global_seed_generator"


@contextlib.contextmanager
def seeded() -> Iterator[None]:
    """Seed every generator that a port may share with others, and put all back at the end.

    Two runs then draw the same numbers: they differ by what the port does alone.
    """
    with draws_kept():
        seed_all(0)
        yield


def seed_all(seed: int) -> None:
    """Seed every generator that a port may share with others."""
    random.seed(seed)
    np.random.seed(seed)
    if torch := _loaded("torch"):
        torch.default_generator.manual_seed(seed)
    if tensorflow := _loaded("tensorflow"):
        tensorflow.random.set_seed(seed)
    if keras := _keras_globals():  # it makes a new one when it needs one, seeded by Python's
        keras.set_global_attribute(_OF_KERAS, None)


@contextlib.contextmanager
def draws_kept() -> Iterator[None]:
    """Let what is drawn inside have no effect on what is drawn after it.

    A second optimizer that trains in between must not use up the numbers of the first one.
    """
    put_back = list(_states())
    try:
        yield
    finally:
        for restore in put_back:
            restore()


def _states() -> Iterator[Callable[[], Any]]:
    """Save the state of each generator: functions that put it back."""
    python, numpy = random.getstate(), np.random.get_state()
    yield lambda: random.setstate(python)
    yield lambda: np.random.set_state(numpy)
    if torch := _loaded("torch"):
        state = torch.default_generator.get_state()
        yield lambda: torch.default_generator.set_state(state)
    if _loaded("tensorflow"):
        yield _tensorflow_state()
    if keras := _keras_globals():
        generator = keras.get_global_attribute(_OF_KERAS)
        drawn = None if generator is None else np.array(generator.state.numpy())

        def restore() -> None:
            keras.set_global_attribute(_OF_KERAS, generator)
            if generator is not None:
                generator.state.assign(drawn)

        yield restore


def _tensorflow_state() -> Callable[[], Any]:
    """Save the global seed of TensorFlow and what follows it; TensorFlow has no name for that."""
    context: Any = sys.modules["tensorflow.python.eager.context"].context()
    seed, generator = getattr(context, "_seed", None), getattr(context, "_rng", None)
    state = None if generator is None else generator.getstate()

    def restore() -> None:
        context._seed = seed
        if generator is not None:
            context._rng = generator
            generator.setstate(state)

    return restore


def _loaded(name: str) -> Any:
    """Return a library that is imported already: nobody draws from another one."""
    return sys.modules.get(name)


def _keras_globals() -> Any:
    """Return the module that holds what Keras 3 shares, if it is imported."""
    return sys.modules.get("keras.src.backend.common.global_state")
