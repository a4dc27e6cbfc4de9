"""A page for each deviation: its wrong lines are found and named, its right ones conform."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from gc_ref.conformance import DEVIATIONS, check

DOCS = Path(__file__).parents[2] / "docs"
SPEC = importlib.util.spec_from_file_location("make_deviations", DOCS / "make_deviations.py")
made = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(made)

WRONG = {id: made.sections(id) for id in DEVIATIONS}
RIGHT = made.sections("right")
MARKS = {"torch": ["torch"], "optax": ["optax", "jax"], "keras": ["keras", "jax"]}


def marked(framework, *values, id):
    marks = [getattr(pytest.mark, name) for name in MARKS.get(framework, [])]
    return pytest.param(*values, marks=marks, id=id)


def _pages():
    for id, sections in WRONG.items():
        framework, _ = next(iter(sections))
        yield marked(framework, id, id=id)


@pytest.mark.parametrize("id", list(_pages()))
def test_page_is_what_its_command_writes(id):
    report = made.judge(id)
    assert report.verdict == "deviates"
    assert report.identified == (id,)
    assert not report.ambiguous
    written = (DOCS / "deviations" / f"{id}.md").read_text(encoding="utf-8")
    assert written == made.page(id, report), "python docs/make_deviations.py writes it anew"


def test_index_is_what_its_command_writes():
    written = (DOCS / "deviations" / "index.md").read_text(encoding="utf-8")
    assert written == made.index(), "python docs/make_deviations.py writes it anew"


def test_every_deviation_has_one_page_and_its_snippets():
    pages = {path.stem for path in (DOCS / "deviations").glob("*.md")}
    snippets = {path.stem for path in (DOCS / "deviations" / "snippets").glob("*.py")}
    assert pages == {*DEVIATIONS, "index"}
    assert snippets == {*DEVIATIONS, "right"}


def test_every_page_has_lines_of_each_framework_or_says_why_not():
    for id, sections in WRONG.items():
        shown = {framework.removesuffix("-first") for framework, _ in sections}
        assert {"numpy", "optax", "torch", "keras"} - shown == {*made.ABSENT.get(id, {})}, id


def test_wrong_lines_are_beside_right_ones_that_differ():
    for id, sections in WRONG.items():
        for key, code in sections.items():
            assert code != RIGHT[key], (id, key)
    assert set(RIGHT) == {key for sections in WRONG.values() for key in sections}


def _is_compared(framework, what):
    """Whether a section is held to that for NumPy: a function of a gradient, for optax or Keras."""
    return framework in ("optax", "keras") and what == "centralize"


def _right():
    for key, code in RIGHT.items():
        if not _is_compared(*key):
            yield marked(key[0], key, code, id="-".join(key))


@pytest.mark.parametrize(("key", "code"), list(_right()))
def test_right_lines_conform(key, code):
    report = check(made.port_of(key, code), max_examples=0)
    assert report.verdict == "conforms", report.to_text()


def _wrong():
    """What no page is made of: the first section is."""
    for id, sections in WRONG.items():
        for key, code in list(sections.items())[1:]:
            if not _is_compared(*key):
                yield marked(key[0], id, key, code, id=f"{id}-{key[0]}")


@pytest.mark.parametrize(("id", "key", "code"), list(_wrong()))
def test_wrong_lines_are_found_and_named(id, key, code):
    report = check(made.port_of(key, code), max_examples=0)
    assert report.verdict == "deviates"
    assert report.identified == (id,)


def gradients():
    """Weights of several shapes, one of them with a NaN, and a vector; integers of many sizes."""
    random = np.random.default_rng(0)
    for shape in ((3, 4), (4, 4), (2, 16), (2, 2, 3, 4), (6,)):
        yield random.integers(-4000, 4000, shape).astype("float32")
    yield np.float32([[1, np.nan], [2, 3], [9, 4]])


def _others():
    for id, sections in WRONG.items():
        for (framework, what), code in sections.items():
            if _is_compared(framework, what):
                yield marked(framework, id, framework, code, id=f"{id}-{framework}")


@pytest.mark.parametrize(("id", "framework", "code"), list(_others()))
def test_wrong_lines_of_other_frameworks_do_what_those_for_numpy_do(id, framework, code):
    key = (framework, "centralize")
    here, right = made.load(key, code), made.load(key, RIGHT[key])
    numpy = made.load(("numpy", "centralize"), WRONG[id]["numpy", "centralize"])
    same = []
    for g in gradients():
        given = _array(framework, g)
        got = np.asarray(here(given))
        agree(got, numpy(g))
        same.append(np.array_equal(got, np.asarray(right(given)), equal_nan=True))
    assert not all(same)


@pytest.mark.parametrize("framework", [marked(f, f, id=f) for f in ("optax", "keras")])
def test_right_lines_of_other_frameworks_do_what_those_for_numpy_do(framework):
    here, numpy = (
        made.load((f, "centralize"), RIGHT[f, "centralize"]) for f in (framework, "numpy")
    )
    for g in gradients():
        agree(np.asarray(here(_array(framework, g))), numpy(g))


def agree(got, want):
    """Sums of these integers are exact: what is left are some roundings of the result."""
    largest = np.max(abs(want), where=np.isfinite(want), initial=0)
    np.testing.assert_allclose(got, want, rtol=0, atol=4 * 2**-24 * largest)


def _array(framework, g):
    if framework == "optax":
        import jax.numpy as jnp

        return jnp.asarray(g)
    import keras

    return keras.ops.convert_to_tensor(g)


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # in Keras
@pytest.mark.keras
@pytest.mark.jax
def test_keras_calls_the_right_method_only():
    import keras

    key, g = ("keras", "GCSGD"), np.float32([[1, 8], [2, 0], [6, 1]])
    for code, moved in (
        (WRONG["not-applied"][key], g),
        (RIGHT[key], np.float32([[-2, 5], [-1, -3], [3, -2]])),
    ):
        variable = keras.Variable(np.zeros_like(g))
        optimizer = made.load(key, code)(learning_rate=1.0)
        optimizer.apply_gradients([(keras.ops.convert_to_tensor(g), variable)])
        assert np.array_equal(keras.ops.convert_to_numpy(variable), -moved)
