"""Ports of Keras that cannot be loaded or run: one message each, and what stays out."""

from __future__ import annotations

import gc
import warnings
from collections.abc import Callable
from typing import Any

import pytest

from gc_ref.conformance import Case, PortError, PortLoadError, keras_port

from ._keras_probe import case_of, keras

pytestmark = pytest.mark.keras


class NoRate(keras.optimizers.SGD):  # type: ignore[misc, name-defined]
    def __init__(self) -> None:
        super().__init__(0.1)


def broken(learning_rate: float = 0.1) -> Any:
    raise RuntimeError("out of\norder")


def in_use(learning_rate: float = 0.1) -> Any:
    optimizer = keras.optimizers.SGD(learning_rate)
    optimizer.build([])
    return optimizer


@pytest.mark.parametrize(
    ("optimizer", "settings", "message"),
    [
        (3, {}, "3 is not callable"),
        (NoRate, {}, "NoRate takes no learning rate"),
        (lambda learning_rate: {}, {}, r"makes a builtins\.dict, which is not a Keras optimizer"),
        (broken, {}, "broken could not be made: RuntimeError: out of order"),
        (in_use, {}, "already in use: make a new one"),
        (NoRate, {"speed": 1}, "NoRate takes no argument 'speed'"),
        (keras.optimizers.SGD, {"learning_rate": "fast"}, "SGD could not be made: ValueError"),
    ],
)
def test_ports_that_cannot_be_loaded(
    optimizer: Callable[..., Any], settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(PortLoadError, match=message) as caught:
        keras_port(optimizer, settings=settings)
    assert "\n" not in str(caught.value)


def test_errors_inside_fit_say_where() -> None:
    class Broken(keras.optimizers.SGD):  # type: ignore[misc, name-defined]
        def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
            raise RuntimeError("no such\nthing")

    case = case_of()
    with pytest.raises(PortError, match=r"^probe, step 1: RuntimeError: no such$"):
        keras_port(Broken).run(case)
    assert keras_port(keras.optimizers.SGD).run(case).steps  # nothing is left broken


@pytest.mark.parametrize("open_ended", [False, True])
def test_what_is_no_exception_is_one_message_too(open_ended: bool) -> None:
    class Leaves(keras.optimizers.SGD):  # type: ignore[misc, name-defined]
        def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
            raise GeneratorExit

    def left(learning_rate: float) -> Any:
        raise GeneratorExit("early")

    def left_open(learning_rate: float, **others: Any) -> Any:
        raise GeneratorExit("early")

    with pytest.raises(PortError, match=r"^probe, step 1: GeneratorExit$"):
        keras_port(Leaves).run(case_of())
    with pytest.raises(PortLoadError, match="could not be made: GeneratorExit: early"):
        keras_port(left_open if open_ended else left)


def test_an_async_factory() -> None:
    async def factory(learning_rate: float, **others: Any) -> Any:
        return keras.optimizers.SGD(learning_rate)

    with pytest.raises(PortError, match="factory is an async function"):
        keras_port(factory)
    gc.collect()  # a coroutine left behind would warn here


def test_a_weight_that_stops_being_trainable() -> None:
    class Freezing(keras.optimizers.SGD):  # type: ignore[misc, name-defined]
        def build(self, variables: Any) -> None:
            super().build(variables)
            variables[0].trainable = False

    with pytest.raises(PortError, match=r"probe, step 1: .*trainable"):
        keras_port(Freezing).run(case_of())


def test_other_dtypes_are_refused() -> None:
    case = Case("half", (), ({},), {}, dtype="float16")
    with pytest.raises(PortError, match="half: Keras is driven in float32 only, not float16"):
        keras_port(keras.optimizers.SGD).run(case)


def test_prints_and_warnings_stay_out(capsys: pytest.CaptureFixture[str]) -> None:
    def noisy(learning_rate: float = 0.1) -> Any:
        print("hello")
        warnings.warn("look out", stacklevel=1)
        return keras.optimizers.SGD(learning_rate)

    assert keras_port(noisy).run(case_of(lr=1.0)).steps
    assert capsys.readouterr() == ("", "")
