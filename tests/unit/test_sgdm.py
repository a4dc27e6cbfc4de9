"""Algorithm 1: m = β m + (1 - β) ĝ, w = w - α m."""

import numpy as np
import pytest

from gc_ref import SGDMState, adam_init, exact, sgdm_init, sgdm_step

WEIGHT = np.asarray([[1.0, 2.0], [3.0, -1.0]])
GRAD = np.asarray([[1.0, 6.0], [5.0, -2.0]])  # ĝ by column: [[-2, 4], [2, -4]]


def run(weight, grads, **settings):
    """Weights after each step."""
    state, weights = sgdm_init(weight), []
    for grad in grads:
        weight, state = sgdm_step(weight, grad, state, **settings)
        weights.append(weight)
    return weights


class TestAlgorithm1:
    def test_by_hand(self):
        settings = {"lr": 0.5, "momentum": 0.75, "output_axis": -1}
        weight, state = sgdm_step(WEIGHT, GRAD, sgdm_init(WEIGHT), **settings)
        assert state.momentum.tolist() == [[-0.5, 1.0], [0.5, -1.0]]
        assert weight.tolist() == [[1.25, 1.5], [2.75, -0.5]]
        weight, state = sgdm_step(weight, GRAD, state, **settings)
        assert state.momentum.tolist() == [[-0.875, 1.75], [0.875, -1.75]]
        assert weight.tolist() == [[1.6875, 0.625], [2.3125, 0.375]]

    def test_heavy_ball(self):
        settings = {"lr": 0.5, "momentum": 0.75, "dampening": 0, "output_axis": -1}
        first, second = run(WEIGHT, [GRAD, GRAD], **settings)
        assert first.tolist() == [[2.0, 0.0], [2.0, 1.0]]
        # m is 0.75 ĝ + ĝ
        assert second.tolist() == [[3.75, -3.5], [0.25, 4.5]]

    def test_momentum_is_0_9_and_dampening_equals_it(self):
        got = run(WEIGHT, [GRAD, GRAD], lr=0.5, output_axis=0)[-1]
        expected = run(WEIGHT, [GRAD, GRAD], lr=0.5, momentum=0.9, dampening=0.9, output_axis=0)[-1]
        assert np.array_equal(got, expected)

    @pytest.mark.parametrize("dampening", [None, 0, 0.25])
    @pytest.mark.parametrize("output_axis", [0, -1, (0, 3)])
    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    def test_equals_the_second_witness(self, dampening, output_axis, dtype):
        # Small integers, a fan-in that is a power of two, dyadic settings: no rounding.
        rng = np.random.default_rng(4)
        weight = rng.integers(-8, 8, (4, 2, 2, 4)).astype(dtype)
        grads = [rng.integers(-8, 8, weight.shape).astype(dtype) for _ in range(3)]
        settings = {"lr": 0.25, "momentum": 0.5, "dampening": dampening, "output_axis": output_axis}
        expected = exact.sgdm(weight, grads, **settings)
        for got, want in zip(run(weight, grads, **settings), expected, strict=True):
            assert exact.exactly(got).fractions() == want.fractions()

    def test_weight_constraint(self):
        # eᵀ(wᵗ - w⁰) = 0 for every column: exact here, nothing is rounded.
        rng = np.random.default_rng(5)
        weight = rng.integers(-8, 8, (8, 3)).astype("float64")
        grads = rng.integers(-8, 8, (5, 8, 3)).astype("float64")
        for got in run(weight, grads, lr=0.25, momentum=0.5, output_axis=-1):
            assert got.sum(axis=0).tolist() == weight.sum(axis=0).tolist()

    def test_vectors_are_not_centralized(self):
        weight, grad = np.zeros(2), np.asarray([1.0, 3.0])
        assert run(weight, [grad], lr=1.0, momentum=0.5, output_axis=0)[0].tolist() == [-0.5, -1.5]


class TestPrecision:
    def test_half_types_compute_and_remember_in_float32(self):
        # 1/4096 of the gradient: lost in float16 beside 1/2, kept in the float32 state.
        weight = np.zeros((2, 1), dtype=np.float16)
        grad = np.asarray([[1.0], [-1.0]], dtype=np.float16)
        state = SGDMState(np.asarray([[1.0], [-1.0]], dtype=np.float32))
        settings = {"lr": 0.5, "momentum": 0.5, "dampening": 1 - 2.0**-12, "output_axis": 1}
        new, state = sgdm_step(weight, grad, state, **settings)
        assert state.momentum.ravel().tolist() == [0.5 + 2.0**-12, -0.5 - 2.0**-12]
        assert (new.dtype, state.momentum.dtype) == (np.float16, np.float32)
        assert new.ravel().tolist() == [-0.25, 0.25]  # 2⁻¹³ is a tie there, and goes to even

    @pytest.mark.parametrize("lr", [np.float64(0.5), np.float32(0.5), np.asarray(0.5), 0.5])
    def test_numpy_scalars_do_not_promote(self, lr):
        weight, grad = WEIGHT.astype("float32"), GRAD.astype("float32")
        new, state = sgdm_step(weight, grad, sgdm_init(weight), lr=lr, momentum=lr, output_axis=1)
        assert (new.dtype, state.momentum.dtype) == (np.float32, np.float32)
        assert new.tolist() == [[1.5, 1.0], [2.5, 0.0]]


class TestRefusals:
    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("lr", -0.1),
            ("lr", float("nan")),
            ("lr", float("inf")),
            ("momentum", 1.0),
            ("momentum", -0.5),
            ("dampening", -1),
        ],
    )
    def test_hyperparameter_out_of_range(self, name, value):
        settings = {"lr": 0.1, "output_axis": 0, name: value}
        with pytest.raises(ValueError, match=f"{name} must be at least 0 and below .*, got"):
            sgdm_step(WEIGHT, GRAD, sgdm_init(WEIGHT), **settings)

    @pytest.mark.parametrize("value", ["0.1", None, [0.1], np.asarray([0.1, 0.2])])
    def test_hyperparameter_of_the_wrong_type(self, value):
        with pytest.raises(TypeError, match="lr must be a number or a 0-D array"):
            sgdm_step(WEIGHT, GRAD, sgdm_init(WEIGHT), lr=value, output_axis=0)

    @pytest.mark.parametrize(
        "grad", [GRAD[:1], GRAD.ravel(), GRAD.astype("float32")], ids=["shape", "rank", "dtype"]
    )
    def test_gradient_of_another_weight(self, grad):
        with pytest.raises(ValueError, match=r"grad of shape .*weight of shape \(2, 2\)"):
            sgdm_step(WEIGHT, grad, sgdm_init(WEIGHT), lr=0.1, output_axis=0)

    @pytest.mark.parametrize(
        "other", [WEIGHT[:1], WEIGHT.astype("float32")], ids=["shape", "dtype"]
    )
    def test_state_of_another_weight(self, other):
        with pytest.raises(
            ValueError, match=r"state\.momentum of shape .*weight of shape \(2, 2\)"
        ):
            sgdm_step(WEIGHT, GRAD, sgdm_init(other), lr=0.1, output_axis=0)

    def test_half_state_of_a_half_weight(self):
        weight, grad = WEIGHT.astype("float16"), GRAD.astype("float16")
        with pytest.raises(ValueError, match=r"pass shape .* and dtype .*float32"):
            sgdm_step(weight, grad, SGDMState(np.zeros_like(weight)), lr=0.1, output_axis=0)

    def test_not_real_floating(self):
        with pytest.raises(TypeError, match="weight has dtype int64"):
            sgdm_init(np.ones((2, 2), dtype=np.int64))
        with pytest.raises(TypeError, match="weight has dtype int64"):
            sgdm_step(WEIGHT.astype(int), GRAD, sgdm_init(WEIGHT), lr=0.1, output_axis=0)
        with pytest.raises(TypeError, match="grad has dtype int64"):
            sgdm_step(WEIGHT, GRAD.astype(int), sgdm_init(WEIGHT), lr=0.1, output_axis=0)

    def test_axis(self):
        with pytest.raises(ValueError, match=r"out of range for grad of shape \(2, 2\)"):
            sgdm_step(WEIGHT, GRAD, sgdm_init(WEIGHT), lr=0.1, output_axis=2)

    def test_no_gradient_and_no_weight(self):
        with pytest.raises(TypeError, match=r"grad is None: .* if p.grad is not None"):
            sgdm_step(WEIGHT, None, sgdm_init(WEIGHT), lr=0.1, output_axis=0)
        with pytest.raises(
            TypeError, match=r"weight and grad: pass arrays .* not NoneType, ndarray"
        ):
            sgdm_step(None, GRAD, sgdm_init(WEIGHT), lr=0.1, output_axis=0)

    @pytest.mark.torch
    def test_a_sparse_gradient(self):
        import torch

        weight = torch.ones(2, 2)
        with pytest.raises(TypeError, match=r"grad is sparse .*grad\.to_dense\(\)"):
            sgdm_step(weight, torch.eye(2).to_sparse(), sgdm_init(weight), lr=0.1, output_axis=0)

    @pytest.mark.parametrize("state", [adam_init(WEIGHT), None, (WEIGHT,), sgdm_init])
    def test_a_state_of_another_kind(self, state):
        with pytest.raises(TypeError, match=r"state must be SGDMState, not .*sgdm_init\(weight\)"):
            sgdm_step(WEIGHT, GRAD, state, lr=0.1, output_axis=0)

    @pytest.mark.torch
    def test_a_parameter_while_autograd_records(self):
        import torch

        weight, grad = torch.nn.Parameter(torch.ones(2, 2)), torch.ones(2, 2)
        with pytest.raises(TypeError, match=r"weight is a Parameter.*torch\.no_grad\(\)"):
            sgdm_step(weight, grad, sgdm_init(weight), lr=0.1, output_axis=0)
        sgdm_step(weight.detach(), grad, sgdm_init(weight), lr=0.1, output_axis=0)
