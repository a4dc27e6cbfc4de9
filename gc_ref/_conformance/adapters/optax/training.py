"""Train a tree of parameters with an optax transformation, and record it after each step."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

import numpy as np

from gc_ref._conformance.adapters.optax.programs import Programs, jitted
from gc_ref._conformance.adapters.optax.tree import Path, flatten, nest, paths
from gc_ref._conformance.adapters.shared.calls import quietly, raising, refuse_coroutine
from gc_ref._conformance.adapters.shared.dtypes import Dtypes
from gc_ref._conformance.adapters.shared.randomness import draws_kept, seeded
from gc_ref._conformance.ports.case import Array, Case, Trajectory
from gc_ref._conformance.ports.port import PortError, ShapeChangedError
from gc_ref._conformance.ports.storage import STORAGE

#: ``init(params) -> state`` and ``step(params, state, gradient) -> (params, state)``.
Loop: TypeAlias = tuple[Callable[..., Any], Callable[..., Any]]
#: Makes the loop of a case around a new instance of the optimizer: (case, eager init) -> loop.
MakeLoop: TypeAlias = Callable[[Case, bool], Loop]


def write_loop(transformation: Any, programs: Programs | None, *, eager_init: bool) -> Loop:
    """Write the training loop that optax documents around a gradient transformation.

    Compiled programs are looked up in ``programs``; without it nothing runs under ``jax.jit``.
    With ``eager_init`` at least ``init`` does not.
    """
    import jax
    import jax.numpy as jnp
    import optax

    def loss(params: Any, gradient: Any) -> Any:
        """Probe loss Σ⟨G, w⟩, whose gradient is G."""
        return sum(jax.tree.leaves(jax.tree.map(lambda w, g: jnp.sum(g * w), params, gradient)))

    def step(params: Any, state: Any, gradient: Any) -> tuple[Any, Any]:
        gradients = jax.grad(loss)(params, gradient)
        answer = transformation.update(gradients, state, params)
        refuse_coroutine(answer, "update()")
        if not isinstance(answer, tuple) or len(answer) != 2:
            raise PortError(
                f"update() returned {type(answer).__name__}, expected the pair (updates, state)"
            )
        updates, state = answer
        _same_structure(params, updates)
        return optax.apply_updates(params, updates), state

    if programs is None:
        return transformation.init, step
    init = transformation.init if eager_init else jitted(transformation.init, programs)
    return init, jitted(step, programs)


def run_case(case: Case, layout: str, label: str, make: MakeLoop) -> Trajectory:
    """Drive one case; see `gc_ref._conformance.ports.case.Case` for the ways of its ``drive``."""
    import jax

    if case.dtype not in STORAGE:
        raise PortError(
            f"case {case.id}: no dtype {case.dtype!r}; optax is driven in {', '.join(STORAGE)}"
        )
    config: Any = jax.config
    if case.dtype == "float64" and not config.jax_enable_x64:
        raise PortError(
            f"case {case.id}: JAX holds no float64 unless it is told to: set JAX_ENABLE_X64=1"
        )
    with quietly():
        try:
            # Without jax.jit, init compiles one little program for every shape.
            return _train(case, layout, label, lambda: make(case, False))
        except PortError:  # optax does not ask for an init that can be traced
            return _train(case, layout, label, lambda: make(case, True))


def _train(case: Case, layout: str, label: str, make: Callable[[], Loop]) -> Trajectory:
    with seeded():
        training, twin = _Training(case, layout, label, make), None
        if "twin" in case.drive:
            with draws_kept():
                twin = _Training(case, layout, label, make, shift=1)
        for number, gradient in enumerate(case.gradients, 1):
            training.step(gradient, number)
            with draws_kept():
                if twin:
                    twin.step({name: -g for name, g in gradient.items()}, number)
                if number == 1 and "checkpoint" in case.drive:
                    training.restore()
    return Trajectory(
        tuple(training.steps), dtypes=training.dtypes.found, groups=_halves(training.where)
    )


def _halves(where: Mapping[str, Path]) -> tuple[tuple[str, ...], ...]:
    """Parameter names in the order of the flattened tree, in two halves."""
    names = sorted(where, key=lambda name: where[name])
    return tuple(names[: len(names) // 2]), tuple(names[len(names) // 2 :])


class _Training:
    """One tree of parameters with its optimizer and the optimizer's state."""

    def __init__(
        self, case: Case, layout: str, label: str, make: Callable[[], Loop], *, shift: int = 0
    ) -> None:
        self.case, self.label, self._make = case, label, make
        self.where = paths(case.parameters, layout=layout)
        self.params = self._tree(
            {p.name: p.value + p.value.dtype.type(shift) for p in case.parameters}
        )
        init, self._step = make()
        self.steps: list[dict[str, Array]] = []
        self.dtypes = Dtypes(case)
        with self._blame("init"):
            self.state = init(self.params)
            refuse_coroutine(self.state, "init()")

    def step(self, gradient: Mapping[str, Array], number: int) -> None:
        """Make one step of training, and record the parameters."""
        with self._blame(f"step {number}"):
            self.params, self.state = self._step(self.params, self.state, self._tree(gradient))
            leaves = flatten(self.params, self.where)
            after = {name: array_of(leaf) for name, leaf in leaves.items()}
            for name, leaf in leaves.items():
                self.dtypes.add(name, str(leaf.dtype))
            for p in self.case.parameters:
                if after[p.name].shape != p.shape:
                    raise ShapeChangedError(
                        f"{p.name} of shape {p.shape} comes back with shape {after[p.name].shape}"
                    )
        self.steps.append(after)

    def restore(self) -> None:
        """Go on with a fresh optimizer and the state, which went through NumPy as to a file."""
        import jax

        with self._blame("checkpoint after step 1"):
            leaves, structure = jax.tree_util.tree_flatten(self.state)
            saved = [np.array(x) if _is_numeric(x) else x for x in leaves]
            _, self._step = self._make()
            back = [jax.device_put(x) if isinstance(x, np.ndarray) else x for x in saved]
            self.state = jax.tree_util.tree_unflatten(structure, back)

    def _tree(self, arrays: Mapping[str, Array]) -> dict[str, Any]:
        import jax
        import jax.numpy as jnp

        dtype = getattr(jnp, self.case.dtype)
        # Copies, as JAX may take over the memory; device_put compiles nothing for a new shape.
        leaves = {p.name: np.array(arrays[p.name], dtype=dtype) for p in self.case.parameters}
        tree: dict[str, Any] = jax.device_put(nest(leaves, self.where))
        return tree

    @contextlib.contextmanager
    def _blame(self, when: str) -> Iterator[None]:
        place = f"{self.label}: case {self.case.id}, {when}"
        with raising(PortError, place, through=PortError):
            try:
                yield
            except PortError as error:
                raise type(error)(f"{place}: {error}") from error


def _same_structure(params: Any, updates: Any) -> None:
    """Refuse updates that are no tree like that of the parameters; a leaf may be None."""
    import jax

    if updates is None:
        raise PortError("update() returned None for the updates")
    given: Any = jax.tree.structure(params)
    got: Any = jax.tree.structure(updates, is_leaf=lambda leaf: leaf is None)
    if got != given:
        raise PortError(
            f"update() returned a tree of {got.num_leaves} leaves that has not the structure of "
            f"the parameters ({given.num_leaves} leaves)"
        )


def _is_numeric(leaf: Any) -> bool:
    """Whether a leaf of the state can go through NumPy (random keys and strings cannot)."""
    import jax

    dtypes: Any = jax.dtypes
    if isinstance(leaf, jax.Array):
        return not dtypes.issubdtype(leaf.dtype, dtypes.prng_key)
    return isinstance(leaf, (np.ndarray, np.generic, bool, int, float))


def array_of(leaf: Any) -> Array:
    """Copy a leaf into a NumPy array; bfloat16, which NumPy lacks, as float32."""
    array = np.array(leaf)
    return array.astype(np.float32) if str(array.dtype) == "bfloat16" else array
