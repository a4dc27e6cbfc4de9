"""The PyTorch adapter: a real step(), what drives find, and what a port says of itself."""

import numpy as np
import pytest

from gc_ref.conformance import Case, Parameter, torch_port

from ._adapter_cases import same
from ._torch_probe import Centralizing, case_of, erase_means, parameters

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch


class TestTrajectory:
    def test_sgd_is_w_minus_lr_g(self):
        case = case_of()
        trajectory = torch_port(torch.optim.SGD).run(case)
        expected = {p.name: p.value for p in case.parameters}
        for step, gradient in zip(trajectory.steps, case.gradients, strict=True):
            expected = {n: w - np.float32(0.5) * gradient[n] for n, w in expected.items()}
            assert list(step) == list(expected)
            for name, value in expected.items():
                np.testing.assert_array_equal(step[name], value)

    def test_gc_erases_the_mean_of_each_output(self):
        case = case_of(parameters(("dense", "conv2d")), steps=1)
        trajectory = torch_port(Centralizing).run(case)
        moved = case.parameters[0].value - trajectory.steps[0]["dense_0.kernel"]
        gradient = case.gradients[0]["dense_0.kernel"]
        np.testing.assert_array_equal(moved, 0.5 * (gradient - gradient.mean(1, keepdims=True)))
        bias = case.parameters[1].value - trajectory.steps[0]["dense_0.bias"]
        np.testing.assert_array_equal(bias, 0.5 * case.gradients[0]["dense_0.bias"])

    @pytest.mark.parametrize("foreach", [False, True])
    def test_loop_and_foreach_agree(self, foreach):
        port = torch_port(Centralizing)

        def factory(params, lr, momentum):
            made = torch.optim.SGD(params, lr=lr, momentum=momentum, foreach=foreach)

            def before(optimizer, args, kwargs):
                for group in optimizer.param_groups:
                    for p in group["params"]:
                        p.grad = erase_means(p.grad)

            made.register_step_pre_hook(before)
            return made

        hyper = {"lr": 0.5, "momentum": 0.5}
        assert same(port.run(case_of(hyper=hyper)), torch_port(factory).run(case_of(hyper=hyper)))

    @pytest.mark.parametrize("drive", [["checkpoint"], ["twin"], ["reuse-gradients"]])
    @pytest.mark.parametrize("optimizer", [torch.optim.SGD, torch.optim.Adam, Centralizing])
    def test_correct_optimizers_do_not_care_for_the_drive(self, optimizer, drive):
        hyper = {"lr": 0.125, "momentum": 0.5, "beta1": 0.5, "beta2": 0.75, "eps": 1.0}
        port = torch_port(optimizer)
        assert drive[0] in port.drives
        assert same(port.run(case_of(hyper=hyper)), port.run(case_of(hyper=hyper, drive=drive)))

    def test_hyperparameters_arrive(self):
        case = case_of(hyper={"lr": 0.125, "beta1": 0.5, "beta2": 0.75, "eps": 1.0}, steps=1)
        trajectory = torch_port(torch.optim.Adam).run(case)
        for p in case.parameters:  # at t = 1: g / (|g| + eps)
            g = case.gradients[0][p.name]
            expected = p.value - 0.125 * g / (np.abs(g) + 1)
            np.testing.assert_allclose(trajectory.steps[0][p.name], expected, rtol=1e-6)

    @pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
    def test_dtypes_come_back_by_name(self, dtype):
        storage = np.float32 if dtype == "bfloat16" else np.dtype(dtype)
        owned = parameters(("dense",), dtype=storage)
        trajectory = torch_port(torch.optim.SGD).run(case_of(owned, dtype=dtype))
        assert set(trajectory.dtypes.values()) == {dtype}
        assert trajectory.steps[0]["dense_0.kernel"].dtype == storage

    def test_recorded_arrays_are_copies(self):
        case = case_of()
        before = {p.name: p.value.copy() for p in case.parameters}
        trajectory = torch_port(torch.optim.SGD).run(case)
        assert not np.array_equal(
            trajectory.steps[0]["dense_0.kernel"], trajectory.steps[1]["dense_0.kernel"]
        )
        for p in case.parameters:
            np.testing.assert_array_equal(p.value, before[p.name])

    def test_a_port_that_treats_the_first_group_only_is_seen(self):
        class FirstGroup(torch.optim.SGD):
            def step(self, closure=None):
                for p in self.param_groups[0]["params"]:
                    p.grad = erase_means(p.grad)
                return super().step(closure)

        assert not same(
            torch_port(Centralizing).run(case_of()), torch_port(FirstGroup).run(case_of())
        )

    def test_output_last(self):
        owned = parameters(layout="output-last")
        port = torch_port(torch.optim.SGD, layout="output-last")
        assert port.layout == "output-last"
        step = port.run(case_of(owned)).steps[0]
        assert {n: v.shape for n, v in step.items()} == {p.name: p.shape for p in owned}


class TestWhatTheDrivesFind:
    def test_momentum_that_is_an_alias_of_the_gradient(self):
        class Alias(torch.optim.Optimizer):
            def __init__(self, params, lr=0.1, momentum=0.9):
                super().__init__(params, {"lr": lr, "momentum": momentum})

            @torch.no_grad()
            def step(self):
                for group in self.param_groups:
                    for p in group["params"]:
                        state = self.state[p]
                        if "m" not in state:
                            state["m"] = p.grad
                        else:
                            state["m"].mul_(group["momentum"]).add_(p.grad)
                        p.sub_(group["lr"] * state["m"])

        port = torch_port(Alias)
        hyper = {"lr": 0.5, "momentum": 0.5}
        plain = port.run(case_of(hyper=hyper))
        assert not same(plain, port.run(case_of(hyper=hyper, drive=["reuse-gradients"])))

    def test_state_outside_the_state_dict(self):
        class Hidden(torch.optim.SGD):
            def __init__(self, params, lr=0.1):
                super().__init__(params, lr=lr)
                self.calls = 0

            def step(self):
                self.calls += 1
                for group in self.param_groups:
                    group["lr"] = 0.5 / self.calls
                super().step()

        port = torch_port(Hidden)
        assert not same(port.run(case_of()), port.run(case_of(drive=["checkpoint"])))

    def test_state_shared_between_instances(self):
        class Shared(torch.optim.SGD):
            calls = 0

            def __init__(self, params, lr=0.1):
                super().__init__(params, lr=lr)
                Shared.calls = 0

            def step(self):
                Shared.calls += 1
                for group in self.param_groups:
                    group["lr"] = 0.5 / Shared.calls
                super().step()

        port = torch_port(Shared)
        assert not same(port.run(case_of()), port.run(case_of(drive=["twin"])))


class TestSwitch:
    def test_on_by_default(self):
        port = torch_port(Centralizing)
        assert port.off is not None
        assert same(port.off.run(case_of()), torch_port(torch.optim.SGD).run(case_of()))
        assert not same(port.off.run(case_of()), port.run(case_of()))
        assert port.off.name == "Centralizing (use_gc=False)"
        assert port.off.off is None

    def test_switched_off_by_the_user(self):
        assert torch_port(Centralizing, settings={"use_gc": False}).off is None

    def test_off_by_default(self):
        def factory(params, lr, use_gc=False):
            return Centralizing(params, lr=lr, use_gc=use_gc)

        assert "use_gc=True" in torch_port(factory).environment["hint"]
        assert torch_port(factory, settings={"use_gc": True}).off is not None


class TestPort:
    def test_what_it_says_of_itself(self):
        base = torch_port(torch.optim.SGD)
        port = torch_port(
            Centralizing,
            name="mine",
            algorithm="sgdm",
            base=base,
            settings={"momentum": 0.75},
            conventions={"momentum": "heavy-ball"},
            target="torch:mine.py:Centralizing",
            options=["--seed", "1"],
        )
        assert (port.name, port.kind, port.layout) == ("mine", "torch", "output-first")
        assert (port.takes, port.fixed) == ({"lr"}, {"momentum": 0.75})
        assert (port.algorithm, port.base) == ("sgdm", base)
        assert dict(port.conventions) == {"momentum": "heavy-ball"}
        assert (port.target, port.options) == ("torch:mine.py:Centralizing", ("--seed", "1"))
        assert port.dtypes == ("float32", "float64")
        assert port.environment["torch"] == torch.__version__
        assert port.per_run_cost == "cheap"

    def test_subnormal_numbers_are_kept(self):
        owned = (Parameter("dense_0", "dense", np.zeros((1, 2), np.float32), "dense"),)
        gradient = {"dense_0.kernel": np.asarray([[1e-38, -3e-39]], np.float32)}
        port = torch_port(torch.optim.SGD)
        step = port.run(Case("tiny", owned, (gradient,), {"lr": 0.5})).steps[0]
        expected = -np.float32(0.5) * gradient["dense_0.kernel"]
        assert np.array_equal(step["dense_0.kernel"], expected) is not port.flush_to_zero
