"""The PyTorch adapter's probe model: real layers, and the gradient of the case from backward()."""

import math

import numpy as np
import pytest

from gc_ref._conformance.adapters.torch.model import build_model, parameter_groups
from gc_ref.conformance import Case, Parameter, torch_port

from ._adapter_cases import same
from ._torch_probe import case_of, parameters

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch


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
