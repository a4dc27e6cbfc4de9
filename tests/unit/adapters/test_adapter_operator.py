"""The operator adapter: arrays of each framework in, one clear message where it fails."""

import sys
import warnings

import numpy as np
import pytest

from gc_ref.conformance import Case, Parameter, PortError, PortLoadError, check, operator_port

GRADIENT = np.array([[1.0, 2.0], [3.0, 8.0]], np.float32)
P = Parameter("dense_0", "dense", np.zeros((2, 2), np.float32), "dense")
BIAS = Parameter("dense_0", "bias", np.zeros(2, np.float32), "dense")
OUTPUT_LAST, OUTPUT_FIRST = [[-1, -3], [1, 3]], [[-0.5, 0.5], [-2.5, 2.5]]
CASE = Case("probe", (P, BIAS), ({P.name: GRADIENT, BIAS.name: GRADIENT[0]},))


def case_of(dtype):
    storage = np.float32 if dtype == "bfloat16" else dtype
    return Case("probe", (P,), ({P.name: GRADIENT.astype(storage)},), dtype=dtype)


def output_last(g):
    return g if g.ndim < 2 else g - g.mean(0)


def output_first(g):
    return g if g.ndim < 2 else g - g.mean(1, True)  # keepdim


FRAMEWORKS = [
    pytest.param("numpy", "output-last", id="numpy"),
    pytest.param("torch", "output-first", marks=pytest.mark.torch, id="torch"),
    pytest.param("jax", "output-last", marks=pytest.mark.jax, id="jax"),
]
frameworks = pytest.mark.parametrize(("framework", "layout"), FRAMEWORKS)


@frameworks
def test_the_function_gets_arrays_of_its_framework(framework, layout):
    seen = set()

    def remembers(g):
        seen.add(type(g).__module__.partition(".")[0])
        return output_last(g)

    port = operator_port(remembers, framework=framework)
    assert (port.kind, port.layout) == ("operator", layout)
    found = port.run(CASE)
    assert seen <= {"jaxlib"} if framework == "jax" else seen == {framework}
    assert found.steps[0][P.name].tolist() == OUTPUT_LAST
    assert found.steps[0][BIAS.name].tolist() == [1, 2]
    assert isinstance(found.steps[0][P.name], np.ndarray)
    assert found.notes == ()


@frameworks
def test_each_dtype_goes_in_and_its_name_comes_out(framework, layout):
    port = operator_port(output_last, framework=framework)
    assert {"float16", "float32"} <= set(port.dtypes)
    for dtype in port.dtypes:
        found = port.run(case_of(dtype))
        assert found.dtypes == {P.name: dtype}
        assert found.steps[0][P.name].tolist() == OUTPUT_LAST


def test_numpy_has_no_bfloat16():
    assert operator_port(output_last).dtypes == ("float16", "float32", "float64")


@pytest.mark.torch
def test_torch_goes_by_its_own_layout():
    import torch

    found = operator_port(
        lambda g: g if g.ndim < 2 else g - g.mean(1, keepdim=True), framework="torch"
    ).run(CASE)
    assert found.steps[0][P.name].tolist() == OUTPUT_FIRST
    assert torch.get_default_dtype() == torch.float32


@pytest.mark.torch
def test_a_torch_answer_may_carry_a_graph():
    def with_graph(g):
        return output_last(g.requires_grad_())

    found = operator_port(with_graph, framework="torch").run(case_of("float32"))
    assert found.steps[0][P.name].tolist() == OUTPUT_LAST


@pytest.mark.jax
def test_jit_is_allowed():
    import jax

    found = operator_port(jax.jit(output_last), framework="jax").run(CASE)
    assert found.steps[0][P.name].tolist() == OUTPUT_LAST


@pytest.mark.parametrize("framework", ["numpy", pytest.param("torch", marks=pytest.mark.torch)])
def test_writing_to_the_gradient_is_noted_and_spoils_no_later_run(framework):
    def in_place(g):
        if g.ndim > 1:
            g -= g.mean(0)
        return g

    port = operator_port(in_place, framework=framework)
    for _ in range(2):
        found = port.run(CASE)
        assert found.writes_gradient
        assert found.steps[0][P.name].tolist() == OUTPUT_LAST
    assert GRADIENT.tolist() == [[1, 2], [3, 8]]


def test_an_answer_is_kept_though_its_buffer_is_used_again():
    buffer = np.zeros((2, 2), np.float32)

    def fills_one_buffer(g):
        buffer[...] = g
        return buffer

    steps = tuple({P.name: GRADIENT * k} for k in (1, 2))
    found = operator_port(fills_one_buffer).run(Case("probe", (P,), steps))
    assert [s[P.name][1, 1] for s in found.steps] == [8, 16]


def test_settings_are_handed_over():
    def shifted(g, by):
        return g + by

    found = operator_port(shifted, settings={"by": 2}).run(case_of("float32"))
    assert found.steps[0][P.name][0, 0] == 3


def test_prints_and_warnings_are_kept_out_of_the_report(capsys):
    def noisy(g):
        print("hello")
        print("hello", file=sys.stderr)
        warnings.warn("hello", stacklevel=1)
        return g

    operator_port(noisy).run(CASE)
    assert capsys.readouterr() == ("", "")


def raises(g):
    raise RuntimeError("no\nluck")


def leaves(g):
    sys.exit(0)


def returns_none(g):
    return None


def returns_list(g):
    return g.tolist()


def needs_more(g, axis):
    return g


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (raises, ["RuntimeError: no luck"]),
        (leaves, ["SystemExit"]),
        (returns_none, ["NoneType", "expected a numpy array"]),
        (returns_list, ["list", "expected a numpy array"]),
        (needs_more, ["TypeError", "axis"]),
    ],
)
def test_a_function_that_fails_is_one_clear_message(function, words):
    with pytest.raises(PortError) as error:
        operator_port(function).run(CASE)
    message = str(error.value)
    where = [function.__name__, P.name, "(2, 2)", "float32"]
    assert all(word in message for word in [*where, *words]), message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("framework", "needed"),
    [
        pytest.param("torch", "a torch array", marks=pytest.mark.torch),
        pytest.param("jax", "a jax array", marks=pytest.mark.jax),
    ],
)
def test_arrays_of_another_framework_are_refused(framework, needed):
    with pytest.raises(PortError, match=needed):
        operator_port(lambda g: np.zeros((2, 2)), framework=framework).run(CASE)


def test_a_long_message_of_somebody_else_is_cut():
    def talks(g):
        raise ValueError("x" * 5000)

    with pytest.raises(PortError) as error:
        operator_port(talks).run(CASE)
    assert len(str(error.value)) < 500
    assert str(error.value).endswith("...")


@pytest.mark.parametrize("function", [None, 3, np.zeros(2)])
def test_what_cannot_be_called_is_refused(function):
    with pytest.raises(PortLoadError, match="not a function"):
        operator_port(function)


def test_an_unknown_framework_is_refused():
    with pytest.raises(PortLoadError, match=r"'tensorflow'; known: numpy, torch, jax"):
        operator_port(output_last, framework="tensorflow")


def test_a_missing_framework_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(PortLoadError, match=r"framework torch cannot be imported .*install it"):
        operator_port(output_last, framework="torch")


def test_a_shape_that_changes_in_one_dtype_only_is_found():
    def flattens(g):
        return output_last(g).ravel() if g.dtype == np.float64 else output_last(g)

    report = check(operator_port(flattens), max_examples=0)
    found = {c.id: c.status for c in report.checks}
    assert found["hygiene/shape"] == "passed"  # it looks at float32
    assert found["hygiene/dtype"] == found["value/exact"] == "failed"


def test_layout_and_name_can_be_given():
    port = operator_port(output_first, layout="output-first", name="mine")
    assert (port.layout, port.name) == ("output-first", "mine")


def test_an_unknown_layout_is_refused():
    with pytest.raises(ValueError, match="layout"):
        operator_port(output_last, layout="output-middle")


def test_conventions_are_checked_at_once():
    with pytest.raises(ValueError, match="scoped"):
        operator_port(output_last, conventions={"scoped": "all"})


def test_conventions_about_steps_are_refused():
    with pytest.raises(ValueError, match="convention momentum is about steps"):
        operator_port(output_last, conventions={"momentum": "ema"})


def test_an_optimizer_is_told_where_it_belongs():
    class Descent:
        def step(self):
            """An optimizer in the manner of PyTorch."""

    with pytest.raises(PortLoadError, match=r"Descent is a class, .* torch, keras or optax"):
        operator_port(Descent)
