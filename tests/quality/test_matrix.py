"""The matrix itself, and the part of it that is run every time; matrix.py runs the whole."""

import json
from fractions import Fraction

import numpy as np
import pytest

from gc_ref import bounds, exact

from . import matrix, matrix_page
from .matrix_frameworks import FRAMEWORKS
from .matrix_variants import VARIANTS

RIGHT = [v for v in VARIANTS.values() if v.correct]
#: One that is wrong at every second step shows it at no single gradient.
WRONG = [v for v in VARIANTS.values() if not v.correct]

MARKS = {
    "torch": [pytest.mark.torch],
    "pytorch_optimizer": [pytest.mark.torch, pytest.mark.pytorch_optimizer],
    "optax": [pytest.mark.jax, pytest.mark.optax],
    "keras": [pytest.mark.keras],
}
#: Optimizers of each framework that stand for all: an element-wise one, one that amplifies the
#: last bit of a gradient, and one that couples parameters.
PART = {
    "numpy": {
        "RMSprop": {"base": list(VARIANTS), "alone": ["welford"]},
        "ClippedSGD": {"base": ["eq-2", "half"]},
        "Adam": {"algorithm": ["eq-2"]},
    },
    "torch": {"NAdam": {"base": ["eq-2", "second-step"]}, "SGD": {"alone": ["welford"]}},
    "optax": {"rmsprop": {"base": ["eq-2"]}},
}


def part():
    """Cells that are judged every time."""
    for framework, optimizers in PART.items():
        for optimizer, modes in optimizers.items():
            for mode, variants in modes.items():
                for variant in variants:
                    cell = matrix.Cell(framework, optimizer, variant, mode, 0)
                    name = "-".join((framework, optimizer, variant, mode))
                    yield pytest.param(cell, marks=MARKS.get(framework, []), id=name)


@pytest.mark.parametrize("cell", list(part()))
def test_right_ports_pass_and_wrong_ones_are_caught(cell):
    FRAMEWORKS[cell.framework].prepare()
    found = matrix.judged(cell, 0)
    assert found["outcome"] == ("passed" if VARIANTS[cell.variant].correct else "caught"), found


# ---- the ways of writing Φ


def _arrays(framework):
    from . import matrix_frameworks as made

    return {
        "numpy": made._numpy_arrays,
        "torch": made._torch_arrays,
        "optax": made._jax_arrays,
        "keras": made._keras_arrays,
    }[framework]()


def _as_array(framework, values):
    if framework == "torch":
        import torch

        return torch.from_numpy(values.copy())
    if framework == "optax":
        import jax.numpy as jnp

        return jnp.asarray(values)
    if framework == "keras":
        from keras import ops

        return ops.convert_to_tensor(values)
    return values


def _as_numpy(framework, answer):
    if framework == "keras":
        from keras import ops

        return ops.convert_to_numpy(answer)
    return np.asarray(answer)


LIBRARIES = [pytest.param(f, marks=MARKS.get(f, [])) for f in ("numpy", "torch", "optax", "keras")]


def _ratio(framework, variant, values):
    """Largest error of an answer in units of the bound of a right Φ."""
    arrays = _arrays(framework)
    axis = 0 if arrays.layout == "output-first" else values.ndim - 1
    answer = _as_numpy(framework, variant.phi(arrays, _as_array(framework, values)))
    assert answer.dtype == values.dtype
    if values.ndim < 2:
        expected, tau = [Fraction(float(v)) for v in values.ravel()], np.zeros(values.shape)
    else:
        whole = exact.centralize(values, output_axis=axis)
        expected = [Fraction(n, whole.denominator) for n in whole.numerators]
        profile = bounds.profile(str(values.dtype), flush_to_zero=True)
        tau = bounds.centralize(values, output_axis=axis, profile=profile)
    errors = [abs(Fraction(float(a)) - e) for a, e in zip(answer.ravel(), expected, strict=True)]
    return max(float(e / Fraction(float(t))) if t else float("inf") if e else 0.0
               for e, t in zip(errors, tau.ravel(), strict=True))  # fmt: skip


SHAPES = [(3, 5), (2, 3, 2, 4), (7,), (40,), (128, 64)]


def _values(shape):
    drawn = np.random.default_rng(0).normal(size=shape)
    return (drawn + 3.0).astype(np.float32)


@pytest.mark.parametrize("framework", LIBRARIES)
@pytest.mark.parametrize("variant", RIGHT, ids=lambda v: v.name)
def test_a_right_variant_is_right_on_every_shape(framework, variant, request):
    if variant.float64 and framework == "optax":
        FRAMEWORKS["optax"].float64(True)
        request.addfinalizer(lambda: FRAMEWORKS["optax"].float64(False))
    shapes = SHAPES if framework == "numpy" else SHAPES[:3]
    assert max(_ratio(framework, variant, _values(shape)) for shape in shapes) <= 1.0


@pytest.mark.parametrize("variant", [v for v in WRONG if v.second_steps], ids=lambda v: v.name)
def test_a_wrong_variant_is_wrong_on_some_shape(variant):
    assert max(_ratio("numpy", variant, _values(shape)) for shape in SHAPES) > 1.0


# ---- the command


def test_the_command_judges_and_a_second_run_finds_all_done(tmp_path, capsys):
    words = ["--framework", "numpy", "--optimizers", "Lion", "--variants", "plain,half"]
    words += ["--modes", "base", "--seeds", "1", "--max-examples", "0"]
    words += ["--resume", str(tmp_path / "done.jsonl")]
    assert matrix.main(words) == 0
    first = capsys.readouterr().out
    assert "| Lion | 1/1 | 1/1 |" in first
    assert "1 caught, 1 passed" in first
    lines = (tmp_path / "done.jsonl").read_text(encoding="utf-8")
    assert matrix.main(words) == 0
    assert (tmp_path / "done.jsonl").read_text(encoding="utf-8") == lines
    assert capsys.readouterr().out == first


def _entry(optimizer, outcome, variant="plain"):
    cell = {"framework": "numpy", "optimizer": optimizer, "variant": variant}
    return {**cell, "mode": "base", "seed": 0, "outcome": outcome, "failed": {"": "no step"}}


@pytest.mark.parametrize(
    ("entries", "excused", "said"),
    [
        ([_entry("A", "passed")], {}, []),
        ([_entry("A", "caught", "half")], {}, []),
        ([], {}, ["nothing was judged"]),
        ([_entry("A", "accused")], {}, ["A plain (base, seed 0): accused"]),
        ([_entry("A", "missed", "half")], {}, ["A half (base, seed 0): missed"]),
        ([_entry("A", "crashed")], {}, ["A plain (base, seed 0): crashed", "nothing was judged"]),
        (
            [_entry("A", "passed"), _entry("B", "not driven")],
            {},
            ["B: cannot be driven, and no reason is listed"],
        ),
        ([_entry("A", "passed"), _entry("B", "not driven")], {"B": "wants a model"}, []),
        ([_entry("A", "passed"), _entry("B", "accused")], {"B": "looks at the loss"}, []),
        ([_entry("B", "accused")], {"B": "looks at the loss"}, ["nothing was judged"]),
        (
            [_entry("A", "passed"), _entry("A", "not driven", "half")],
            {},
            ["A half (base, seed 0): not driven"],
        ),
        (
            [_entry("A", "passed"), _entry("B", "passed")],
            {"B": "wants a model"},
            ["B: passes, though a reason is listed why it cannot be judged"],
        ),
    ],
)
def test_what_the_command_complains_of(entries, excused, said):
    made = FRAMEWORKS["numpy"]
    framework = type(made)(**{**made.__dict__, "excused": excused})
    assert matrix.complaints(framework, entries) == said


def test_an_optimizer_that_cannot_be_driven_stays_in_the_table():
    text = matrix.table(FRAMEWORKS["numpy"], [_entry("A", "passed"), _entry("B", "not driven")])
    assert "| A | 1/1 |" in text
    assert "| B | no step |" in text


def test_what_takes_too_long_or_breaks_is_an_entry(monkeypatch):
    cell = matrix.Cell("numpy", "Lion", "plain", "base", 0)

    def endless(*_):
        while True:
            pass

    def broken(*_):
        raise ZeroDivisionError("inside")

    monkeypatch.setattr(matrix, "judged", endless)
    assert matrix.record(cell, 0, 1)["outcome"] == "too long"
    monkeypatch.setattr(matrix, "judged", broken)
    found = matrix.record(cell, 0, 1)
    assert (found["outcome"], found["failed"]) == ("crashed", {"": "ZeroDivisionError: inside"})
    assert json.dumps(found)


@pytest.mark.torch
def test_every_optimizer_of_torch_is_in_the_matrix():
    import torch

    public = set(torch.optim.__all__) - {"Optimizer"}
    classes = {n for n in public if isinstance(getattr(torch.optim, n), type)}
    assert set(FRAMEWORKS["torch"].optimizers()) == classes
    assert len(classes) >= 12


@pytest.mark.optax
@pytest.mark.jax
def test_every_alias_of_optax_is_in_the_matrix():
    names = set(FRAMEWORKS["optax"].optimizers())
    assert {"sgd", "adam", "lion", "rmsprop", "yogi", "contrib.muon", "contrib.prodigy"} <= names
    assert len(names) >= 40


@pytest.mark.pytorch_optimizer
@pytest.mark.torch
def test_every_optimizer_of_pytorch_optimizer_is_in_the_matrix():
    import pytorch_optimizer

    registry = map(pytorch_optimizer.load_optimizer, pytorch_optimizer.get_supported_optimizers())
    own = {c.__name__ for c in registry if c.__module__.startswith("pytorch_optimizer")}
    assert len(own) >= 120
    assert own <= set(FRAMEWORKS["pytorch_optimizer"].optimizers())


@pytest.mark.keras
def test_every_optimizer_of_keras_is_in_the_matrix():
    names = set(FRAMEWORKS["keras-jax"].optimizers())
    assert {"SGD", "Adam", "AdamW", "RMSprop", "Nadam", "Ftrl", "Lion", "Muon"} <= names


# ---- the page


def test_the_page_is_made_of_its_figures_and_of_nothing_else():
    figures = json.loads((matrix_page.DOCS / "quality-matrix.json").read_text(encoding="utf-8"))
    page = (matrix_page.DOCS / "quality-matrix.md").read_text(encoding="utf-8")
    assert page == matrix_page.page(figures)
    for entry in figures.values():
        counted = {}
        for variants in entry["optimizers"].values():
            for counts in variants.values():
                for what, n in counts.items():
                    outcome = what.partition(" (")[0]
                    counted[outcome] = counted.get(outcome, 0) + n
        assert sum(counted.values()) > 0
        totals = entry["totals"]
        assert counted == matrix_page.added(totals["right ports"], totals["wrong ports"])


def test_the_page_says_what_was_judged_wrongly_and_what_was_not_run():
    entries = [
        {**_entry("A", "accused"), "commit": "c0ffee"},
        {**_entry("A", "caught", "half"), "commit": "c0ffee"},
        {**_entry("B", "not driven"), "commit": "c0ffee"},
    ]
    text = matrix_page.page(matrix_page.figures(entries, "2026-11-26"))
    assert "| numpy | 1 of 6 | 1 | 1 | 1 | 1 | 0 | 2026-11-26 |" in text
    assert "| `plain` | 1 | 1 | 1 |" in text
    assert "| `eq-2` | 0 | 0 | 0 |" in text
    assert "| A | `plain` | base | 0 | accused |  |" in text
    assert "| B | no step |" in text
    assert "Not run: SGD, Adam, RMSprop, Adagrad, Lion, ClippedSGD." in text
