"""Optimizers for Keras 3 that do what a semantics says."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from gc_ref._conformance.adapters.keras.port import keras_port, select_backend
from gc_ref._conformance.catalogue.deviations import Form
from gc_ref._conformance.catalogue.parameters import kind_in, parameter_infos
from gc_ref._conformance.catalogue.semantics import Semantics, State, step
from gc_ref._conformance.ports.port import Port

__all__ = ["optimizer_port"]


def optimizer_port(form: Form, name: str) -> Port:
    """Make the port of a form of a deviation as a ``keras.optimizers.Optimizer``."""
    select_backend()  # Keras reads it when it is imported
    make = _optimizer_class(form.semantics, saved=form.flaw != "state-lost")
    # With the arguments of Keras's own.
    factories: Mapping[str, Any] = {
        "sgd": lambda learning_rate=0.1, momentum=0.0: make(learning_rate, momentum=momentum),
        "sgd-with-switch": lambda learning_rate=0.1, momentum=0.0, use_gc=True: (
            make(learning_rate, momentum=momentum)
        ),
        "adam": lambda learning_rate=1e-3, beta_1=0.9, beta_2=0.999, epsilon=1e-7: (
            make(learning_rate, beta1=beta_1, beta2=beta_2, eps=epsilon)
        ),
        "adamw": lambda learning_rate=1e-3, beta_1=0.9, beta_2=0.999, epsilon=1e-7,
        weight_decay=0.004: make(
            learning_rate, beta1=beta_1, beta2=beta_2, eps=epsilon, weight_decay=weight_decay
        ),
    }  # fmt: skip
    return keras_port(factories[form.optimizer], name=name, algorithm=form.semantics.algorithm)


def _optimizer_class(semantics: Semantics, *, saved: bool) -> Any:
    import keras
    from keras import ops

    base: Any = keras.optimizers.Optimizer

    class WrongOptimizer(base):  # type: ignore[misc]
        def __init__(self, learning_rate: float, **hyper: float) -> None:
            super().__init__(learning_rate=learning_rate)
            self.hyper = hyper

        def build(self, variables: Any) -> None:
            """Make the three variables of each parameter's state."""
            if self.built:
                return
            super().build(variables)
            shapes = {i: tuple(v.shape) for i, v in enumerate(variables)}
            kinds = {i: kind_in(v.path) for i, v in enumerate(variables)}
            self.infos = parameter_infos(shapes, -1, kinds=kinds)
            made: dict[Any, Any] = {}
            self.states = []
            for i, v in enumerate(variables):
                key = tuple(v.shape) if semantics.mistake == "state-aliased" else i
                if key not in made:
                    made[key] = [
                        self.add_variable_from_reference(v, name=f"slot{i}_{n}") for n in range(3)
                    ]
                self.states.append(made[key])

        def apply(self, grads: Any, trainable_variables: Any = None) -> Any:
            """Look at the whole model first, for a centering rule that needs it."""
            self.model_mean, self.model_norm = 0.0, 1.0
            if semantics.centering == "model":
                size = sum(math.prod(g.shape) for g in grads)
                self.model_mean = sum(ops.sum(g) for g in grads) / size
            if semantics.centering == "clipped-model-norm":
                self.model_norm = ops.sqrt(sum(ops.sum(g * g) for g in grads))
            return super().apply(grads, trainable_variables)

        def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
            """Carry one variable one step on."""
            i = self._get_variable_index(variable)
            t = ops.cast(self.iterations + 1, variable.dtype)
            hyper = {**self.hyper, "lr": ops.cast(learning_rate, variable.dtype)}
            before = State(*(ops.convert_to_tensor(s) for s in self.states[i]))
            weight, after = step(
                ops, semantics, ops.convert_to_tensor(variable), gradient, before, t,
                hyper, self.infos[i], self.model_mean, self.model_norm,
            )  # fmt: skip
            self.assign(variable, weight)
            for kept, value in zip(self.states[i], after, strict=True):
                self.assign(kept, value)

        def save_own_variables(self, store: Any) -> None:
            """Save the state, or nothing of it."""
            if saved:
                super().save_own_variables(store)

        def load_own_variables(self, store: Any) -> None:
            """Restore the state, or nothing of it."""
            if saved:
                super().load_own_variables(store)

    return WrongOptimizer
