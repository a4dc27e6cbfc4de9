"""How long things take: figures for the reader, never a limit.

Not collected with the tests; run it by name, with pytest-benchmark installed:

    python -m pytest tests/benchmarks/bench_speed.py --benchmark-only
"""

import subprocess
import sys

import numpy as np
import pytest

from gc_ref import centralize, exact
from gc_ref.conformance import check, keras_port, operator_port, optax_port, torch_port

DEPENDENCIES = "import numpy, array_api_compat, array_api_compat.numpy"
PACKAGE = "import gc_ref"
CONFORMANCE = "import gc_ref.conformance"


def output_last(g):
    return g if g.ndim < 2 else centralize(g, output_axis=-1)


def output_first(g):
    return g if g.ndim < 2 else centralize(g, output_axis=0)


def fresh(statement):
    """Seconds that a statement takes in a new interpreter, by that interpreter's own clock."""
    code = (
        f"import time\nstart = time.perf_counter()\n{statement}\nprint(time.perf_counter() - start)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return float(ran.stdout)


@pytest.mark.parametrize("statement", [PACKAGE, CONFORMANCE])
def test_import(benchmark, statement):
    """The import's time, and its ratio to the import of what it depends on."""
    pairs = []

    def both():
        pairs.append((fresh(DEPENDENCIES), fresh(statement)))

    benchmark.pedantic(both, rounds=5, warmup_rounds=1)
    dependencies, own = np.median(pairs, axis=0)
    benchmark.extra_info["dependencies_ms"] = round(1000 * dependencies, 1)
    benchmark.extra_info["import_ms"] = round(1000 * own, 1)
    benchmark.extra_info["ratio"] = round(own / dependencies, 2)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_exact_centralize(benchmark, dtype):
    """The second witness, per element, on ordinary numbers."""
    grad = np.random.default_rng(0).normal(size=(64, 128)).astype(dtype)
    benchmark(exact.centralize, grad, output_axis=0)
    if benchmark.stats:  # not with --benchmark-disable
        seconds = benchmark.stats.stats.median
        benchmark.extra_info["microseconds_per_element"] = round(1e6 * seconds / grad.size, 3)


@pytest.mark.parametrize("max_examples", [0, 40])
def test_check_numpy_operator(benchmark, max_examples):
    port = operator_port(output_last)
    report = benchmark(check, port, max_examples=max_examples)
    assert report.verdict == "conforms"


def quick_suite(benchmark, port):
    """One round: a second one would find what the first compiled."""
    report = benchmark.pedantic(check, args=(port,), rounds=1)
    benchmark.extra_info["checks_run"] = report.checks_run
    assert report.verdict == "conforms", report.to_text()


@pytest.mark.torch
def test_check_torch(benchmark):
    import torch

    class SGD(torch.optim.SGD):
        @torch.no_grad()
        def step(self, closure=None):
            for group in self.param_groups:
                for p in group["params"]:
                    if p.grad is not None:
                        p.grad.copy_(output_first(p.grad))
            return super().step(closure)

    quick_suite(benchmark, torch_port(SGD, algorithm="sgdm"))


@pytest.mark.optax
def test_check_optax(benchmark):
    import jax
    import optax

    def sgd(learning_rate, momentum=0.0):
        gc = optax.stateless(lambda updates, params: jax.tree.map(output_last, updates))
        return optax.chain(gc, optax.sgd(learning_rate, momentum))

    quick_suite(benchmark, optax_port(sgd, algorithm="sgdm"))


@pytest.mark.keras
def test_check_keras(benchmark):
    from gc_ref._conformance.adapters.keras.port import select_backend

    select_backend()
    import keras
    from keras import ops

    def centralized(g):
        inputs = tuple(range(len(g.shape) - 1))
        return g - ops.mean(g, axis=inputs, keepdims=True) if inputs else g

    class SGD(keras.optimizers.SGD):
        def apply(self, grads, trainable_variables=None):
            return super().apply([centralized(g) for g in grads], trainable_variables)

    quick_suite(benchmark, keras_port(SGD, algorithm="sgdm"))
