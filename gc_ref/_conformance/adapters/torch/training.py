"""Train a PyTorch model for a case, and record its parameters after each step."""

from __future__ import annotations

import contextlib
import inspect
import io
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

import numpy as np

from gc_ref._conformance.adapters.shared.calls import quietly, raising, refuse_coroutine
from gc_ref._conformance.adapters.torch.model import build_model
from gc_ref._conformance.ports.case import Array, Case, Parameter, Trajectory
from gc_ref._conformance.ports.port import PortError, ShapeChangedError
from gc_ref._conformance.ports.storage import STORAGE

#: Makes a new optimizer: (parameters, their tensors by name, hyperparameters).
Make: TypeAlias = Callable[[tuple[Parameter, ...], Mapping[str, Any], Mapping[str, float]], Any]


def run_case(case: Case, layout: str, label: str, make: Make) -> Trajectory:
    """Drive one case; see `gc_ref._conformance.ports.case.Case` for the ways of its ``drive``."""
    if case.dtype not in STORAGE:
        raise PortError(
            f"case {case.id}: no dtype {case.dtype!r}; PyTorch is driven in {', '.join(STORAGE)}"
        )
    with untouched_torch(), quietly():
        gradients = [_tensors(g, case) for g in case.gradients]
        values = _tensors({p.name: p.value for p in case.parameters}, case)
        training = _Training(case, layout, label, make, values)
        other = {name: value + 1 for name, value in values.items()}
        twin = _Training(case, layout, label, make, other) if "twin" in case.drive else None
        steps: list[dict[str, Array]] = []
        writes = False
        for number, gradient in enumerate(gradients, 1):
            writes |= training.step(gradient, number)
            steps.append(training.record(number))
            if twin:
                twin.step({name: -g for name, g in gradient.items()}, number)
            if number == 1 and "checkpoint" in case.drive:
                training = training.restored()
        dtypes = {n: str(v.dtype).removeprefix("torch.") for n, v in training.owned.items()}
    return Trajectory(tuple(steps), dtypes=dtypes, groups=training.groups(), writes_gradient=writes)


@contextlib.contextmanager
def untouched_torch() -> Iterator[None]:
    """Start from a known state of PyTorch, and restore the former one at the end."""
    import torch

    dtype = torch.get_default_dtype()
    with torch.random.fork_rng(devices=[]), torch.enable_grad():
        torch.default_generator.manual_seed(0)
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
        self, case: Case, layout: str, label: str, make: Make, values: Mapping[str, Any]
    ) -> None:
        self.case, self.layout, self.label, self._make = case, layout, label, make
        copies = {name: value.clone() for name, value in values.items()}
        self.model, self.owned = build_model(case.parameters, copies, layout=layout)
        self.optimizer = make(case.parameters, self.owned, case.hyperparameters)
        self._closure_wanted = _wants_closure(self.optimizer.step)
        self._groups = self._groups_now()  # later a port may put other tensors there

    def step(self, gradient: Mapping[str, Any], number: int) -> bool:
        """Make one step of training; tell whether the port wrote to its gradient."""
        with self._blame(f"step {number}"):
            self._backward(gradient)
            given = {name: (w.grad, _bits(w.grad)) for name, w in self.owned.items()}
            closure = [lambda: self._backward(gradient)] if self._closure_wanted else []
            refuse_coroutine(self.optimizer.step(*closure), f"{self.label}.step")
            return any(
                _bits(buffer) != bits
                or (w.grad is not None and w.grad is not buffer and _bits(w.grad) != bits)
                for w, (buffer, bits) in zip(self.owned.values(), given.values(), strict=True)
            )

    def _backward(self, gradient: Mapping[str, Any]) -> Any:
        """Probe loss Σ⟨G, w⟩, whose gradient is G."""
        import torch

        to_none = "reuse-gradients" not in self.case.drive
        try:
            self.optimizer.zero_grad(set_to_none=to_none)
        except (AttributeError, TypeError):  # the port lacks it, or has its own form of it
            self.model.zero_grad(set_to_none=to_none)
        with torch.enable_grad():
            terms = [(gradient[name] * w).sum() for name, w in self.owned.items()]
            loss: Any = torch.stack(terms).sum()
        loss.backward()
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
            fresh = _Training(self.case, self.layout, self.label, self._make, values)
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
