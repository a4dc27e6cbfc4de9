"""Inside what the frameworks do to functions: tracing, batching, derivatives, laziness."""

import subprocess
import sys
import warnings

import numpy as np
import pytest

import gc_ref

GRAD = np.float32([[1, 10, -4], [3, 50, 4]])
CENTRALIZED = [[-1.0, -20.0, -4.0], [1.0, 20.0, 4.0]]
COTANGENT = np.float32([[8, 0, 1], [2, 6, 1]])
# Φ is linear and P = Pᵀ: the derivative of Σ c·Φ(g) is Φ(c).
PULLED_BACK = [[3.0, -3.0, 0.0], [-3.0, 3.0, 0.0]]


def columns(grad):
    return gc_ref.centralize(grad, output_axis=-1)


@pytest.fixture(params=[False, True], ids=["x32", "x64"])
def jax(request):
    import jax

    with jax.enable_x64(request.param):
        yield jax


@pytest.mark.smoke
@pytest.mark.jax
class TestJax:
    def test_jit(self, jax):
        got = jax.jit(columns)(jax.numpy.asarray(GRAD))
        assert got.dtype == "float32"
        assert got.tolist() == CENTRALIZED

    @pytest.mark.parametrize("axis", [0, 1, 2])
    def test_vmap(self, jax, axis):
        batch = np.stack([GRAD, 2 * GRAD], axis=axis)
        got = jax.jit(jax.vmap(columns, in_axes=axis))(batch)
        assert got.tolist() == [CENTRALIZED, (2 * np.asarray(CENTRALIZED)).tolist()]

    @pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
    def test_derivatives(self, jax, dtype):
        grad = jax.numpy.asarray(GRAD, dtype="float32").astype(jax.dtypes.canonicalize_dtype(dtype))
        cotangent = jax.numpy.asarray(COTANGENT).astype(grad.dtype)
        value, pull = jax.vjp(jax.jit(columns), grad)
        assert value.tolist() == CENTRALIZED
        assert pull(cotangent)[0].tolist() == PULLED_BACK
        _, tangent = jax.jvp(columns, (grad,), (cotangent,))
        assert tangent.tolist() == PULLED_BACK
        total = jax.grad(lambda g: (columns(g) * cotangent).sum())(grad)
        assert total.tolist() == PULLED_BACK

    def test_widest_dtype_follows_the_setting(self, jax):
        # The mean of the column is 1; in float32 the sum loses the 3s.
        grad = jax.numpy.asarray(np.float32([[2.0**30], [3], [-(2.0**30)], [1]]))
        exact = columns(grad)[3, 0] == 0.0
        assert exact == jax.config.jax_enable_x64

    def test_steps_under_jit(self, jax):
        weight = jax.numpy.ones((2, 3), dtype="float32")

        @jax.jit
        def two_steps(weight, grad):
            momentum = gc_ref.sgdm_init(weight)
            for _ in range(2):
                weight, momentum = gc_ref.sgdm_step(
                    weight, grad, momentum, lr=0.5, momentum=0.5, output_axis=-1
                )
            return weight, momentum

        new, momentum = two_steps(weight, GRAD)
        # m is ĝ/2, then 3ĝ/4: w falls by 5ĝ/8.
        assert isinstance(momentum, gc_ref.SGDMState)
        assert momentum.momentum.tolist() == (0.75 * np.asarray(CENTRALIZED)).tolist()
        assert new.tolist() == (1 - 0.625 * np.asarray(CENTRALIZED)).tolist()
        assert new.dtype == "float32"

    @pytest.mark.parametrize("lr", [0.125, np.float64(0.125), "array"])
    def test_adam_with_a_traced_step(self, jax, lr):
        lr = jax.numpy.asarray(0.125) if lr == "array" else lr
        weight = jax.numpy.zeros((2, 3), dtype="float32")

        def step(carry, grad):
            weight, state = gc_ref.adam_step(*carry[:1], grad, carry[1], lr=lr, output_axis=-1)
            return (weight, state), weight

        start = (weight, gc_ref.adam_init(weight))
        steps = 30
        (_, state), scanned = jax.lax.scan(step, start, np.stack([GRAD] * steps))
        assert isinstance(state, gc_ref.AdamState)
        assert int(state.step) == steps
        # A constant gradient: m̂ = ĝ and v̂ = ĝ², so each step is lr·ĝ/(|ĝ| + ε), about
        # lr·sign(ĝ). What float32 rounds: under 40 operations a step, each 2⁻²⁴ of lr, once
        # 1 - βᵗ is good to the last bits (a float32 power is off by 3e-5 at t = 1).
        expected = -0.125 * np.sign(CENTRALIZED) * np.arange(1, steps + 1)[:, None, None]
        bound = 0.125 * np.arange(1, steps + 1)[:, None, None] * (40 * 2.0**-24)
        assert (np.abs(np.asarray(scanned) - expected) <= bound).all()
        assert scanned.dtype == "float32"

    def test_a_concrete_array_inside_of_jit(self, jax):
        grad = jax.numpy.asarray(GRAD)
        assert jax.jit(lambda: columns(grad))().tolist() == CENTRALIZED

    def test_a_sum_beyond_the_largest_number(self, jax):
        largest = float(np.finfo("float32").max)
        grad = jax.numpy.asarray(np.float32([[largest, 1], [largest, 3], [largest, 5]]))
        for function in (columns, jax.jit(columns)):
            assert function(grad).tolist() == [[0, -2], [0, 0], [0, 2]]

    def test_a_traced_beta(self, jax):
        weight, grad = jax.numpy.ones((2, 3), dtype="float32"), jax.numpy.asarray(GRAD)

        @jax.jit
        def step(beta2, state):
            return gc_ref.adam_step(
                weight, grad, state, lr=0.125, beta1=0.5, beta2=beta2, eps=1.0, output_axis=-1
            )

        for beta2 in (0.0, 0.75):
            _, state = step(beta2, gc_ref.adam_init(weight))
            assert state.second_moment[0, 1] == 400 * (1 - beta2)


@pytest.mark.jax
def test_jax_without_x64_is_silent():
    # In a process of its own: no setting of this one, and warnings are errors.
    code = (
        "import jax.numpy as jnp, gc_ref\n"
        "for d in (jnp.float16, jnp.bfloat16, jnp.float32):\n"
        "    g = gc_ref.centralize(jnp.asarray([[1.0], [3.0]], dtype=d), output_axis=1)\n"
        "    assert g.dtype == d and g.ravel().tolist() == [-1.0, 1.0]\n"
    )
    subprocess.run([sys.executable, "-W", "error::UserWarning", "-c", code], check=True)


@pytest.mark.torch
class TestTorch:
    @pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
    def test_autograd(self, dtype):
        import torch

        grad = torch.tensor(GRAD, dtype=getattr(torch, dtype), requires_grad=True)
        (columns(grad) * torch.tensor(COTANGENT)).sum().backward()
        assert grad.grad.tolist() == PULLED_BACK

    def test_vmap(self):
        import torch

        got = torch.func.vmap(columns)(torch.tensor(np.stack([GRAD, 2 * GRAD])))
        assert got.tolist() == [CENTRALIZED, (2 * np.asarray(CENTRALIZED)).tolist()]

    @pytest.mark.parametrize("shape", [(6, 5), (4, 3, 2, 2)])
    def test_whatever_traces_or_differentiates(self, shape):
        import torch

        def rows(grad):
            return gc_ref.centralize(grad, output_axis=0)

        torch.manual_seed(0)
        grad, tangent = torch.randn(2, *shape)
        expected = rows(grad), rows(tangent)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of Dynamo, about array-api-compat and torch itself
            from torch.fx.experimental.proxy_tensor import make_fx

            values = [torch.compile(rows, backend="eager", fullgraph=True)(grad)]
            for mode in ("real", "symbolic"):
                values.append(make_fx(rows, tracing_mode=mode)(grad)(grad))
            value, forward = torch.func.jvp(rows, (grad,), (tangent,))
            backward = torch.func.grad(lambda g: (rows(g) * tangent).sum())(grad)
            with torch.autograd.forward_ad.dual_level():
                dual = rows(torch.autograd.forward_ad.make_dual(grad, tangent))
                dual = torch.autograd.forward_ad.unpack_dual(dual)
        # Each is within an ulp or so of the exact value, with 1 the largest power of two in it.
        for got in (*values, value, dual.primal):
            assert (got - expected[0]).abs().max() <= 4 * 2.0**-23
        for got in (forward, backward, dual.tangent):
            assert (got - expected[1]).abs().max() <= 4 * 2.0**-23

    def test_meta_device(self):
        import torch

        got = columns(torch.empty((3, 4), device="meta"))
        assert (got.shape, got.device.type) == ((3, 4), "meta")

    def test_a_parameter_is_not_written_to(self):
        import torch

        weight = torch.nn.Parameter(torch.ones(2, 3))
        with torch.no_grad():
            new, _ = gc_ref.sgdm_step(
                weight, torch.tensor(GRAD), gc_ref.sgdm_init(weight), lr=1.0, output_axis=0
            )
        assert weight.tolist() == np.ones((2, 3)).tolist()
        assert not new.requires_grad


@pytest.mark.dask
class TestDask:
    def test_nothing_is_computed(self):
        import dask
        import dask.array as da

        def refuse(*_args, **_kwargs):
            raise AssertionError("computed")

        lazy = da.from_array(GRAD, chunks=1)
        with dask.config.set(scheduler=refuse):
            got = columns(lazy)
            weight, _ = gc_ref.sgdm_step(lazy, lazy, gc_ref.sgdm_init(lazy), lr=0.5, output_axis=-1)
            gc_ref.adam_step(lazy, lazy, gc_ref.adam_init(lazy), lr=0.5, output_axis=-1)
        assert got.compute().tolist() == CENTRALIZED
        assert isinstance(weight, da.Array)
