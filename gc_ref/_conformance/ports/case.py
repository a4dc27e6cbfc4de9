"""What a port is given, and what it answers: parameters, gradients, weights after each step."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy.typing as npt

Array = npt.NDArray[Any]

#: The kinds of parameter as reports name them.
KIND_NAMES = {
    "dense": "Dense",
    "conv1d": "Conv1D",
    "conv2d": "Conv2D",
    "conv3d": "Conv3D",
    "depthwise": "depthwise",
    "transposed": "transposed convolution",
    "depthwise-grouped": "depthwise",
    "transposed-direct": "transposed convolution",
    "embedding": "embedding",
    "attention-in": "attention input projection",
    "attention-out": "attention output projection",
    "bias": "bias",
    "scale": "norm scale",
    "scalar": "scalar",
}


class _ByContent:
    """Equal and hashed by content: what holds arrays can then be the key of a cache."""

    def _content(self) -> Iterable[bytes]:
        raise NotImplementedError

    @cached_property
    def digest(self) -> str:
        """Digest of the whole content: two with the same one are equal.

        Numbers count by their bits: 0.0 and -0.0 differ, and a NaN equals itself.
        """
        digest = hashlib.sha256()
        for part in self._content():
            digest.update(part)
        return digest.hexdigest()

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other.digest == self.digest

    def __hash__(self) -> int:
        return hash(self.digest)


@dataclass(frozen=True, eq=False)
class Parameter(_ByContent):
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

    def _content(self) -> Iterable[bytes]:
        yield from _bytes((self.layer, self.kind, self.layer_kind), self.value)


@dataclass(frozen=True, eq=False)
class Case(_ByContent):
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
        loop, one call of it for each step),
        ``"later-group"`` (the second parameter group is added to the finished optimizer).
    rates : tuple of float
        Learning rate of each step, set on the finished optimizer before the step; empty
        where it stays ``hyperparameters["lr"]``. Needs ``"rates"`` among the port's drives.

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
    rates: tuple[float, ...] = ()

    def with_drive(self, *ways: str) -> Case:
        """Return the same case, to be driven in these ways."""
        return replace(self, drive=frozenset(ways))

    def _content(self) -> Iterable[bytes]:
        settings = {name: float(value) for name, value in sorted(self.hyperparameters.items())}
        yield repr((self.id, self.dtype, sorted(self.drive), settings, self.rates)).encode()
        yield repr([p.digest for p in self.parameters]).encode()
        for number, step in enumerate(self.gradients):
            yield f"step {number}".encode()
            for name in sorted(step):
                yield from _bytes(name, step[name])


@dataclass(frozen=True)
class Trajectory:
    """What a port answers: the parameters after each step, and what was noticed.

    Attributes
    ----------
    steps : tuple of mapping
        For each step, parameter name to value after it (for an operator: its output).
        Half types come back as float32 arrays of their values where NumPy lacks them.
    notes : tuple of str
        What the driver saw and does not judge, in words.
    dtypes : mapping
        Parameter name to the dtype that came back, as the framework names it; another than
        the case's, if it was that at any step.
    groups : tuple of tuple of str
        Parameter names in the order, and the groups, in which the optimizer was given
        them; empty where that is the order of the case.
    writes_gradient : bool
        Whether the port wrote to the gradient that it was given.

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
    writes_gradient: bool = False


def describe(parameter: Parameter) -> str:
    """Name a parameter as a reader knows it: ``conv1d_0.kernel (Conv1D, shape (2, 4, 3))``."""
    name = KIND_NAMES[parameter.kind]
    return f"{parameter.name} ({name}, shape {parameter.shape})"


def _bytes(name: object, array: Array) -> Iterable[bytes]:
    yield repr((name, array.shape, array.dtype.str)).encode()
    yield array.tobytes()
