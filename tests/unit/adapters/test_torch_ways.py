"""Ports of PyTorch that want more of the training loop than a plain backward() and step()."""

import numpy as np
import pytest

from gc_ref._conformance.checks.registry import RUNS
from gc_ref._conformance.running.judge_port import RunOptions
from gc_ref.conformance import PortError, check, torch_port

from ._adapter_cases import same
from ._torch_probe import Centralizing, case_of, erase_means

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch


class InHook(torch.optim.SGD):
    """Steps while backward() runs, and frees each gradient at once."""

    def __init__(self, params, lr=0.1):
        super().__init__(params, lr=lr)
        for group in self.param_groups:
            for p in group["params"]:
                p.register_post_accumulate_grad_hook(self.hooked)

    @torch.no_grad()
    def hooked(self, p):
        p.sub_(self.param_groups[0]["lr"] * erase_means(p.grad))
        p.grad = None

    def step(self, closure=None):
        pass


class TestHooks:
    @pytest.mark.parametrize("drive", [[], ["twin"], ["checkpoint"], ["reuse-gradients"]])
    def test_a_step_inside_backward(self, drive):
        hyper = {"lr": 0.5}
        expected = torch_port(Centralizing).run(case_of(hyper=hyper))
        found = torch_port(InHook).run(case_of(hyper=hyper, drive=drive))
        assert same(found, expected)
        assert not found.writes_gradient


class TestClosures:
    class AtRunTime(torch.optim.SGD):
        """Its closure is optional by signature and needed when it runs."""

        def __init__(self, params, lr=0.1, momentum=0.0):
            super().__init__(params, lr=lr, momentum=momentum)

        def step(self, closure=None):
            self.losses = [float(closure().detach())]
            return super().step()

    def test_that_a_step_turns_out_to_need(self):
        found = torch_port(self.AtRunTime).run(case_of())
        assert same(found, torch_port(torch.optim.SGD).run(case_of()))
        assert found.notes == ("step() is given a closure, without which it raises",)

    def test_that_a_step_can_do_without(self):
        class Optional(torch.optim.SGD):
            def step(self, closure=None):
                assert closure is None
                return super().step()

        assert torch_port(Optional).run(case_of()).notes == ()

    def test_the_loss_is_the_same_whatever_the_gradient(self):
        """A step size after Polyak divides the loss: a port and its base must see the same."""
        seen = []

        class Watching(self.AtRunTime):
            def step(self, closure=None):
                super().step(closure)
                seen.extend(self.losses)

        def large(gradients):
            for step in gradients:
                for name in step:
                    step[name] = step[name] + np.float32(4097)

        for change in (None, large):
            torch_port(Watching).run(case_of(change=change))
        assert seen == [1.0] * 6

    def test_what_fails_either_way_says_how_it_failed_first(self):
        class Broken(torch.optim.SGD):
            def step(self, closure=None):
                raise ValueError("with a closure" if closure else "without")

        with pytest.raises(PortError, match=r"step 1: ValueError: without$"):
            torch_port(Broken).run(case_of())


class TestSecondDerivatives:
    class DividesByHessian(torch.optim.Optimizer):
        """Newton's method with the diagonal of the Hessian."""

        def __init__(self, params, lr=0.1):
            super().__init__(params, {"lr": lr})

        def step(self, closure=None):
            params = [p for group in self.param_groups for p in group["params"]]
            grads = [p.grad for p in params]
            if any(g.grad_fn is None for g in grads):
                raise RuntimeError("call backward(create_graph=True)")
            ones = [torch.ones_like(g) for g in grads]
            diagonal = torch.autograd.grad(grads, params, ones)
            with torch.no_grad():
                for p, g, h in zip(params, grads, diagonal, strict=True):
                    p.sub_(self.param_groups[0]["lr"] * g / h)

    def test_are_there_where_a_step_asks_for_them(self):
        """The Hessian of the probe loss is 1: the step is that of plain gradient descent."""
        found = torch_port(self.DividesByHessian).run(case_of(hyper={"lr": 0.5}))
        assert same(found, torch_port(torch.optim.SGD).run(case_of(hyper={"lr": 0.5})))
        assert found.notes == (
            "the loss has second derivatives, and backward() is called with create_graph=True",
        )

    def test_are_not_there_otherwise(self):
        class Plain(torch.optim.SGD):
            def step(self, closure=None):
                assert all(p.grad.grad_fn is None for p in self.param_groups[0]["params"])
                return super().step()

        assert torch_port(Plain).run(case_of()).notes == ()


class TestModels:
    def expected(self):
        return torch_port(torch.optim.SGD).run(case_of())

    def test_in_place_of_the_parameters(self):
        class OfModel(torch.optim.SGD):
            def __init__(self, model, lr=0.1, momentum=0.0):
                assert isinstance(model, torch.nn.Module)
                super().__init__(model.parameters(), lr=lr, momentum=momentum)

        assert same(torch_port(OfModel).run(case_of()), self.expected())

    def test_as_a_required_argument(self):
        class Beside(torch.optim.SGD):
            def __init__(self, params, model, lr=0.1, momentum=0.0):
                names = [name for name, _ in model.named_parameters()]
                assert any(name.endswith("weight") for name in names)
                super().__init__(params, lr=lr, momentum=momentum)

        assert same(torch_port(Beside).run(case_of()), self.expected())

    def test_under_another_name(self):
        class Other(torch.optim.SGD):
            def __init__(self, params, net=None, lr=0.1, momentum=0.0):
                assert isinstance(net, torch.nn.Module)
                super().__init__(params, lr=lr, momentum=momentum)

        port = torch_port(Other, settings={"net": "@model"})
        assert same(port.run(case_of()), self.expected())

    def test_not_where_it_is_optional(self):
        class Optional(torch.optim.SGD):
            def __init__(self, params, lr=0.1, momentum=0.0, model=None):
                assert model is None
                super().__init__(params, lr=lr, momentum=momentum)

        assert same(torch_port(Optional).run(case_of()), self.expected())


class TestGroups:
    def test_with_flags_of_their_own(self):
        class Flagged(torch.optim.SGD):
            def step(self, closure=None):
                for group in self.param_groups:
                    for p in group["params"]:
                        p.grad = erase_means(p.grad) if group["use_gc_here"] else p.grad
                return super().step(closure)

        def factory(params, lr, momentum):
            found = [p for group in params for p in group["params"]]
            weights = [p for p in found if p.dim() > 1]
            vectors = [p for p in found if p.dim() < 2]
            groups = [
                {"params": weights, "use_gc_here": True},
                {"params": vectors, "use_gc_here": False},
            ]
            return Flagged(groups, lr=lr, momentum=momentum)

        found = torch_port(factory).run(case_of())
        assert same(found, torch_port(Centralizing).run(case_of()))


class TestConstructorsThatRefuse:
    class Positive(Centralizing):
        """Takes no momentum of 0, which fuzzing draws."""

        wrong = 1.0

        def __init__(self, params, lr=0.1, momentum=0.9):
            if momentum <= 0:
                raise ValueError("momentum must be positive")
            super().__init__(params, lr=lr, momentum=momentum)

        def step(self, closure=None):
            for group in self.param_groups:
                for p in group["params"]:
                    p.grad = p.grad * self.wrong
            return super().step(closure)

    def found(self, port):
        judge = RunOptions().judge(port)
        return RUNS["value/bounded"](judge), judge.notes

    def test_fuzzing_draws_what_they_take(self):
        outcome, notes = self.found(torch_port(self.Positive, algorithm="sgdm"))
        assert outcome.status == "passed"
        assert any("ValueError: momentum must be positive" in note for note in notes)

    def test_what_was_found_stays(self):
        doubled = type("Doubled", (self.Positive,), {"wrong": 2.0})
        outcome, _ = self.found(torch_port(doubled, algorithm="sgdm"))
        assert outcome.status == "failed"
        assert outcome.counterexample is not None


def test_what_cannot_be_driven_names_the_way_out():
    class Stubborn(torch.optim.SGD):
        def step(self, closure=None):
            raise NotImplementedError("call fused_backward() instead")

    report = check(torch_port(Stubborn), max_examples=0)
    assert report.verdict == "error"
    [message] = [c.message for c in report.with_status("error")]
    assert "call fused_backward() instead. Way out: a factory function of your own" in message
