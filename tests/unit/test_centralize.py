"""Eq. 1 and Eq. 2 on NumPy arrays: values, scope, refusals, extreme magnitudes."""

from fractions import Fraction

import numpy as np
import pytest

from gc_ref import centralize, projection


class TestEq1:
    """Φ(∇w_i) = ∇w_i - (1/M) Σ_j ∇w_ij."""

    def test_by_hand(self):
        grad = np.asarray([[1.0, 2.0, 4.0], [3.0, 2.0, -8.0]])
        by_column = [[-1.0, 0.0, 6.0], [1.0, 0.0, -6.0]]
        assert centralize(grad, output_axis=-1).tolist() == by_column
        by_row = centralize(grad * 3, output_axis=0).tolist()
        assert by_row == [[-4.0, -1.0, 5.0], [12.0, 9.0, -21.0]]

    @pytest.mark.parametrize(
        "output_axis", [0, 1, 2, 3, -1, -4, (0, 1), (3, 1), (2, -1), (0, 1, 2), (0, 1, 2, 3)]
    )
    def test_every_axis(self, output_axis, eq1):
        shape = (2, 4, 3, 5)
        grad = np.random.default_rng(0).integers(-60, 60, shape) * 60.0  # all means are whole
        got = centralize(grad, output_axis=output_axis)
        expected = eq1(grad, output_axis)
        # The mean of at most 120 multiples of 60 is a multiple of 1/2: no rounding anywhere.
        assert all(Fraction(g) == e for g, e in zip(got.flat, expected.flat, strict=True))

    def test_one_input_gives_zero(self):
        grad = np.asarray([[3.5, -2.0]], dtype=np.float32)
        assert centralize(grad, output_axis=1).tolist() == [[0.0, 0.0]]
        assert centralize(grad, output_axis=(0, 1)).tolist() == [[0.0, 0.0]]

    def test_numpy_integers_are_axes(self):
        assert centralize(np.asarray([[1.0], [3.0]]), output_axis=np.int8(1)).tolist() == [
            [-1],
            [1],
        ]


class TestScope:
    """Weights of two or more dimensions; all else passes unchanged."""

    @pytest.mark.parametrize("shape", [(), (1,), (4,)])
    @pytest.mark.parametrize("output_axis", [0, -1, (0,)])
    def test_vectors_are_unchanged(self, shape, output_axis):
        grad = np.full(shape, 0.1, dtype=np.float32)
        assert centralize(grad, output_axis=output_axis) is grad

    def test_numpy_scalar(self):
        assert centralize(np.float32(1.5), output_axis=0) == np.float32(1.5)

    @pytest.mark.parametrize("shape", [(0, 3), (3, 0), (2, 0, 3)])
    @pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
    def test_zero_size(self, shape, dtype):
        got = centralize(np.zeros(shape, dtype=dtype), output_axis=0)
        assert (got.shape, got.dtype) == (shape, dtype)


class TestRefusals:
    @pytest.mark.parametrize("grad", [[[1.0], [2.0]], 1.0, "gradient"])
    def test_not_an_array(self, grad):
        with pytest.raises(TypeError, match=r"grad: pass arrays .*numpy\.asarray"):
            centralize(grad, output_axis=0)

    def test_no_gradient(self):
        with pytest.raises(TypeError, match=r"grad is None: .* frozen.* if p.grad is not None"):
            centralize(None, output_axis=0)

    @pytest.mark.parametrize("dense", ["toarray", "todense"])
    def test_a_sparse_gradient_of_another_library(self, dense):
        sparse = type("csr_array", (), {dense: lambda self: np.eye(2)})()
        with pytest.raises(TypeError, match=rf"grad is sparse \(csr_array\).*grad\.{dense}\(\)"):
            centralize(sparse, output_axis=0)

    @pytest.mark.torch
    def test_what_a_loop_over_torch_parameters_meets(self):
        import torch

        embedding = torch.nn.Embedding(5, 3, sparse=True)
        embedding(torch.tensor([1])).sum().backward()
        with pytest.raises(TypeError, match=r"grad is sparse .*grad\.to_dense\(\)"):
            centralize(embedding.weight.grad, output_axis=0)
        with pytest.raises(TypeError, match=r"grad is a Parameter.*p\.grad"):
            centralize(torch.nn.Linear(2, 2).weight, output_axis=0)

    @pytest.mark.parametrize("dtype", ["int32", "bool", "complex64", "object"])
    @pytest.mark.parametrize("shape", [(), (2,), (2, 2)])
    def test_not_real_floating(self, dtype, shape):
        with pytest.raises(TypeError, match=f"grad has dtype {dtype}.*convert it"):
            centralize(np.zeros(shape, dtype=dtype), output_axis=0)

    def test_a_dtype_foreign_to_numpy(self):
        ml_dtypes = pytest.importorskip("ml_dtypes")
        with pytest.raises(TypeError, match="grad has dtype bfloat16"):
            centralize(np.zeros((2, 2), dtype=ml_dtypes.bfloat16), output_axis=0)

    @pytest.mark.parametrize("output_axis", [2, -3, (0, 5)])
    def test_axis_out_of_range(self, output_axis):
        with pytest.raises(ValueError, match=r"out of range for grad of shape \(2, 3\)"):
            centralize(np.zeros((2, 3)), output_axis=output_axis)

    @pytest.mark.parametrize("output_axis", [(0, 0), (1, -1)])
    def test_axis_repeated(self, output_axis):
        with pytest.raises(ValueError, match=r"shape \(2, 3\) twice"):
            centralize(np.zeros((2, 3)), output_axis=output_axis)

    def test_no_axis(self):
        with pytest.raises(ValueError, match="some axis must number the output neurons"):
            centralize(np.zeros((2, 3)), output_axis=())

    @pytest.mark.parametrize("output_axis", [True, 1.0, None, "0", [0], (0, 1.0), (False,)])
    @pytest.mark.parametrize("shape", [(2,), (2, 3)])
    def test_axis_of_the_wrong_type(self, output_axis, shape):
        with pytest.raises(
            TypeError, match=r"^output_axis \(an integer or a tuple of them\) must be"
        ):
            centralize(np.zeros(shape), output_axis=output_axis)

    def test_axis_is_required(self):
        with pytest.raises(TypeError, match="output_axis"):
            centralize(np.zeros((2, 3)))


class TestMagnitudes:
    @pytest.mark.parametrize("dtype", ["float32", "float64", "longdouble"])
    def test_sum_beyond_the_largest_number(self, dtype):
        big = np.finfo(dtype).max
        grad = np.asarray([[big, big, big], [big, -big / 2, big / 4]], dtype=dtype).T
        got = centralize(grad, output_axis=-1)
        assert got[:, 0].tolist() == [0.0, 0.0, 0.0]
        # 1, -1/2, 1/4 have the mean 1/4.
        assert np.array_equal(got[1:, 1], np.asarray([-0.75, 0], dtype=dtype) * big)
        assert abs(got[0, 1] / big - 0.75) <= np.finfo(dtype).eps

    def test_a_sum_that_fits_is_not_scaled(self):
        # Scaling by a power of two would cost a subnormal number its last bits.
        edge, tiny = np.finfo("float64").max / 16, 5e-324
        grad = np.asarray([[edge], [-edge], [tiny], [3 * tiny]])
        assert centralize(grad, output_axis=1)[2:].ravel().tolist() == [0.0, 2 * tiny]

    def test_a_slice_is_scaled_for_itself_alone(self):
        big, tiny = np.finfo("float64").max, 5e-324
        got = centralize(np.asarray([[big, tiny], [big, 3 * tiny]]), output_axis=1)
        assert got.tolist() == [[0.0, -tiny], [0.0, tiny]]

    def test_subnormal_float64(self):
        tiny = 5e-324
        grad = np.asarray([[1.0, 3.0, 5.0, -1.0]]).T * tiny
        assert (centralize(grad, output_axis=1) / tiny).ravel().tolist() == [-1.0, 1.0, 3.0, -3.0]

    @pytest.mark.parametrize("output_axis", [0, 1])
    def test_large_array(self, output_axis, eq1):
        grad = np.random.default_rng(1).integers(-512, 512, (4096, 1024)).astype(np.float32)
        got = centralize(grad, output_axis=output_axis)
        assert (got.shape, got.dtype) == (grad.shape, grad.dtype)
        # The fan-in is a power of two and the sum is small: exact, with no rounding.
        sample = np.ascontiguousarray(np.take(grad, [7], axis=output_axis))
        expected = eq1(sample, output_axis)
        chosen = np.take(got, [7], axis=output_axis)
        assert all(Fraction(float(g)) == e for g, e in zip(chosen.flat, expected.flat, strict=True))

    def test_longdouble_stays_longdouble(self):
        step = np.finfo(np.longdouble).eps  # below the resolution of float64
        grad = np.asarray([[1], [1 + 2 * step]], dtype=np.longdouble)
        got = centralize(grad, output_axis=1)
        assert got.dtype == np.longdouble
        assert got.ravel().tolist() == [-step, step]


class TestNotFinite:
    """A NaN or inf poisons its own slice only."""

    @pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "longdouble"])
    @pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
    def test_own_slice_only(self, dtype, bad):
        grad = np.asarray([[1.0, 5.0, 1.0], [3.0, bad, 5.0]], dtype=dtype)
        got = centralize(grad, output_axis=1)
        assert np.isnan(got[:, 1]).all()
        assert got[:, [0, 2]].tolist() == [[-1.0, -2.0], [1.0, 2.0]]

    def test_both_infinities(self):
        assert np.isnan(centralize(np.asarray([[np.inf], [-np.inf]]), output_axis=1)).all()

    def test_single_input(self):
        got = centralize(np.asarray([[np.inf, 2.0]]), output_axis=1)
        assert np.isnan(got[0, 0])
        assert got[0, 1] == 0


class TestProjection:
    """Eq. 2: P = I - e eᵀ."""

    @pytest.mark.parametrize("m", [1, 2, 3, 7, 10, 49, 100])
    def test_entries_are_correctly_rounded(self, m):
        p = projection(m)
        assert (p.shape, p.dtype) == ((m, m), np.float64)
        for (i, j), entry in np.ndenumerate(p):
            assert entry == float(Fraction(int(i == j)) - Fraction(1, m))

    @pytest.mark.parametrize("m", [3, 7, 49])
    def test_longdouble_is_not_rounded_to_float64(self, m):
        p = projection(m, dtype=np.longdouble)
        # Both sums are off by a few roundings of longdouble; float64 entries would be far off.
        assert p.dtype == np.longdouble
        assert np.abs(p.sum(axis=0)).max() <= m * np.finfo(np.longdouble).eps

    def test_more_inputs_than_the_dtype_can_count(self):
        # float16 has no 2051: what it makes of 2050/2052 is another number than 1 - 1/2051.
        p = projection(2051, dtype=np.float16)
        assert p[0, 0] == np.float16(1 - 1 / 2051)
        assert p[0, 1] == np.float16(-1 / 2051)

    def test_equals_eq1(self):
        grad = np.asarray([[1.0, 2.0], [3.0, 5.0], [8.0, -3.0], [4.0, 0.0]])
        assert np.array_equal(projection(4) @ grad, centralize(grad, output_axis=-1))

    @pytest.mark.parametrize("m", [0, -1])
    def test_no_inputs(self, m):
        with pytest.raises(ValueError, match=f"at least 1; got {m}"):
            projection(m)

    @pytest.mark.parametrize("m", [2.0, True, None, "2"])
    def test_not_a_number_of_inputs(self, m):
        with pytest.raises(TypeError, match="m must be an integer"):
            projection(m)

    def test_not_real_floating(self):
        with pytest.raises(TypeError, match="projection has dtype int64"):
            projection(2, dtype=np.int64)
