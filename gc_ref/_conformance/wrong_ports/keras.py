"""Optimizers for Keras 3 that do what a semantics says."""

from __future__ import annotations

import math
from typing import Any

from gc_ref._conformance.adapters.keras.port import keras_port
from gc_ref._conformance.catalogue.centers import Slot, places
from gc_ref._conformance.catalogue.deviations import Plant
from gc_ref._conformance.catalogue.semantics import State, step
from gc_ref._conformance.ports.port import Port

__all__ = ["keras_plant"]


def keras_plant(plant: Plant, name: str) -> Port:
    """Make the port of a plant as a ``keras.optimizers.Optimizer``."""
    if plant.what.algorithm == "adam":
        maker: Any = _adamw if plant.what.conventions.get("decay") else _adam
    else:
        maker = _sgdm
    return keras_port(maker(plant), name=name, algorithm=plant.what.algorithm)


def _base(plant: Plant) -> Any:
    import keras
    from keras import ops

    what = plant.what
    base: Any = keras.optimizers.Optimizer

    class Planted(base):  # type: ignore[misc]
        def __init__(self, learning_rate: float, hyper: dict[str, Any]) -> None:
            super().__init__(learning_rate=learning_rate)
            self.hyper = hyper

        def build(self, variables: Any) -> None:
            """Make three slots for each variable; some share them who must not."""
            if self.built:
                return
            super().build(variables)
            made: dict[Any, Any] = {}
            self.kept = []
            for i, v in enumerate(variables):
                key = tuple(v.shape) if what.mistake == "state-aliased" else i
                if key not in made:
                    made[key] = [
                        self.add_variable_from_reference(v, name=f"slot{i}_{n}") for n in range(3)
                    ]
                self.kept.append(made[key])
            self.numbers = places([len(v.shape) for v in variables])
            self.first_rank = next((len(v.shape) for v in variables if len(v.shape) > 1), 2)

        def apply(self, grads: Any, trainable_variables: Any = None) -> Any:
            """Take the whole model's mean first, for those who want it."""
            count = sum(math.prod(g.shape) for g in grads) if what.center == "model" else 1
            total = sum(ops.sum(g) for g in grads) if what.center == "model" else 0.0
            self.model_mean = total / count
            return super().apply(grads, trainable_variables)

        def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
            """Carry one variable one step on."""
            i = self._get_variable_index(variable)
            t = ops.cast(self.iterations + 1, variable.dtype)
            lr = ops.cast(learning_rate, variable.dtype)
            index, count = self.numbers[i]
            half = int(i >= len(self.kept) // 2)
            slot = Slot(
                tuple(variable.shape), -1, index, count, self.first_rank, group=half
            )  # fmt: skip
            now = State(*(ops.convert_to_tensor(k) for k in self.kept[i]))
            weight, after = step(
                ops, what, ops.convert_to_tensor(variable), gradient, now, t,
                {**self.hyper, "lr": lr}, slot, self.model_mean,
            )  # fmt: skip
            self.assign(variable, weight)
            for slot_variable, value in zip(self.kept[i], after, strict=True):
                self.assign(slot_variable, value)

    return Planted


def _sgdm(plant: Plant) -> Any:
    class PlantedSGD(_base(plant)):  # type: ignore[misc]
        def __init__(self, learning_rate: float = 0.1, momentum: float = 0.0) -> None:
            super().__init__(learning_rate, {"momentum": momentum})

    class FlagIgnored(PlantedSGD):
        def __init__(
            self, learning_rate: float = 0.1, momentum: float = 0.0, use_gc: bool = True
        ) -> None:
            super().__init__(learning_rate, momentum)

    return FlagIgnored if plant.how == "flag-ignored" else PlantedSGD


def _adam(plant: Plant) -> Any:
    class PlantedAdam(_base(plant)):  # type: ignore[misc]
        def __init__(
            self, learning_rate: float = 1e-3, beta_1: float = 0.9, beta_2: float = 0.999,
            epsilon: float = 1e-7,
        ) -> None:  # fmt: skip
            super().__init__(learning_rate, {"beta1": beta_1, "beta2": beta_2, "eps": epsilon})

    return PlantedAdam


def _adamw(plant: Plant) -> Any:
    class PlantedAdamW(_base(plant)):  # type: ignore[misc]
        def __init__(
            self, learning_rate: float = 1e-3, beta_1: float = 0.9, beta_2: float = 0.999,
            epsilon: float = 1e-7, weight_decay: float = 0.004,
        ) -> None:  # fmt: skip
            hyper = {"beta1": beta_1, "beta2": beta_2, "eps": epsilon}
            super().__init__(learning_rate, {**hyper, "weight_decay": weight_decay})

    return PlantedAdamW
