"""Train a Keras model through ``fit``, and record its weights after each step."""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any, TypeAlias

import numpy as np

from gc_ref._conformance.adapters.keras.model import build_model, structure
from gc_ref._conformance.adapters.shared.calls import one_line, quietly
from gc_ref._conformance.adapters.shared.randomness import draws_kept, seeded
from gc_ref._conformance.ports.case import Array, Case, Trajectory
from gc_ref._conformance.ports.port import PortError

#: Makes a new optimizer, and says which Keras it belongs to.
Make: TypeAlias = Callable[[], tuple[Any, ModuleType]]


def run_case(case: Case, layout: str, make: Make) -> Trajectory:
    """Drive one case; see `gc_ref._conformance.ports.case.Case` for the ways of its ``drive``."""
    if case.dtype != "float32":
        raise PortError(f"{case.id}: Keras is driven in float32 only, not {case.dtype}")
    rows = [_flat(g[p.name] for p in case.parameters) for g in case.gradients]
    gradients = np.stack(rows) if rows else np.empty((0, 0), np.float32)
    with quickly_compiled(), without_noise(), seeded():
        main = _Training(case, layout, make)
        if not case.rates and not case.drive & {"twin", "checkpoint", "fit-per-step"}:
            main.fit(gradients)
        else:  # one fit for each step; at the end of each, Keras may average the weights
            twin = None
            if "twin" in case.drive:
                with draws_kept():
                    twin = _Training(case, layout, make, copy=1, shift=1.0)
            for row in range(len(rows)):
                if case.rates:
                    main.optimizer.learning_rate = case.rates[row]
                main.fit(gradients[row : row + 1])
                with draws_kept():
                    if twin:
                        twin.fit(-gradients[row : row + 1])
                    if row == 0 and "checkpoint" in case.drive:
                        main.restore_optimizer()
    dtypes = {n: str(getattr(v.dtype, "name", v.dtype)) for n, v in main.variables.items()}
    return Trajectory(tuple(main.steps), dtypes=dtypes)


def _flat(arrays: Iterator[Array]) -> Array:
    return np.concatenate([np.ravel(a) for a in arrays])


class _Training:
    """One model with its optimizer, trained by ``fit``; records the weights after each step."""

    def __init__(
        self, case: Case, layout: str, make: Make, *, copy: int = 0, shift: float = 0.0
    ) -> None:
        self.case, self.make = case, make
        self.steps: list[dict[str, Array]] = []
        self.optimizer, self.home = make()
        try:
            self.model = build_model(self.home, layout, structure(case.parameters), copy)
        except Exception as error:
            raise PortError(f"{case.id}: no model of these layers: {_clear_line(error)}") from error
        self.variables: dict[str, Any] = self.model.probe_variables
        for parameter in case.parameters:
            value = np.asarray(parameter.value + np.float32(shift), np.float32)
            self.variables[parameter.name].assign(value)
        self._compile()

    def _compile(self) -> None:
        with self._blame():
            # Otherwise TensorFlow builds it while it traces, and then traces a second time.
            if hasattr(self.optimizer, "build"):
                self.optimizer.build(self.model.trainable_variables)
            self.model.compile(optimizer=self.optimizer, run_eagerly="eager" in self.case.drive)

    def fit(self, gradients: Array) -> None:
        """Train one step per row of ``gradients``."""
        if not len(gradients):
            return
        if getattr(self.optimizer, "use_ema", False):
            # On JAX the last fit left weight and average in one buffer: the next would fail.
            for variable in self.variables.values():
                variable.assign(np.array(variable.numpy()))
        due = len(self.steps) + len(gradients)
        recorder = self.home.callbacks.LambdaCallback(on_train_batch_end=self._record)
        with self._blame():
            self.model.fit(gradients, batch_size=1, shuffle=False, verbose=0, callbacks=[recorder])
        if len(self.steps) != due:
            raise PortError(f"{self.case.id}: fit ran {len(self.steps)} of {due} steps")

    def restore_optimizer(self) -> None:
        """Go on with a new optimizer that takes over the saved state of the old one."""
        old, (self.optimizer, _) = self.optimizer, self.make()
        self._compile()
        with self._blame():
            if not hasattr(old, "save_own_variables"):  # the legacy OptimizerV2
                self.optimizer._create_all_weights(self.model.trainable_variables)
                self.optimizer.set_weights(old.get_weights())
                return
            store: dict[str, Any] = {}
            old.save_own_variables(store)
            self.optimizer.load_own_variables(store)

    def _record(self, batch: int, logs: Any = None) -> None:
        if hasattr(self.model, "jax_state_sync"):  # inside fit, JAX keeps the weights elsewhere
            self.model.jax_state_sync()
        for parameter in self.case.parameters:
            variable = self.variables[parameter.name]
            if tuple(variable.shape) != parameter.shape or not variable.trainable:
                raise PortError(
                    f"{self._place()}: {parameter.name} was a trainable variable of shape "
                    f"{parameter.shape} and is no longer: shape {tuple(variable.shape)}, "
                    f"trainable {variable.trainable}"
                )
        self.steps.append({n: np.array(v.numpy()) for n, v in self.variables.items()})

    def _place(self) -> str:
        return f"{self.case.id}, step {len(self.steps) + 1}"

    @contextlib.contextmanager
    def _blame(self) -> Iterator[None]:
        try:
            yield
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            build_model.cache_clear()  # its variables may be left half-way
            if isinstance(error, PortError):
                raise
            raise PortError(f"{self._place()}: {_clear_line(error)}") from error


def _clear_line(error: BaseException) -> str:
    """Say an error on one line; those of TensorFlow and JAX run over many."""
    kind = type(error).__name__
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if not lines:
        return one_line(error)
    # Where TensorFlow traced the function, "in user code:" and a traceback come first.
    said = [line for line in lines if line.startswith(f"{kind}: ")]
    line = said[0].removeprefix(f"{kind}: ") if said else lines[0]
    return f"{kind}: {line[:197] + '...' if len(line) > 200 else line}"


@contextlib.contextmanager
def without_noise() -> Iterator[None]:
    """Keep prints, warnings and TensorFlow's log out of the report; errors get through."""
    logger = logging.getLogger("tensorflow")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with quietly():
            yield
    finally:
        logger.setLevel(level)


@contextlib.contextmanager
def quickly_compiled() -> Iterator[None]:
    """Let JAX, where it is in use, skip the optimization of machine code that is run a few times.

    XLA optimizes the program itself (simplifies it, fuses its loops) as ever.
    """
    jax: Any = sys.modules.get("jax")
    if jax is None:
        yield
        return
    before = jax.config.values["jax_disable_most_optimizations"]
    jax.config.update("jax_disable_most_optimizations", True)
    try:
        yield
    finally:
        jax.config.update("jax_disable_most_optimizations", before)
