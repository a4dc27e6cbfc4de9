"""Port, Case, Trajectory: what is judged, what it is given, what it answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy.typing as npt

from gc_ref._conformance.ports.conventions import refuse_meaningless
from gc_ref._conformance.ports.maker import Maker
from gc_ref._layouts import LAYOUTS

__all__ = [
    "Array",
    "Case",
    "Parameter",
    "Port",
    "PortError",
    "PortLoadError",
    "ShapeChangedError",
    "SkippedError",
    "Trajectory",
]

Array = npt.NDArray[Any]


class PortError(Exception):
    """A port could not be driven: it raised, or answered something unusable.

    Examples
    --------
    >>> import numpy as np
    >>> from gc_ref.conformance import operator_port
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
    """A port says that it does not run a case: nothing is known of it, good or bad.

    No `PortError`: who tolerates a port that fails must not take this for a pass.
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
class Parameter:
    """One named parameter of the model that a port trains.

    Attributes
    ----------
    layer : str
        Name of the layer that owns it, for instance ``"conv2d_0"``.
    kind : str
        Kind of the parameter (see `gc_ref._layouts`): ``"conv2d"`` for that
        layer's kernel, ``"bias"`` for its bias.
    value : numpy.ndarray
        Initial value, of the case's dtype (float32 stands in for bfloat16).
    layer_kind : str
        Kind of the owning layer: equal to ``kind`` except for biases.

    Examples
    --------
    >>> import numpy as np
    >>> bias = Parameter("conv2d_0", "bias", np.zeros(4, dtype=np.float32), "conv2d")
    >>> bias.name, bias.shape
    ('conv2d_0.bias', (4,))
    """

    layer: str
    kind: str
    value: Array
    layer_kind: str = ""

    @property
    def role(self) -> str:
        """``"kernel"``, ``"bias"``, ``"scale"`` or ``"scalar"``: its place in the layer."""
        return self.kind if self.kind in ("bias", "scale", "scalar") else "kernel"

    @property
    def name(self) -> str:
        """Name of the parameter, unique in a case: ``layer.role``."""
        return f"{self.layer}.{self.role}"

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the parameter, as its framework stores it."""
        return tuple(self.value.shape)


@dataclass(frozen=True)
class Case:
    """What a port is given: parameters, one gradient per parameter and step, settings.

    Attributes
    ----------
    id : str
        Name of the case in reports.
    parameters : tuple of Parameter
        The model, in order.
    gradients : tuple of mapping
        For each step, parameter name to gradient (same shape and dtype as the parameter).
    hyperparameters : mapping
        Under their canonical names: ``lr``, ``momentum``, ``beta1``, ``beta2``,
        ``eps``, ``weight_decay``. A port is given those it takes.
    dtype : str
        ``"float16"``, ``"bfloat16"``, ``"float32"`` or ``"float64"``. NumPy has no
        bfloat16: such a case holds float32 arrays of bfloat16 values.
    drive : frozenset of str
        How the loop is to be run, beyond the plain way:
        ``"reuse-gradients"`` (the same gradient buffers are overwritten at each step),
        ``"checkpoint"`` (after the first step the optimizer is saved, and a fresh one
        restored from it goes on), ``"eager"`` (without jit, where that is a choice),
        ``"twin"`` (a second instance of the optimizer trains other weights in between),
        ``"fit-per-step"`` (the plain way, but where a framework has a ``fit`` for the whole
        loop, one call of it for each step).

    Examples
    --------
    >>> import numpy as np
    >>> weight = Parameter("dense_0", "dense", np.zeros((2, 3), dtype=np.float32), "dense")
    >>> gradient = {weight.name: np.ones((2, 3), dtype=np.float32)}
    >>> case = Case("two-steps", (weight,), (gradient, gradient), {"lr": 0.5})
    >>> sorted(case.with_drive("checkpoint").drive)
    ['checkpoint']
    """

    id: str
    parameters: tuple[Parameter, ...]
    gradients: tuple[Mapping[str, Array], ...]
    hyperparameters: Mapping[str, float] = field(default_factory=dict)
    dtype: str = "float32"
    drive: frozenset[str] = frozenset()

    def with_drive(self, *ways: str) -> Case:
        """Return the same case, to be driven in these ways."""
        return replace(self, drive=frozenset(ways))


@dataclass(frozen=True)
class Trajectory:
    """What a port answers: the parameters after each step, and what was noticed.

    Attributes
    ----------
    steps : tuple of mapping
        For each step, parameter name to value after it (for an operator: its output).
        Half types come back as float32 arrays of their values where NumPy lacks them.
    notes : tuple of str
        What the driver saw and does not judge, for instance
        ``"writes to the gradient it is given"``.
    dtypes : mapping
        Parameter name to the dtype that came back, as the framework names it.
    groups : tuple of tuple of str
        Parameter names in the order, and the groups, in which the optimizer was given
        them; empty where that is the order of the case.

    Examples
    --------
    >>> import numpy as np
    >>> found = Trajectory(({"dense_0.kernel": np.zeros((2, 3))},))
    >>> len(found.steps), found.notes
    (1, ())
    """

    steps: tuple[Mapping[str, Array], ...]
    notes: tuple[str, ...] = ()
    dtypes: Mapping[str, str] = field(default_factory=dict)
    groups: tuple[tuple[str, ...], ...] = ()


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
    target : str or None
        The command-line target, for the rerun command.
    by_command : bool
        Whether the command line made it (the reference has no target).
    options : tuple of str
        Further command-line words that make the same port again.
    environment : mapping
        Versions and settings that a reader needs to see the same thing.
    operator : bool
        Whether it is a bare function of a gradient though its kind does not say so.
    broken : callable
        Says what broke the port for good, whoever tolerated that run, or nothing.
    maker : Maker or None
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
    conventions: Mapping[str, str] = field(default_factory=dict)
    dtypes: tuple[str, ...] = ("float32",)
    drives: frozenset[str] = frozenset()
    flush_to_zero: bool = False
    per_run_cost: str = "cheap"
    target: str | None = None
    by_command: bool = False
    options: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    operator: bool = False
    broken: Callable[[], str] = str
    maker: Maker | None = None

    def __post_init__(self) -> None:
        """Refuse a layout or an algorithm that does not exist, and what goes with no such port."""
        if self.layout not in LAYOUTS:
            raise ValueError(f"unknown layout {self.layout!r}; known: {', '.join(LAYOUTS)}")
        if self.algorithm not in (None, "sgdm", "adam"):
            raise ValueError(f"unknown algorithm {self.algorithm!r}; known: sgdm, adam")
        refuse_meaningless(
            self.conventions, "operator" if self.operator else self.kind, self.algorithm
        )
