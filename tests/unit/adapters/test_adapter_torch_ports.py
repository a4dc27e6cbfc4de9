"""Odd ports of PyTorch: what is noted, what is put up with, and what is refused."""

import gc
import math
import sys
import warnings

import pytest

from gc_ref.conformance import PortError, PortLoadError, check, torch_port

from ._adapter_cases import same
from ._torch_probe import Centralizing, case_of, erase_means

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch


class InPlace(torch.optim.SGD):
    def step(self, closure=None):
        for group in self.param_groups:
            for p in group["params"]:
                p.grad.copy_(erase_means(p.grad))
        return super().step(closure)


class Plain(torch.optim.Optimizer):
    """Gradient descent with GC: it has no momentum to be set."""

    def __init__(self, params, lr=0.1):
        super().__init__(params, {"lr": lr})

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            for p in group["params"]:
                p -= group["lr"] * erase_means(p.grad)


def test_plain_sgd_is_algorithm_1_with_a_momentum_of_0():
    port = torch_port(Plain, algorithm="sgdm")
    report = check(port, max_examples=0)
    assert "momentum" not in port.takes
    assert report.verdict == "conforms"
    assert "step/sgdm" in [c.id for c in report.with_status("passed")]


class TestNotes:
    @pytest.mark.parametrize("optimizer", [Centralizing, InPlace])
    def test_a_port_that_writes_to_its_gradient(self, optimizer):
        assert torch_port(optimizer).run(case_of()).writes_gradient

    def test_a_port_that_does_not(self):
        def poison(gradients):
            gradients[0]["dense_0.kernel"][0, 0] = math.nan

        for drive in ([], ["reuse-gradients"]):
            case = case_of(change=poison, drive=drive)
            assert not torch_port(torch.optim.SGD).run(case).writes_gradient


class TestOddPorts:
    def test_a_required_closure_recomputes_the_gradient(self):
        class Closure(torch.optim.SGD):
            def step(self, closure):
                loss = closure()
                assert loss.shape == ()
                super().step()

        class Blind(Closure):
            @torch.no_grad()
            def step(self, closure):
                super().step(closure)

        plain = torch_port(torch.optim.SGD).run(case_of())
        for optimizer in (Closure, Blind):
            trajectory = torch_port(optimizer).run(case_of())
            assert same(plain, trajectory)
            assert trajectory.notes == ()

    def test_its_own_zero_grad(self):
        class Old(torch.optim.SGD):
            def zero_grad(self):
                raise TypeError("no such argument")

        assert same(torch_port(Old).run(case_of()), torch_port(torch.optim.SGD).run(case_of()))

    def test_a_factory_that_wants_a_flat_list(self):
        def factory(params, lr):
            wide = [p for p in params if p.dim() > 1]
            narrow = [p for p in params if p.dim() <= 1]
            return torch.optim.SGD([{"params": wide}, {"params": narrow}], lr=lr)

        port = torch_port(factory)
        assert "parameter groups" in port.environment
        assert same(port.run(case_of()), torch_port(torch.optim.SGD).run(case_of()))

    def test_prints_and_warnings_are_kept_apart(self, capsys):
        class Noisy(torch.optim.SGD):
            def __init__(self, params, lr=0.1):
                print("made")
                warnings.warn("made", stacklevel=1)
                super().__init__(params, lr=lr)

            def step(self):
                print("step")
                warnings.warn("step", DeprecationWarning, stacklevel=1)
                super().step()

        torch_port(Noisy).run(case_of())
        assert capsys.readouterr().out == ""

    def test_global_state_is_left_as_it_was(self):
        class Rude(torch.optim.SGD):
            def step(self):
                torch.set_default_dtype(torch.float64)
                torch.set_grad_enabled(False)
                torch.rand(3)
                super().step()

        before = torch.random.get_rng_state()
        torch_port(Rude).run(case_of())
        assert torch.get_default_dtype() == torch.float32
        assert torch.is_grad_enabled()
        assert torch.equal(before, torch.random.get_rng_state())

    def test_a_noisy_optimizer_starts_from_the_same_seed(self):
        class Langevin(torch.optim.SGD):
            def step(self):
                super().step()
                for group in self.param_groups:
                    for p in group["params"]:
                        p.data += torch.randn_like(p)

        port = torch_port(Langevin)
        assert same(port.run(case_of()), port.run(case_of()))

    def test_driven_where_gradients_are_off(self):
        with torch.no_grad():
            inside = torch_port(torch.optim.SGD).run(case_of())
        assert same(inside, torch_port(torch.optim.SGD).run(case_of()))


class TestLoadErrors:
    def refuse(self, factory, match, **keywords):
        with pytest.raises(PortLoadError, match=match) as caught:
            torch_port(factory, **keywords)
        assert "\n" not in str(caught.value)

    def test_not_callable(self):
        made = torch.optim.SGD([torch.zeros(1)], lr=1.0)
        self.refuse(made, "SGD object is not callable: give a torch.optim.Optimizer class")

    def test_returns_none(self):
        self.refuse(lambda params, lr: None, "NoneType, which is no PyTorch optimizer")

    def test_makes_something_without_step(self):
        self.refuse(lambda params, lr: [lr], r"builtins\.list, which is no PyTorch optimizer")

    def test_no_learning_rate(self):
        def factory(params, rate):
            return torch.optim.SGD(params, lr=rate)

        self.refuse(factory, "takes no learning rate.* lr, learning_rate, step_size, alpha")

    def test_unknown_setting(self):
        self.refuse(torch.optim.SGD, "takes no argument 'use_gc'", settings={"use_gc": True})

    def test_a_constructor_that_raises(self):
        def factory(params, lr):
            raise RuntimeError("no\nluck")

        self.refuse(factory, "factory could not be made: RuntimeError: no luck")

    def test_a_constructor_that_raises_no_exception(self):
        def factory(params, lr, **others):
            raise GeneratorExit("early")

        self.refuse(factory, "factory could not be made: GeneratorExit: early")

    def test_an_async_factory(self):
        async def factory(params, lr, **others):
            return torch.optim.SGD(params, lr=lr)

        with pytest.raises(PortError, match="factory is an async function"):
            torch_port(factory)
        gc.collect()  # a coroutine left behind would warn here

    def test_a_missing_argument_is_named(self):
        def factory(params, lr, schedule):
            return torch.optim.SGD(params, lr=lr)

        self.refuse(factory, "TypeError: .*'schedule'.*Give it what it wants with --set")

    def test_an_optimizer_of_other_parameters(self):
        made = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
        self.refuse(lambda params, lr: made, "holds none of the parameters it was given")

    def test_torch_is_missing(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "torch", None)
        self.refuse(lambda params, lr: None, "needs PyTorch")


class TestRunErrors:
    def refuse(self, step, match):
        broken = type("Broken", (torch.optim.SGD,), {"step": step})
        with pytest.raises(PortError, match=match) as caught:
            torch_port(broken).run(case_of())
        assert "\n" not in str(caught.value)

    def test_step_raises(self):
        def step(self):
            raise ValueError("bad\nstep")

        self.refuse(step, "^Broken: case probe, step 1: ValueError: bad step$")

    def test_step_raises_no_exception(self):
        def step(self):
            raise GeneratorExit

        self.refuse(step, "^Broken: case probe, step 1: GeneratorExit$")

    def test_step_is_interrupted(self):
        def step(self):
            raise KeyboardInterrupt

        broken = type("Broken", (torch.optim.SGD,), {"step": step})
        with pytest.raises(KeyboardInterrupt):
            torch_port(broken).run(case_of())

    def test_step_is_async(self):
        async def step(self):
            pass

        self.refuse(step, "^Broken.step is an async function")
        gc.collect()

    def test_another_shape(self):
        def step(self):
            p = self.param_groups[0]["params"][0]
            p.data = p.data[:1]

        self.refuse(step, r"case probe, step 1: dense_0.kernel .* comes back with shape \(1, 4\)")

    def test_an_unknown_dtype(self):
        with pytest.raises(PortError, match="no dtype 'int8'"):
            torch_port(torch.optim.SGD).run(case_of(dtype="int8"))

    def test_a_state_that_cannot_be_saved(self):
        class Unsaved(torch.optim.SGD):
            def state_dict(self):
                raise NotImplementedError("not yet")

        with pytest.raises(PortError, match="checkpoint after step 1: NotImplementedError"):
            torch_port(Unsaved).run(case_of(drive=["checkpoint"]))
