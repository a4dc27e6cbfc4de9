"""The PyTorch adapter: real layers, real backward() and step(), and what can go wrong."""

import gc
import math
import sys
import warnings

import numpy as np
import pytest

from gc_ref._layouts import KINDS, VECTOR_KINDS, weight_shape
from gc_ref.conformance._port import Case, Parameter, PortError, PortLoadError
from gc_ref.conformance.adapters._torch_model import build_model, parameter_groups
from gc_ref.conformance.adapters.torch import torch_port

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch

SGD = {"lr": 0.5, "momentum": 0.0}


def parameters(kinds=(*KINDS, *VECTOR_KINDS[1:]), layout="output-first", dtype=np.float32):
    rng = np.random.default_rng(3)
    found = []
    for kind in kinds:
        shape = weight_shape(kind, layout=layout, fan_in=4, fan_out=4)
        value = np.asarray(rng.integers(-8, 9, shape), dtype)
        found.append(Parameter(f"{kind}_0", kind, value, kind))
        if kind in ("dense", "conv2d", "scale"):
            bias = rng.integers(-8, 9, 4).astype(dtype)
            found.append(Parameter(f"{kind}_0", "bias", bias, kind))
    return tuple(found)


def case_of(owned=None, *, steps=3, hyper=SGD, dtype="float32", drive=(), change=None):
    owned = parameters() if owned is None else owned
    rng = np.random.default_rng(5)
    gradients = []
    for _ in range(steps):
        step = {p.name: np.asarray(rng.integers(-6, 7, p.shape), p.value.dtype) for p in owned}
        gradients.append(step)
    if change:
        change(gradients)
    return Case("probe", owned, tuple(gradients), hyper, dtype, frozenset(drive))


def same(a, b):
    return all(
        np.array_equal(x[name], y[name], equal_nan=True)
        for x, y in zip(a.steps, b.steps, strict=True)
        for name in x
    )


def erase_means(g):
    return g - g.mean(dim=tuple(range(1, g.dim())), keepdim=True) if g.dim() > 1 else g


class Centralizing(torch.optim.SGD):
    """GC as a subclass that computes a new gradient."""

    def __init__(self, params, lr=0.1, momentum=0.0, use_gc=True):
        super().__init__(params, lr=lr, momentum=momentum)
        self.use_gc = use_gc

    def step(self, closure=None):
        if self.use_gc:
            for group in self.param_groups:
                for p in group["params"]:
                    p.grad = erase_means(p.grad)
        return super().step(closure)


class InPlace(torch.optim.SGD):
    def step(self, closure=None):
        for group in self.param_groups:
            for p in group["params"]:
                p.grad.copy_(erase_means(p.grad))
        return super().step(closure)


class Recorder(torch.optim.SGD):
    """Keeps what it was given, to be looked at afterwards."""

    given = []  # noqa: RUF012

    def __init__(self, params, lr):
        super().__init__(params, lr=lr)
        Recorder.given.append([])

    def step(self, closure=None):
        grads = [p.grad for group in self.param_groups for p in group["params"]]
        Recorder.given[-1].append([(g.data_ptr(), g.clone()) for g in grads])
        return super().step(closure)


@pytest.fixture
def given():
    Recorder.given.clear()
    return Recorder.given


class TestModel:
    LAYERS = {  # noqa: RUF012
        "dense": ("Linear", "weight"),
        "conv1d": ("Conv1d", "weight"),
        "conv2d": ("Conv2d", "weight"),
        "conv3d": ("Conv3d", "weight"),
        "depthwise": ("Conv2d", "weight"),
        "transposed": ("ConvTranspose2d", "weight"),
        "embedding": ("Embedding", "weight"),
        "attention-in": ("MultiheadAttention", "in_proj_weight"),
        "attention-out": ("MultiheadAttention", "out_proj.weight"),
        "scale": ("LayerNorm", "weight"),
        "scalar": ("Module", "scalar"),
    }

    def build(self, owned, layout="output-first"):
        values = {p.name: torch.from_numpy(np.array(p.value)) for p in owned}
        return build_model(owned, values, layout=layout)

    @pytest.mark.parametrize("kind", LAYERS)
    def test_each_kind_is_its_real_layer(self, kind):
        model, owned = self.build(parameters((kind,)))
        layer, name = self.LAYERS[kind]
        role = kind if kind in ("scale", "scalar") else "kernel"
        assert type(getattr(model, f"{kind}_0")).__name__ == layer
        assert dict(model.named_parameters())[f"{kind}_0.{name}"] is owned[f"{kind}_0.{role}"]

    def test_depthwise_convolves_each_channel_alone(self):
        model, _ = self.build(parameters(("depthwise",)))
        assert model.depthwise_0.groups == 4

    def test_the_model_holds_the_case_and_nothing_else(self):
        given = parameters()
        model, owned = self.build(given)
        assert {id(p) for p in model.parameters()} == {id(p) for p in owned.values()}
        for p in given:
            np.testing.assert_array_equal(owned[p.name].detach().numpy(), p.value)

    def test_output_last_is_held_by_small_modules(self):
        model, owned = self.build(parameters(("conv2d",), "output-last"), "output-last")
        assert type(model.conv2d_0) is torch.nn.Module
        assert owned["conv2d_0.kernel"].shape == (2, 2, 4, 4)

    @pytest.mark.parametrize("shape", [(3, 2, 2), (0, 4), (2, 3, 1, 1, 1, 1, 1), (5,)])
    def test_a_shape_that_no_layer_has(self, shape):
        odd = Parameter("dense_0", "dense", np.zeros(shape, np.float32), "dense")
        model, owned = self.build((odd,))
        assert type(model.dense_0) is torch.nn.Module
        assert owned["dense_0.kernel"].shape == shape

    def test_both_groups_hold_weights_and_vectors(self):
        given = parameters()
        groups = parameter_groups(given, {p.name: p for p in given})
        assert len(groups) == 2
        for group in groups:
            assert {len(p.shape) >= 2 for p in group["params"]} == {True, False}
        assert sorted(p.name for g in groups for p in g["params"]) == sorted(p.name for p in given)

    def test_a_single_weight_goes_into_the_second_group(self):
        given = parameters(("conv1d", "scalar"))
        groups = parameter_groups(given, {p.name: p.name for p in given})
        assert groups == [{"params": ["scalar_0.scalar"]}, {"params": ["conv1d_0.kernel"]}]

    def test_a_single_layer_is_one_group(self):
        given = parameters(("dense",))
        assert len(parameter_groups(given, {p.name: p.name for p in given})) == 1


class TestGradient:
    @pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
    def test_is_exactly_the_one_of_the_case(self, given, dtype):
        tiny = {"float16": 2.0**-24, "float64": 5e-324}.get(dtype, 1e-40)
        storage = np.float32 if dtype == "bfloat16" else np.dtype(dtype)
        hard = [math.nan, math.inf, -math.inf, 0.0, -0.0, 1.0, tiny, 256.0]
        owned = (Parameter("dense_0", "dense", np.full((2, 4), 3, storage), "dense"),)
        gradient = np.asarray(hard, storage).reshape(2, 4)
        case = Case("hard", owned, ({"dense_0.kernel": gradient},), {"lr": 1.0}, dtype)
        torch_port(Recorder).run(case)
        seen = given[-1][0][0][1]
        expected = torch.from_numpy(gradient).to(getattr(torch, dtype))
        assert seen.dtype == expected.dtype
        bits = {2: torch.int16, 4: torch.int32, 8: torch.int64}[expected.element_size()]
        assert torch.equal(seen.isnan(), expected.isnan())
        assert torch.equal(seen.view(bits)[~seen.isnan()], expected.view(bits)[~seen.isnan()])

    def test_buffers_are_new_or_reused_as_the_drive_says(self, given):
        port = torch_port(Recorder)
        port.run(case_of(drive=["reuse-gradients"]))
        first, second, third = given[-1]
        assert [a for a, _ in first] == [a for a, _ in second] == [a for a, _ in third]

    def test_reused_buffers_hold_the_new_gradient_alone(self, given):
        port = torch_port(Recorder)
        plain = port.run(case_of())
        assert same(plain, port.run(case_of(drive=["reuse-gradients"])))

    def test_a_nan_stays_where_it_is(self):
        def poison(gradients):
            gradients[0]["dense_0.kernel"][1, 2] = math.nan

        trajectory = torch_port(torch.optim.SGD).run(case_of(change=poison))
        found = {n: np.isnan(v).sum() for n, v in trajectory.steps[-1].items()}
        assert {n for n, count in found.items() if count} == {"dense_0.kernel"}
        assert np.argwhere(np.isnan(trajectory.steps[0]["dense_0.kernel"])).tolist() == [[1, 2]]


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


class TestNotes:
    @pytest.mark.parametrize("optimizer", [Centralizing, InPlace])
    def test_a_port_that_writes_to_its_gradient(self, optimizer):
        notes = torch_port(optimizer).run(case_of()).notes
        assert notes == ("writes to the gradient it is given",)

    def test_a_port_that_does_not(self):
        def poison(gradients):
            gradients[0]["dense_0.kernel"][0, 0] = math.nan

        for drive in ([], ["reuse-gradients"]):
            case = case_of(change=poison, drive=drive)
            assert torch_port(torch.optim.SGD).run(case).notes == ()


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
        def factory(params, lr, model):
            return torch.optim.SGD(params, lr=lr)

        self.refuse(factory, "TypeError: .*'model'")

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
