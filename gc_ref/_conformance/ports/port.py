"""What is judged: a port, how it was made, and how it may fail to run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from gc_ref._conformance.ports.case import Case, Trajectory
from gc_ref._conformance.ports.conventions import parse_conventions, refuse_meaningless
from gc_ref._layouts import LAYOUTS


class PortError(Exception):
    """A port could not be driven: it raised, or answered something unusable.

    Examples
    --------
    >>> import numpy as np
    >>> from gc_ref.conformance import Case, Parameter, operator_port
    >>> port = operator_port(lambda g: None, name="silent")
    >>> weight = Parameter("dense_0", "dense", np.zeros((2, 3), dtype=np.float32), "dense")
    >>> try:
    ...     port.run(Case("one-step", (weight,), ({weight.name: weight.value},)))
    ... except PortError as error:
    ...     print(error)  # doctest: +ELLIPSIS
    silent returned NoneType for dense_0.kernel ...; expected a numpy array
    """


class ShapeChangedError(PortError):
    """A port answered an array of another shape: a finding, not a failure to run."""


class SkippedError(Exception):
    """A port says that it does not run a case, which tells nothing about it, good or bad.

    It is no `PortError`: a check that lets a port fail must not take a skip for a pass.
    """


class PortLoadError(PortError):
    """A port could not be loaded: no such module, attribute, or constructor argument.

    Examples
    --------
    >>> from gc_ref.conformance import operator_port
    >>> try:
    ...     operator_port("centralize")
    ... except PortLoadError as error:
    ...     print(error)
    'centralize' is not a function of a gradient
    """


@dataclass(frozen=True)
class Construction:
    """How the user makes what a port drives: enough to write a program that does the same.

    Attributes
    ----------
    program : str
        Which program of the room ``replays`` shows a run of it: ``"torch"``, ``"keras"``,
        ``"optax"``, ``"numpy"``, ``"exec"``, or ``"operator"`` and the framework, as in
        ``"operator-jax"``.
    function : object
        The class, factory or function; for a program in any language its words.
    arguments : callable
        Turns hyperparameters into the keyword arguments that it is called with.
    detail : str
        What else the program needs: the backend of Keras, ``"scaled"`` for an optax
        transformation that takes no learning rate.
    """

    program: str
    function: Any
    arguments: Callable[[Mapping[str, float]], Mapping[str, Any]]
    detail: str = ""


@dataclass(frozen=True)
class Port:
    """An implementation to be judged, and how to drive it.

    Made by the adapters (`torch_port`, `keras_port`, `optax_port`, `operator_port`,
    `numpy_port`, `exec_port`), not by hand.

    Attributes
    ----------
    name : str
        Name in reports and test ids.
    kind : str
        ``"operator"``, ``"torch"``, ``"keras"``, ``"optax"``, ``"numpy"`` or ``"exec"``.
    run : callable
        ``run(case) -> Trajectory``; raises `PortError` with one clear message.
    layout : str
        ``"output-first"`` or ``"output-last"``.
    takes : frozenset of str
        Canonical hyperparameters that the port accepts.
    fixed : mapping
        Canonical hyperparameters that ``settings`` fixes, with their values.
    algorithm : str or None
        ``"sgdm"``, ``"adam"`` or None.
    base : Port or None
        The optimizer that the port must equal when that one is fed with Φ(g).
    off : Port or None
        The same port with its GC flag switched off, where it has one.
    switch : str
        How that one is made, such as ``"use_gc=False"``; empty where no argument does it.
    conventions : mapping
        Declared conventions, field to value.
    dtypes : tuple of str
        Dtypes that the framework can be driven in.
    drives : frozenset of str
        Ways of `Case.drive` that the adapter knows.
    flush_to_zero : bool
        Whether the framework flushes subnormal numbers to zero.
    per_run_cost : str
        ``"cheap"`` (fuzzing is welcome) or ``"dear"`` (each run compiles a model).
    most_elements : int or None
        Elements that a case may have at most, where numbers travel as text.
    target : str or None
        The command-line target, for the rerun command.
    by_command : bool
        Whether the command line made it (the reference has no target).
    options : tuple of str
        Further command-line words that make the same port again.
    variables : mapping
        Variables of the environment that those words need, with their values.
    own_kinds : mapping
        Kinds of layer that the framework stores otherwise, with the names of its own kinds
        (see `gc_ref._layouts.FLAX_KINDS`).
    environment : mapping
        Versions and settings that a reader needs to see the same thing.
    operator : bool
        Whether it is a bare function of a gradient, without steps.
    takes_unused : bool
        Whether it is given every hyperparameter, also those that it has no use for.
    shows_gradient : bool
        Whether the driver sees, after a step, the very gradient that it gave to the port.
    usual_epsilon : {"outside", "hat"}
        Where Adam of this framework adds ε (see the convention ``epsilon``).
    broken : callable
        ``broken()`` says what broke the port for good, or returns an empty text.
    way_out : str
        What its author can do where it cannot be driven.
    breaks_for_good : bool
        Whether a run that fails leaves it unable to run anything more.
    construction : Construction or None
        How the user makes what is driven, for programs that show a mistake without gc-ref.

    Examples
    --------
    >>> from gc_ref import centralize
    >>> from gc_ref.conformance import operator_port
    >>> port = operator_port(lambda g: centralize(g, output_axis=0), layout="output-first")
    >>> isinstance(port, Port), port.kind, port.layout
    (True, 'operator', 'output-first')
    """

    name: str
    kind: str
    run: Callable[[Case], Trajectory]
    layout: str
    takes: frozenset[str] = frozenset()
    fixed: Mapping[str, float] = field(default_factory=dict)
    algorithm: str | None = None
    base: Port | None = None
    off: Port | None = None
    switch: str = ""
    conventions: Mapping[str, str] = field(default_factory=dict)
    dtypes: tuple[str, ...] = ("float32",)
    drives: frozenset[str] = frozenset()
    flush_to_zero: bool = False
    per_run_cost: str = "cheap"
    most_elements: int | None = None
    target: str | None = None
    by_command: bool = False
    options: tuple[str, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)
    own_kinds: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    operator: bool = False
    takes_unused: bool = False
    shows_gradient: bool = True
    usual_epsilon: str = "outside"
    broken: Callable[[], str] = str
    construction: Construction | None = None
    way_out: str = ""
    breaks_for_good: bool = False

    def __post_init__(self) -> None:
        """Refuse a layout, an algorithm or a convention that this port cannot have."""
        if self.layout not in LAYOUTS:
            raise ValueError(f"unknown layout {self.layout!r}; known: {', '.join(LAYOUTS)}")
        if self.algorithm not in (None, "sgdm", "adam"):
            raise ValueError(f"unknown algorithm {self.algorithm!r}; known: sgdm, adam")
        parse_conventions(self.conventions)
        refuse_meaningless(self.conventions, self.algorithm, operator=self.operator)
