"""Make a port of a form of a deviation, in any framework."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from gc_ref._conformance.adapters import numpy_port, operator_port
from gc_ref._conformance.catalogue.deviations import Plant
from gc_ref._conformance.catalogue.execution import operator_of, trainer
from gc_ref._conformance.ports.port import Port
from gc_ref._conformance.wrong_ports import keras, optax, torch

__all__ = ["FRAMEWORKS", "Framework", "make_plant"]


@dataclass(frozen=True)
class Framework:
    """A framework that wrong ports are made in."""

    modules: tuple[str, ...]  # that must be installed
    optimizer_port: Callable[[Plant, str], Port]  # (form, name of the port)
    operator_layout: str = ""  # of the weights of a bare function, where one is made
    compiles: bool = False  # a model at every run, which costs much

    @property
    def installed(self) -> bool:
        """Whether it can be imported here."""
        return all(importlib.util.find_spec(m) is not None for m in self.modules)


def _numpy_port(form: Plant, name: str) -> Port:
    what = form.what
    port = numpy_port(trainer(what, "output-last"), name=name, algorithm=what.algorithm)
    return replace(port, off=port) if form.how == "flag-ignored" else port


FRAMEWORKS: Mapping[str, Framework] = {
    "numpy": Framework(("numpy",), _numpy_port, "output-last"),
    "torch": Framework(("torch",), torch.optimizer_port, "output-first"),
    "jax": Framework(("jax", "optax"), optax.optimizer_port, "output-last", compiles=True),
    "keras": Framework(("keras",), keras.optimizer_port, compiles=True),
}


def make_plant(form: Plant, framework: str, *, operator: bool = False, name: str = "") -> Port:
    """Make the port of a form of a deviation, as an optimizer or a bare function of the gradient.

    Raises
    ------
    ImportError
        If the framework is not installed.

    Examples
    --------
    >>> from gc_ref._conformance.catalogue.deviations import DEVIATIONS
    >>> form = DEVIATIONS["whole-tensor"].plants[0]
    >>> make_plant(form, "numpy", operator=True, name="one-mean").kind
    'operator'
    """
    made_in = FRAMEWORKS[framework]
    if not operator:
        return made_in.optimizer_port(form, name)
    function = operator_of(form.what, made_in.operator_layout)
    return operator_port(function, framework=framework, name=name)
