"""Past one device: JAX shardings, PyTorch DTensors and FSDP2, Dask chunks.

Each framework has a process of its own (two, for DTensors), as the number of devices is
settled when it starts.
"""

import os
import subprocess
import sys
import tracemalloc
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from gc_ref import centralize, exact

HERE = Path(__file__).parent
#: What tests of this repository set for themselves, and two processes on one machine share.
ENVIRONMENT = {**os.environ, "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"}


def finish(processes, expected):
    for process in processes:
        try:
            output, errors = process.communicate(timeout=300)
        finally:
            process.kill()
        assert output.strip() == expected, errors


def start(script, *arguments, **environment):
    return subprocess.Popen(
        [sys.executable, HERE / script, *arguments],
        env={**ENVIRONMENT, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.jax
def test_jax_over_eight_devices():
    flags = "--xla_force_host_platform_device_count=8"
    finish([start("_sharded_jax.py", XLA_FLAGS=flags, JAX_PLATFORMS="cpu")], "4 shardings")


@pytest.mark.torch
def test_torch_on_two_processes(tmp_path):
    pytest.importorskip("torch.distributed.fsdp", reason="needs torch.distributed")
    ranks = [start("_sharded_torch.py", str(rank), str(tmp_path / "store")) for rank in (0, 1)]
    finish(ranks, "3 placements and FSDP2")


@pytest.mark.dask
class TestDask:
    @pytest.mark.parametrize("chunks", [(3, 2), (100, 1), (1, 7), (-1, -1), ((2, 58, 40), (4, 3))])
    @pytest.mark.parametrize("output_axis", [0, 1])
    def test_any_chunks(self, chunks, output_axis):
        import dask.array as da

        # Multiples of 700 with whole means: exact in every order.
        grad = (700.0 * np.random.default_rng(0).integers(-9, 9, (100, 7))).astype("float32")
        lazy = centralize(da.from_array(grad, chunks=chunks), output_axis=output_axis)
        assert lazy.chunks == da.from_array(grad, chunks=chunks).chunks
        assert np.array_equal(lazy.compute(), centralize(grad, output_axis=output_axis))

    def test_an_array_that_does_not_fit_into_memory(self):
        import dask.array as da

        limit = 2**25  # of an array of twice that, in chunks of 1 MiB
        grad = da.random.default_rng(0).random((4096, 4096), chunks=(512, 512), dtype="float32")
        got = centralize(grad, output_axis=0)
        tracemalloc.start()
        try:
            total = abs(got).sum(dtype="float64").compute(scheduler="synchronous")
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert peak < limit < grad.nbytes, f"{peak / 2**20:.0f} MiB"
        assert 0.24 < total / grad.size < 0.26  # of numbers from 0 to 1, 1/4 from their mean
        row, centralized = (x[77:78].compute() for x in (grad, got))
        truth = exact.centralize(row, output_axis=0).fractions()
        for value, true in zip(centralized.ravel().tolist(), truth, strict=True):
            assert abs(value - true) <= exact.ulp(true, "float32") + Fraction(1, 2**38)
