"""Programs that replay a counterexample: they fail for the wrong port and pass for the right one.

They are run as a user runs them: in a fresh process, in the folder of the port, without gc_ref.
"""

import subprocess
import sys

import numpy as np
import pytest

from gc_ref._conformance.cli.targets import make_port
from gc_ref._conformance.replays.literals import array_literal
from gc_ref._conformance.replays.replay import TOO_LARGE, WHOLE_MODEL
from gc_ref.conformance import check, numpy_port, operator_port

from ._replays import OPERATOR, run

TORCH = """
import torch

class GCSGD(torch.optim.SGD):
    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad.ndim > 1:
                    p.grad -= p.grad.mean({axes}, keepdim=True)
        return super().step(closure)
"""
OPTAX = """
import jax
import jax.numpy as jnp
import optax

def center(g):
    return g if g.ndim < 2 else g - jnp.mean(g, axis={axes}, keepdims=True)

def sgd(learning_rate, momentum=None):
    gc = optax.stateless(lambda updates, params: jax.tree.map(center, updates))
    return optax.chain(gc, optax.sgd(learning_rate, momentum))

def bare():
    return optax.stateless(lambda updates, params: jax.tree.map(center, updates))
"""
KERAS = """
import keras
from keras import ops

class GCSGD(keras.optimizers.SGD):
    def apply(self, grads, trainable_variables=None):
        grads = [g if len(g.shape) < 2 else g - ops.mean(g, axis={axes}, keepdims=True)
                 for g in grads]
        return super().apply(grads, trainable_variables)
"""
NUMPY = """
import numpy as np

def center(g):
    return g if g.ndim < 2 else g - g.mean(axis={axes}, keepdims=True)

def sgd(case):
    weights = {{p.name: p.value for p in case.parameters}}
    momenta = {{k: 0 * w for k, w in weights.items()}}
    lr, beta = np.float32(case.hyperparameters["lr"]), np.float32(case.hyperparameters["momentum"])
    steps = []
    for gradients in case.gradients:
        for k, g in gradients.items():
            momenta[k] = beta * momenta[k] + (1 - beta) * center(g)
            weights[k] = weights[k] - lr * momenta[k]
        steps.append(dict(weights))
    return steps
"""
LAST = "tuple(range(g.ndim - 1))"
#: A port with a mistake, and how it is mended: kind, source, wrong words, right words, options.
CASES = {
    "numpy-operator": ("operator", "centralize", OPERATOR.replace("{imports}", "import numpy")
        .replace("{keep}", "keepdims"), "0", LAST, {}),
    "torch-operator": ("operator", "centralize", OPERATOR.replace("{imports}", "import torch")
        .replace("{keep}", "keepdim"), "1", "tuple(range(1, g.ndim))", {"framework": "torch"}),
    "jax-operator": ("operator", "centralize", OPERATOR.replace("{imports}", "import jax")
        .replace("{keep}", "keepdims"), "0", LAST, {"framework": "jax"}),
    "torch": ("torch", "GCSGD", TORCH, "1", "tuple(range(1, p.grad.ndim))", {"algorithm": "sgdm"}),
    "optax": ("optax", "sgd", OPTAX, "0", LAST, {"algorithm": "sgdm"}),
    "optax-scaled": ("optax", "bare", OPTAX, "0", LAST, {"algorithm": "sgdm"}),
    "keras": ("keras", "GCSGD", KERAS, "0", "tuple(range(len(g.shape) - 1))",
        {"algorithm": "sgdm"}),
    "numpy": ("numpy", "sgd", NUMPY, "0", LAST, {"algorithm": "sgdm"}),
}  # fmt: skip
NEEDS = {"optax-scaled": "optax", "numpy-operator": "", "jax-operator": "jax",
         "torch-operator": "torch", "numpy": ""}  # fmt: skip


def write(folder, source, axes):
    (folder / "replayed_port.py").write_text(source.format(axes=axes), encoding="utf-8")


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(n, marks=[getattr(pytest.mark, m) for m in [NEEDS.get(n, n)] if m])
        for n in CASES
    ],
)
def test_a_replay_fails_for_the_wrong_port_and_passes_for_the_right_one(
    name, tmp_path, monkeypatch
):
    kind, attribute, source, wrong, right, options = CASES[name]
    monkeypatch.chdir(tmp_path)
    write(tmp_path, source, wrong)
    target = f"{kind}:replayed_port.py:{attribute}"
    report = check(make_port(target, settings={}, **options), max_examples=5)
    replays = {c.id: c.replay for c in report.with_status("failed") if c.counterexample}
    assert {"scope/every-weight", "value/exact", "value/bounded"} <= set(replays)
    programs = sorted({p for p in replays.values() if not p.startswith("#")})
    assert replays["scope/every-weight"] in programs
    for program in programs[: 3 if "numpy" in name else 1]:  # importing a framework takes long
        assert "import gc_ref" not in program
        done = run(program, tmp_path)
        assert done.returncode == 1, done.stdout + done.stderr
        assert "AssertionError: got " in done.stderr.splitlines()[-1]
        write(tmp_path, source, right)
        done = run(program, tmp_path)
        assert done.returncode == 0, program + done.stderr
        write(tmp_path, source, wrong)


MOMENTUM_IN_A_CLOSURE = """
import jax
import jax.numpy as jnp
import optax

def center(g):
    return g if g.ndim < 2 else g - jnp.mean(g, axis=tuple(range(g.ndim - 1)), keepdims=True)

def sgd(learning_rate, momentum=0.0):
    moment = []

    def update(updates, state, params=None):
        centered = jax.tree.map(center, updates)
        moment[:] = [jax.tree.map(lambda m, g: momentum * m + g, *moment, centered)
                     if moment and not isinstance(jax.tree.leaves(moment)[0], jax.core.Tracer)
                     else centered]
        return jax.tree.map(lambda m: -learning_rate * m, moment[0]), state

    return optax.GradientTransformation(lambda params: (), update)
"""


@pytest.mark.optax
def test_a_replay_compiles_the_update_as_the_judge_does(tmp_path, monkeypatch):
    """A momentum that is kept beside the state is right without jit, and lost under it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "replayed_port.py").write_text(MOMENTUM_IN_A_CLOSURE, encoding="utf-8")
    port = make_port("optax:replayed_port.py:sgd", settings={}, algorithm="sgdm")
    report = check(port, max_examples=0)
    (found,) = [c for c in report.with_status("failed") if c.id == "value/exact"]
    done = run(found.replay, tmp_path)
    assert done.returncode == 1, found.replay + done.stdout
    assert "AssertionError: got " in done.stderr.splitlines()[-1]


PROGRAM = """
import json, sys

def centralize(shape, values):
    n = shape[-1] if shape else 1
    if len(shape) < 2:
        return values
    rows = WRONG
    means = {}
    for i, v in enumerate(values):
        means.setdefault((i % n, rows(i)), []).append(v)
    return [v - sum(m) / len(m) for i, v in enumerate(values) for m in [means[i % n, rows(i)]]]

for line in sys.stdin:
    question = json.loads(line)
    if question["type"] == "hello":
        answer = {"protocol": "gc-ref-exec", "version": 1, "name": "p", "kind": "operator",
                  "layout": "output-last", "dtypes": ["float64"]}
    else:
        step = {}
        for name, g in question["gradients"][0].items():
            values = centralize(g["shape"], [float.fromhex(v) for v in g["values"]])
            step[name] = {"shape": g["shape"], "values": [v.hex() for v in values]}
        answer = {"id": question["id"], "steps": [step]}
    print(json.dumps(answer), flush=True)
"""


def test_the_questions_for_a_program_can_be_piped_into_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    source = PROGRAM.replace("WRONG", "lambda i: i // n % 2").replace('"float64"', '"float32"')
    (tmp_path / "program.py").write_text(source, encoding="utf-8")
    port = make_port(f"exec:{sys.executable} program.py", settings={})
    report = check(port, max_examples=0)
    (found,) = [c for c in report.checks if c.id == "scope/every-weight"]
    _, comment = found.replay.splitlines()
    assert "got " in comment
    assert f"expected {found.counterexample['expected']!r}" in comment
    done = subprocess.run(["bash", "-c", found.replay], capture_output=True, text=True, check=True)
    assert '"id": 1' in done.stdout.splitlines()[-1]
    assert float(found.counterexample["got"]).hex() in done.stdout


# ---- where there is none


def plain(g):
    return g if g.ndim < 2 else g - g.mean(axis=tuple(range(g.ndim - 1)), keepdims=True)


def sgd(case, *, large_only=False, smallest=False):
    weights = {p.name: p.value for p in case.parameters}
    momenta = {k: 0 * w for k, w in weights.items()}
    lr, beta = (np.float32(case.hyperparameters[k]) for k in ("lr", "momentum"))
    steps = []
    for gradients in case.gradients:
        sizes = {k: g.size for k, g in gradients.items() if g.ndim > 1}
        least = min(sizes, key=sizes.get) if len(sizes) > 1 else None
        for k, g in gradients.items():
            left = g.size > 400 if large_only else smallest and k == least
            momenta[k] = beta * momenta[k] + (1 - beta) * (g if left else plain(g))
            weights[k] = weights[k] - lr * momenta[k]
        steps.append(dict(weights))
    return steps


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"large_only": True}, TOO_LARGE.split("(")[0]), ({"smallest": True}, WHOLE_MODEL)],
)
def test_a_port_that_no_short_program_shows(settings, message):
    port = numpy_port(sgd, algorithm="sgdm", settings=settings)
    report = check(port, max_examples=0)
    (found,) = [c for c in report.checks if c.id == "scope/every-weight"]
    assert found.status == "failed"
    assert found.replay.startswith(message)
    assert "  replay: " in str(report)


def test_a_function_that_cannot_be_imported_is_left_to_fill_in():
    report = check(operator_port(lambda g: g, name="local"), max_examples=0)
    (first, *_) = report.with_status("failed")
    assert "port = ...  # put here what the port was made of\n" in first.replay
    compile(first.replay, "replay", "exec")


def test_the_report_shows_one_replay_and_the_json_all():
    report = check(operator_port(lambda g: g, name="local"), max_examples=0)
    assert str(report).count("replay, without gc-ref:") == 1
    entries = report.to_dict()["checks"]
    shown = {c["id"] for c in entries if "replay" in c}
    assert shown == {c.id for c in report.with_status("failed") if c.counterexample}
    assert not any("replay" in (c["counterexample"] or {}) for c in entries)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("shape", [(), (1,), (3,), (2, 3), (2, 1, 4), (30, 2)])
def test_arrays_are_written_exactly(dtype, shape):
    rng = np.random.default_rng(0)
    values = (rng.normal(size=shape) * 10.0 ** rng.integers(-4, 4, size=shape)).astype(dtype)
    read = eval(array_literal(np.asarray(values)), {"np": np})
    assert read.dtype == dtype
    assert read.shape == shape
    assert np.array_equal(read, values)


def test_special_numbers_are_written():
    values = np.array([np.nan, np.inf, -np.inf, -0.0], dtype="float32")
    read = eval(array_literal(values), {"np": np})
    assert np.array_equal(read, values, equal_nan=True)
    assert np.signbit(read[3])
