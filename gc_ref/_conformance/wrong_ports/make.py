"""Make a port of a form of a deviation, in any framework."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from gc_ref._conformance.adapters.numpy import numpy_port
from gc_ref._conformance.adapters.operator import operator_port
from gc_ref._conformance.catalogue.deviations import Form
from gc_ref._conformance.catalogue.execution import operator_of, training_loop
from gc_ref._conformance.ports.port import Port
from gc_ref._conformance.wrong_ports import keras, optax, torch

__all__ = ["FRAMEWORKS", "Framework", "make_port"]


@dataclass(frozen=True)
class Framework:
    """A framework that wrong ports are made in."""

    modules: tuple[str, ...]  # that must be installed
    optimizer_port: Callable[[Form, str], Port]  # (form, name of the port)
    operator_layout: str = ""  # of the weights of a bare function, where one is made
    compiles: bool = False  # a model at every run, which costs much

    @property
    def installed(self) -> bool:
        """Whether it can be imported here."""
        return all(importlib.util.find_spec(m) is not None for m in self.modules)


def _numpy_port(form: Form, name: str) -> Port:
    run = training_loop(form.semantics, "output-last")
    port = numpy_port(run, name=name, algorithm=form.semantics.algorithm)
    return replace(port, off=port) if form.flaw == "flag-ignored" else port


FRAMEWORKS: Mapping[str, Framework] = {
    "numpy": Framework(("numpy",), _numpy_port, "output-last"),
    "torch": Framework(("torch",), torch.optimizer_port, "output-first"),
    "jax": Framework(("jax", "optax"), optax.optimizer_port, "output-last", compiles=True),
    "keras": Framework(("keras",), keras.optimizer_port, compiles=True),
}


def make_port(form: Form, framework: str, *, operator: bool = False, name: str = "") -> Port:
    """Make the port of a form of a deviation, as an optimizer or a bare function of the gradient.

    Raises
    ------
    ImportError
        If the framework is not installed.

    Examples
    --------
    >>> from gc_ref._conformance.catalogue.deviations import DEVIATIONS
    >>> form = DEVIATIONS["whole-tensor"].forms[0]
    >>> make_port(form, "numpy", operator=True, name="one-mean").kind
    'operator'
    """
    made_in = FRAMEWORKS[framework]
    if not operator:
        return made_in.optimizer_port(form, name)
    function = operator_of(form.semantics, made_in.operator_layout)
    return operator_port(function, framework=framework, name=name)
