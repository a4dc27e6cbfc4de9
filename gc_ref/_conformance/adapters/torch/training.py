"""Train a PyTorch model for a case, and record its parameters after each step."""

from __future__ import annotations

import contextlib
import inspect
import io
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np

from gc_ref._conformance.adapters.shared.calls import quietly, raising, refuse_coroutine
from gc_ref._conformance.adapters.shared.dtypes import Dtypes
from gc_ref._conformance.adapters.shared.randomness import draws_kept, seeded
from gc_ref._conformance.adapters.torch.model import build_model
from gc_ref._conformance.ports.case import Array, Case, Parameter, Trajectory
from gc_ref._conformance.ports.port import PortError, PortLoadError, ShapeChangedError
from gc_ref._conformance.ports.storage import STORAGE

#: Makes a new optimizer: (parameters, model, its tensors by name, hyperparameters, whether the
#: second parameter group is added when it is finished).
Make: TypeAlias = Callable[
    [tuple[Parameter, ...], Any, Mapping[str, Any], Mapping[str, float], bool], Any
]


@dataclass(frozen=True)
class Way:
    """What the training loop gives a port beyond a plain ``backward()`` and ``step()``.

    Attributes
    ----------
    closure : bool
        Whether ``step`` is given a closure that it could do without by its signature.
    curved : bool
        Whether the loss has second derivatives: ``backward(create_graph=True)`` of the linear
        probe loss plus half the squared distance from the weights of before the step. Its
        gradient there is the same, and its Hessian is 1.
    """

    closure: bool = False
    curved: bool = False

    def words(self) -> tuple[str, ...]:
        """Say what is not plain."""
        closure = ("step() is given a closure, without which it raises",) if self.closure else ()
        curved = "the loss has second derivatives, and backward() is called with create_graph=True"
        return (*closure, *((curved,) if self.curved else ()))


#: In this order they are tried.
WAYS = (Way(), Way(closure=True), Way(curved=True), Way(closure=True, curved=True))


class Loop:
    """Drives a port through cases, in the plainest way of training in which it runs."""

    def __init__(self, layout: str, label: str, make: Make) -> None:
        self.layout, self.label, self.make = layout, label, make
        self._way = WAYS[0]

    def run(self, case: Case) -> Trajectory:
        """Drive one case."""
        try:
            return self._run(case, self._way)
        except (PortLoadError, ShapeChangedError):
            raise
        except PortError as error:
            for way in WAYS[WAYS.index(self._way) + 1 :]:
                with contextlib.suppress(PortError):
                    found = self._run(case, way)
                    self._way = way
                    return found
            raise error

    def _run(self, case: Case, way: Way) -> Trajectory:
        found = run_case(case, self.layout, self.label, self.make, way)
        return replace(found, notes=(*found.notes, *way.words()))


def run_case(case: Case, layout: str, label: str, make: Make, way: Way) -> Trajectory:
    """Drive one case; see `gc_ref._conformance.ports.case.Case` for the ways of its ``drive``."""
    if case.dtype not in STORAGE:
        raise PortError(
            f"case {case.id}: no dtype {case.dtype!r}; PyTorch is driven in {', '.join(STORAGE)}"
        )
    with untouched_torch(), seeded(), quietly():
        gradients = [_tensors(g, case) for g in case.gradients]
        values = _tensors({p.name: p.value for p in case.parameters}, case)
        training = _Training(case, layout, label, make, values, way)
        twin = None
        if "twin" in case.drive:
            other = {name: value + 1 for name, value in values.items()}
            with draws_kept():
                twin = _Training(case, layout, label, make, other, way)
        steps: list[dict[str, Array]] = []
        writes, dtypes = False, Dtypes(case)
        for number, gradient in enumerate(gradients, 1):
            if case.rates:
                training.set_rate(case.rates[number - 1])
            writes |= training.step(gradient, number)
            steps.append(training.record(number))
            for name, w in training.owned.items():
                dtypes.add(name, str(w.dtype).removeprefix("torch."))
            with draws_kept():
                if twin:
                    twin.step({name: -g for name, g in gradient.items()}, number)
                if number == 1 and "checkpoint" in case.drive:
                    training = training.restored()
    return Trajectory(
        tuple(steps), dtypes=dtypes.found, groups=training.groups(), writes_gradient=writes
    )


@contextlib.contextmanager
def untouched_torch() -> Iterator[None]:
    """Compute gradients, and restore the default dtype at the end."""
    import torch

    dtype = torch.get_default_dtype()
    with torch.enable_grad():
        try:
            yield
        finally:
            torch.set_default_dtype(dtype)


def _tensors(arrays: Mapping[str, Array], case: Case) -> dict[str, Any]:
    import torch

    dtype = getattr(torch, case.dtype)
    # Copies: neither the port nor autograd may reach the arrays of the case.
    return {p.name: torch.from_numpy(np.array(arrays[p.name])).to(dtype) for p in case.parameters}


class _Training:
    """One model with its optimizer."""

    def __init__(
        self,
        case: Case,
        layout: str,
        label: str,
        make: Make,
        values: Mapping[str, Any],
        way: Way,
    ) -> None:
        self.case, self.layout, self.label, self._make, self.way = case, layout, label, make, way
        copies = {name: value.clone() for name, value in values.items()}
        self.model, self.owned = build_model(case.parameters, copies, layout=layout)
        later = "later-group" in case.drive
        self.optimizer = make(case.parameters, self.model, self.owned, case.hyperparameters, later)
        self._closure_wanted = way.closure or _wants_closure(self.optimizer.step)
        self._before: dict[str, Any] = {}
        self._groups = self._groups_now()  # later a port may put other tensors there

    def set_rate(self, rate: float) -> None:
        """Set the learning rate as a scheduler does."""
        for group in self.optimizer.param_groups:
            group["lr"] = rate

    def step(self, gradient: Mapping[str, Any], number: int) -> bool:
        """Make one step of training; tell whether the port wrote to its gradient."""
        with self._blame(f"step {number}"):
            self._before = {name: w.detach().clone() for name, w in self.owned.items()}
            self._backward(gradient)
            # A port that steps in a hook of backward() may have consumed the gradient.
            left = {name: w.grad for name, w in self.owned.items() if w.grad is not None}
            given = {name: (buffer, _bits(buffer)) for name, buffer in left.items()}
            closure = [lambda: self._backward(gradient)] if self._closure_wanted else []
            refuse_coroutine(self.optimizer.step(*closure), f"{self.label}.step")
            return any(
                _bits(buffer) != bits
                or (now is not None and now is not buffer and _bits(now) != bits)
                for now, (buffer, bits) in ((self.owned[n].grad, was) for n, was in given.items())
            )

    def _backward(self, gradient: Mapping[str, Any]) -> Any:
        """Probe loss 1 + Σ⟨G, w - w'⟩, w' the weight before the step: its gradient is G.

        Before the step it is 1 for a port and its base alike, whatever G they are given, so
        that those who look at the loss (a line search, a step size after Polyak) see the same.
        """
        import torch

        to_none = "reuse-gradients" not in self.case.drive
        try:
            self.optimizer.zero_grad(set_to_none=to_none)
        except (AttributeError, TypeError):  # the port lacks it, or has its own form of it
            self.model.zero_grad(set_to_none=to_none)
        with torch.enable_grad():
            moves = {name: w - self._before[name] for name, w in self.owned.items()}
            terms = [(gradient[name] * moved).sum() for name, moved in moves.items()]
            if self.way.curved:
                terms += [moved.pow(2).sum() / 2 for moved in moves.values()]
            loss: Any = 1 + torch.stack(terms).sum()
        loss.backward(create_graph=self.way.curved)
        return loss

    def record(self, number: int) -> dict[str, Array]:
        """Copy the parameters into NumPy arrays; refuse a changed shape."""
        for p in self.case.parameters:
            shape = tuple(self.owned[p.name].shape)
            if shape != p.shape:
                raise ShapeChangedError(
                    f"{self.label}: case {self.case.id}, step {number}: {p.name} of shape "
                    f"{p.shape} comes back with shape {shape}"
                )
        return {name: array_of(w).copy() for name, w in self.owned.items()}

    def groups(self) -> tuple[tuple[str, ...], ...]:
        """Names of the parameters, group by group, as the optimizer had them at first."""
        return self._groups

    def _groups_now(self) -> tuple[tuple[str, ...], ...]:
        found = [
            tuple(name for p in group["params"] for name, w in self.owned.items() if w is p)
            for group in self.optimizer.param_groups
        ]
        rest = tuple(name for name in self.owned if not any(name in group for group in found))
        return (*found, rest) if rest else tuple(found)

    def restored(self) -> _Training:
        """Save the optimizer, and restore it over a fresh model with the same weights."""
        import torch

        with self._blame("checkpoint after step 1"):
            buffer = io.BytesIO()
            torch.save(self.optimizer.state_dict(), buffer)
            buffer.seek(0)
            state = torch.load(buffer, weights_only=False)
            values = {name: w.detach() for name, w in self.owned.items()}
            fresh = _Training(self.case, self.layout, self.label, self._make, values, self.way)
            fresh.optimizer.load_state_dict(state)
        return fresh

    def _blame(self, when: str) -> contextlib.AbstractContextManager[None]:
        place = f"{self.label}: case {self.case.id}, {when}"
        return raising(PortError, place, through=PortError)


def _wants_closure(step: Callable[..., Any]) -> bool:
    """Whether ``step`` cannot be called without an argument."""
    try:
        parameters = inspect.signature(step).parameters.values()
    except (TypeError, ValueError):
        return False
    return any(
        p.default is p.empty and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
        for p in parameters
    )


def array_of(tensor: Any) -> Array:
    """View a tensor as a NumPy array; bfloat16, which NumPy lacks, as float32."""
    import torch

    tensor = tensor.detach().cpu()
    array: Array = (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy()
    return array


def _bits(tensor: Any) -> bytes:
    return array_of(tensor).tobytes()
