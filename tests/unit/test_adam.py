"""Algorithm 2: Adam on ĝ, with ε outside of the root."""

from fractions import Fraction

import numpy as np
import pytest

from gc_ref import AdamState, adam_init, adam_step, exact, sgdm_init

WEIGHT = np.zeros((2, 4))
#: ĝ by column is ±0, ±1, ±3, ±7: with the settings below nothing is rounded at t = 1.
GRAD = np.asarray([[2.0, 1.0, 10.0, 4.0], [2.0, 3.0, 16.0, 18.0]])
G_HAT = np.asarray([[0, -1, -3, -7], [0, 1, 3, 7]])
DYADIC = {"lr": 0.125, "beta1": 0.5, "beta2": 0.75, "eps": 1.0, "output_axis": -1}


def run(weight, grads, **settings):
    """Weights after each step, and the last state."""
    state, weights = adam_init(weight), []
    for grad in grads:
        weight, state = adam_step(weight, grad, state, **settings)
        weights.append(weight)
    return weights, state


class TestAlgorithm2:
    def test_by_hand(self):
        [weight], state = run(WEIGHT, [GRAD], **DYADIC)
        assert state.first_moment.tolist() == (G_HAT / 2).tolist()
        assert state.second_moment.tolist() == (G_HAT**2 / 4).tolist()
        assert state.step == 1
        assert weight.tolist() == [
            [0, 0.0625, 0.09375, 0.109375],
            [0, -0.0625, -0.09375, -0.109375],
        ]

    def test_bias_is_corrected_at_every_step(self):
        # A constant gradient: m̂ = ĝ and v̂ = ĝ² at every t, and all of it is exact for a while.
        weights, _ = run(WEIGHT, [GRAD] * 12, **DYADIC)
        first = -0.125 * G_HAT / (abs(G_HAT) + 1)
        for t, weight in enumerate(weights, start=1):
            assert weight.tolist() == (t * first).tolist()

    def test_sign_change(self):
        # t = 2 after ĝ, -ĝ: m = ĝ/4 - ĝ/2, m̂ = -ĝ/3, v̂ = ĝ². Two roundings: m̂ and the quotient.
        (first, second), state = run(WEIGHT, [GRAD, -GRAD], **{**DYADIC, "lr": 1.0})
        assert state.first_moment.tolist() == (-G_HAT / 4).tolist()
        for before, after, g in zip(first.flat, second.flat, G_HAT.flat, strict=True):
            expected = Fraction(before) + Fraction(int(g), 3 * (abs(int(g)) + 1))
            # and a third one in the difference
            assert abs(Fraction(after) - expected) <= 3 * Fraction(1, 2**53)

    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    def test_against_the_second_witness(self, dtype):
        rng = np.random.default_rng(6)
        weight = rng.standard_normal((8, 3)).astype(dtype)
        # 64 is far above every |ε|: |update| stays near lr, and no slice is near-constant.
        grads = [(64 * rng.standard_normal((8, 3))).astype(dtype) for _ in range(6)]
        settings = {"lr": 1e-3, "output_axis": -1}
        weights, _ = run(weight, grads, **settings)
        # lr is 2⁻¹⁰: an update with a hundred roundings in it is off by 2⁻³ u, the
        # subtraction by u/2 of a weight below 4. One step adds at most 4u then.
        unit = Fraction(float(np.finfo(dtype).eps))
        enclosures = exact.adam(weight, grads, **settings)
        for t, (got, (lower, upper)) in enumerate(zip(weights, enclosures, strict=True), start=1):
            bounds = zip(got.flat, lower.fractions(), upper.fractions(), strict=True)
            for value, low, high in bounds:
                assert low - 4 * t * unit <= Fraction(float(value)) <= high + 4 * t * unit

    def test_defaults(self):
        defaults = {"beta1": 0.9, "beta2": 0.999, "eps": 1e-8}
        got, _ = run(WEIGHT, [GRAD, -GRAD], lr=0.1, output_axis=0)
        expected, _ = run(WEIGHT, [GRAD, -GRAD], lr=0.1, output_axis=0, **defaults)
        assert np.array_equal(got, expected)

    def test_betas_of_zero(self):
        # m̂ = ĝ, v̂ = ĝ²: no memory.
        settings = {**DYADIC, "beta1": 0.0, "beta2": 0}
        (_, second), _ = run(WEIGHT, [2 * GRAD, GRAD], **settings)
        first = -0.125 * 2 * G_HAT / (2 * abs(G_HAT) + 1)
        assert np.array_equal(second, first - 0.125 * G_HAT / (abs(G_HAT) + 1))

    def test_vectors_are_not_centralized(self):
        grad = np.asarray([1.0, 3.0, -7.0])
        [weight], _ = run(np.zeros(3), [grad], **DYADIC)
        assert weight.tolist() == [-0.0625, -0.09375, 0.109375]


class TestPrecision:
    def test_half_types_keep_their_moments_in_float32(self):
        # In float16, 0.9995 is 1 - 2⁻¹¹ and v = 1 would not move: it is halfway to its neighbor.
        weight, grad = WEIGHT.astype("float16"), GRAD.astype("float16")
        state = AdamState(np.zeros((2, 4), "float32"), np.ones((2, 4), "float32"), 5)
        settings = {**DYADIC, "beta2": 1 - 2.0**-14}
        new, state = adam_step(weight, grad, state, **settings)
        assert state.second_moment.tolist() == (1 + 2.0**-14 * (G_HAT**2 - 1)).tolist()
        assert (new.dtype, state.second_moment.dtype) == (np.float16, np.float32)

    @pytest.mark.parametrize("make", [float, np.float64, np.asarray])
    def test_numpy_scalars_do_not_promote(self, make):
        weight, grad = WEIGHT.astype("float32"), GRAD.astype("float32")
        settings = {k: v if k == "output_axis" else make(v) for k, v in DYADIC.items()}
        [new], state = run(weight, [grad], **settings)
        assert {new.dtype, *(moment.dtype for moment in state[:2])} == {np.dtype("float32")}
        assert new.tolist() == run(WEIGHT, [GRAD], **DYADIC)[0][0].tolist()

    def test_step_as_an_array(self):
        start = adam_init(WEIGHT)._replace(step=np.asarray(0))
        new, state = adam_step(WEIGHT, GRAD, start, **DYADIC)
        assert int(state.step) == 1
        # expm1 and log may be off by a unit or two each.
        expected = -0.125 * G_HAT / (abs(G_HAT) + 1)
        assert (abs(new - expected) <= 8 * np.finfo("float64").eps * abs(expected)).all()


class TestRefusals:
    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("lr", -1),
            ("beta1", 1),
            ("beta1", -0.1),
            ("beta2", 1.0),
            ("eps", -1e-8),
            ("eps", np.nan),
        ],
    )
    def test_hyperparameter_out_of_range(self, name, value):
        with pytest.raises(ValueError, match=f"{name} must be at least 0 and below .*, got"):
            run(WEIGHT, [GRAD], **{**DYADIC, name: value})

    @pytest.mark.parametrize("name", ["lr", "beta1", "beta2", "eps"])
    def test_hyperparameter_of_the_wrong_type(self, name):
        with pytest.raises(TypeError, match=f"{name} must be a number or a 0-D array"):
            run(WEIGHT, [GRAD], **{**DYADIC, name: "1"})

    def test_gradient_of_another_weight(self):
        with pytest.raises(ValueError, match=r"grad of shape \(4, 2\).*weight of shape \(2, 4\)"):
            run(WEIGHT, [GRAD.T], **DYADIC)

    @pytest.mark.parametrize("name", ["first_moment", "second_moment"])
    def test_state_of_another_weight(self, name):
        state = adam_init(WEIGHT)._replace(**{name: np.zeros((2, 3))})
        with pytest.raises(ValueError, match=rf"state\.{name} of shape \(2, 3\).*\(2, 4\)"):
            adam_step(WEIGHT, GRAD, state, **DYADIC)

    def test_not_real_floating(self):
        with pytest.raises(TypeError, match="weight has dtype complex128"):
            adam_init(np.ones((2, 2), dtype=complex))
        with pytest.raises(TypeError, match="weight has dtype int64"):
            adam_step(WEIGHT.astype(int), GRAD, adam_init(WEIGHT), **DYADIC)
        with pytest.raises(TypeError, match="grad has dtype int64"):
            adam_step(WEIGHT, GRAD.astype(int), adam_init(WEIGHT), **DYADIC)

    def test_no_gradient_and_no_weight(self):
        with pytest.raises(TypeError, match=r"grad is None: .* if p.grad is not None"):
            adam_step(WEIGHT, None, adam_init(WEIGHT), lr=0.1, output_axis=0)
        with pytest.raises(
            TypeError, match=r"weight and grad: pass arrays .* not NoneType, ndarray"
        ):
            adam_step(None, GRAD, adam_init(WEIGHT), lr=0.1, output_axis=0)

    @pytest.mark.torch
    def test_a_sparse_gradient(self):
        import torch

        weight = torch.ones(2, 2)
        with pytest.raises(TypeError, match=r"grad is sparse .*grad\.to_dense\(\)"):
            adam_step(weight, torch.eye(2).to_sparse(), adam_init(weight), lr=0.1, output_axis=0)

    @pytest.mark.parametrize("state", [sgdm_init(WEIGHT), None, (WEIGHT,), adam_init])
    def test_a_state_of_another_kind(self, state):
        with pytest.raises(TypeError, match=r"state must be AdamState, not .*adam_init\(weight\)"):
            adam_step(WEIGHT, GRAD, state, **DYADIC)

    @pytest.mark.torch
    def test_a_parameter_while_autograd_records(self):
        import torch

        weight, grad = torch.nn.Parameter(torch.ones(2, 2)), torch.ones(2, 2)
        with pytest.raises(TypeError, match=r"weight is a Parameter.*torch\.no_grad\(\)"):
            adam_step(weight, grad, adam_init(weight), lr=0.1, output_axis=0)
        adam_step(weight.detach(), grad, adam_init(weight), lr=0.1, output_axis=0)
