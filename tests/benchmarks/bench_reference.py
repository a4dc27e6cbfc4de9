"""How fast the reference is, beside what people would write or use instead.

    python tests/benchmarks/bench_reference.py

It writes ``docs/benchmarks/README.md``, ``results.json`` and ``size.svg``. Figures are ratios of
CPU times (of times on the clock for two threads): candidates take turns on the same array, and
of each the smallest time counts, so that a busy machine changes it little. No test depends on
it. ``--quick`` looks at less, ``--output`` writes elsewhere. What is not installed is left out.
"""

from __future__ import annotations

import argparse
import datetime
import importlib.util
import json
import math
import os
import platform
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterable
from importlib import metadata
from pathlib import Path
from typing import Any

if __name__ == "__main__":  # before NumPy is loaded: one thread
    os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")
    os.environ.setdefault("JAX_PLATFORMS", "cpu")

import numpy as np

from gc_ref import adam_init, adam_step, centralize

ROOT = Path(__file__).parents[2]
#: Outputs first. The first six make the geometric means that the goals are about.
GOAL_SHAPES = ((64, 64), (512, 512), (4096, 1024), (64, 64, 3, 3), (512, 256, 3, 3), (2048, 2048))
MORE_SHAPES = ((1024, 4096), (8192, 8192), (128, 3, 7, 7))
DTYPES = ("float16", "bfloat16", "float32", "float64")
SIDES = (16, 32, 64, 128, 256, 512, 1024, 2048, 4096)
Function = Callable[[], Any]


def installed(name: str) -> bool:
    return importlib.util.find_spec(name) is not None


def smallest_times(
    functions: dict[str, Function],
    elements: int,
    seconds: float,
    clock: Callable[[], float] = time.process_time,
) -> dict[str, float]:
    """Smallest time of each function, in turns, within about so many seconds for all."""
    best = dict.fromkeys(functions, math.inf)
    for function in functions.values():
        function()
    end, rounds = time.perf_counter() + seconds, 0
    repeats = max(1, 20_000 // elements)  # the clock has its limits
    while rounds < 5 or (time.perf_counter() < end and rounds < 500):
        rounds += 1
        for name, function in functions.items():
            start = clock()
            for _ in range(repeats):
                function()
            best[name] = min(best[name], (clock() - start) / repeats)
    return best


def gradient(shape: tuple[int, ...], layout: str) -> tuple[Any, int, tuple[int, ...]]:
    """A float32 gradient in a layout, its output axis and its input axes."""
    if layout == "output-last":
        shape = (*shape[2:], shape[1], shape[0])
    values = np.random.default_rng(0).standard_normal(shape, dtype="float32")
    axes = tuple(range(len(shape)))
    return values, *((0, axes[1:]) if layout == "output-first" else (-1, axes[:-1]))


def numpy_candidates(g: Any, output_axis: int, inputs: tuple[int, ...]) -> dict[str, Function]:
    target = np.empty_like(g)

    def through_float64() -> Any:
        return (g - g.mean(axis=inputs, keepdims=True, dtype="float64")).astype(g.dtype)

    return {
        "copy": lambda: np.copyto(target, g),
        "plain": lambda: g - g.mean(axis=inputs, keepdims=True),
        "float64 mean": through_float64,
        "gc_ref": lambda: centralize(g, output_axis=output_axis),
    }


def torch_candidates(
    values: Any,
    output_axis: int,
    inputs: tuple[int, ...],
    *,
    dtype: str = "float32",
    threads: int = 1,
) -> dict[str, Function]:
    import torch

    torch.set_num_threads(threads)
    g = torch.tensor(values).to(getattr(torch, dtype))
    target = torch.empty_like(g)
    found = {
        "copy": lambda: target.copy_(g),
        "plain": lambda: g - g.mean(dim=inputs, keepdim=True),
        "gc_ref": lambda: centralize(g, output_axis=output_axis),
    }
    if output_axis == 0 and installed("pytorch_optimizer"):
        from pytorch_optimizer.optimizer.gradient_centralization import centralize_gradient

        own = g.clone()
        found["pytorch_optimizer, in place"] = lambda: centralize_gradient(own)
    return found


def jax_candidates(values: Any, output_axis: int, inputs: tuple[int, ...]) -> dict[str, Function]:
    import jax
    import jax.numpy as jnp

    g, fan_in = jnp.asarray(values), math.prod(values.shape[axis] for axis in inputs)

    def written_out() -> Any:  # the five operations
        mean = jnp.sum(g, axis=inputs, keepdims=True) / fan_in
        return g - jnp.where(jnp.isfinite(mean), mean, jnp.nan)

    jitted = jax.jit(lambda g: centralize(g, output_axis=output_axis))
    copied = jax.jit(lambda g: g.copy())
    found: dict[str, Any] = {
        "copy": lambda: copied(g),
        "gc_ref, jit": lambda: jitted(g),
        "five operations": written_out,
        "gc_ref": lambda: centralize(g, output_axis=output_axis),
    }
    if installed("optax") and output_axis == 0:
        import optax

        transformation = optax.centralize()
        update = jax.jit(lambda g: transformation.update(g, transformation.init(g))[0])
        found["optax, jit"] = lambda: update(g)
    return {name: (lambda f=f: jax.block_until_ready(f())) for name, f in found.items()}


def adam_candidates(values: Any, output_axis: int, inputs: tuple[int, ...]) -> dict[str, Function]:
    """One step of Adam, the gradient centralized."""
    import torch

    torch.set_num_threads(1)
    grad, weight = torch.tensor(values), 0.1 * values
    parameter = torch.nn.Parameter(torch.tensor(weight))
    optimizer = torch.optim.Adam([parameter], lr=1e-3, foreach=False, fused=False)
    tensor = torch.tensor(weight)
    ours = {"lr": 1e-3, "output_axis": output_axis}
    array_state = adam_step(weight, values, adam_init(weight), **ours)[1]
    tensor_state = adam_step(tensor, grad, adam_init(tensor), **ours)[1]

    def plain() -> None:
        parameter.grad = grad - grad.mean(dim=inputs, keepdim=True)
        optimizer.step()

    return {
        "torch.optim.Adam": plain,
        "adam_step, PyTorch": lambda: adam_step(tensor, grad, tensor_state, **ours),
        "adam_step, NumPy": lambda: adam_step(weight, values, array_state, **ours),
    }


def geometric_mean(values: Iterable[float]) -> float:
    logarithms = [math.log(value) for value in values]
    return math.exp(sum(logarithms) / len(logarithms))


def peak_memory() -> float:
    """Most memory that NumPy holds beside a (4096, 4096) float32 array, in arrays like it."""
    g = np.ones((4096, 4096), dtype="float32") + np.arange(4096, dtype="float32")
    tracemalloc.start()
    result = centralize(g, output_axis=0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return float(peak / result.nbytes)


def import_ratio() -> float:
    """Time of ``import gc_ref`` in that of NumPy and array-api-compat."""

    def seconds(statement: str) -> float:
        code = f"from time import process_time as t; s = t(); {statement}; print(t() - s)"
        command = [sys.executable, "-c", code]
        ran = subprocess.run(command, capture_output=True, text=True, check=True)
        return float(ran.stdout)

    statements = "import numpy, array_api_compat", "import gc_ref"
    pairs = [tuple(map(seconds, statements)) for _ in range(9)]
    theirs, own = (min(column) for column in zip(*pairs, strict=True))
    return own / theirs


def libraries() -> dict[str, Callable[..., dict[str, Function]]]:
    found: dict[str, Callable[..., dict[str, Function]]] = {"NumPy": numpy_candidates}
    if installed("torch"):
        found["PyTorch"] = torch_candidates
        found[TWO_THREADS] = lambda *case: torch_candidates(*case, threads=2)
        found["Adam"] = adam_candidates
    if installed("jax"):
        found["JAX"] = jax_candidates
    return found


TWO_THREADS = "PyTorch, two threads"
#: What the goals say: library, candidate, beside what, at most so many times.
GOALS = (
    ("NumPy", "gc_ref", "plain", 3.0),
    ("PyTorch", "gc_ref", "plain", 5.0),
    ("JAX", "gc_ref, jit", "optax, jit", 1.3),
    ("JAX", "gc_ref", "five operations", 2.0),
    ("Adam", "adam_step, PyTorch", "torch.optim.Adam", 3.0),
    ("Adam", "adam_step, NumPy", "torch.optim.Adam", 3.0),
)


def measure(quick: bool) -> dict[str, Any]:
    seconds = 0.2 if quick else 2.0
    shapes = GOAL_SHAPES if quick else (*GOAL_SHAPES, *MORE_SHAPES)
    rows = []
    for layout in ("output-first", "output-last"):
        for shape in shapes:
            case = gradient(shape, layout)
            for library, candidates in libraries().items():
                clock = time.perf_counter if library == TWO_THREADS else time.process_time
                times = smallest_times(candidates(*case), case[0].size, seconds, clock)
                shown = "x".join(map(str, case[0].shape))
                rows.append({"layout": layout, "shape": shown, "library": library, "times": times})
                print(layout, shown, library, flush=True)
    goals = []
    for library, ours, theirs, most in GOALS:
        for layout in ("output-first", "output-last"):
            ratios = [
                row["times"][ours] / row["times"][theirs]
                for index, row in enumerate(r for r in rows if r["library"] == library)
                if row["layout"] == layout
                and index % len(shapes) < len(GOAL_SHAPES)
                and theirs in row["times"]
            ]
            if ratios:
                ratio = geometric_mean(ratios)
                goals.append([library, layout, ours, theirs, round(ratio, 2), most])
    return {
        "environment": environment() | {"options": " --quick" if quick else ""},
        "goals": goals,
        "memory": round(peak_memory(), 2),
        "import": round(import_ratio(), 2),
        "dtypes": dtypes(seconds),
        "sizes": sizes(seconds, SIDES[:-2] if quick else SIDES),
        "rows": rows,
    }


def dtypes(seconds: float) -> list[Any]:
    """Ratio to the plain line for each dtype, of a (1024, 1024) array."""
    found = []
    for layout in ("output-first", "output-last"):
        values, output_axis, inputs = gradient((1024, 1024), layout)
        for dtype in DTYPES:
            cases = {}
            if dtype != "bfloat16":
                cases["NumPy"] = numpy_candidates(values.astype(dtype), output_axis, inputs)
            if installed("torch"):
                cases["PyTorch"] = torch_candidates(values, output_axis, inputs, dtype=dtype)
            for library, candidates in cases.items():
                two = {name: candidates[name] for name in ("plain", "gc_ref")}
                times = smallest_times(two, values.size, seconds)
                found.append([library, layout, dtype, round(times["gc_ref"] / times["plain"], 2)])
    return found


def sizes(seconds: float, sides: tuple[int, ...]) -> list[Any]:
    """Nanoseconds an element of square arrays."""
    found = []
    for side in sides:
        case = gradient((side, side), "output-first")
        candidates = {"NumPy": numpy_candidates(*case)}
        if installed("torch"):
            candidates["PyTorch"] = torch_candidates(*case)
        for library, functions in candidates.items():
            times = smallest_times(functions, side * side, seconds)
            for name in ("plain", "gc_ref"):
                found.append([library, name, side * side, 1e9 * times[name] / side**2])
    return found


def environment() -> dict[str, Any]:
    names = ("numpy", "array-api-compat", "torch", "jax", "optax", "pytorch_optimizer")
    versions = {name: metadata.version(name) for name in names if installed(name.replace("-", "_"))}
    return {
        "date": datetime.date.today().isoformat(),
        "machine": platform.machine(),
        "processors": os.cpu_count(),
        "versions": {"Python": platform.python_version(), **versions},
    }


def table(header: list[str], rows: list[list[Any]]) -> list[str]:
    lines = [f"| {' | '.join(header)} |", f"|{'---|' * len(header)}"]
    return [*lines, *(f"| {' | '.join(map(str, row))} |" for row in rows), ""]


def as_markdown(results: dict[str, Any]) -> str:
    said = results["environment"]
    versions = ", ".join(f"{name} {version}" for name, version in said["versions"].items())
    lines = [
        "# How fast the reference is",
        "",
        f"Made on {said['date']} by `python tests/benchmarks/bench_reference.py{said['options']}`, "
        "on one thread "
        f"(where no other number is said) of {said['processors']} processors "
        f"({said['machine']}); {versions}. Ratios of CPU times; of times on the clock for two "
        "threads.",
        "",
        "Geometric means over float32 gradients of the shapes "
        + ", ".join("x".join(map(str, shape)) for shape in GOAL_SHAPES)
        + " (outputs first; turned round for output-last):",
        "",
        *table(
            ["library", "layout", "what", "in units of", "ratio", "goal", ""],
            [
                [*row[:5], f"<= {row[5]}", "met" if row[4] <= row[5] else "missed"]
                for row in results["goals"]
            ],
        ),
        f"`import gc_ref` takes {results['import']} times as long as NumPy and array-api-compat "
        "(goal <= 1.3). On NumPy, `centralize` of a (4096, 4096) float32 array holds "
        f"{results['memory']} arrays like it at most, its result among them (goal <= 1.3).",
        "",
        "## Dtypes",
        "",
        "`centralize` in units of the plain line g - mean(g) of the same dtype, shape 1024x1024:",
        "",
        *table(["library", "layout", "dtype", "ratio"], results["dtypes"]),
        "## Size",
        "",
        "![Nanoseconds an element against the number of elements](size.svg)",
        "",
        "## Every shape",
        "",
        "In units of copying the array into another one (for Adam: of torch.optim.Adam).",
        "",
    ]
    for library in dict.fromkeys(row["library"] for row in results["rows"]):
        rows = [row for row in results["rows"] if row["library"] == library]
        unit, *names = dict.fromkeys(name for row in rows for name in row["times"])
        lines += [f"### {library}", ""]
        shown = [
            [row["layout"], row["shape"], *(ratio(row["times"], name, unit) for name in names)]
            for row in rows
        ]
        lines += table(["layout", "shape", *names], shown)
    return "\n".join(lines)


def ratio(times: dict[str, float], name: str, unit: str) -> str:
    return f"{times[name] / times[unit]:.2f}" if name in times else ""


def draw(sizes: list[Any], path: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    for library, name in dict.fromkeys((row[0], row[1]) for row in sizes):
        points = [row[2:] for row in sizes if row[:2] == [library, name]]
        style = "o-" if name == "gc_ref" else "o--"
        axes.loglog(*zip(*points, strict=True), style, label=f"{library}, {name}")
    axes.set(xlabel="elements (square, float32)", ylabel="nanoseconds an element")
    axes.legend()
    figure.savefig(path, metadata={"Date": None})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--output", type=Path, default=ROOT / "docs" / "benchmarks")
    parser.add_argument("--quick", action="store_true", help="fewer shapes and repetitions")
    options = parser.parse_args()
    results = measure(options.quick)
    options.output.mkdir(parents=True, exist_ok=True)
    (options.output / "results.json").write_text(json.dumps(results, indent=1) + "\n", "utf-8")
    (options.output / "README.md").write_text(as_markdown(results), "utf-8")
    if installed("matplotlib"):
        draw(results["sizes"], options.output / "size.svg")
    for row in results["goals"]:
        print("{}, {}: {} is {} x {} (goal {})".format(*row[:3], row[4], row[3], row[5]))
    print(f"memory {results['memory']} arrays, import {results['import']} x")


if __name__ == "__main__":
    main()
